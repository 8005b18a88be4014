/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host for the plugin that is no Slurm: offers the SPANK calls with Slurm's own restrictions of
 * context and phase, loads the real .so and walks one context's callbacks in Slurm's order.
 *
 *   fake_spank PLUGIN sbatch|srun|batch|step|slurmd [WORD...]
 *     option=NAME[=VALUE]   calls the option's callback (VALUE @NULL for no argument)
 *     arg=TEXT              a plugstack argument       env=NAME=VALUE   the job's environment
 *     job=N  array=A_T      identity                   status=N         the task's raw status
 *     user=N                the task's uid             late=NAME=VALUE  set just before task_init
 *
 * Prints what happened, one fact a line: rc of each callback, options, control variables, the
 * environment afterwards, the task's end. Log calls go to standard error.
 */
#include <dlfcn.h>
#include <grp.h>
#include <slurm/spank.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ITEMS_MAX 128
#define NO_NUMBER 0xfffffffeU

struct spank_handle {
	int unused;
};

/* A list of NAME=VALUE. */
struct vars {
	char *entry[ITEMS_MAX];
	int n;
};

static enum spank_context context;
static const char *phase = "";
static struct vars job_env, late_env, control;
static struct spank_option options[ITEMS_MAX];
static int n_options;
static char *plugin_argv[ITEMS_MAX];
static int plugin_argc;
static char *wanted[ITEMS_MAX];
static int n_wanted;
static unsigned int job_id = 7, step_id, array_job, array_task = NO_NUMBER, task_uid;
static int task_status;
static void *plugin;
static struct spank_handle handle;

static char *copy(const char *text)
{
	char *p = strdup(text);

	if (!p)
		abort();
	return p;
}

static int find(const struct vars *v, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < v->n; i++)
		if (strncmp(v->entry[i], name, len) == 0 && v->entry[i][len] == '=')
			return i;
	return -1;
}

static void put(struct vars *v, const char *entry)
{
	char name[256];
	int at;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(entry, "="), entry);
	at = find(v, name);
	if (at < 0 && v->n == ITEMS_MAX)
		abort();
	if (at < 0)
		at = v->n++;
	else
		free(v->entry[at]);
	v->entry[at] = copy(entry);
}

static void put_pair(struct vars *v, const char *name, const char *value)
{
	char *entry;

	if (asprintf(&entry, "%s=%s", name, value) < 0)
		abort();
	put(v, entry);
	free(entry);
}

static bool is_remote(void)
{
	return context == S_CTX_REMOTE;
}

static void log_line(const char *kind, const char *format, va_list ap)
{
	fprintf(stderr, "%s", kind);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void slurm_error(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line("error: ", format, ap);
	va_end(ap);
}

void slurm_spank_log(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line("log: ", format, ap);
	va_end(ap);
}

const char *spank_strerror(spank_err_t err)
{
	(void)err;
	return "spank error";
}

spank_context_t spank_context(void)
{
	return *phase ? context : S_CTX_ERROR;
}

spank_err_t spank_option_register(spank_t sp, struct spank_option *opt)
{
	if (sp != &handle || strcmp(phase, "init") != 0 || n_options == ITEMS_MAX)
		return ESPANK_BAD_ARG;
	options[n_options++] = *opt;
	return ESPANK_SUCCESS;
}

spank_err_t spank_getenv(spank_t sp, const char *var, char *buf, int len)
{
	const char *value;
	int at;

	if (sp != &handle || !is_remote())
		return ESPANK_NOT_REMOTE;
	at = find(&job_env, var);
	if (at < 0)
		return ESPANK_ENV_NOEXIST;
	value = strchr(job_env.entry[at], '=') + 1;
	return snprintf(buf, (size_t)len, "%s", value) >= len ? ESPANK_NOSPACE : ESPANK_SUCCESS;
}

spank_err_t spank_setenv(spank_t sp, const char *var, const char *val, int overwrite)
{
	if (sp != &handle || !is_remote())
		return ESPANK_NOT_REMOTE;
	if (find(&job_env, var) >= 0 && !overwrite)
		return ESPANK_ENV_EXISTS;
	put_pair(&job_env, var, val);
	return ESPANK_SUCCESS;
}

spank_err_t spank_unsetenv(spank_t sp, const char *var)
{
	int at;

	if (sp != &handle || !is_remote())
		return ESPANK_NOT_REMOTE;
	at = find(&job_env, var);
	if (at >= 0) {
		free(job_env.entry[at]);
		job_env.entry[at] = job_env.entry[--job_env.n];
	}
	return ESPANK_SUCCESS;
}

spank_err_t spank_job_control_setenv(spank_t sp, const char *name, const char *value, int overwrite)
{
	if (sp != &handle || (context != S_CTX_ALLOCATOR && context != S_CTX_LOCAL))
		return ESPANK_NOT_LOCAL;
	if (find(&control, name) >= 0 && !overwrite)
		return ESPANK_ENV_EXISTS;
	put_pair(&control, name, value);
	return ESPANK_SUCCESS;
}

/* Which items may be asked where. */
static bool item_allowed(spank_item_t item)
{
	if (item == S_TASK_EXIT_STATUS)
		return strcmp(phase, "task_exit") == 0;
	return is_remote() || (strcmp(phase, "local_user_init") == 0 && item <= S_JOB_STEPID);
}

spank_err_t spank_get_item(spank_t sp, spank_item_t item, ...)
{
	unsigned int value = 0;
	va_list ap;

	if (sp != &handle || !item_allowed(item))
		return ESPANK_NOT_AVAIL;
	switch ((int)item) {
	case S_JOB_ID:
		value = job_id;
		break;
	case S_JOB_STEPID:
		value = step_id;
		break;
	case S_JOB_ARRAY_ID:
		value = array_job;
		break;
	case S_JOB_ARRAY_TASK_ID:
		value = array_task;
		break;
	case S_TASK_EXIT_STATUS:
		value = (unsigned int)task_status;
		break;
	default:
		return ESPANK_BAD_ARG;
	}
	va_start(ap, item);
	*va_arg(ap, unsigned int *) = value;
	va_end(ap);
	return ESPANK_SUCCESS;
}

static void call(const char *name)
{
	char symbol[64];
	union {
		void *object;
		spank_f *function;
	} u;

	snprintf(symbol, sizeof(symbol), "slurm_spank_%s", name);
	u.object = dlsym(plugin, symbol);
	if (!u.object)
		return;
	phase = name;
	printf("%s=%d\n", name, u.function(&handle, plugin_argc, plugin_argv));
	fflush(stdout);
	phase = "";
}

/* Calls the callback of the option NAME[=VALUE], as Slurm does outside of any plugin phase. */
static void call_option(char *text)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	if (value && strcmp(value, "@NULL") == 0)
		value = NULL;
	for (int i = 0; i < n_options; i++)
		if (strcmp(options[i].name, text) == 0) {
			phase = "option";
			printf("option %s=%d\n", text,
			       options[i].cb(options[i].val, value, is_remote()));
			phase = "";
			return;
		}
	printf("option %s unknown\n", text);
}

static void print_vars(const char *kind, char *const *entry, int n)
{
	for (int i = 0; i < n && entry[i]; i++)
		if (strncmp(entry[i], "CKPT_", 5) == 0 || strstr(entry[i], "SLURM_") == entry[i] ||
		    strncmp(entry[i], "_SLURM_", 7) == 0 || strncmp(entry[i], "MY_", 3) == 0)
			printf("%s %s\n", kind, entry[i]);
}

/* The child that would become the task. Its 42 stands for the program having started. */
static void run_task(void)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (task_uid &&
		    (setgroups(0, NULL) < 0 || setgid(task_uid) < 0 || setuid(task_uid) < 0))
			_exit(99);
		for (int i = 0; i < late_env.n; i++)
			put(&job_env, late_env.entry[i]);
		call("task_init");
		print_vars("env", job_env.entry, job_env.n);
		fflush(stdout);
		_exit(42);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("task signal=%d\n", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 42)
		printf("task started\n");
	else
		printf("task exit=%d\n", WEXITSTATUS(status));
	if (!task_status)
		task_status = status;
}

static void run_remote(void)
{
	call("init");
	for (int i = 0; i < n_wanted; i++)
		call_option(wanted[i]);
	call("init_post_opt");
	call("user_init");
	run_task();
	call("task_exit");
	call("exit");
}

static void run_submit(void)
{
	extern char **environ;

	call("init");
	for (int i = 0; i < n_wanted; i++)
		call_option(wanted[i]);
	call("init_post_opt");
	if (context == S_CTX_LOCAL)
		call("local_user_init");
	print_vars("control", control.entry, control.n);
	print_vars("environ", environ, ITEMS_MAX);
	call("exit");
}

static void take_word(char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		abort();
	*value++ = '\0';
	if (strcmp(word, "option") == 0)
		wanted[n_wanted++] = value;
	else if (strcmp(word, "arg") == 0)
		plugin_argv[plugin_argc++] = value;
	else if (strcmp(word, "env") == 0)
		put(&job_env, value);
	else if (strcmp(word, "late") == 0)
		put(&late_env, value);
	else if (strcmp(word, "job") == 0)
		job_id = (unsigned int)strtoul(value, NULL, 10);
	else if (strcmp(word, "status") == 0)
		task_status = (int)strtol(value, NULL, 10);
	else if (strcmp(word, "user") == 0)
		task_uid = (unsigned int)strtoul(value, NULL, 10);
	else if (strcmp(word, "array") != 0 || sscanf(value, "%u_%u", &array_job, &array_task) != 2)
		abort();
}

static void set_context(const char *name)
{
	static const struct {
		const char *name;
		enum spank_context context;
		unsigned int step;
	} rows[] = {
		{ "sbatch", S_CTX_ALLOCATOR, 0 },	{ "srun", S_CTX_LOCAL, 0 },
		{ "batch", S_CTX_REMOTE, 0xfffffffbU }, { "step", S_CTX_REMOTE, 0 },
		{ "slurmd", S_CTX_SLURMD, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0) {
			context = rows[i].context;
			step_id = rows[i].step;
			return;
		}
	abort();
}

int main(int argc, char *argv[])
{
	if (argc < 3)
		return 2;
	plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (!plugin) {
		fprintf(stderr, "%s\n", dlerror());
		return 2;
	}
	set_context(argv[2]);
	for (int i = 3; i < argc; i++)
		take_word(argv[i]);
	if (is_remote())
		run_remote();
	else
		run_submit();
	return 0;
}
