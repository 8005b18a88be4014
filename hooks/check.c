/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See check.h.
 */
#include "hooks/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/site.h"

/* Warns about a program that root, or the agent's launcher, could not or should not execute. */
static void check_program(const char *what, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		printf("warning: %s %s is missing or not executable\n", what, path);
	else if (st.st_uid != 0 || (st.st_mode & 022))
		printf("warning: %s %s can be written by others than root\n", what, path);
}

static void check_jobinfo(void)
{
	char path[CKPT_PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof("ckpt-jobinfo"));
	char *slash;

	if (len < 0)
		return;
	path[len] = '\0';
	slash = strrchr(path, '/');
	memcpy(slash + 1, "ckpt-jobinfo", sizeof("ckpt-jobinfo"));
	check_program("ckpt-jobinfo", path);
}

int ckpt_check_site(const char *file)
{
	static struct ckpt_site site;
	struct ckpt_error err = { 0 };
	char path[CKPT_PATH_MAX], value[CKPT_SITE_VALUE_MAX];

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
	for (size_t i = 0; ckpt_site_keys[i].name; i++)
		printf("%s=%s\n", ckpt_site_keys[i].name, ckpt_site_value(&site, i, value));
	check_program("Agent", site.agent);
	check_jobinfo();
	if (ckpt_site_disabled(&site))
		printf("warning: disabled: %s exists\n", site.disable_file);
	return 0;
}
