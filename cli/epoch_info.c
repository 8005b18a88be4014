/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl epoch-info [show|repair]: what epoch_info.json says beside what the checkpoints hold, and
 * making it agree.
 */
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

static const struct argp_child children[] = { { &ckpt_cli_request_argp, 0, NULL, 0 }, { 0 } };

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
	"agree with that checkpoint (the former content is kept in .ckpt-resume/).\v"
	"Exit: 0 they agree (now), 1 they do not, or there is no such file.",
	children,
	NULL,
	NULL
};

static int load(struct ckpt_ctx *ctx, const char *dir, struct ckpt_epoch_info *info)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, dir, NULL);
	struct ckpt_error err = { 0 };
	int r = dirfd < 0 ? CKPT_EPOCH_INFO_ABSENT : ckpt_epoch_info_load(ctx, dirfd, info, &err);

	if (r == CKPT_EPOCH_INFO_TORN || r < 0)
		ckpt_cli_fail(0, "%s", err.text);
	return r;
}

static bool agree(const struct ckpt_epoch_info *info, const struct ckpt_resolution *res)
{
	return info->has_last && res->chosen && res->epochs.has_completed &&
	       info->last_completed_epoch == res->epochs.completed;
}

static void show(const struct epoch_info *e, const struct ckpt_epoch_info *info,
		 const struct ckpt_resolution *res)
{
	const struct ckpt_decision *d = &res->decision;
	cJSON *o;

	if (e->cli.json) {
		o = cJSON_CreateObject();
		if (info->has_last)
			cJSON_AddNumberToObject(o, "last_completed_epoch",
						(double)info->last_completed_epoch);
		else
			cJSON_AddNullToObject(o, "last_completed_epoch");
		cJSON_AddStringToObject(o, "checkpoint", d->path);
		cJSON_AddStringToObject(o, "checkpoint_epoch", d->resume_epoch);
		cJSON_AddBoolToObject(o, "agree", agree(info, res));
		ckpt_cli_print_json(o);
		return;
	}
	if (info->has_last)
		printf("epoch_info.json   last_completed_epoch %lld%s%s\n",
		       (long long)info->last_completed_epoch, info->recorded_by[0] ? ", by " : "",
		       info->recorded_by);
	else
		printf("epoch_info.json   absent or without last_completed_epoch\n");
	printf("newest valid      %s, last completed epoch %s\n", d->tag[0] ? d->tag : "none",
	       d->resume_epoch[0] ? d->resume_epoch : "unknown");
}

static int repair(struct ckpt_ctx *ctx, struct ckpt_resolution *res, bool absent)
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
	r = absent ? ckpt_epoch_info_write(ctx, dirfd, &record, &err)
		   : ckpt_epoch_info_align(ctx, dirfd, statefd, &record, &err);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", err.text);
	printf("epoch_info.json   last_completed_epoch %lld\n",
	       (long long)record.last_completed_epoch);
	return CKPT_EXIT_YES;
}

int ckpt_cmd_epoch_info(int argc, char **argv)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_epoch_info info = { 0 };
	static struct epoch_info e;
	struct ckpt_ctx ctx = { 0 };
	const char *dir;
	int r;

	ckpt_cli_request_init(&e.cli);
	if (argp_parse(&argp, argc, argv, 0, NULL, &e) != 0 || !ckpt_cli_request_ready(&e.cli))
		return CKPT_EXIT_USAGE;
	r = ckpt_resolve(&ctx, &e.cli.req, &res, &e.cli.err);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", e.cli.err.text);
	dir = res.chosen ? res.chosen->dir : res.run_dirs[0];
	r = load(&ctx, dir, &info);
	if (e.repair)
		return agree(&info, &res) ? CKPT_EXIT_YES
					  : repair(&ctx, &res, r == CKPT_EPOCH_INFO_ABSENT);
	show(&e, &info, &res);
	if (r < 0)
		return CKPT_EXIT_UNKNOWN;
	return agree(&info, &res) ? CKPT_EXIT_YES : CKPT_EXIT_NO;
}
