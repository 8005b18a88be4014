/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/integrity/seal.h, the making and the file: what it says is so, nothing is sealed that is not
 * whole, and no edited, torn or hostile text passes for a seal.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/temporary.h"
#include "tests/unit/support/sealed.h"
#include "tests/unit/support/torch_synthetic.h"

#define NAME "model_3.pt"
#define SEAL NAME ".metadata.json"

static void put(const struct scratch *dir, const char *name, uint32_t floats)
{
	const struct torch_synthetic how = { .epoch = 3, .step = 4500, .floats = floats };

	torch_synthetic_write(dir->fd, name, &how);
}

static int make(struct ckpt_ctx *ctx, const struct scratch *dir, const char *name)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx none = { 0 };
	struct ckpt_error err = { 0 };
	int r = ckpt_seal_make(ctx ? ctx : &none, sealed_set(dir, &cat, name), &err);

	assert_true(r == 0 || err.text[0]);
	return r;
}

static int load(const struct scratch *dir, const char *name, struct ckpt_seal *ret)
{
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };
	int r = ckpt_seal_load(&ctx, dir->fd, name, ret, &err);

	assert_true(r == 0 || r == CKPT_SEAL_NONE || err.text[0]);
	return r;
}

static cJSON *parsed(const struct scratch *dir, const char *name)
{
	char *text = sealed_text(dir, name);
	cJSON *o = cJSON_Parse(text);

	assert_non_null(o);
	free(text);
	return o;
}

static void test_seal__says_what_is_there(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_json_ cJSON *o = NULL;
	struct ckpt_identity before, after;
	unsigned char *data, digest[32];
	char hex[17];
	int64_t value;
	double number;
	size_t size;

	put(dir, NAME, 1000000); /* 4 MB: more than the hashed MiB */
	assert_int_equal(ckpt_identity_at(dir->fd, NAME, true, &before), 0);
	data = scratch_read(dir->fd, NAME, &size);
	assert_int_equal(make(NULL, dir, NAME), 0);
	assert_int_equal(ckpt_identity_at(dir->fd, NAME, true, &after), 0);
	assert_true(ckpt_identity_same(&before, &after));
	assert_int_equal(scratch_count(dir->fd), 2); /* no temporary is left */

	o = parsed(dir, NAME);
	assert_string_equal(ckpt_json_text(o, "checkpoint_name"), NAME);
	assert_true(ckpt_json_int(o, "size_bytes", &value) && value == (int64_t)size);
	assert_true(ckpt_json_number(o, "size_gb", &number) && number == 0.004);
	assert_true(ckpt_json_int(o, "metadata_version", &value) && value == 1);
	assert_int_equal(strlen(ckpt_json_text(o, "created_at")), 20);
	assert_int_equal(EVP_Digest(data, 1048576, digest, NULL, EVP_sha256(), NULL), 1);
	for (int i = 0; i < 8; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(ckpt_json_text(o, "hash_partial"), hex);
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(o, "config")));
	assert_true(ckpt_json_int(cJSON_GetObjectItem(o, "training"), "epoch", &value));
	assert_int_equal(value, 3);
	assert_true(ckpt_json_int(cJSON_GetObjectItem(o, "training"), "step", &value));
	assert_int_equal(value, 4500);
	free(data);
}

/* What a seal that was killed left of its own is gone after the next one. */
static void test_seal__clears_up_after_the_killed(void **state)
{
	const struct scratch *dir = *state;
	char left[CKPT_TEMPORARY_NAME];
	pid_t pid;

	put(dir, NAME, 1000);
	pid = fork();
	if (pid == 0) {
		if (ckpt_temporary_name(SEAL, left) == 0)
			scratch_put(dir->fd, left, "half");
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(scratch_count(dir->fd), 2);
	assert_int_equal(make(NULL, dir, NAME), 0);
	assert_int_equal(scratch_count(dir->fd), 2);
	assert_true(scratch_has(dir->fd, SEAL));
}

static void test_seal__comes_back_as_made(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	_cleanup_seal_ struct ckpt_seal seal = { 0 };
	struct ckpt_ctx ctx = { 0 };
	const struct ckpt_report *made, *back = &seal.report;
	struct ckpt_set *set;

	put(dir, NAME, 1000);
	set = sealed_set(dir, &cat, NAME);
	assert_int_equal(ckpt_seal_make(&ctx, set, NULL), 0);
	made = set->report;
	assert_int_equal(load(dir, NAME, &seal), 0);
	assert_int_equal(seal.n, 1);
	assert_string_equal(seal.files[0].name, NAME);
	assert_true(ckpt_identity_same(&seal.files[0].id, &made->identity));
	assert_int_equal(seal.chunk, CKPT_DIGEST_CHUNK);
	assert_int_equal(back->verdict.status, CKPT_VALID);
	assert_int_equal(back->verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	assert_ptr_equal(back->format, made->format);
	assert_int_equal(back->contents, made->contents);
	assert_int_equal(back->tensors, made->tensors);
	assert_int_equal(back->verdict.size_bytes, made->verdict.size_bytes);
	assert_int_equal(back->n_keys, made->n_keys);
	assert_memory_equal(back->keys, made->keys, sizeof(made->keys[0]));
	assert_true(back->position.has_step && back->position.step == 4500);
	assert_true(back->position.has_epoch && back->position.epoch == 3);
	assert_int_equal(back->position.step_source, CKPT_FROM_CONTENT);
	assert_int_equal(back->position.step_vague, made->position.step_vague);
	assert_int_equal(back->position.epoch_source, made->position.epoch_source);
	assert_int_equal(back->position.meaning, made->position.meaning);
	assert_int_equal(back->position.has_loss, made->position.has_loss);
}

static void test_seal__a_report_is_kept_whole(void **state)
{
	struct ckpt_report report = {
		.format = ckpt_formats[1],
		.verdict = { .evidence = CKPT_EVIDENCE_STRUCTURE, .size_bytes = 1ULL << 50 },
		.position = { .has_step = true, .step = -5, .step_vague = true,
			      .step_source = CKPT_FROM_METADATA,
			      .has_epoch = true, .epoch = 2.0 / 3, .epoch_source = CKPT_FROM_NAME,
			      .meaning = CKPT_EPOCH_SAVE_COUNTER, .has_loss = true, .loss = 0.1,
			      .loss_key = "val_loss" },
		.contents = CKPT_CONTENTS_WEIGHTS,
		.tensors = 77,
		.n_keys = 2,
		.keys = { "a", "b\"c" },
		.framework = "Frame 1",
	}, back;
	_cleanup_json_ cJSON *o = ckpt_seal_report_json(&report);

	(void)state;
	assert_true(ckpt_seal_report_parse(o, &back));
	assert_memory_equal(&back.verdict, &report.verdict, sizeof(report.verdict));
	assert_memory_equal(back.keys, report.keys, sizeof(report.keys));
	assert_ptr_equal(back.format, report.format);
	assert_int_equal(back.contents, report.contents);
	assert_int_equal(back.tensors, 77);
	assert_string_equal(back.framework, "Frame 1");
	assert_int_equal(back.position.step, -5);
	assert_true(back.position.step_vague);
	assert_int_equal(back.position.step_source, CKPT_FROM_METADATA);
	assert_int_equal(back.position.epoch_source, CKPT_FROM_NAME);
	assert_int_equal(back.position.meaning, CKPT_EPOCH_SAVE_COUNTER);
	assert_true(back.position.epoch == 2.0 / 3);
	assert_true(back.position.has_loss && back.position.loss == 0.1);
	assert_string_equal(back.position.loss_key, "val_loss");
	cJSON_ReplaceItemInObject(o, "verdict", cJSON_CreateString("corrupt"));
	assert_false(ckpt_seal_report_parse(o, &back));
	assert_false(ckpt_seal_report_parse(NULL, &back));
}

/* Any byte that is not as it was, and any end that is missing, ends the seal's word. */
static void test_seal__edited_or_torn_is_no_seal(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_seal seal = { 0 };
	size_t size;
	char *text;

	put(dir, NAME, 64);
	assert_int_equal(load(dir, NAME, &seal), CKPT_SEAL_NONE);
	assert_int_equal(make(NULL, dir, NAME), 0);
	text = sealed_text(dir, NAME);
	size = strlen(text);
	for (size_t i = 0; i < 2 * size; i++) {
		char bit = i % 2 ? 0x20 : 1; /* 0x20: another case of a letter */

		text[i / 2] ^= bit;
		scratch_write(dir->fd, SEAL, text, size);
		if (load(dir, NAME, &seal) <= 0)
			fail_msg("byte %zu edited, and it passes", i / 2);
		text[i / 2] ^= bit;
	}
	for (size_t i = 0; i < size; i += i < size - 80 ? 7 : 1) {
		scratch_write(dir->fd, SEAL, text, i);
		if (load(dir, NAME, &seal) != CKPT_SEAL_TORN)
			fail_msg("cut to %zu of %zu bytes, and it passes", i, size);
	}
	scratch_write(dir->fd, SEAL, text, size);
	assert_int_equal(load(dir, NAME, &seal), 0);
	ckpt_seal_done(&seal);
	text[size - 1] = ' '; /* the line's end: JSON would not care */
	scratch_write(dir->fd, SEAL, text, size);
	assert_int_equal(load(dir, NAME, &seal), CKPT_SEAL_TORN);
	scratch_put(dir->fd, SEAL, "{\"checkpoint_name\": \"x\", \"size_bytes\": 5}");
	assert_int_equal(load(dir, NAME, &seal), CKPT_SEAL_NONE);
	assert_int_equal(unlinkat(dir->fd, SEAL, 0), 0);
	assert_int_equal(mkdirat(dir->fd, SEAL, 0777), 0);
	assert_int_equal(load(dir, NAME, &seal), CKPT_SEAL_TORN);
	free(text);
}

/* Replaces the first @from in @text by @to. On the heap. */
static char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	size_t size = strlen(text) + strlen(to) + 1;
	char *out = malloc(size);

	assert_non_null(at);
	snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return out;
}

/* Seals whose self-hash is right and whose content is not. */
static void test_seal__hostile_is_no_seal(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "\"name\":\t\"" NAME "\"", "\"name\":\t\"../" NAME "\"" },
		{ "\"name\":\t\"" NAME "\"", "\"name\":\t\"a/..\"" },
		{ "\"name\":\t\"" NAME "\"", "\"name\":\t\"/etc/passwd\"" },
		{ "\"name\":\t\"" NAME "\"", "\"name\":\t\"\"" },
		{ "\"name\":\t\"" NAME "\"", "\"name\":\t5" },
		{ "\"version\":\t1", "\"version\":\t2" },
		{ "\"sha256\"", "\"md5\"" },
		{ "\"leaf_size\":\t1048576", "\"leaf_size\":\t4096" },
		{ "\"chunk_size\":\t67108864", "\"chunk_size\":\t0" },
		{ "\"chunk_size\":\t67108864", "\"chunk_size\":\t67108865" },
		{ "\"chunk_size\":\t67108864", "\"chunk_size\":\t-1048576" },
		{ "\"chunk_size\":\t67108864", "\"chunk_size\":\t9007199254740992" },
		{ "\"chunk_size\":\t67108864", "\"chunk_size\":\t1e300" },
		{ "\"size\":\t\"", "\"size\":\t\"9" /* more chunks than digests */ "000000000" },
		{ "\"size\":\t\"", "\"size\":\t\"-" },
		{ "\"inode\":\t\"", "\"inode\":\t\"x" },
		{ "\"mtime_ns\":\t\"", "\"mtime_ns\":\t\"99999999999999999999" },
		{ "\"chunks\":\t\"", "\"chunks\":\t\"00" },
		{ "\"chunks\":\t\"", "\"chunks\":\t\"0000000000000000000000000000000000000000"
				     "000000000000000000000000" },
		{ "\"files\":\t[", "\"files\":\t[5, " },
		{ "\"files\":\t[", "\"files\":\t[], \"none\":\t[" },
		{ "\"files\":\t[", "\"none\":\t[" },
		{ "\"format\":\t\"torch-zip\"", "\"format\":\t\"unheard-of\"" },
		{ "\"evidence\":\t\"checksum\"", "\"evidence\":\t\"faith\"" },
		{ "\"evidence\":\t\"checksum\"", "\"evidence\":\t\"none\"" },
		{ "\"verdict\":\t\"valid\"", "\"verdict\":\t\"corrupt\"" },
		{ "\"verdict\":\t{", "\"other\":\t{" },
		{ "\"tensors\":\t", "\"tensors\":\t-" },
	};
	const struct scratch *dir = *state;
	struct ckpt_seal seal = { 0 };
	char *text, *forged;

	put(dir, NAME, 64);
	assert_int_equal(make(NULL, dir, NAME), 0);
	text = sealed_text(dir, NAME);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		forged = replaced(text, cases[i].from, cases[i].to);
		sealed_forge(dir, NAME, forged);
		if (load(dir, NAME, &seal) != CKPT_SEAL_TORN)
			fail_msg("%s passes", cases[i].to);
		free(forged);
	}
	forged = replaced(text, "\"metadata_version\":\t1", "\"metadata_version\":\t1, \"x\": 1");
	sealed_forge(dir, NAME, forged); /* the forgery itself is right */
	assert_int_equal(load(dir, NAME, &seal), 0);
	ckpt_seal_done(&seal);
	free(forged);
	free(text);
}

/* @n members of an object or values of an array, each its number between @how. On the heap. */
static char *crowd(const char *begin, const char *const how[2], int n, const char *end)
{
	char *text = malloc(strlen(begin) + (size_t)n * 24 + strlen(end) + 1), *at = text;

	at += sprintf(at, "%s", begin);
	for (int i = 0; i < n; i++)
		at += snprintf(at, 24, "%s%d%s", how[0], i, how[1]);
	sprintf(at, "%s", end);
	return text;
}

/* Memory is for what a seal may hold, whatever its file may. */
static void test_seal__a_crowd_is_no_seal(void **state)
{
	static const char *const numbers[2] = { ",", "" };
	const struct scratch *dir = *state;
	struct ckpt_seal seal = { 0 };
	char *text, *forged, *values = crowd("\"x\": [0", numbers, 600000, "], \"created_at\"");

	put(dir, NAME, 64);
	assert_int_equal(make(NULL, dir, NAME), 0);
	text = sealed_text(dir, NAME);
	forged = replaced(text, "\"created_at\"", values);
	sealed_forge(dir, NAME, forged);
	assert_int_equal(load(dir, NAME, &seal), CKPT_SEAL_TORN);
	assert_int_equal(make(NULL, dir, NAME), 0);
	assert_true(scratch_holds(dir->fd, SEAL ".torn", forged));
	assert_int_equal(load(dir, NAME, &seal), 0);
	ckpt_seal_done(&seal);
	free(values);
	free(forged);
	free(text);
}

/* What others wrote is kept in a time that grows with it, not with its square. */
static void test_seal__keeps_many_keys(void **state)
{
	static const char *const keys[2] = { ", \"k", "\": 0" };
	const struct scratch *dir = *state;
	_cleanup_json_ cJSON *o = NULL;
	struct timespec begin, end;
	char *text = crowd("{\"step\": 1", keys, 100000, "}");

	put(dir, NAME, 64);
	scratch_put(dir->fd, SEAL, text);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(make(NULL, dir, NAME), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - begin.tv_sec < 10);
	o = parsed(dir, NAME);
	assert_true(cJSON_GetArraySize(o) > 100000);
	free(text);
}

/* The same file twice, in a seal that is right otherwise. */
static void test_seal__no_file_twice(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_json_ cJSON *o = NULL;
	struct ckpt_seal seal = { 0 };
	cJSON *files;
	char *text;

	put(dir, NAME, 64);
	assert_int_equal(make(NULL, dir, NAME), 0);
	o = parsed(dir, NAME);
	files = cJSON_GetObjectItem(cJSON_GetObjectItem(o, "seal"), "files");
	cJSON_AddItemToArray(files, cJSON_Duplicate(cJSON_GetArrayItem(files, 0), true));
	text = cJSON_Print(o);
	sealed_forge(dir, NAME, text);
	assert_int_equal(load(dir, NAME, &seal), CKPT_SEAL_TORN);
	free(text);
}

/* A safetensors file of one tensor "w" of two floats. */
static void put_safetensors(const struct scratch *dir, const char *name)
{
	static const char header[] =
		"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
	char data[8 + sizeof(header) - 1 + 8] = { (char)(sizeof(header) - 1) };

	memcpy(data + 8, header, sizeof(header) - 1);
	scratch_write(dir->fd, name, data, sizeof(data));
}

/* A seal without all that the checkpoint needs would call it unchanged when that is gone. */
static void test_seal__covers_what_an_index_names(void **state)
{
	const struct scratch *dir = *state;

	put_safetensors(dir, "elsewhere.safetensors");
	scratch_put(dir->fd, "model.safetensors.index.json",
		    "{\"metadata\": {}, \"weight_map\": {\"w\": \"elsewhere.safetensors\"}}");
	assert_int_equal(make(NULL, dir, "model.safetensors.index.json"), CKPT_SEAL_REFUSED);
	assert_int_equal(scratch_count(dir->fd), 2);
	put_safetensors(dir, "below/model.safetensors");
	scratch_put(dir->fd, "model.safetensors.index.json",
		    "{\"metadata\": {}, \"weight_map\": {\"w\": \"below/model.safetensors\"}}");
	assert_int_equal(make(NULL, dir, "model.safetensors.index.json"), CKPT_SEAL_REFUSED);
}

static void test_seal__only_what_is_valid(void **state)
{
	static const struct torch_synthetic flip = { .epoch = 1, .step = 1, .flip = true };
	static const struct torch_synthetic cut = { .epoch = 1, .step = 1, .cut = true };
	const struct scratch *dir = *state;

	torch_synthetic_write(dir->fd, "model_1.pt", &flip);
	torch_synthetic_write(dir->fd, "model_2.pt", &cut);
	scratch_put(dir->fd, "model_3.pt", "no checkpoint at all");
	assert_int_equal(make(NULL, dir, "model_1.pt"), CKPT_SEAL_INVALID);
	assert_int_equal(make(NULL, dir, "model_2.pt"), CKPT_SEAL_INVALID);
	assert_int_equal(scratch_count(dir->fd), 3);
}

/* Large enough that the CRCs are left to the reading for the digests. */
static void test_seal__checksums_in_passing(void **state)
{
	static const struct torch_synthetic flip = { .epoch = 1, .floats = 5000000, .flip = true };
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	const struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .threads = 2 };
	struct ckpt_error err = { 0 };
	struct ckpt_report report;
	struct ckpt_set *set;

	torch_synthetic_write(dir->fd, "model_1.pt", &flip);
	set = sealed_set(dir, &cat, "model_1.pt");
	assert_int_equal(ckpt_seal_make(&ctx, set, &err), CKPT_SEAL_INVALID);
	assert_null(ctx.deferred);
	assert_int_equal(set->report->verdict.status, CKPT_CORRUPT);
	assert_int_equal(set->report->verdict.problem.code, CKPT_PROBLEM_CHECKSUM);
	assert_string_equal(set->report->verdict.problem.member, "data/0");
	assert_int_equal(scratch_count(dir->fd), 1);
	put(dir, NAME, 5000000);
	ctx.bytes_read = 0;
	assert_int_equal(make(&ctx, dir, NAME), 0);
	assert_in_range(ctx.bytes_read, 20000000, 22000000);
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
}

/* The same verdicts, in full, and nothing is written: where there is a seal, it stays as it is. */
static void test_seal__proved_alone(void **state)
{
	static const struct torch_synthetic flip = { .epoch = 1, .floats = 5000000, .flip = true };
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 }, again = { 0 };
	const struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .threads = 2 };
	struct ckpt_error err = { 0 };
	struct ckpt_set *set;

	torch_synthetic_write(dir->fd, NAME, &flip);
	set = sealed_set(dir, &cat, NAME);
	assert_int_equal(ckpt_seal_prove(&ctx, set, &err), CKPT_SEAL_INVALID);
	assert_null(ctx.deferred);
	assert_int_equal(set->report->verdict.status, CKPT_CORRUPT);
	assert_int_equal(set->report->verdict.problem.code, CKPT_PROBLEM_CHECKSUM);
	put(dir, NAME, 5000000);
	scratch_put(dir->fd, SEAL, "{}");
	set = sealed_set(dir, &again, NAME);
	assert_int_equal(ckpt_seal_prove(&ctx, set, &err), 0);
	assert_int_equal(set->report->verdict.status, CKPT_VALID);
	assert_int_equal(set->report->verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	assert_true(scratch_holds(dir->fd, SEAL, "{}"));
	assert_int_equal(scratch_count(dir->fd), 2);
}

/* A seal that was right once does not seal what is damaged now. */
static void test_seal__an_older_seal_counts_for_nothing(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	put(dir, NAME, 1000);
	assert_int_equal(make(NULL, dir, NAME), 0);
	scratch_flip(dir->fd, NAME, 2000);
	sealed_take_as_unchanged(dir, NAME, NAME);
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_STRUCTURE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL_UNCHANGED);
	assert_int_equal(make(NULL, dir, NAME), CKPT_SEAL_INVALID);
}

/* What a writer does at the @at'th read. */
struct writer {
	const struct scratch *dir;
	const char *name;
	_Atomic int calls;
	int at;
	bool append, remove, error;
};

static ssize_t writing_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct writer *w = arg;

	if (++w->calls != w->at)
		return pread(fd, buf, len, off);
	if (w->error) {
		errno = EIO;
		return -1;
	}
	if (w->append)
		scratch_resize(w->dir->fd, w->name, 9000000);
	else if (w->remove)
		assert_int_equal(unlinkat(w->dir->fd, w->name, 0), 0);
	else
		scratch_patch(w->dir->fd, w->name, 0, "P", 1); /* what is there already */
	return pread(fd, buf, len, off);
}

static int reads_of_a_whole_seal(const struct scratch *dir)
{
	struct writer w = { .at = -1 };
	const struct ckpt_seam seam = { .pread = writing_pread, .arg = &w };
	struct ckpt_ctx ctx = { .seam = &seam, .threads = 1 };

	put(dir, NAME, 600000);
	assert_int_equal(make(&ctx, dir, NAME), 0);
	assert_int_equal(unlinkat(dir->fd, SEAL, 0), 0);
	return w.calls;
}

/* Whatever happens to the file at whichever read, no seal comes of it. */
static void test_seal__gives_up_when_the_file_changes(void **state)
{
	const struct scratch *dir = *state;
	int reads = reads_of_a_whole_seal(dir);
	static const struct writer kinds[] = {
		{ .append = true }, { .remove = true }, { .error = true }, { 0 }
	};

	assert_true(reads > 20);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (int at = 1; at < reads; at += at < reads - 4 ? 5 : 1) {
			struct writer w = kinds[k];
			const struct ckpt_seam seam = { .pread = writing_pread, .arg = &w };
			struct ckpt_ctx ctx = { .seam = &seam, .threads = 1 };

			put(dir, NAME, 600000);
			w.dir = dir;
			w.name = NAME;
			w.at = at;
			if (make(&ctx, dir, NAME) == 0)
				fail_msg("kind %zu at read %d of %d, and it is sealed", k, at,
					 reads);
			assert_false(scratch_has(dir->fd, SEAL));
		}
	}
}

/* A server's clock may be ahead: its tick has to pass all the same before its times tell a later
 * write. */
static void test_seal__waits_for_a_clock_ahead(void **state)
{
	const struct scratch *dir = *state;
	struct timespec times[2] = { 0 }, begin, end;

	put(dir, NAME, 64);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec += 3600;
	times[0].tv_nsec = 1000;
	times[1] = times[0];
	assert_int_equal(utimensat(dir->fd, NAME, times, 0), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(make(NULL, dir, NAME), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(ckpt_clock_ns(end) - ckpt_clock_ns(begin) >= 20000000);
}

/* One file of several changes after it was hashed, while another one is. */
static void test_seal__gives_up_when_another_file_changes(void **state)
{
	const struct scratch *dir = *state;
	struct writer w = { .dir = dir, .at = -1 };
	const struct ckpt_seam seam = { .pread = writing_pread, .arg = &w };
	struct ckpt_ctx ctx = { .seam = &seam, .threads = 1 };
	int reads;

	sealed_put_trainer(dir, 500000);
	assert_int_equal(make(&ctx, dir, "checkpoint-500"), 0);
	reads = w.calls;
	assert_int_equal(unlinkat(dir->fd, "checkpoint-500.metadata.json", 0), 0);
	w.calls = 0;
	w.at = reads - 3; /* in pytorch_model.bin or what comes after it */
	w.name = "checkpoint-500/notes/more/readme.txt";
	assert_int_equal(make(&ctx, dir, "checkpoint-500"), CKPT_SEAL_CHANGED);
	assert_false(scratch_has(dir->fd, "checkpoint-500.metadata.json"));
}

static void test_seal__failure_to_write_leaves_the_old_one(void **state)
{
	const struct scratch *dir = *state;
	const struct rlimit small = { 100, RLIM_INFINITY };
	struct rlimit before;
	char *text;
	int r;

	put(dir, NAME, 64);
	assert_int_equal(make(NULL, dir, NAME), 0);
	text = sealed_text(dir, NAME);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = make(NULL, dir, NAME);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(r, -EFBIG);
	assert_true(scratch_holds(dir->fd, SEAL, text));
	assert_int_equal(scratch_count(dir->fd), 2);
	free(text);
}

static void test_seal__keeps_what_others_wrote(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_json_ cJSON *o = NULL, *again = NULL;
	int64_t value;

	put(dir, NAME, 64);
	scratch_put(dir->fd, "config.json", "{\"lr\": 0.5}");
	scratch_put(dir->fd, SEAL,
		    "{\"created_at\": \"long ago\", \"size_bytes\": 1, \"mine\": [1], "
		    "\"training\": {\"loss\": 7}}");
	assert_int_equal(make(NULL, dir, NAME), 0);
	o = parsed(dir, NAME);
	assert_string_equal(ckpt_json_text(o, "created_at"), "long ago");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "mine")), 1);
	assert_true(ckpt_json_int(cJSON_GetObjectItem(o, "training"), "loss", &value));
	assert_int_equal(value, 7);
	assert_true(ckpt_json_int(o, "size_bytes", &value) && value > 1);
	assert_non_null(cJSON_GetObjectItem(cJSON_GetObjectItem(o, "config"), "lr"));
	assert_int_equal(make(NULL, dir, NAME), 0); /* over its own one */
	again = parsed(dir, NAME);
	assert_int_equal(cJSON_GetArraySize(again), cJSON_GetArraySize(o));
	assert_int_equal(scratch_count(dir->fd), 3);
}

static void put_step(const struct scratch *dir, int epoch, long step)
{
	const struct torch_synthetic how = { .epoch = epoch, .step = step, .floats = 64 };

	torch_synthetic_write(dir->fd, NAME, &how);
}

/* Seals the save of @step; the metadata tell of it, whatever they told before. */
static void expect_of_step(const struct scratch *dir, long step, const char *lr, const char *at)
{
	_cleanup_json_ cJSON *o = NULL;
	const cJSON *training;
	int64_t value;

	assert_int_equal(make(NULL, dir, NAME), 0);
	o = parsed(dir, NAME);
	training = cJSON_GetObjectItem(o, "training");
	assert_true(ckpt_json_int(training, "step", &value));
	assert_int_equal(value, step);
	assert_true(ckpt_json_int(training, "epoch", &value));
	assert_int_equal(value, step / 100);
	assert_string_equal(ckpt_json_text(cJSON_GetObjectItem(o, "config"), "lr"), lr);
	assert_string_equal(ckpt_json_text(o, "created_at"), at);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "mine")), 1);
}

static void set_time(const struct scratch *dir, time_t seconds)
{
	const struct timespec times[2] = { { seconds, 0 }, { seconds, 0 } };

	assert_int_equal(utimensat(dir->fd, NAME, times, 0), 0);
}

/* One name for all saves: what the older seal told of the older save is not of this one. What
 * others wrote is. */
static void test_seal__made_again_tells_of_this_save(void **state)
{
	const struct scratch *dir = *state;

	scratch_put(dir->fd, SEAL, "{\"mine\": [1], \"seal\": \"of wax\"}");
	scratch_put(dir->fd, "config.json", "{\"lr\": \"first\"}");
	put_step(dir, 1, 100);
	set_time(dir, 1000000000);
	expect_of_step(dir, 100, "first", "2001-09-09T01:46:40Z");
	scratch_put(dir->fd, "config.json", "{\"lr\": \"second\"}");
	set_time(dir, 1100000000); /* the same bytes: the same save */
	expect_of_step(dir, 100, "first", "2001-09-09T01:46:40Z");
	put_step(dir, 4, 400);
	set_time(dir, 1200000000);
	expect_of_step(dir, 400, "second", "2008-01-10T21:20:00Z");
}

/* Replaces the first @from in the seal's file by @to, of the same length. */
static void edit(const struct scratch *dir, const char *from, const char *to)
{
	char *text = sealed_text(dir, NAME), *at = strstr(text, from);

	assert_non_null(at);
	memcpy(at, to, strlen(to));
	scratch_put(dir->fd, SEAL, text);
	free(text);
}

/* A person's word on this save stays, one on an older save does not. */
static void test_seal__made_again_keeps_what_was_edited(void **state)
{
	const struct scratch *dir = *state;

	scratch_put(dir->fd, SEAL, "{\"mine\": [1]}");
	scratch_put(dir->fd, "config.json", "{\"lr\": \"first\"}");
	put_step(dir, 1, 100);
	set_time(dir, 1000000000);
	assert_int_equal(make(NULL, dir, NAME), 0);
	edit(dir, "\"first\"", "\"hands\"");
	expect_of_step(dir, 100, "hands", "2001-09-09T01:46:40Z");
	edit(dir, "\"sha256\"", "\"sha999\""); /* of nobody knows what */
	expect_of_step(dir, 100, "first", "2001-09-09T01:46:40Z");
}

static void test_seal__sets_a_torn_file_aside(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_seal seal = { 0 };

	put(dir, NAME, 64);
	scratch_put(dir->fd, SEAL, "{\"half a");
	assert_int_equal(make(NULL, dir, NAME), 0);
	assert_true(scratch_holds(dir->fd, SEAL ".torn", "{\"half a"));
	assert_int_equal(load(dir, NAME, &seal), 0);
	ckpt_seal_done(&seal);
}

/* What could not be read is not torn: it stays where it is, and nothing replaces it. */
static void test_seal__sets_aside_nothing_unread(void **state)
{
	static const char mine[] = "{\"mine\": [1]}";
	const struct scratch *dir = *state;
	struct writer w = { .dir = dir, .name = NAME, .at = -1 };
	const struct ckpt_seam seam = { .pread = writing_pread, .arg = &w };
	struct ckpt_ctx ctx = { .seam = &seam, .threads = 1 };
	int reads = reads_of_a_whole_seal(dir);

	put(dir, NAME, 600000);
	w.error = true;
	for (w.at = reads - 20; w.at <= reads + 1; w.at++) {
		w.calls = 0;
		scratch_put(dir->fd, SEAL, mine);
		if (make(&ctx, dir, NAME) != 0 && !scratch_holds(dir->fd, SEAL, mine))
			fail_msg("gone after an error at read %d of %d", w.at, reads);
		assert_false(scratch_has(dir->fd, SEAL ".torn"));
	}
}

static void test_seal__covers_a_directory(void **state)
{
	static const char *const names[] = { "notes/more/readme.txt", "optimizer.pt",
					     "pytorch_model.bin", "trainer_state.json" };
	const struct scratch *dir = *state;
	_cleanup_seal_ struct ckpt_seal seal = { 0 };
	_cleanup_json_ cJSON *o = NULL;
	int64_t value;

	sealed_put_trainer(dir, 1000);
	scratch_put(dir->fd, "checkpoint-500/.ckpt-resume/x", "not the checkpoint's");
	assert_int_equal(symlinkat("nowhere", dir->fd, "checkpoint-500/dangling"), 0);
	assert_int_equal(make(NULL, dir, "checkpoint-500"), 0);
	assert_int_equal(load(dir, "checkpoint-500", &seal), 0);
	assert_int_equal(seal.n, 4);
	for (size_t i = 0; i < seal.n; i++)
		assert_string_equal(seal.files[i].name, names[i]);
	o = parsed(dir, "checkpoint-500");
	assert_true(ckpt_json_int(cJSON_GetObjectItem(o, "training"), "global_step", &value));
	assert_int_equal(value, 500);
	assert_int_equal(symlinkat("notes", dir->fd, "checkpoint-500/linked"), 0);
	assert_int_equal(make(NULL, dir, "checkpoint-500"), CKPT_SEAL_REFUSED);
}

static void test_seal__bounds(void **state)
{
	const struct scratch *dir = *state;
	char name[NAME_MAX + 1], file[NAME_MAX + 1], deep[256] = "checkpoint-500";

	memset(name, 'x', NAME_MAX - 14);
	name[NAME_MAX - 14] = '\0';
	assert_true(ckpt_seal_name(name, file));
	memcpy(name + NAME_MAX - 14, "y", 2);
	assert_false(ckpt_seal_name(name, file));
	sealed_put_trainer(dir, 64);
	for (int i = 0; i < 20; i++)
		strncat(deep, "/d", sizeof(deep) - strlen(deep) - 1);
	strncat(deep, "/f", sizeof(deep) - strlen(deep) - 1);
	scratch_put(dir->fd, deep, "x");
	assert_int_equal(make(NULL, dir, "checkpoint-500"), CKPT_SEAL_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_seal__says_what_is_there),
		scratch_test(test_seal__clears_up_after_the_killed),
		scratch_test(test_seal__comes_back_as_made),
		cmocka_unit_test(test_seal__a_report_is_kept_whole),
		scratch_test(test_seal__edited_or_torn_is_no_seal),
		scratch_test(test_seal__hostile_is_no_seal),
		scratch_test(test_seal__a_crowd_is_no_seal),
		scratch_test(test_seal__keeps_many_keys),
		scratch_test(test_seal__no_file_twice),
		scratch_test(test_seal__covers_what_an_index_names),
		scratch_test(test_seal__only_what_is_valid),
		scratch_test(test_seal__checksums_in_passing),
		scratch_test(test_seal__proved_alone),
		scratch_test(test_seal__an_older_seal_counts_for_nothing),
		scratch_test(test_seal__gives_up_when_the_file_changes),
		scratch_test(test_seal__waits_for_a_clock_ahead),
		scratch_test(test_seal__gives_up_when_another_file_changes),
		scratch_test(test_seal__failure_to_write_leaves_the_old_one),
		scratch_test(test_seal__keeps_what_others_wrote),
		scratch_test(test_seal__made_again_tells_of_this_save),
		scratch_test(test_seal__made_again_keeps_what_was_edited),
		scratch_test(test_seal__sets_a_torn_file_aside),
		scratch_test(test_seal__sets_aside_nothing_unread),
		scratch_test(test_seal__covers_a_directory),
		scratch_test(test_seal__bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
