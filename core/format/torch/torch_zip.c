/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PyTorch zip: structure (directory, version, serialization id, pickle against records),
 * content (CRC-32 of every record). torch.load() checks no CRC, so a passed load proves less than a
 * passed content check here.
 */
#include "core/format/torch/torch_zip.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc.h"
#include "core/format/torch/torch_finite.h"
#include "core/format/torch/torch_members.h"
#include "core/format/torch/torch_names.h"
#include "core/format/torch/torch_state.h"
#include "core/format/archive/zip_check.h"
#include "wire/text.h"

#define ENOUGH INT_MAX /* of a walk: no further entry is needed */

/* Takes one entry in. 0, CKPT_CORRUPT or an errno. */
static int add_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	struct ckpt_torch_members *m = arg;
	int r = ckpt_torch_members_add(m, e);

	if (r < 0)
		return ckpt_fail(check->err, r, "no memory for the records of %s",
				 CKPT_QUOTE(check->file->name));
	if (r == CKPT_TORCH_MEMBERS_TWICE)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, e->header_off,
					 e->name + m->prefix_len,
					 "the directory holds the entry twice");
	if (r == CKPT_TORCH_MEMBERS_PREFIX)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, e->header_off,
					 e->name, "the entry is not under the archive's directory");
	/* miniz, which PyTorch reads by, gives no bytes of a directory by name or by attribute */
	if (r == 0 && e->marked && !ckpt_text_ends(e->name, "/"))
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, e->header_off,
					 e->name + m->prefix_len,
					 "the record is marked as a directory: PyTorch does not "
					 "read it");
	return r;
}

/* Walks the directory into @m. 0, CKPT_CORRUPT or an errno. */
static int read_directory(struct ckpt_check *check, struct ckpt_zip *zip,
			  struct ckpt_torch_members *m)
{
	int r;

	ckpt_zip_keep(zip, ckpt_ctx_threads(check->ctx));
	r = ckpt_zip_check_walk(check, zip, add_entry, m);
	ckpt_zip_done(zip);
	return r;
}

static int missing(struct ckpt_check *check, const char *member)
{
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				 CKPT_NO_OFFSET, member,
				 "the save was interrupted: the record is missing");
}

static int crc_fault(struct ckpt_check *check, const struct ckpt_torch_record *record,
		     const char *member)
{
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, record->off, member,
				 "the record does not match its CRC-32");
}

/* Reads a small record whole, as text. 0, a rejection or an errno. */
static int read_small(struct ckpt_check *check, const struct ckpt_torch_members *m,
		      const struct ckpt_torch_record *record, const char *member, char *ret)
{
	int r;

	if (record->size > 63 || record->method != 0)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, record->off,
					 member, "the record is not what PyTorch writes there");
	r = ckpt_check_read(check, record->off, ret, record->size, member);
	if (r)
		return r;
	ret[record->size] = '\0';
	if (m->any_crc && ckpt_crc(CKPT_CRC32, 0, ret, record->size) != record->crc)
		return crc_fault(check, record, member);
	return 0;
}

/* The archive's version is a number that PyTorch knows: 1 to 10. */
static int check_version(struct ckpt_check *check, const struct ckpt_torch_members *m)
{
	const struct ckpt_torch_record *record = m->version.found ? &m->version : &m->data_version;
	char text[64];
	int64_t version;
	int r;

	if (!record->found)
		return missing(check, "version");
	if (record->method != 0)
		return 0;
	r = read_small(check, m, record, "version", text);
	if (r)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (ckpt_text_int(text, 1, 10, &version))
		return 0;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, record->off, "version",
				 "the archive's version is %s", CKPT_QUOTE(text));
}

/* Digits 20 to 39 of the id prove that the CRCs in the directory are those that the writer
 * computed. */
static int check_id(struct ckpt_check *check, const struct ckpt_torch_members *m)
{
	char text[64], expected[24];
	int r;

	if (!m->id.found || m->id.size != 40 || m->id.method != 0)
		return 0;
	r = read_small(check, m, &m->id, ".data/serialization_id", text);
	if (r)
		return r;
	snprintf(expected, sizeof(expected), "%020llu", (unsigned long long)m->fold);
	if (strcmp(text + 20, expected) == 0)
		return 0;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, m->id.off,
				 ".data/serialization_id",
				 "the directory's CRCs are not those that the save computed");
}

/* The pickle's storages against the records. */
struct compare {
	struct ckpt_check *check;
	struct ckpt_torch_members *m;
	uint64_t seen;
	int result; /* of ckpt_check_reject() */
};

/* A storage's bytes are whole elements; a record may hold the rest of one (untyped storage under a
 * type). */
static bool size_fits(const struct ckpt_pickle_storage *storage, uint64_t size)
{
	uint64_t bytes;

	if (storage->element == 0)
		return true;
	if (__builtin_mul_overflow(storage->numel, storage->element, &bytes))
		return false;
	return size >= bytes && size - bytes < storage->element;
}

/* @record does not hold @storage, or is NULL. */
static int storage_fault(struct ckpt_check *check, const struct ckpt_pickle_storage *storage,
			 const struct ckpt_storage *record)
{
	char member[32];

	snprintf(member, sizeof(member), "data/%llu", (unsigned long long)storage->key);
	if (!record)
		return missing(check, member);
	return ckpt_check_reject(
		check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, CKPT_NO_OFFSET, member,
		"the record has %llu bytes, the pickle names %llu elements of %u bytes",
		(unsigned long long)record->size, (unsigned long long)storage->numel,
		storage->element);
}

static bool on_storage(void *arg, const struct ckpt_pickle_storage *storage)
{
	struct compare *c = arg;
	struct ckpt_storage *record;

	if (!storage->has_key)
		return true;
	record = ckpt_storages_find(&c->m->storages, storage->key);
	if (!record && c->m->storages_cut)
		return true;
	if (!record || !size_fits(storage, record->size)) {
		c->result = storage_fault(c->check, storage, record);
		return false;
	}
	c->seen += !record->seen;
	record->seen = true;
	return true;
}

static void note(struct ckpt_check *check, const char *text)
{
	struct ckpt_verdict *verdict = &check->report->verdict;

	if (!verdict->note[0])
		snprintf(verdict->note, sizeof(verdict->note), "%s", text);
}

/* What the scan's result means, once data.pkl's own CRC is known to be right or absent. */
static int judge_scan(struct ckpt_check *check, struct compare *c, int r)
{
	const struct ckpt_torch_members *m = c->m;

	if (r == CKPT_PICKLE_STOPPED)
		return c->result;
	if (r == CKPT_PICKLE_TORN || r == CKPT_PICKLE_BAD)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, m->pickle.off,
					 "data.pkl", "the record is not a whole pickle");
	if (r == CKPT_PICKLE_LIMIT) {
		note(check, "data.pkl is nested too deep: its tensors were not compared with the "
			    "records");
		return 0;
	}
	if (m->storages_cut)
		note(check, "too many records: not all were compared with data.pkl");
	else if (c->seen < m->storages.n)
		ckpt_check_remark(check, CKPT_PROBLEM_MEMBER_EXTRA, CKPT_NO_OFFSET,
				  "%llu records are not mentioned in data.pkl",
				  (unsigned long long)(m->storages.n - c->seen));
	return 0;
}

/* Scans data.pkl and takes its CRC on the way; a wrong CRC explains whatever else is wrong in it.
 */
static int check_pickle(struct ckpt_check *check, struct ckpt_torch_members *m)
{
	struct compare c = { .check = check, .m = m };
	struct ckpt_report report = *check->report;
	_cleanup_stream_ struct ckpt_stream in = { 0 };
	int r, scanned;

	if (m->pickle.method != 0) {
		note(check,
		     "data.pkl is compressed: its tensors were not compared with the records");
		return 0;
	}
	r = ckpt_stream_init(&in, check->file, m->pickle.off, m->pickle.off + m->pickle.size,
			     check->err);
	if (r)
		return r;
	scanned = ckpt_torch_state_scan(&in, check->report, on_storage, &c, check->err);
	if (scanned < 0)
		return scanned;
	r = ckpt_stream_drain(&in, check->err);
	if (r)
		return r;
	if (m->any_crc && in.crc != m->pickle.crc) {
		*check->report = report; /* what was read from it is worth nothing */
		return crc_fault(check, &m->pickle, "data.pkl");
	}
	return judge_scan(check, &c, scanned);
}

/*
 * A program's archive holds nothing to go on from: what the pickle's names look like is of no
 * account. TorchScript's has its module's pickle, then code/, then constants.pkl, even where there
 * are no constants (ScriptModuleSerializer::serialize() in torch/csrc/jit/serialization/
 * export_module.cpp); torch.export's and torch.package's have none of them at their top.
 */
static int judge_other(struct ckpt_check *check, struct ckpt_torch_members *m)
{
	struct ckpt_report *report = check->report;
	bool script = m->script && !m->model_json && !m->package;
	int r = 0;

	if (m->package)
		report->tensors = m->packed;
	else if (m->pickle.found)
		r = check_pickle(check, m);
	else if (script)
		r = missing(check, "data.pkl");
	if (r == 0 && script && !m->constants)
		r = missing(check, "constants.pkl");
	report->contents = CKPT_CONTENTS_WEIGHTS;
	report->position = (struct ckpt_position) { 0 };
	snprintf(report->framework, sizeof(report->framework), "%s", m->other);
	return r;
}

static int structure(struct ckpt_check *check)
{
	_cleanup_torch_members_ struct ckpt_torch_members m = { 0 };
	struct ckpt_report *report = check->report;
	struct ckpt_zip zip;
	int r;

	r = ckpt_zip_check_open(check, &zip);
	r = r ? r : read_directory(check, &zip, &m);
	if (r)
		return r;
	report->tensors = m.storages.n;
	r = check_version(check, &m);
	r = r ? r : check_id(check, &m);
	if (m.other)
		return r ? r : judge_other(check, &m);
	if (!m.pickle.found)
		return missing(check, "data.pkl");
	return r ? r : check_pickle(check, &m);
}

/* Names the record as PyTorch does: without the archive's directory. */
static int without_prefix(struct ckpt_check *check, const struct ckpt_torch_members *m, int r)
{
	char *member = check->report->verdict.problem.member;

	if (r > 0 && m->prefix_len && strncmp(member, m->prefix, m->prefix_len) == 0)
		memmove(member, member + m->prefix_len, strlen(member + m->prefix_len) + 1);
	return r;
}

/* Adds the tensors of the record that was just rejected: PyTorch numbers its records. */
static int with_tensors(struct ckpt_check *check, int r)
{
	struct ckpt_problem *problem = &check->report->verdict.problem;
	const struct ckpt_extent extent = { check->file->name, problem->offset, 1 };
	struct ckpt_names names = { .n = 0 };
	char words[sizeof(names.text) + 32];
	size_t at = strlen(problem->detail);

	if (r != CKPT_CORRUPT || problem->code != CKPT_PROBLEM_CHECKSUM ||
	    !ckpt_text_starts(problem->member, "data/", NULL) ||
	    ckpt_torch_zip_at(check, &extent, &names) != 0)
		return r;
	ckpt_names_words(&names, words, sizeof(words));
	if (words[0] && strcmp(words, problem->member) != 0)
		snprintf(problem->detail + at, sizeof(problem->detail) - at, " (%s)", words);
	return r;
}

/* As add_entry(), up to the first entry with a CRC: the structure check has seen them all. */
static int add_until_crc(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	const struct ckpt_torch_members *m = arg;
	int r = add_entry(check, e, arg);

	return r ? r : m->any_crc ? ENOUGH : 0;
}

static int content(struct ckpt_check *check)
{
	_cleanup_torch_members_ struct ckpt_torch_members m = { 0 };
	char text[sizeof(check->report->verdict.note)];
	struct ckpt_zip zip;
	int r;

	r = ckpt_zip_check_open(check, &zip);
	r = r ? r : ckpt_zip_check_walk(check, &zip, add_until_crc, &m);
	if (r && r != ENOUGH)
		return r;
	memcpy(text, check->report->verdict.note, sizeof(text));
	if (text[0])
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE, "%s", text);
	if (!m.any_crc) {
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE, "no checksums stored in this file");
		return 0;
	}
	return with_tensors(check, without_prefix(check, &m, ckpt_zip_check_content(check, NULL)));
}

const struct ckpt_format ckpt_format_torch_zip = {
	.name = "torch-zip",
	.title = "PyTorch zip (torch.save)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.split = true,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = ckpt_torch_zip_sniff,
	.structure = structure,
	.content = content,
	.finite = ckpt_torch_zip_finite,
	.at = ckpt_torch_zip_at,
	.tensors = ckpt_torch_zip_tensors,
};
