/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl validate PATH...: proves checkpoints whole, or says what is wrong with them.
 */
#include <stdio.h>
#include <string.h>

#include "cli/shard.h"
#include "core/base/ahead.h"
#include "core/base/share.h"
#include "core/integrity/verify.h"
#include "core/resolve/trail.h"
#include "wire/text.h"

struct validate {
	bool json, quiet;
	enum ckpt_level level;
	int64_t seed;
	enum ckpt_cache cache;
	struct ckpt_cli_shard shard;
	const char *glob;
	char **paths;
	int n_paths;
};

static const struct argp_option options[] = {
	{ "level", 'l', "structure|sample|full|finite", 0, "how far to check (default full)", 0 },
	{ "seed", 's', "N", 0, "which chunks --level=sample reads again (default 0)", 0 },
	{ "cache", 'c', "auto|fill|leave", 0,
	  "what is not in memory is read into the page cache (fill), or past it (leave); auto "
	  "(default) fills it with what fits a quarter of the memory",
	  0 },
	{ "shard", 'S', "I/N|auto", 0,
	  "check part I of N of each (auto: this task's of a step, started with srun); its 0 is "
	  "for that share alone",
	  0 },
	{ "merge", 'm', "N", OPTION_ARG_OPTIONAL, "put the parts together that shards left", 0 },
	{ "shard-dir", 'D', "DIR", 0, "where the parts are (default .ckpt-resume beside each)", 0 },
	CKPT_CLI_GLOB,
	{ "quiet", 'q', NULL, 0, "no output, the exit code alone", 0 },
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static bool parse_cache(const char *text, enum ckpt_cache *ret)
{
	static const char *const words[] = {
		[CKPT_CACHE_AUTO] = "auto",
		[CKPT_CACHE_FILL] = "fill",
		[CKPT_CACHE_LEAVE] = "leave",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*ret = (enum ckpt_cache)i;
		return true;
	}
	return false;
}

static void parse_shard(struct validate *v, const char *arg, struct argp_state *state)
{
	const char *why;

	if (!ckpt_cli_shard_parse(arg, &v->shard, &why))
		argp_error(state, "--shard=%s: %s", arg, why);
}

static void parse_merge(struct validate *v, const char *arg, struct argp_state *state)
{
	int64_t n = 0;

	if (arg && !ckpt_text_int(arg, 1, CKPT_SHARE_MAX, &n))
		argp_error(state, "--merge=%s: how many parts there are", arg);
	v->shard.merge = true;
	v->shard.count = (unsigned int)n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct validate *v = state->input;

	switch (key) {
	case 'S':
		parse_shard(v, arg, state);
		return 0;
	case 'm':
		parse_merge(v, arg, state);
		return 0;
	case 'D':
		v->shard.dir = arg;
		return 0;
	case 'l':
		if (!ckpt_cli_level(arg, &v->level))
			argp_error(state, "--level=%s: structure, sample, full or finite", arg);
		return 0;
	case 's':
		if (!ckpt_text_int(arg, 0, INT64_MAX, &v->seed))
			argp_error(state, "--seed=%s: a number", arg);
		return 0;
	case 'c':
		if (!parse_cache(arg, &v->cache))
			argp_error(state, "--cache=%s: auto, fill or leave", arg);
		return 0;
	case 'g':
		v->glob = arg;
		return 0;
	case 'q':
		v->quiet = true;
		return 0;
	case 'j':
		v->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		v->paths = state->argv + state->next;
		v->n_paths = state->argc - state->next;
		return 0;
	case ARGP_KEY_END:
		if (v->shard.on && v->shard.merge)
			argp_error(state, "--shard and --merge are two steps");
		if (v->shard.on && v->level > CKPT_LEVEL_FULL)
			argp_error(state, "--shard goes as far as --level=full");
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which checkpoint? (a file, a directory, or a bundle's prefix)");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	"PATH...",
	"Checks checkpoints: files, directories, prefixes of bundles.\v"
	"Levels: structure (lengths, offsets, members), sample (and some of what a seal shows "
	"unchanged), full (all checksums; the default), finite (looks for NaN and Inf "
	"in the numbers as well).\n\n"
	"Exit: 0 all valid, 1 at least one is not, 3 could not find out. "
	"With --shard the 0 is for the share alone: the whole is what --merge says, or the last "
	"task of a step. "
	"With --level=finite one with NaN or Inf is \"valid but poisoned\" "
	"and a 1, and one that holds numbers of a kind that cannot be "
	"looked through is a 3.",
	NULL,
	NULL,
	NULL
};

static int validate_whole(const struct validate *v, struct ckpt_ctx *ctx, const char *path,
			  cJSON **ret)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	const struct ckpt_report *report;
	struct ckpt_set *set = NULL;
	struct ckpt_error err;
	char words[CKPT_REPORT_WORDS];
	int r = ckpt_cli_find(ctx, &cat, path, v->glob, &set, &err);

	if (r != 0) {
		*ret = ckpt_cli_unfound_json(path, r, &err);
		return v->quiet ? r : ckpt_cli_fail(r, "%s", err.text);
	}
	report = ckpt_set_verify(ctx, set, v->level);
	ckpt_cli_progress_end(ctx);
	*ret = ckpt_set_json(set);
	if (!v->json && !v->quiet)
		ckpt_cli_say("%s: %s", path,
			     ckpt_report_words(words, sizeof(words), report, set->name));
	return ckpt_cli_report_exit(report, v->level);
}

static int validate_one(const struct validate *v, struct ckpt_ctx *ctx, const char *path,
			cJSON **ret)
{
	const struct ckpt_cli_shard_job job = {
		.shard = &v->shard,
		.level = v->level,
		.json = v->json,
		.quiet = v->quiet,
		.glob = v->glob,
	};

	if (v->shard.on || v->shard.merge)
		return ckpt_cli_shard_validate(&job, ctx, path, ret);
	return validate_whole(v, ctx, path, ret);
}

/* Could not find out outweighs no, which outweighs yes: a script must not take "unknown" for "bad".
 */
static int worse(int a, int b)
{
	return a > b ? a : b;
}

int ckpt_cmd_validate(int argc, char **argv)
{
	struct validate v = { .level = CKPT_LEVEL_FULL };
	struct ckpt_ctx ctx = { 0 };
	cJSON *array, *one = NULL;
	int code = CKPT_EXIT_YES;

	if (ckpt_cli_parse(&argp, argc, argv, 0, &v) != 0)
		return CKPT_EXIT_USAGE;
	ctx.seed = (uint64_t)v.seed;
	ctx.cache = v.cache;
	ctx.tell_all = true;
	ctx.strict = true;
	ctx.ahead = v.level > CKPT_LEVEL_STRUCTURE && ckpt_ahead_pays();
	array = cJSON_CreateArray();
	ckpt_cli_progress(&ctx);
	for (int i = 0; i < v.n_paths; i++) {
		code = worse(code, validate_one(&v, &ctx, v.paths[i], &one));
		cJSON_AddItemToArray(array, one);
	}
	if (!v.json)
		cJSON_Delete(array);
	else if (!ckpt_cli_print_answers(array))
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "out of memory");
	return code;
}
