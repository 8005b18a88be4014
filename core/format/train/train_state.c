/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See train_dir.h: the JSON file with the position. It is streamed as Python writes it (a NaN loss
 * is an everyday thing), so its log may be as long as it likes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/format/jverdict.h"
#include "core/format/train/train_dir.h"
#include "wire/text.h"

struct state_reader {
	struct ckpt_check in_file; /* the check with the JSON file as its file */
	struct ckpt_jstream js;
	const char *step_key, *epoch_key;
	struct ckpt_train_state state;
};

static int next(struct state_reader *in, struct ckpt_jtoken *ret)
{
	return ckpt_jverdict(&in->in_file, &in->js,
			     ckpt_jstream_next(&in->js, ret, in->in_file.err));
}

static int skip(struct state_reader *in, const struct ckpt_jtoken *tok)
{
	return ckpt_jverdict(&in->in_file, &in->js,
			     ckpt_jstream_skip(&in->js, tok, in->in_file.err));
}

/* A number of a log entry: the training loss goes before the evaluation's within one entry. */
static void take_loss(struct ckpt_train_state *entry, bool is_loss, const struct ckpt_jtoken *value)
{
	double loss;

	if ((!is_loss && entry->has_loss) || !ckpt_jtoken_number(value, &loss))
		return;
	entry->has_loss = true;
	entry->loss = loss;
	snprintf(entry->loss_key, sizeof(entry->loss_key), "%s", is_loss ? "loss" : "eval_loss");
}

/* One object of the log. */
static int read_log_entry(struct state_reader *in)
{
	struct ckpt_train_state entry = { .has_loss = false };
	struct ckpt_jtoken tok;
	int r;

	while (r = next(in, &tok), !r && tok.type == CKPT_J_KEY) {
		bool is_loss = ckpt_jtoken_is(&tok, "loss");
		bool is_eval = ckpt_jtoken_is(&tok, "eval_loss");

		r = next(in, &tok);
		if (!r && (is_loss || is_eval))
			take_loss(&entry, is_loss, &tok);
		if (!r)
			r = skip(in, &tok);
		if (r)
			return r;
	}
	if (!r && entry.has_loss) {
		in->state.has_loss = true;
		in->state.loss = entry.loss;
		memcpy(in->state.loss_key, entry.loss_key, sizeof(entry.loss_key));
	}
	return r;
}

static int read_log(struct state_reader *in)
{
	struct ckpt_jtoken tok;
	int r = next(in, &tok);

	if (r || tok.type != CKPT_J_ARRAY)
		return r ? r : skip(in, &tok);
	while (r = next(in, &tok), !r && tok.type != CKPT_J_ARRAY_END) {
		r = tok.type == CKPT_J_OBJECT ? read_log_entry(in) : skip(in, &tok);
		if (r)
			return r;
	}
	return r;
}

/* One member of the document's object. */
static int read_member(struct state_reader *in, const struct ckpt_jtoken *key)
{
	bool is_step = ckpt_jtoken_is(key, in->step_key);
	bool is_epoch = ckpt_jtoken_is(key, in->epoch_key);
	struct ckpt_jtoken tok;
	int r;

	if (ckpt_jtoken_is(key, "log_history"))
		return read_log(in);
	r = next(in, &tok);
	if (r)
		return r;
	if (is_step)
		in->state.has_step = ckpt_jtoken_number(&tok, &in->state.step);
	if (is_epoch)
		in->state.has_epoch = ckpt_jtoken_number(&tok, &in->state.epoch);
	return skip(in, &tok);
}

static int read_document(struct state_reader *in)
{
	struct ckpt_jtoken tok;
	int r = next(in, &tok);

	if (!r && tok.type != CKPT_J_OBJECT)
		return ckpt_check_reject(&in->in_file, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, NULL,
					 "it is no JSON object");
	while (!r && (r = next(in, &tok)) == 0 && tok.type == CKPT_J_KEY)
		r = read_member(in, &tok);
	return r ? r : next(in, &tok); /* nothing may follow */
}

int ckpt_train_state_read(struct ckpt_check *check, const char *name, const char *step_key,
			  const char *epoch_key, struct ckpt_train_state *ret)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct state_reader in = { .in_file = *check,
				   .step_key = step_key,
				   .epoch_key = epoch_key };
	int r = ckpt_file_open(check->ctx, check->dirfd, name, &file, check->err);

	if (r == -ENOENT)
		return ckpt_train_dir_lacks(check, name);
	if (r == CKPT_FILE_NOT_REGULAR)
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
					 CKPT_NO_OFFSET, name, "not a regular file");
	if (r)
		return r;
	in.in_file.file = &file;
	check->report->verdict.size_bytes += file.size;
	r = ckpt_jstream_open(&in.js, &file, 0, file.size);
	in.js.python = true;
	if (!r)
		r = read_document(&in);
	ckpt_jstream_done(&in.js);
	if (!r)
		*ret = in.state;
	return r;
}
