/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl epoch-info [show|repair]: what epoch_info.json says beside what the checkpoints hold, and
 * making it agree.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/common.h"
#include "core/base/json.h"
#include "core/catalog/order.h"
#include "core/record/epoch_info.h"
#include "core/record/state.h"

struct epoch_info {
	struct ckpt_cli_request cli;
	bool repair;
};

static const struct argp_child children[] = { { &ckpt_cli_answer_argp, 0, NULL, 0 }, { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct epoch_info *e = state->input;

	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = &e->cli;
		return 0;
	}
	if (key != ARGP_KEY_ARG || state->arg_num > 0)
		return ARGP_ERR_UNKNOWN;
	e->repair = strcmp(arg, "repair") == 0;
	if (!e->repair && strcmp(arg, "show") != 0)
		argp_error(state, "'%s': show or repair", arg);
	return 0;
}

static const struct argp argp = {
	NULL,
	parse,
	"[show|repair]",
	"Shows epoch_info.json of the run directory beside the newest valid checkpoint; repair "
	"makes it "
	"agree with that checkpoint (the former content is kept: in .ckpt-resume/, a torn file "
	"beside it).\v"
	"Exit: 0 they agree (now), 1 they do not, or there is no such file, 3 could not find out.",
	children,
	NULL,
	NULL
};

/* 0, ABSENT, TORN or an errno; says what is wrong. */
static int load(struct ckpt_ctx *ctx, const char *dir, struct ckpt_epoch_info *info)
{
	struct ckpt_error err = { 0 };
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, dir, &err);
	int r = dirfd;

	*info = (struct ckpt_epoch_info) { 0 };
	if (dirfd == -ENOENT)
		return CKPT_EPOCH_INFO_ABSENT;
	if (dirfd >= 0)
		r = ckpt_epoch_info_load(ctx, dirfd, info, &err);
	if (r == CKPT_EPOCH_INFO_TORN || r < 0)
		ckpt_cli_fail(0, "%s", err.text);
	return r;
}

static bool agree(const struct ckpt_epoch_info *info, const struct ckpt_resolution *res)
{
	return info->has_last && res->chosen && res->epochs.has_completed &&
	       info->last_completed_epoch == res->epochs.completed;
}

static void show_json(const struct ckpt_epoch_info *info, const struct ckpt_resolution *res)
{
	const struct ckpt_decision *d = &res->decision;
	cJSON *o = cJSON_CreateObject();

	ckpt_json_add_number(o, "last_completed_epoch", info->has_last,
			     (double)info->last_completed_epoch);
	cJSON_AddStringToObject(o, "checkpoint", d->path);
	ckpt_json_add_number(o, "checkpoint_epoch", res->chosen && res->epochs.has_completed,
			     (double)res->epochs.completed);
	cJSON_AddBoolToObject(o, "agree", agree(info, res));
	ckpt_cli_print_json(o);
}

static void show(const struct ckpt_epoch_info *info, const struct ckpt_resolution *res)
{
	const struct ckpt_decision *d = &res->decision;

	if (info->has_last)
		ckpt_cli_say("epoch_info.json   last_completed_epoch %lld%s%s",
			     (long long)info->last_completed_epoch,
			     info->recorded_by[0] ? ", by " : "", info->recorded_by);
	else
		ckpt_cli_say("epoch_info.json   absent or without last_completed_epoch");
	ckpt_cli_say("newest valid      %s, last completed epoch %s", d->tag[0] ? d->tag : "none",
		     d->resume_epoch[0] ? d->resume_epoch : "unknown");
}

/* Makes the file agree. @found: what load() said of it. 0 or an exit code with the reason printed.
 */
static int repair(struct ckpt_ctx *ctx, struct ckpt_resolution *res, int found)
{
	struct ckpt_epoch_record record = {
		.has_last = res->epochs.has_completed,
		.last_completed_epoch = res->epochs.completed,
		.checkpoint = res->decision.tag,
		.reason = "repair",
	};
	_cleanup_close_ int dirfd = -1, statefd = -1;
	struct ckpt_error err = { 0 };
	int r;

	if (!res->chosen || !record.has_last)
		return ckpt_cli_fail(CKPT_EXIT_NO,
				     "which epoch the newest valid checkpoint completed is not "
				     "known (--epoch=completed|next says it)");
	record.position = ckpt_order_position(res->chosen);
	dirfd = ckpt_dir_open(AT_FDCWD, res->chosen->dir, &err);
	statefd = dirfd < 0 ? dirfd : ckpt_state_make(dirfd, &err);
	if (statefd < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", err.text);
	r = found == 0 ? ckpt_epoch_info_align(ctx, dirfd, statefd, &record, &err)
		       : ckpt_epoch_info_write(ctx, dirfd, &record, &err);
	return r < 0 ? ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", err.text) : 0;
}

/* Shows what is there, after the repair where one is asked for. */
static int show_or_repair(struct ckpt_ctx *ctx, const struct epoch_info *e,
			  struct ckpt_resolution *res)
{
	const char *dir = res->chosen ? res->chosen->dir : res->run_dirs[0];
	struct ckpt_epoch_info info;
	int found = load(ctx, dir, &info), r = 0;

	if (e->repair && found >= 0 && !agree(&info, res)) {
		r = repair(ctx, res, found);
		found = r == 0 ? load(ctx, dir, &info) : found;
	}
	if (r != 0)
		return r;
	if (e->cli.json)
		show_json(&info, res);
	else
		show(&info, res);
	if (found < 0)
		return CKPT_EXIT_UNKNOWN;
	return agree(&info, res) ? CKPT_EXIT_YES : CKPT_EXIT_NO;
}

int ckpt_cmd_epoch_info(int argc, char **argv)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	static struct epoch_info e;
	struct ckpt_ctx ctx = { .no_recall = true };
	int r;

	ckpt_cli_request_init(&e.cli);
	if (ckpt_cli_parse(&argp, argc, argv, 0, &e) != 0 || !ckpt_cli_request_ready(&e.cli))
		return CKPT_EXIT_USAGE;
	ctx.recall_chosen = e.repair; /* writes what it holds */
	ckpt_cli_progress(&ctx);
	r = ckpt_resolve(&ctx, &e.cli.req, &res, &e.cli.err);
	ckpt_cli_progress_end(&ctx);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", e.cli.err.text);
	if (res.decision.refusal == CKPT_REFUSE_UNKNOWN)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", res.decision.line);
	return show_or_repair(&ctx, &e, &res);
}
