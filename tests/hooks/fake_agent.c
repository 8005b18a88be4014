/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Agents for the hooks' tests: what it does is the name it is executed by, since a real one's
 * arguments and environment are fixed. Writes its frames by hand, so that it can also write wrong
 * ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_FD 3

static const char *asked(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "0";
}

static void put(const void *data, size_t len)
{
	if (write(ANSWER_FD, data, len) != (ssize_t)len)
		_exit(9);
}

static void frame(const char *text)
{
	uint32_t len = (uint32_t)strlen(text);

	put("CKW1", 4);
	put(&len, 4);
	put(text, len);
}

/* A right answer but for what @job, @mode and @path say. */
static void answer(const char *job, const char *mode, const char *path)
{
	char text[8192];

	snprintf(text, sizeof(text),
		 "mode=%s\npath=%s\nroot=/run/"
		 "x\ntag=ckpt-3\nevidence=checksum\nattempt=%s\njob_id=%s\n"
		 "line=resuming\n",
		 mode, path, asked("CKPT_REQUEST_ATTEMPT"), job);
	frame(text);
}

static void right(void)
{
	answer(asked("CKPT_REQUEST_JOB_ID"), "resume", "/run/x/ckpt-3");
}

static const char *wanted = ""; /* of the one that is named wants-WORD */

static void recorder(void)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "mode=fresh\nattempt=%s\njob_id=%s\nline=recorded\nwanted=%s\nverify_ms=500\n"
		 "rejected=npz/checksum\n",
		 asked("CKPT_REQUEST_ATTEMPT"), asked("CKPT_REQUEST_JOB_ID"), wanted);
	frame(text);
}

static void copy_file(FILE *out, const char *path)
{
	char line[4096];
	FILE *in = fopen(path, "re");

	fprintf(out, "== %s\n", path);
	while (in && fgets(line, sizeof(line), in))
		fputs(line, out);
	if (in)
		fclose(in);
}

/* Open descriptors, without the one that looks. */
static void list_fds(FILE *out)
{
	char name[64], target[256];

	for (int fd = 0; fd < 256; fd++) {
		ssize_t len;

		if (fd == fileno(out))
			continue;
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		len = readlink(name, target, sizeof(target) - 1);
		if (len >= 0)
			fprintf(out, "fd %d %.*s\n", fd, (int)len, target);
	}
}

/* Writes all that it is into its work directory, then answers rightly. */
static void dumper(char **argv)
{
	extern char **environ;
	char path[4200], cwd[4096];
	int death = 0;
	FILE *out;

	snprintf(path, sizeof(path), "%s/dump-%s", asked("CKPT_REQUEST_WORK_DIR"), argv[1]);
	out = fopen(path, "we");
	if (!out)
		return;
	for (char **arg = argv; *arg; arg++)
		fprintf(out, "arg %s\n", *arg);
	for (char **env = environ; *env; env++)
		fprintf(out, "env %s\n", *env);
	prctl(PR_GET_PDEATHSIG, &death);
	fprintf(out, "pdeathsig %d\nnice %d\ndumpable %d\numask %03o\ncwd %s\npgrp-is-parents %d\n",
		death, getpriority(PRIO_PROCESS, 0), prctl(PR_GET_DUMPABLE), umask(077),
		getcwd(cwd, sizeof(cwd)), getpgrp() == getpgid(getppid()));
	fprintf(out, "root %s\n", setresuid(0, 0, 0) == 0 ? "back" : "gone");
	list_fds(out);
	copy_file(out, "/proc/self/status");
	copy_file(out, "/proc/self/limits");
	copy_file(out, "/proc/self/oom_score_adj");
	fclose(out);
	if (strcmp(argv[1], "record") == 0)
		recorder();
	else
		right();
}

static void forger(void)
{
	answer(asked("CKPT_REQUEST_JOB_ID"), "resume", "/run/x/ckpt-3\npath=/etc/shadow");
}

static void liar(void)
{
	answer("999", "resume", "/run/x/ckpt-3");
}

static void relative(void)
{
	answer(asked("CKPT_REQUEST_JOB_ID"), "resume", "../../etc/shadow");
}

static void inventive(void)
{
	answer(asked("CKPT_REQUEST_JOB_ID"), "%n%n%s", "/run/x/ckpt-3");
}

static void fresh(void)
{
	recorder();
}

static void flooder(void)
{
	char junk[4096];

	memset(junk, 'A', sizeof(junk));
	for (;;)
		if (write(ANSWER_FD, junk, sizeof(junk)) < 0)
			_exit(1);
}

/* A frame that promises more than it brings, a byte at a time. */
static void dripper(void)
{
	uint32_t len = 60000;

	put("CKW1", 4);
	put(&len, 4);
	for (;;) {
		put("m", 1);
		usleep(10000);
	}
}

static void stopped(void)
{
	raise(SIGSTOP);
}

static void hanger(void)
{
	right();
	for (;;)
		pause();
}

static void crasher(void)
{
	raise(SIGSEGV);
}

static void late_crasher(void)
{
	right();
	raise(SIGSEGV);
}

/* Children that ignore what can be ignored and hold the pipe, in a session of their own. */
static void forker(void)
{
	for (int i = 0; i < 20; i++) {
		if (fork() != 0)
			continue;
		setsid();
		for (int sig = 1; sig < NSIG; sig++)
			signal(sig, SIG_IGN);
		if (fork() >= 0)
			for (;;)
				pause();
	}
	right();
}

/* Kills the worker, its parent, as only a test run without root can, or a fault of the worker's. */
static void patricide(void)
{
	kill(getppid(), SIGSEGV);
	for (;;)
		pause();
}

static void burner(void)
{
	for (volatile unsigned long n = 0; n < ULONG_MAX; n++)
		;
}

static void eater(void)
{
	size_t got = 0;

	/* volatile: a compiler may know that nobody looks at what malloc() gives, and leave it out
	 */
	for (void *volatile block = malloc(1 << 20); block && got < 4096; got++)
		block = malloc(1 << 20);
	if (got < 4096)
		right(); /* the limit held */
}

static const struct kind {
	const char *name;
	void (*act)(void);
} kinds[] = {
	{ "right", right },
	{ "recorder", recorder },
	{ "forger", forger },
	{ "liar", liar },
	{ "relative", relative },
	{ "inventive", inventive },
	{ "fresh", fresh },
	{ "flooder", flooder },
	{ "dripper", dripper },
	{ "stopped", stopped },
	{ "hanger", hanger },
	{ "crasher", crasher },
	{ "late-crasher", late_crasher },
	{ "forker", forker },
	{ "patricide", patricide },
	{ "burner", burner },
	{ "eater", eater },
};

int main(int argc, char **argv)
{
	const char *path = (const char *)getauxval(AT_EXECFN);
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	if (argc < 2)
		return 2;
	if (strncmp(name, "wants-", 6) == 0) {
		wanted = name + 6;
		name = "dumper";
	}
	if (strcmp(name, "dumper") == 0 || strcmp(name, "late-recorder") == 0) {
		while (name[0] == 'l' && strcmp(argv[1], "record") == 0)
			pause();
		dumper(argv);
		return 0;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		kinds[i].act();
		return 0;
	}
	return 2;
}
