/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See account.h.
 */
#include "core/resolve/account.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/siblings.h"
#include "core/integrity/verify.h"
#include "core/record/ledger.h"
#include "core/record/state.h"

static bool is_elder(const struct ckpt_set *set, const struct ckpt_set *other)
{
	return other > set && other->run == set->run && strcmp(other->dir, set->dir) == 0 &&
	       strcmp(other->series, set->series) == 0;
}

/* The sets of a series stand together, the newest first. */
static struct ckpt_set *next_elder(const struct ckpt_catalog *cat, struct ckpt_set *set,
				   struct ckpt_set *last)
{
	struct ckpt_set *next = (last ? last : set) + 1;

	return next < cat->sets + cat->n_sets && is_elder(set, next) ? next : NULL;
}

static void compare_sizes(const struct ckpt_catalog *cat, const struct ckpt_set *set,
			  struct ckpt_account *a)
{
	struct ckpt_set *elder = NULL, *self = cat->sets + (set - cat->sets);
	uint64_t size;

	if (ckpt_set_size(set, &a->size) < 0)
		return;
	while (a->elders < CKPT_ACCOUNT_ELDERS && (elder = next_elder(cat, self, elder))) {
		if (ckpt_set_size(elder, &size) < 0)
			continue;
		a->smallest = a->elders && a->smallest < size ? a->smallest : size;
		a->largest = a->largest > size ? a->largest : size;
		a->elders++;
	}
}

/* Half the data of its elders: what heads a file is as large as theirs, so that all of it is some
 * more. */
static bool is_small(const struct ckpt_account *a)
{
	return a->elders >= 2 && a->size <= a->smallest / 2 + a->smallest / 16;
}

static void size_words(const struct ckpt_account *a, char *buf, size_t size)
{
	char own[32], small[32];

	snprintf(buf, size, "it has %s, its %d elders have %s and more",
		 ckpt_text_size(own, sizeof(own), a->size), a->elders,
		 ckpt_text_size(small, sizeof(small), a->smallest));
}

const char *ckpt_account_size(const struct ckpt_catalog *cat, const struct ckpt_set *set, char *buf,
			      size_t size)
{
	struct ckpt_account a = { .elders = 0 };

	buf[0] = '\0';
	if (set < cat->sets || set >= cat->sets + cat->n_sets)
		return buf;
	compare_sizes(cat, set, &a);
	if (is_small(&a))
		size_words(&a, buf, size);
	return buf;
}

static void suspect(struct ckpt_account *a, const char *sentence)
{
	size_t at = strlen(a->suspicion);

	snprintf(a->suspicion + at, sizeof(a->suspicion) - at, "%s%s", at ? "; " : "", sentence);
}

/* The first name that @b has and @a has not; NULL if there is none or not all are known. */
static const char *lacking(const struct ckpt_report *a, const struct ckpt_report *b)
{
	for (int i = 0; i < b->n_keys && !a->keys_cut && !b->keys_cut; i++)
		if (!ckpt_report_has_key(a, b->keys[i]))
			return b->keys[i];
	return NULL;
}

static size_t members_of(const struct ckpt_set *set)
{
	size_t n = 0;

	while (set->members && set->members[n])
		n++;
	return n;
}

/* Tensors by name; what @key lacks as a whole need not be told again. */
static void compare_tensors(struct ckpt_ctx *ctx, const struct ckpt_set *set, const char *key,
			    struct ckpt_account *a)
{
	struct ckpt_siblings s;
	char text[512];

	if (ckpt_siblings_compare(ctx, set, a->instead, &s) != 0)
		return;
	s.gone.n = key ? 0 : s.gone.n;
	if (*ckpt_siblings_words(&s, a->instead->name, text, sizeof(text)))
		suspect(a, text);
}

/* What one that is whole has, and its whole elder has otherwise. */
static void compare_contents(struct ckpt_ctx *ctx, const struct ckpt_set *set,
			     struct ckpt_account *a)
{
	const struct ckpt_report *own = set->report, *old = a->instead->report;
	size_t n = members_of(set), before = members_of(a->instead);
	const char *key = lacking(own, old);
	char text[192];

	if (n != before && set->crew) {
		snprintf(text, sizeof(text), "%zu shards, %s has %zu", n, a->instead->name, before);
		suspect(a, text);
	}
	if (own->verdict.status != CKPT_VALID)
		return;
	if (own->format != old->format)
		suspect(a, "another format than its elder's");
	if (key) {
		snprintf(text, sizeof(text), "no %.60s, which %.80s has", key, a->instead->name);
		suspect(a, text);
	}
	if (own->tensors != old->tensors) {
		snprintf(text, sizeof(text), "%llu tensors, %.80s has %llu",
			 (unsigned long long)own->tensors, a->instead->name,
			 (unsigned long long)old->tensors);
		suspect(a, text);
	}
	compare_tensors(ctx, set, key, a);
}

static void measure_cost(const struct ckpt_set *set, struct ckpt_account *a)
{
	struct ckpt_position own = ckpt_order_position(set);
	struct ckpt_position old = ckpt_order_position(a->instead);
	struct ckpt_identity id;

	a->has_steps = own.has_step && old.has_step && own.step > old.step;
	if (a->has_steps)
		a->steps = own.step - old.step;
	a->has_epochs = own.has_epoch && old.has_epoch && own.epoch > old.epoch;
	if (a->has_epochs)
		a->epochs = own.epoch - old.epoch;
	if (ckpt_set_identity(set, &id) == 0 && id.mtime_ns > a->instead->report->identity.mtime_ns)
		a->seconds = (id.mtime_ns - a->instead->report->identity.mtime_ns) / 1000000000;
}

/* Where a set stands in its series: by the number of its name, or by its step. */
static bool place_of(const struct ckpt_set *set, double *ret)
{
	struct ckpt_position p = ckpt_order_position(set);

	*ret = set->has_number ? (double)set->number : (double)p.step;
	return set->has_number || p.has_step;
}

/* Whether an older one than a->instead would tell something more. */
static bool can_estimate(const struct ckpt_set *set, const struct ckpt_account *a)
{
	struct ckpt_position own = ckpt_order_position(set);
	struct ckpt_position old = ckpt_order_position(a->instead);
	double place;

	return place_of(set, &place) && ((!own.has_step && old.has_step && !a->has_steps) ||
					 (!own.has_epoch && old.has_epoch && !a->has_epochs));
}

/* Of a content that cannot be read: as far from the one instead of it, in proportion, as that one
 * is from @before. */
static void estimate_cost(const struct ckpt_set *set, const struct ckpt_set *before,
			  struct ckpt_account *a)
{
	struct ckpt_position own = ckpt_order_position(set);
	struct ckpt_position old = ckpt_order_position(a->instead);
	struct ckpt_position older = ckpt_order_position(before);
	double at, last, first, steps;

	if (!place_of(set, &at) || !place_of(a->instead, &last) || !place_of(before, &first) ||
	    at <= last || last <= first)
		return;
	steps = (double)(old.step - older.step) * (at - last) / (last - first);
	if (!own.has_step && old.has_step && older.has_step && steps >= 1 && steps < 1e15) {
		a->has_steps = true;
		a->steps = llround(steps);
	}
	if (!own.has_epoch && old.has_epoch && older.has_epoch && old.epoch > older.epoch) {
		a->has_epochs = true;
		a->epochs = (old.epoch - older.epoch) * (at - last) / (last - first);
	}
}

/* The last decision before the set was written. */
struct origin {
	time_t written, began;
	struct ckpt_account *account;
};

static int on_entry(void *arg, const cJSON *entry)
{
	struct origin *o = arg;
	const char *event = ckpt_json_text(entry, "event"), *at = ckpt_json_text(entry, "at");
	struct tm tm = { 0 };
	int64_t job = 0, attempt = 0;

	if (!event || !at || strcmp(event, "decision") != 0 ||
	    !strptime(at, "%Y-%m-%dT%H:%M:%S", &tm) || timegm(&tm) > o->written ||
	    !ckpt_json_int(entry, "job_id", &job) || !ckpt_json_int(entry, "attempt", &attempt))
		return 0;
	o->began = timegm(&tm);
	o->account->known_attempt = true;
	o->account->job_id = job;
	o->account->attempt = attempt;
	return 0;
}

/* How many of @set's series are of the attempt that began then, up to @set. */
static int count_saves(const struct ckpt_catalog *cat, struct ckpt_set *set, time_t began)
{
	struct ckpt_set *elder = NULL;
	struct ckpt_identity id;
	int n = 1;

	while ((elder = next_elder(cat, set, elder)) && ckpt_set_identity(elder, &id) == 0 &&
	       id.mtime_ns / 1000000000 >= began)
		n++;
	return n;
}

static void find_origin(const struct ckpt_catalog *cat, struct ckpt_set *set, const char *run_dir,
			struct ckpt_account *a)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, run_dir, NULL), statefd = -1;
	struct origin o = { .account = a };
	struct ckpt_identity id;

	if (dirfd < 0 || ckpt_set_identity(set, &id) < 0)
		return;
	o.written = (time_t)(id.mtime_ns / 1000000000);
	statefd = ckpt_state_open(dirfd, NULL);
	if (statefd >= 0)
		ckpt_ledger_read(statefd, on_entry, &o, NULL, NULL);
	if (a->known_attempt && set >= cat->sets && set < cat->sets + cat->n_sets)
		a->save = count_saves(cat, set, o.began);
}

/* The first of at most @most elders behind @last whose structure is whole, or NULL. */
static struct ckpt_set *next_whole(struct ckpt_ctx *ctx, const struct ckpt_catalog *cat,
				   struct ckpt_set *set, struct ckpt_set *last, int most)
{
	while (most-- > 0 && (last = next_elder(cat, set, last)))
		if (ckpt_set_verify(ctx, last, CKPT_LEVEL_STRUCTURE)->verdict.status == CKPT_VALID)
			return last;
	return NULL;
}

void ckpt_account(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, struct ckpt_set *set,
		  const char *run_dir, struct ckpt_account *ret)
{
	struct ckpt_set *elder = NULL;
	char text[160];

	*ret = (struct ckpt_account) { 0 };
	if (run_dir)
		find_origin(cat, set, run_dir, ret);
	if (set < cat->sets || set >= cat->sets + cat->n_sets)
		return;
	compare_sizes(cat, set, ret);
	if (is_small(ret)) {
		size_words(ret, text, sizeof(text));
		suspect(ret, text);
	}
	ret->instead = elder = next_whole(ctx, cat, set, NULL, INT_MAX);
	if (!ret->instead)
		return;
	measure_cost(set, ret);
	if (can_estimate(set, ret)) {
		elder = next_whole(ctx, cat, set, elder, CKPT_ACCOUNT_ELDERS);
		if (elder)
			estimate_cost(set, elder, ret);
	}
	if (set->report)
		compare_contents(ctx, set, ret);
}

const char *ckpt_account_cost(const struct ckpt_account *account, char *buf, size_t size)
{
	_cleanup_str_ struct ckpt_str s = { 0 };
	char number[32];

	if (account->has_epochs)
		ckpt_str_add(&s, "%s epoch%s",
			     ckpt_text_number(number, sizeof(number), account->epochs),
			     account->epochs == 1 ? "" : "s");
	if (account->has_steps)
		ckpt_str_add(&s, "%s%lld step%s", s.s ? ", " : "", (long long)account->steps,
			     account->steps == 1 ? "" : "s");
	if (account->seconds > 0)
		ckpt_str_add(&s, "%s%s of work", s.s ? ", " : "",
			     ckpt_text_age(number, sizeof(number), account->seconds));
	snprintf(buf, size, "%s%s", s.s ? "about " : "", s.s ? s.s : "");
	return buf;
}
