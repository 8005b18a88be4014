/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.fetch: the last of the ways to a start, in the step only. The command is the user's own,
 * runs with the user's rights inside the job, and what it leaves is judged like any other file.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/agent.h"
#include "wire/text.h"

static char *const fetch_environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C", NULL };

static int fetch_directory(const struct ckpt_run_config *config, const char *run_dir, char *ret,
			   struct ckpt_error *err)
{
	const char *into = config->fetch_into[0] ? config->fetch_into : CKPT_FETCH_INTO;
	int n = into[0] == '/' ? snprintf(ret, CKPT_PATH_MAX, "%s", into)
			       : snprintf(ret, CKPT_PATH_MAX, "%s/%s", run_dir, into);

	if (n >= CKPT_PATH_MAX)
		return ckpt_fail(err, -ENAMETOOLONG, "model.fetch_into is too long");
	if (mkdir(run_dir, 0777) < 0 && errno != EEXIST)
		return ckpt_fail(err, -errno, "cannot make %s: %s", CKPT_QUOTE(run_dir),
				 strerror(errno));
	if (mkdir(ret, 0777) < 0 && errno != EEXIST)
		return ckpt_fail(err, -errno, "cannot make %s: %s", CKPT_QUOTE(ret),
				 strerror(errno));
	return 0;
}

static int spawn_in(const char *dir, char *const *argv, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_addchdir_np(&actions, dir);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, 2, 1);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (r == 0)
		r = posix_spawnp(ret, argv[0], &actions, NULL, argv, fetch_environment);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int ckpt_fetch(const struct ckpt_run_config *config, const char *run_dir, char *ret,
	       struct ckpt_error *err)
{
	int status = 0, r = fetch_directory(config, run_dir, ret, err);
	pid_t pid;

	if (r < 0)
		return r;
	r = spawn_in(ret, config->fetch, &pid);
	if (r < 0)
		return ckpt_fail(err, CKPT_FETCH_FAILED, "model.fetch: cannot run %s: %s",
				 CKPT_QUOTE(config->fetch[0]), strerror(-r));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ckpt_fail(err, -errno, "model.fetch: %s", strerror(errno));
	if (status != 0)
		return ckpt_fail(err, CKPT_FETCH_FAILED, "model.fetch: %s ended with %s %d",
				 CKPT_QUOTE(config->fetch[0]),
				 WIFSIGNALED(status) ? "signal" : "exit code",
				 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return 0;
}
