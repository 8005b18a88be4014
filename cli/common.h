/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What commands share: the request's options, exit codes of verdicts, JSON on stdout, a progress
 * bar.
 */
#ifndef CKPT_CLI_COMMON_H
#define CKPT_CLI_COMMON_H

#include <cjson/cJSON.h>

#include "cli/ckptctl.h"

/* The options of a request, as argp children. */
struct ckpt_cli_request {
	struct ckpt_request req;
	bool json;
	struct ckpt_error err; /* the first bad option */
};

/* --dir, --mode, --metric, --epoch, --glob, --config, --state, --level. input is a struct
 * ckpt_cli_request. */
extern const struct argp ckpt_cli_request_argp;

/* --json alone. The same input. */
extern const struct argp ckpt_cli_json_argp;

/* Both, of the commands that answer. The same input. */
extern const struct argp ckpt_cli_answer_argp;

/* argp_parse() as every command calls it, with shorter help. */
error_t ckpt_cli_parse(const struct argp *argp, int argc, char **argv, unsigned int flags,
		       void *input);

/* Takes the one directory of a command, its argument or CKPT_CLI_DIR_OPTION, into *@ret: 0. A
 * second one is a usage error. */
error_t ckpt_cli_take_dir(const char **ret, const char *arg, struct argp_state *state);

/* Prepares @cli: an empty request in the current directory, outside of any job. */
void ckpt_cli_request_init(struct ckpt_cli_request *cli);

/* Checks what was given; prints the error. True when the request can be resolved. */
bool ckpt_cli_request_ready(struct ckpt_cli_request *cli);

/* The verdict's exit code. */
int ckpt_cli_exit(enum ckpt_status status);

/*
 * The exit code of a check at @level: the verdict's; at CKPT_LEVEL_FINITE a valid one with NaN or
 * Inf is a no, and one that was not looked through to its end could not be found out.
 */
int ckpt_cli_report_exit(const struct ckpt_report *report, enum ckpt_level level);

/* The decision's exit code: resume and finetune 0, fresh 1, refused 1 or 3. */
int ckpt_cli_decision_exit(const struct ckpt_decision *d);

/* @value as text, to be freed by cJSON_free(); NULL without memory. It is UTF-8: a byte of a file's
 * name that is none, which JSON cannot say, is a '?' there. */
char *ckpt_cli_json_text(const cJSON *value);

/* Prints @value and deletes it. Returns false without memory. */
bool ckpt_cli_print_json(cJSON *value);

/* Prints the answers about paths and deletes @array: one gives one object, several an array. */
bool ckpt_cli_print_answers(cJSON *array);

/* Prints a line of data to stdout: control characters cleaned, newline added. */
void ckpt_cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints "ckptctl: ..." to stderr and returns @code. */
int ckpt_cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* True if @stream is a terminal and NO_COLOR is unset. */
bool ckpt_cli_colors(FILE *stream);

/* Makes @ctx show a progress bar with rate and ETA on stderr when that is a terminal. */
void ckpt_cli_progress(struct ckpt_ctx *ctx);

/*
 * The context of a decision, the same for all commands that make one or tell of one: of what is on
 * tape the checkpoint that is about to be chosen is recalled, nothing else. @ctx is zeroed before.
 */
void ckpt_cli_decision_ctx(struct ckpt_ctx *ctx);

/* Takes the bar off the terminal. */
void ckpt_cli_progress_end(struct ckpt_ctx *ctx);

/*
 * Finds the set that @path names, alone in @cat; a directory whose name @glob takes (NULL: none) is
 * one whatever its layout. 0 with *@ret, or an exit code with *@err.
 */
int ckpt_cli_find(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, const char *path,
		  const char *glob, struct ckpt_set **ret, struct ckpt_error *err);

/* The option that @glob comes from. */
#define CKPT_CLI_GLOB                                                                              \
	{                                                                                          \
		"glob", 'g', "PATTERN", 0,                                                         \
			"names of directories that are checkpoints, whatever their layout: each "  \
			"file in them is "                                                         \
			"checked by itself",                                                       \
			0                                                                          \
	}

/* The verdict's JSON for a path that ckpt_cli_find() ended at with @code and @err. NULL = no
 * memory. */
cJSON *ckpt_cli_unfound_json(const char *path, int code, const struct ckpt_error *err);

/* Parses "structure", "sample", "full" or "finite". */
bool ckpt_cli_level(const char *text, enum ckpt_level *ret);

/* @path made absolute from the current directory into @buf (CKPT_PATH_MAX bytes). False if too
 * long. */
bool ckpt_cli_absolute(const char *path, char *buf);

#endif
