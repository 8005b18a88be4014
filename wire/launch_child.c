/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See launch_child.h.
 */
#include "wire/launch_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/cleanup.h"

#define CLOSE_CAP 65536 /* descriptors closed one by one on kernels before 5.9 */

/* Under way: the array has room for all that is to come and the NULL. */
struct env {
	char **p;
	size_t n;
};

static int env_add(struct env *env, const char *prefix, const char *name, const char *value)
{
	char *entry;

	if (asprintf(&entry, "%s%s=%s", prefix, name, value) < 0)
		return -ENOMEM;
	env->p[env->n++] = entry;
	return 0;
}

static int env_add_more(struct env *env, const char *const *more)
{
	for (; more && *more; more++) {
		char *entry = strdup(*more);

		if (!entry)
			return -ENOMEM;
		env->p[env->n++] = entry;
	}
	return 0;
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

char **ckpt_child_env(const struct ckpt_request *req, const char *const *more)
{
	const struct ckpt_fields *fields = &ckpt_request_fields;
	struct env env = { .p = calloc(fields->n + count(more) + 3, sizeof(char *)) };
	int r = env.p ? env_add(&env, "", "PATH", "/usr/bin:/bin") : -ENOMEM;

	if (r == 0)
		r = env_add(&env, "", "LANG", "C");
	for (size_t i = 0; r == 0 && i < fields->n; i++) {
		char number[24];
		const struct ckpt_field *row = &fields->rows[i];
		const char *value = ckpt_field_get(row, req, number, sizeof(number));

		if (row->min > 0 && strcmp(value, "0") == 0)
			continue; /* not given: no value that it may have */
		r = env_add(&env, CKPT_REQUEST_ENV_PREFIX, row->env, value);
	}
	if (r == 0)
		r = env_add_more(&env, more);
	if (r == 0)
		return env.p;
	ckpt_child_env_free(env.p);
	return NULL;
}

void ckpt_child_env_free(char **envp)
{
	for (char **e = envp; e && *e; e++)
		free(*e);
	free(envp);
}

int ckpt_child_raise_fd(int fd, int least)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, least);

	return high < 0 ? -errno : high;
}

int ckpt_child_last_fd(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > CLOSE_CAP)
		return CLOSE_CAP;
	return (int)limit.rlim_cur;
}

void ckpt_child_reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL); /* refused for SIGKILL, SIGSTOP and libc's own */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void ckpt_child_close_from(int first, int last)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned int)first, ~0U, 0) == 0)
		return;
#endif
	for (int fd = first; fd <= last; fd++)
		close(fd);
}
