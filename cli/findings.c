/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See findings.h. Each row of the table writes one sentence, or none where it has nothing to say.
 */
#include "cli/findings.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/integrity/verify.h"

#define FULL_SHARE 100 /* less than a hundredth free, or less than the file's size: full */

static bool is_full(const struct ckpt_forensics *d)
{
	return d->has_space &&
	       (d->free_bytes < d->size || d->free_bytes < d->total_bytes / FULL_SHARE);
}

/* A set's problem lies in one of its files; a single file is its own. */
static void look_at_file(struct ckpt_ctx *ctx, const struct ckpt_set *set, struct ckpt_findings *f)
{
	const char *culprit = set->report ? set->report->verdict.problem.file : "";
	char path[CKPT_PATH_MAX + 512];
	struct ckpt_error err;

	snprintf(f->file, sizeof(f->file), "%s",
		 set->kind == CKPT_KIND_FILE && !set->crew ? set->name : culprit);
	snprintf(path, sizeof(path), "%s%s%s/%s", set->dir,
		 set->kind == CKPT_KIND_DIRECTORY ? "/" : "",
		 set->kind == CKPT_KIND_DIRECTORY ? set->name : "", f->file);
	f->has_file = f->file[0] &&
		      ckpt_forensics_file(ctx, AT_FDCWD, path, "/proc", &f->data, &err) == 0;
}

void ckpt_findings_of(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, struct ckpt_set *set,
		      const char *run_dir, struct ckpt_findings *ret)
{
	memset(ret, 0, sizeof(*ret));
	look_at_file(ctx, set, ret);
	ckpt_account(ctx, cat, set, run_dir, &ret->account);
}

void ckpt_findings_alone(struct ckpt_ctx *ctx, struct ckpt_set *set, struct ckpt_catalog *cat,
			 struct ckpt_findings *ret)
{
	const struct ckpt_catalog_options options = { .known_layouts_only = false };
	struct ckpt_set *twin = NULL;
	struct ckpt_error err;

	memset(ret, 0, sizeof(*ret));
	look_at_file(ctx, set, ret);
	if (ckpt_catalog_scan(ctx, cat, set->dir, 0, &options, &err) == 0)
		twin = ckpt_catalog_find(cat, set->dir, set->name);
	if (twin)
		ckpt_set_verify(ctx, twin, CKPT_LEVEL_STRUCTURE);
	ckpt_account(ctx, cat, twin ? twin : set, set->dir, &ret->account);
}

/* Of another size than any of its elders. */
static bool is_unlike(const struct ckpt_account *a)
{
	return a->elders && (a->size < a->smallest || a->size > a->largest);
}

static void say_size(const struct ckpt_findings *f, struct ckpt_str *s)
{
	const struct ckpt_account *a = &f->account;
	char own[32], small[32], large[32];

	ckpt_text_size(own, sizeof(own), a->size);
	if (a->elders == 0)
		return;
	ckpt_text_size(small, sizeof(small), a->smallest);
	ckpt_text_size(large, sizeof(large), a->largest);
	ckpt_str_add(s, "%s (%llu bytes) where the %d before it have %s", own,
		     (unsigned long long)a->size, a->elders, small);
	if (strcmp(small, large) != 0)
		ckpt_str_add(s, " to %s", large);
}

static void say_data(const struct ckpt_findings *f, struct ckpt_str *s)
{
	const struct ckpt_forensics *d = &f->data;
	char tail[32];

	if (!f->has_file)
		return;
	if (d->released)
		ckpt_str_add(s, "no blocks on the disk: released to tape, or never written "
				"(not read; `ckptctl validate` would)");
	else if (d->has_end && d->size)
		ckpt_str_add(s, "end at %s%llu of %llu bytes", d->end_at_most ? "most " : "",
			     (unsigned long long)d->data_end, (unsigned long long)d->size);
	if (!d->released && d->has_end && d->data_end < d->size)
		ckpt_str_add(s, "; %s of zeros follow",
			     ckpt_text_size(tail, sizeof(tail), d->size - d->data_end));
}

static void say_holes(const struct ckpt_findings *f, struct ckpt_str *s)
{
	char bytes[32];

	if (f->has_file && f->data.holes)
		ckpt_str_add(s, "%s were never written, from %llu on (%llu holes)",
			     ckpt_text_size(bytes, sizeof(bytes), f->data.hole_bytes),
			     (unsigned long long)f->data.first_hole,
			     (unsigned long long)f->data.holes);
}

static void say_space(const struct ckpt_findings *f, struct ckpt_str *s)
{
	const struct ckpt_forensics *d = &f->data;
	char left[32], all[32];

	if (!f->has_file || !d->has_space)
		return;
	ckpt_str_add(s, "%s%s free of %s now", is_full(d) ? "full, a likely cause: " : "",
		     ckpt_text_size(left, sizeof(left), d->free_bytes),
		     ckpt_text_size(all, sizeof(all), d->total_bytes));
	if (d->free_inodes == 0)
		ckpt_str_add(s, ", and no file can be made (inodes)");
	if (d->has_quota)
		ckpt_str_add(s, "; quota %s of %s used",
			     ckpt_text_size(left, sizeof(left), d->quota_used),
			     ckpt_text_size(all, sizeof(all), d->quota_limit));
}

static void say_writer(const struct ckpt_findings *f, struct ckpt_str *s)
{
	const struct ckpt_writers *w = &f->data.writers;

	if (!f->has_file || !f->data.has_writers)
		return;
	for (int i = 0; i < w->n && i < CKPT_WRITERS; i++)
		ckpt_str_add(s, "%s%s (pid %d)", i ? ", " : "still open for writing by ",
			     w->list[i].command, (int)w->list[i].pid);
	if (w->n)
		return;
	ckpt_str_add(s, "none on this host that can be seen%s",
		     f->data.remote ? "; other hosts cannot be asked" : "");
}

static void say_origin(const struct ckpt_findings *f, struct ckpt_str *s)
{
	const struct ckpt_account *a = &f->account;

	if (!a->known_attempt)
		return;
	ckpt_str_add(s, "attempt %lld", (long long)a->attempt);
	if (a->job_id)
		ckpt_str_add(s, " of job %lld", (long long)a->job_id);
	else
		ckpt_str_add(s, ", no job of Slurm's");
	if (a->save == 1)
		ckpt_str_add(s, ", its first save that is there");
	else if (a->save)
		ckpt_str_add(s, ", its save no. %d of those that are there", a->save);
	ckpt_str_add(s, " (by the ledger's times)");
}

static void say_instead(const struct ckpt_findings *f, struct ckpt_str *s)
{
	char cost[160];

	if (!f->account.instead)
		return;
	ckpt_account_cost(&f->account, cost, sizeof(cost));
	ckpt_str_add(s, "%s%s%s", f->account.instead->name, *cost ? ", which costs " : "", cost);
}

static void say_suspicion(const struct ckpt_findings *f, struct ckpt_str *s)
{
	if (f->account.suspicion[0])
		ckpt_str_add(s, "%s", f->account.suspicion);
}

static const struct row {
	const char *label;
	void (*say)(const struct ckpt_findings *f, struct ckpt_str *s);
	bool valid; /* of a valid one; else of a rejected one */
	bool brief; /* in the one line */
} rows[] = {
	{ "Suspicious", say_suspicion, true, false },
	{ "Elders", say_size, false, false },
	{ "Data", say_data, false, true },
	{ "Holes", say_holes, false, true },
	{ "Disk", say_space, false, false },
	{ "Writer", say_writer, false, true },
	{ "Saved by", say_origin, false, true },
	{ "Instead", say_instead, false, true },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

void ckpt_findings_print(const struct ckpt_findings *f, bool rejected)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		_cleanup_str_ struct ckpt_str s = { 0 };

		if (rejected != rows[i].valid)
			rows[i].say(f, &s);
		if (s.s)
			ckpt_cli_say("%-11s %s", rows[i].label, s.s);
	}
}

/* Whether the line about a rejected one has @row: what is too small is said once, by its elders. */
static bool in_line(const struct row *row, const struct ckpt_findings *f)
{
	if (row->say == say_size)
		return is_unlike(&f->account);
	if (row->say == say_suspicion)
		return !is_unlike(&f->account);
	return row->brief || (row->say == say_space && is_full(&f->data));
}

const char *ckpt_findings_line(const struct ckpt_findings *f, bool rejected, char *buf, size_t size)
{
	_cleanup_str_ struct ckpt_str line = { 0 };

	for (size_t i = 0; i < N_ROWS; i++) {
		_cleanup_str_ struct ckpt_str s = { 0 };

		if (rejected ? in_line(&rows[i], f) : rows[i].valid)
			rows[i].say(f, &s);
		if (s.s)
			ckpt_str_add(&line, "%s%s: %s", line.s ? "; " : "", rows[i].label, s.s);
	}
	snprintf(buf, size, "%s", line.s ? line.s : "");
	return buf;
}

static void add_writers(cJSON *o, const struct ckpt_writers *w)
{
	cJSON *list = cJSON_AddArrayToObject(o, "writers");

	for (int i = 0; i < w->n && i < CKPT_WRITERS; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddNumberToObject(one, "pid", w->list[i].pid);
		cJSON_AddStringToObject(one, "command", w->list[i].command);
		cJSON_AddItemToArray(list, one);
	}
}

static void add_file(cJSON *o, const struct ckpt_findings *f)
{
	const struct ckpt_forensics *d = &f->data;
	cJSON *file = f->has_file ? cJSON_AddObjectToObject(o, "file") : NULL;

	if (!file) {
		cJSON_AddNullToObject(o, "file");
		return;
	}
	cJSON_AddStringToObject(file, "name", f->file);
	cJSON_AddNumberToObject(file, "size_bytes", (double)d->size);
	ckpt_json_add_number(file, "data_end", d->has_end, (double)d->data_end);
	ckpt_json_add_number(file, "zero_tail_bytes", d->has_end, (double)(d->size - d->data_end));
	cJSON_AddBoolToObject(file, "data_end_at_most", d->end_at_most);
	cJSON_AddNumberToObject(file, "holes", (double)d->holes);
	cJSON_AddNumberToObject(file, "hole_bytes", (double)d->hole_bytes);
	ckpt_json_add_number(file, "first_hole", d->holes, (double)d->first_hole);
	cJSON_AddBoolToObject(file, "no_blocks", d->released);
	ckpt_json_add_number(file, "free_bytes", d->has_space, (double)d->free_bytes);
	ckpt_json_add_number(file, "quota_used_bytes", d->has_quota, (double)d->quota_used);
	ckpt_json_add_number(file, "quota_limit_bytes", d->has_quota, (double)d->quota_limit);
	cJSON_AddBoolToObject(file, "network", d->remote);
	add_writers(file, &d->writers);
}

cJSON *ckpt_findings_json(const struct ckpt_findings *f)
{
	const struct ckpt_account *a = &f->account;
	cJSON *o = cJSON_CreateObject();

	if (!o)
		return NULL;
	add_file(o, f);
	ckpt_json_add_number(o, "elders", true, a->elders);
	ckpt_json_add_number(o, "elders_smallest_bytes", a->elders, (double)a->smallest);
	ckpt_json_add_number(o, "elders_largest_bytes", a->elders, (double)a->largest);
	ckpt_json_add_text(o, "suspicious", a->suspicion);
	ckpt_json_add_number(o, "saved_by_job", a->known_attempt, (double)a->job_id);
	ckpt_json_add_number(o, "saved_by_attempt", a->known_attempt, (double)a->attempt);
	ckpt_json_add_number(o, "save_of_attempt", a->save, a->save);
	ckpt_json_add_text(o, "instead", a->instead ? a->instead->name : NULL);
	ckpt_json_add_number(o, "cost_epochs", a->has_epochs, a->epochs);
	ckpt_json_add_number(o, "cost_steps", a->has_steps, (double)a->steps);
	ckpt_json_add_number(o, "cost_seconds", a->seconds > 0, (double)a->seconds);
	return o;
}
