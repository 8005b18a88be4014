/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See check.h.
 */
#include "hooks/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/site.h"

static bool is_changeable(const struct stat *st)
{
	return st->st_uid != 0 || (st->st_mode & 022);
}

/* The directory of the program @path; @users: they have to reach it too. */
static void check_directory(const char *what, const char *path, bool users)
{
	const char *slash = strrchr(path, '/');
	char dir[CKPT_PATH_MAX];
	struct stat st;

	if (!slash || snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path) < 1 ||
	    stat(dir, &st) < 0)
		return;
	if (is_changeable(&st))
		printf("warning: %s, where %s lies, can be written by others than root\n", dir,
		       what);
	if (users && !(st.st_mode & 0001))
		printf("warning: %s, where %s lies, is closed to users\n", dir, what);
}

/* Warns about a program that root, or the agent's launcher, could not or should not execute. */
static bool check_program(const char *what, const char *path, struct stat *ret)
{
	if (stat(path, ret) < 0 || !S_ISREG(ret->st_mode) || !(ret->st_mode & 0111)) {
		printf("warning: %s %s is missing or not executable\n", what, path);
		return false;
	}
	if (is_changeable(ret))
		printf("warning: %s %s can be written by others than root\n", what, path);
	return true;
}

static void check_agent(const char *path)
{
	struct stat st;

	if (!check_program("Agent", path, &st))
		return;
	if (st.st_mode & 0004)
		printf("warning: Agent %s can be read by users, who then can trace it: make it "
		       "mode 0711\n",
		       path);
	check_directory("Agent", path, true);
}

static void check_jobinfo(void)
{
	char path[CKPT_PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof("ckpt-jobinfo"));
	struct stat st;
	char *slash;

	if (len < 0)
		return;
	path[len] = '\0';
	slash = strrchr(path, '/');
	memcpy(slash + 1, "ckpt-jobinfo", sizeof("ckpt-jobinfo"));
	if (check_program("ckpt-jobinfo", path, &st))
		check_directory("ckpt-jobinfo", path, false);
}

/* As a file would have it; what is empty says what that means. */
static void print_keys(const struct ckpt_site *site)
{
	char value[CKPT_SITE_VALUE_MAX];

	for (size_t i = 0; ckpt_site_keys[i].name; i++) {
		const struct ckpt_site_key *key = &ckpt_site_keys[i];

		if (*ckpt_site_value(site, i, value))
			printf("%s=%s\n", key->name, value);
		else
			printf("# %s is not set: %s\n", key->name, key->value);
	}
}

int ckpt_check_site(const char *file)
{
	static struct ckpt_site site;
	struct ckpt_error err = { 0 };
	char path[CKPT_PATH_MAX];

	ckpt_site_path(file, getenv("SLURM_CONF"), path);
	if (file && access(file, F_OK) < 0) {
		fprintf(stderr, "ckpt-hook: no file %s\n", file);
		return 1;
	}
	if (ckpt_site_load(&site, path, &err) < 0) {
		fprintf(stderr, "ckpt-hook: %s\n", err.text);
		return 1;
	}
	printf("# %s%s\n", path, access(path, F_OK) < 0 ? " does not exist: defaults" : "");
	print_keys(&site);
	check_agent(site.agent);
	check_jobinfo();
	if (ckpt_site_disabled(&site))
		printf("warning: disabled: %s exists\n", site.disable_file);
	return 0;
}
