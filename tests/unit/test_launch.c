/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launcher against small shell scripts that answer right, lie, flood, stall, crash, hold the
 * pipe open and look around in what they were given.
 */
#include "wire/launch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/frame.h"
#include "wire/launch_child.h"

#define MS 1000000LL

static char dir[64], agent[128];
static struct ckpt_request req;

/* A shell function that frames its argument. */
static const char head[] =
	"#!/bin/sh\n"
	"frame() { n=${#1}; printf \"CKW1\\\\$(printf %03o $((n % 256)))\\\\$(printf %03o $((n / "
	"256)))\\\\000\\\\000%s\" \"$1\" >&3; }\n"
	"nl='\n'\n"
	"fresh() { frame \"mode=fresh${nl}line=ok$1${nl}\"; }\n";

static int set_up(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/ckpt-test-launch-XXXXXX", sizeof(dir) - 1);
	if (!mkdtemp(dir))
		return -1;
	snprintf(agent, sizeof(agent), "%s/agent", dir);
	ckpt_request_init(&req);
	req.job_id = 42;
	req.array_task = 0;
	snprintf(req.dirs, sizeof(req.dirs), "a b:$(touch /tmp/x)");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(agent);
	return rmdir(dir);
}

static void write_agent(const char *body)
{
	FILE *f = fopen(agent, "we");

	assert_non_null(f);
	fputs(head, f);
	fputs(body, f);
	fclose(f);
	assert_int_equal(chmod(agent, 0755), 0);
}

/* What one launch gave. */
struct outcome {
	int r;
	int64_t ms;
	struct ckpt_launch_end end;
	struct ckpt_decision d;
	struct ckpt_error err;
};

static const struct outcome *launch_how(struct ckpt_launch how, int64_t deadline_ms)
{
	static struct outcome o;
	int64_t begin = ckpt_frame_now_ns();

	memset(&o, 0, sizeof(o));
	how.agent = agent;
	how.op = "resolve";
	how.deadline_ns = deadline_ms ? begin + deadline_ms * MS : 0;
	o.r = ckpt_launch_agent(&how, &req, &o.d, &o.end, &o.err);
	o.ms = (ckpt_frame_now_ns() - begin) / MS;
	return &o;
}

static const struct outcome *launch(const char *body, int64_t deadline_ms)
{
	write_agent(body);
	return launch_how((struct ckpt_launch) { 0 }, deadline_ms);
}

static void test_launch__endings(void **state)
{
	static const struct {
		const char *name, *body;
		int64_t deadline_ms;
		int r, signal, exit_code;
		bool timed_out;
		int64_t max_ms;
	} cases[] = {
		{ "answers", "fresh", 5000, 0, 0, 0, false, 1500 },
		{ "answers, no deadline", "fresh", 0, 0, 0, 0, false, 1500 },
		{ "answers and fails", "fresh; exit 3", 0, 0, 0, 3, false, 1500 },
		{ "answers twice", "fresh; fresh", 0, 0, 0, 0, false, 1500 },
		{ "answers and stays", "fresh; exec sleep 20", 0, 0, 9, 0, false, 3000 },
		{ "answers, descendant holds on", "fresh; sleep 4 & exit 0", 0, 0, 0, 0, false,
		  2000 },
		{ "no answer", "exit 3", 0, -EPIPE, 0, 3, false, 1500 },
		{ "crash", "kill -SEGV $$", 0, -EPIPE, SIGSEGV, 0, false, 1500 },
		{ "interrupted", "kill -TERM $$", 0, -EPIPE, SIGTERM, 0, false, 1500 },
		{ "crash, descendant holds on", "sleep 4 & kill -KILL $$", 0, -EPIPE, SIGKILL, 0,
		  false, 2000 },
		{ "stopped", "kill -STOP $$", 200, -ETIMEDOUT, 9, 0, true, 1500 },
		{ "stopped in a frame", "printf CKW1 >&3; kill -STOP $$", 200, -ETIMEDOUT, 9, 0,
		  true, 1500 },
		{ "half a frame, no deadline", "printf CKW1 >&3; exec sleep 20", 0, -ETIMEDOUT, 9,
		  0, true, 4000 },
		{ "half a frame and the end", "printf CKW1 >&3", 0, -EPIPE, 0, 0, false, 1500 },
		{ "slow", "sleep 20", 300, -ETIMEDOUT, 9, 0, true, 1500 },
		{ "closes early", "exec 3>&-; exec sleep 20", 0, -EPIPE, 9, 0, true, 3000 },
		{ "floods", "exec cat /dev/zero >&3", 5000, -EBADMSG, 9, 0, true, 1500 },
		{ "floods in a frame",
		  "printf 'CKW1\\377\\377\\377\\377' >&3; exec cat /dev/zero >&3", 5000, -EBADMSG,
		  9, 0, true, 1500 },
		{ "not startable", "", 0, -EPIPE, 0, 127, false, 1500 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct outcome *o;

		write_agent(cases[i].body);
		if (strcmp(cases[i].name, "not startable") == 0)
			assert_int_equal(chmod(agent, 0644), 0);
		o = launch_how((struct ckpt_launch) { 0 }, cases[i].deadline_ms);
		if (o->r != cases[i].r || o->end.signal != cases[i].signal ||
		    o->ms > cases[i].max_ms)
			print_error("%s: %d, signal %d, exit %d, %lld ms: %s\n", cases[i].name,
				    o->r, o->end.signal, o->end.exit_code, (long long)o->ms,
				    o->err.text);
		assert_int_equal(o->r, cases[i].r);
		assert_int_equal(o->end.signal, cases[i].signal);
		assert_int_equal(o->end.exit_code, cases[i].exit_code);
		assert_int_equal(o->end.timed_out, cases[i].timed_out);
		assert_in_range(o->ms, 0, cases[i].max_ms);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left behind */
	}
}

static void test_launch__lies(void **state)
{
	static const char *const payloads[] = {
		"mode=banana\n",
		"mode=resume\npath=/a/b\n",
		"mode=resume\npath=a/b\nroot=a\ntag=b\nevidence=seal\n",
		"mode=resume\npath=/x/b\nroot=/a\ntag=b\nevidence=seal\n",
		"mode=fresh\npath=/a\n",
		"mode=fresh\nshell=rm\n",
		"mode=fresh\nmode=fresh\n",
		"mode=fresh\nenv_names=LD_PRELOAD\n",
		"mode=refused\nline=no\nrefusal=0\n",
		"mode=fresh",
		"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		char body[512];
		const struct outcome *o;

		snprintf(body, sizeof(body), "frame '%s'\n", payloads[i]);
		o = launch(body, 5000);
		if (o->r != -EBADMSG)
			print_error("%s: %d\n", payloads[i], o->r);
		assert_int_equal(o->r, -EBADMSG);
		assert_string_equal(o->d.mode, ""); /* nothing of a lie is handed on */
		assert_non_null(strstr(o->err.text, "nonsense"));
	}
}

static void test_launch__answer(void **state)
{
	const struct outcome *o = launch("frame \"mode=resume${nl}path=/r/c${nl}root=/r${nl}tag=c"
					 "${nl}evidence=seal${nl}settle=1${nl}\"",
					 5000);

	(void)state;
	assert_int_equal(o->r, 0);
	assert_string_equal(o->d.path, "/r/c");
	assert_int_equal(o->d.settle, 1);
	assert_string_equal(o->err.text, "");
}

/* Each line of a script is a claim; the first that does not hold is named in the answer. */
static void expect_claims(const char *claims, bool confined)
{
	static const char frame[] = "claim() { [ \"$@\" ] || { fresh \": $*\"; exit; }; }\n";
	char body[4096];
	const struct outcome *o;

	snprintf(body, sizeof(body), "%s%s\nfresh\n", frame, claims);
	write_agent(body);
	o = launch_how((struct ckpt_launch) { .confined = confined }, 5000);
	assert_int_equal(o->r, 0);
	assert_string_equal(o->d.line, "ok");
}

static void test_launch__environment(void **state)
{
	(void)state;
	setenv("LD_LIBRARY_PATH", "/mine", 1);
	setenv("CKPT_REQUEST_IN_HOOK", "1", 1);
	expect_claims("claim -z \"$HOME\"\n"
		      "claim -z \"$LD_LIBRARY_PATH\"\n"
		      "claim \"$PATH\" = /usr/bin:/bin\n"
		      "claim \"$LANG\" = C\n"
		      "claim \"$CKPT_REQUEST_RESUME\" = auto\n"
		      "claim \"$CKPT_REQUEST_JOB_ID\" = 42\n"
		      "claim \"$CKPT_REQUEST_IN_HOOK\" = 0\n"
		      "claim \"$CKPT_REQUEST_ARRAY_TASK\" = 0\n"
		      "claim \"$CKPT_REQUEST_DIR\" = 'a b:$(touch /tmp/x)'\n"
		      "claim $(tr '\\0' '\\n' </proc/$$/environ | grep -vc ^CKPT_REQUEST_) = 2\n",
		      false);
	unsetenv("LD_LIBRARY_PATH");
	unsetenv("CKPT_REQUEST_IN_HOOK");
}

static void test_launch__confined(void **state)
{
	(void)state;
	expect_claims("claim $# = 2\nclaim \"$1\" = resolve\nclaim \"$2\" = --no-exec\n"
		      "claim \"$(pwd)\" = /\n"
		      "claim \"$(readlink /proc/$$/fd/0)\" = /dev/null\n"
		      "claim \"$(readlink /proc/$$/fd/1)\" = /dev/null\n"
		      "claim \"$(readlink /proc/$$/fd/2)\" = /dev/null\n",
		      true);
}

static void test_launch__step(void **state)
{
	char claims[512], cwd[256];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(claims, sizeof(claims), "claim $# = 1\nclaim \"$(pwd)\" = '%s'\n", cwd);
	expect_claims(claims, false);
}

/* Descriptors, blocked and ignored signals of the caller stop at the exec. */
static void test_launch__inherits_nothing(void **state)
{
	sigset_t block, before;
	int high = fcntl(0, F_DUPFD, 77);

	(void)state;
	assert_true(high >= 77);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &before);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	expect_claims("claim ! -e /proc/$$/fd/77\n"
		      "claim ! -e /proc/$$/fd/4\n"
		      "claim \"$(sed -n 's/^SigBlk:.//p' /proc/$$/status)\" = 0000000000000000\n"
		      "claim \"$(sed -n 's/^SigIgn:.//p' /proc/$$/status)\" = 0000000000000000\n",
		      false);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(high);
}

static int prepare(void *arg)
{
	umask(0123);
	return *(int *)arg;
}

static void test_launch__prepare(void **state)
{
	int result = 0;
	const struct outcome *o;

	(void)state;
	write_agent("fresh \": $(umask)\"");
	o = launch_how((struct ckpt_launch) { .prepare = prepare, .arg = &result }, 5000);
	assert_string_equal(o->d.line, "ok: 0123");
	result = 1;
	o = launch_how((struct ckpt_launch) { .prepare = prepare, .arg = &result }, 5000);
	assert_int_equal(o->r, -EPIPE);
	assert_int_equal(o->end.exit_code, 127);
}

/* True if a caller with the descriptors of @closed (bits) closed gets its answer. */
static bool answers_without(unsigned int closed, bool confined)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct ckpt_launch how = { .agent = agent, .op = "resolve", .confined = confined };
		struct ckpt_launch_end end;
		static struct ckpt_decision d;

		for (int fd = 0; fd < 8; fd++)
			if (closed & 1u << fd)
				close(fd);
		_exit(ckpt_launch_agent(&how, &req, &d, &end, NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

/* Whatever descriptors the caller has free, the answer comes over the right one. */
static void test_launch__closed_descriptors(void **state)
{
	(void)state;
	write_agent("fresh");
	for (unsigned int low = 0; low < 16; low++) {
		assert_true(answers_without(low, true));
		assert_true(answers_without(low | 0xf0, true));
		assert_true(answers_without(low | 0xf0, false));
	}
}

static const char *from_child_env(void *arg, const char *name)
{
	size_t len = strlen(name);

	for (char **e = arg; *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

/* Whatever a request holds, nothing given included, is what the agent reads. */
static void test_launch__environment_is_read_back(void **state)
{
	struct ckpt_request sent, got;
	struct ckpt_error err = { 0 };
	char **env;

	(void)state;
	for (int i = 0; i < 2; i++) {
		ckpt_request_init(&sent);
		sent.own_max_restarts = i * 7;
		sent.array_task = i - 1;
		env = ckpt_child_env(&sent, NULL);
		assert_non_null(env);
		ckpt_request_init(&got);
		got.array_task = 5;
		if (ckpt_fields_from_env(&ckpt_request_fields, &got, CKPT_REQUEST_ENV_PREFIX,
					 from_child_env, env, &err) != 0)
			fail_msg("%s", err.text);
		assert_memory_equal(&got, &sent, sizeof(got));
		ckpt_child_env_free(env);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_launch__environment_is_read_back),
		cmocka_unit_test(test_launch__endings),
		cmocka_unit_test(test_launch__lies),
		cmocka_unit_test(test_launch__answer),
		cmocka_unit_test(test_launch__environment),
		cmocka_unit_test(test_launch__confined),
		cmocka_unit_test(test_launch__step),
		cmocka_unit_test(test_launch__inherits_nothing),
		cmocka_unit_test(test_launch__prepare),
		cmocka_unit_test(test_launch__closed_descriptors),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
