/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See pickle_file.h. Programs that append to a file leave several pickles in it, others write data
 * of their own behind one: pickle.load() reads as far as the STOP and asks for no more.
 */
#include "core/format/torch/pickle_file.h"

#include <errno.h>

#include "core/format/opaque.h"
#include "core/format/torch/dcp_tensors.h"
#include "core/format/torch/pickle.h"
#include "core/format/torch/pickle_scan.h"

#define TRAILING_MAX 65536 /* more of what is no pickle is data that nothing here proves */

/* What was followed of the file. */
struct follow {
	uint64_t pickles, end; /* whole ones, and where the last of them ends */
	bool wrapped;	       /* joblib's class was named: arrays follow as they are */
};

/* PROTO and an opcode, as far as there is room for them. */
static bool begins(const uint8_t *p, uint64_t n)
{
	return n > 0 && p[0] == 0x80 && (n < 2 || (p[1] >= 2 && p[1] <= 5)) &&
	       (n < 3 || p[2] == '.' || ckpt_pickle_ops[p[2]].arg != CKPT_ARG_INVALID);
}

static bool on_class(void *arg, size_t word)
{
	struct follow *f = arg;

	(void)word;
	f->wrapped = true;
	return false;
}

/* Whether another pickle begins where the last one ended. 1, 0 or an errno. */
static int goes_on(struct ckpt_check *check, const struct follow *f)
{
	uint64_t rest = check->file->size - f->end;
	uint8_t next[3];
	size_t n = rest < sizeof(next) ? (size_t)rest : sizeof(next);
	int r = n ? ckpt_check_read(check, f->end, next, n, "a pickle") : 0;

	return r ? r : begins(next, n);
}

/* Follows one pickle after the other. As ckpt_pickle_scan(). */
static int follow(struct ckpt_check *check, struct follow *f)
{
	static const char *const words[] = { "NumpyArrayWrapper" };
	const struct ckpt_pickle_sink sink = {
		.words = words, .n_words = 1, .named = on_class, .arg = f
	};
	struct ckpt_pickle_summary sum;
	_cleanup_stream_ struct ckpt_stream in = { 0 };
	int r = ckpt_stream_init(&in, check->file, 0, check->file->size, check->err), more = 1;

	in.skips = true;
	while (r == 0 && more > 0) {
		r = ckpt_pickle_scan(&in, &sink, &sum, check->err);
		if (r)
			break;
		f->pickles++;
		f->end = ckpt_stream_offset(&in);
		more = goes_on(check, f);
	}
	return r ? r : more < 0 ? more : 0;
}

static int torn(struct ckpt_check *check, const struct follow *f)
{
	uint64_t size = check->file->size;

	if (f->pickles)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, size, NULL,
					 "the file ends inside the pickle that begins at byte "
					 "%llu, behind %llu others",
					 (unsigned long long)f->end,
					 (unsigned long long)f->pickles);
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, size, NULL,
				 "the file ends inside its pickle, after %llu bytes",
				 (unsigned long long)size);
}

/* What stands behind the last pickle, if anything. */
static int judge_rest(struct ckpt_check *check, const struct follow *f)
{
	uint64_t rest = check->file->size - f->end;
	int r = rest ? ckpt_opaque_check_end(check) : 0;

	if (r || rest == 0)
		return r;
	ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, f->end,
			  "%llu bytes follow the last pickle and are none",
			  (unsigned long long)rest);
	if (rest > TRAILING_MAX)
		ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE,
			       "what follows the last pickle is of no known format");
	return 0;
}

static bool sniff(const struct ckpt_check *check)
{
	return check->head.n_head > 1 && begins(check->head.head, check->head.n_head);
}

static int structure(struct ckpt_check *check)
{
	struct follow f = { 0 };
	int r = follow(check, &f);

	if (r < 0)
		return r;
	if (r == CKPT_PICKLE_TORN)
		return torn(check, &f);
	if (r == 0 || (r == CKPT_PICKLE_BAD && f.pickles))
		return judge_rest(check, &f);
	check->report->format = &ckpt_format_opaque;
	ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE, "%s",
		       f.wrapped ? "joblib's arrays stand between the pickle's opcodes"
				 : "it begins as a pickle, which cannot be followed");
	return ckpt_opaque_check_end(check);
}

const struct ckpt_format ckpt_format_pickle_file = {
	.name = "pickle",
	.title = "Python pickle",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = sniff,
	.structure = structure,
	.tensors = ckpt_dcp_tensors, /* a pickle tells none but as .metadata */
};
