/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathering: see history.h. The same event stands in the ledger of each run directory, stamped
 * anew: what a former root's ledger has already told is told once.
 */
#include "core/resolve/history.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "core/base/json.h"
#include "core/record/ledger.h"
#include "core/resolve/history_group.h"
#include "core/resolve/settle.h"

struct gather {
	struct ckpt_history *h;
	int root;
	struct ckpt_history_groups groups;
};

/* One ledger line. */
struct line {
	const cJSON *entry;
	const char *event;
	struct ckpt_history_group who;
	int64_t attempt, at;
};

static const char *text_of(const cJSON *entry, const char *key)
{
	const char *text = ckpt_json_text(entry, key);

	return text ? text : "";
}

/* Text that does not fit is cut: it is for people alone. */
static void take_text(char *dst, size_t size, const cJSON *entry, const char *key)
{
	const char *text = text_of(entry, key);
	size_t len = strnlen(text, size - 1);

	memcpy(dst, text, len);
	dst[len] = '\0';
}

static int64_t time_of(const cJSON *entry)
{
	const char *at = ckpt_json_text(entry, "at");
	struct tm tm = { 0 };
	time_t t;

	if (!at || !strptime(at, "%Y-%m-%dT%H:%M:%SZ", &tm))
		return CKPT_HISTORY_UNKNOWN;
	t = timegm(&tm);
	return t < 0 ? CKPT_HISTORY_UNKNOWN : (int64_t)t;
}

/* Room for one more of @size bytes in *@p, which has @n; doubled at powers of two. */
static int grow(void *p, size_t n, size_t size)
{
	void *more;

	if (n & (n - 1))
		return 0;
	more = reallocarray(*(void **)p, n ? 2 * n : 1, size);
	if (!more)
		return -ENOMEM;
	*(void **)p = more;
	return 0;
}

static struct ckpt_history_attempt *find(struct ckpt_history *h, int group, int64_t attempt)
{
	for (size_t i = h->n; i-- > 0;)
		if (h->attempts[i].attempt == attempt && h->attempts[i].group == group)
			return &h->attempts[i];
	return NULL;
}

/* The attempt of @l, made where it is new; NULL where there are too many, or no memory. */
static int attempt_of(struct gather *g, const struct line *l, struct ckpt_history_attempt **ret)
{
	struct ckpt_history *h = g->h;
	int group = ckpt_history_group_find(&g->groups, &l->who);
	struct ckpt_history_attempt *a = group < 0 ? NULL : find(h, group, l->attempt);

	*ret = NULL;
	if (!a && h->n == CKPT_HISTORY_ATTEMPTS) {
		h->left_out++;
		return 0;
	}
	group = group < 0 ? ckpt_history_group_add(&g->groups, &l->who) : group;
	if (group < 0 || (!a && grow(&h->attempts, h->n, sizeof(*a)) < 0))
		return -ENOMEM;
	ckpt_history_group_learn(&g->groups, group, &l->who);
	if (!a) {
		a = &h->attempts[h->n++];
		*a = (struct ckpt_history_attempt) {
			.job_id = l->who.job_id,
			.attempt = l->attempt,
			.group = group,
			.began = CKPT_HISTORY_UNKNOWN,
			.over = CKPT_HISTORY_UNKNOWN,
			.last = CKPT_HISTORY_UNKNOWN,
		};
	}
	*ret = a;
	return 0;
}

static void take_position(const cJSON *entry, struct ckpt_position *ret)
{
	*ret = (struct ckpt_position) { 0 };
	ret->has_step = ckpt_json_int(entry, "step", &ret->step);
	ret->has_epoch = ckpt_json_number(entry, "epoch", &ret->epoch);
	ret->has_loss = ckpt_json_number(entry, "loss", &ret->loss);
	take_text(ret->loss_key, sizeof(ret->loss_key), entry, "loss_key");
}

/* What the decision of @l, which stands for @a's, rejected; a line that was cut short has no list.
 */
static int take_passed(struct gather *g, struct ckpt_history_attempt *a, const struct line *l)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(l->entry, "rejected"), *entry;

	g->h->n_passed -= a->n_passed;
	a->n_passed = 0; /* the prolog's, which the step's has again */
	cJSON_ArrayForEach (entry, list) {
		struct ckpt_history_passed *p;

		if (!*text_of(entry, "name"))
			continue;
		if (g->h->n_passed == CKPT_HISTORY_SAVED) {
			g->h->left_out++;
			continue;
		}
		if (grow(&a->passed, a->n_passed, sizeof(*p)) < 0)
			return -ENOMEM;
		p = &a->passed[a->n_passed++];
		g->h->n_passed++;
		take_text(p->name, sizeof(p->name), entry, "name");
		take_text(p->verdict, sizeof(p->verdict), entry, "verdict");
		take_text(p->problem, sizeof(p->problem), entry, "problem");
	}
	return 0;
}

static void reach(struct ckpt_history_attempt *a, const struct ckpt_position *p)
{
	if (p->has_step && (!a->reached.has_step || p->step > a->reached.step)) {
		a->reached.has_step = true;
		a->reached.step = p->step;
	}
	if (p->has_epoch && (!a->reached.has_epoch || p->epoch > a->reached.epoch)) {
		a->reached.has_epoch = true;
		a->reached.epoch = p->epoch;
	}
}

/* The step's word stands above the prolog's; what is decided anew inside of an attempt (a loop of
 * the script) does not change where it began. */
static int on_decision(struct gather *g, struct ckpt_history_attempt *a, const struct line *l)
{
	bool by_prolog = strcmp(text_of(l->entry, "where"), "prolog") == 0;

	if (a->decided && (!a->by_prolog || by_prolog))
		return 0;
	if (!a->decided) {
		a->began = l->at;
		take_text(a->began_node, sizeof(a->began_node), l->entry, "node");
	}
	a->decided = true;
	a->by_prolog = by_prolog;
	take_text(a->mode, sizeof(a->mode), l->entry, "mode");
	take_text(a->reason, sizeof(a->reason), l->entry, "reason");
	take_text(a->evidence, sizeof(a->evidence), l->entry, "evidence");
	take_text(a->from, sizeof(a->from), l->entry, "path");
	take_position(l->entry, &a->from_position);
	reach(a, &a->from_position);
	return take_passed(g, a, l);
}

static int on_end(struct gather *g, struct ckpt_history_attempt *a, const struct line *l)
{
	struct ckpt_position p;

	(void)g;
	if (a->ended)
		return 0;
	a->ended = true;
	a->over = l->at;
	take_text(a->over_node, sizeof(a->over_node), l->entry, "node");
	take_text(a->cause, sizeof(a->cause), l->entry, "cause");
	take_text(a->to, sizeof(a->to), l->entry, "newest_valid");
	take_position(l->entry, &p);
	reach(a, &p);
	return 0;
}

static bool same_saved(const struct ckpt_history_saved *a, const struct ckpt_history_saved *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->verdict, b->verdict) == 0 &&
	       a->size == b->size && a->position.has_step == b->position.has_step &&
	       a->position.step == b->position.step && a->seconds == b->seconds;
}

/* True if a former root's ledger has told of @s, which this one's had not yet. */
static bool is_told(const struct gather *g, struct ckpt_history_attempt *a,
		    const struct ckpt_history_saved *s)
{
	for (size_t i = 0; i < a->before_saved; i++) {
		if ((a->saved[i].seen & (1U << g->root)) || !same_saved(&a->saved[i], s))
			continue;
		a->saved[i].seen |= 1U << g->root;
		return true;
	}
	return false;
}

static int on_checkpoint(struct gather *g, struct ckpt_history_attempt *a, const struct line *l)
{
	struct ckpt_history_saved s = { .at = l->at, .seen = 1U << g->root };
	double size = 0;

	take_text(s.name, sizeof(s.name), l->entry, "name");
	take_text(s.verdict, sizeof(s.verdict), l->entry, "verdict");
	take_text(s.evidence, sizeof(s.evidence), l->entry, "evidence");
	take_text(s.problem, sizeof(s.problem), l->entry, "problem");
	take_text(s.node, sizeof(s.node), l->entry, "node");
	take_position(l->entry, &s.position);
	if (ckpt_json_number(l->entry, "size_bytes", &size) && size > 0 && size < 0x1p63)
		s.size = (uint64_t)size;
	ckpt_json_number(l->entry, "seconds", &s.seconds);
	if (is_told(g, a, &s))
		return 0;
	reach(a, &s.position);
	a->valid += strcmp(s.verdict, "valid") == 0;
	a->rejected += ckpt_history_is_broken(s.verdict);
	if (g->h->n_saved == CKPT_HISTORY_SAVED) {
		g->h->left_out++;
		return 0;
	}
	if (grow(&a->saved, a->n_saved, sizeof(s)) < 0)
		return -ENOMEM;
	a->saved[a->n_saved++] = s;
	g->h->n_saved++;
	return 0;
}

static bool is_noted(const struct gather *g, struct ckpt_history_attempt *a,
		     const struct ckpt_history_note *n)
{
	for (size_t i = 0; i < a->before_notes; i++) {
		struct ckpt_history_note *old = &a->notes[i];

		if ((old->seen & (1U << g->root)) || strcmp(old->event, n->event) != 0 ||
		    strcmp(old->why, n->why) != 0)
			continue;
		old->seen |= 1U << g->root;
		return true;
	}
	return false;
}

static int on_other(struct gather *g, struct ckpt_history_attempt *a, const struct line *l)
{
	struct ckpt_history_note n = { .at = l->at, .seen = 1U << g->root };

	take_text(n.event, sizeof(n.event), l->entry, "event");
	take_text(n.why, sizeof(n.why), l->entry, ckpt_json_text(l->entry, "why") ? "why" : "file");
	if (is_noted(g, a, &n))
		return 0;
	if (g->h->n_notes == CKPT_HISTORY_NOTES) {
		g->h->left_out++;
		return 0;
	}
	if (grow(&a->notes, a->n_notes, sizeof(n)) < 0)
		return -ENOMEM;
	a->notes[a->n_notes++] = n;
	g->h->n_notes++;
	return 0;
}

static const struct kind {
	const char *event;
	int (*take)(struct gather *g, struct ckpt_history_attempt *a, const struct line *l);
} kinds[] = {
	{ "decision", on_decision },
	{ "end", on_end },
	{ "checkpoint", on_checkpoint },
	{ NULL, on_other },
};

/* ckpt_ledger_fn. */
static int on_entry(void *arg, const cJSON *entry)
{
	struct gather *g = arg;
	const struct kind *kind = kinds;
	struct ckpt_history_attempt *a;
	struct line l = {
		.entry = entry,
		.event = ckpt_json_text(entry, "event"),
		.at = time_of(entry),
	};
	int r;

	if (!l.event || !ckpt_json_int(entry, "job_id", &l.who.job_id) || l.who.job_id < 0 ||
	    !ckpt_json_int(entry, "attempt", &l.attempt) || l.attempt < 0) {
		/* a quarantine's entries are about files, no attempt's */
		g->h->foreign += !l.event || !ckpt_json_text(entry, "id");
		return 0;
	}
	take_text(l.who.cluster, sizeof(l.who.cluster), entry, "cluster");
	take_text(l.who.run, sizeof(l.who.run), entry, "run");
	r = attempt_of(g, &l, &a);
	if (r < 0 || !a)
		return r;
	if (a->over == CKPT_HISTORY_UNKNOWN && l.at > a->last)
		a->last = l.at;
	while (kind->event && strcmp(kind->event, l.event) != 0)
		kind++;
	return kind->take(g, a, &l);
}

static void note_error(struct ckpt_history *h, int r, const char *root, const char *text)
{
	struct ckpt_error err;

	if (h->error)
		return;
	h->error = ckpt_fail(&err, r, "%s: %s", CKPT_QUOTE(root), text);
	ckpt_text_copy(h->error_text, sizeof(h->error_text), err.text);
}

static int load_root(struct gather *g, const char *root)
{
	struct ckpt_history *h = g->h;
	struct ckpt_error err = { 0 };
	_cleanup_close_ int statefd = ckpt_state_open_in(root, &err);
	size_t torn = 0;
	int r;

	if (statefd == -ENOENT)
		return 0;
	if (statefd < 0) {
		note_error(h, statefd, root, err.text);
		return 0;
	}
	for (size_t i = 0; i < h->n; i++) {
		h->attempts[i].before_saved = h->attempts[i].n_saved;
		h->attempts[i].before_notes = h->attempts[i].n_notes;
	}
	h->found = true;
	r = ckpt_ledger_read(statefd, on_entry, g, &torn, &err);
	h->torn += torn;
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		note_error(h, r, root, err.text);
	return 0;
}

/* Each attempt is of its group's cluster and run, whichever of their lines said so. */
static void name_groups(struct gather *g)
{
	for (size_t i = 0; i < g->h->n; i++) {
		struct ckpt_history_attempt *a = &g->h->attempts[i];
		const struct ckpt_history_group *group = &g->groups.list[a->group];

		ckpt_text_copy(a->cluster, sizeof(a->cluster), group->cluster);
		ckpt_text_copy(a->run, sizeof(a->run), group->run);
	}
}

static int by_job(const void *a, const void *b)
{
	const struct ckpt_history_attempt *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->attempt < y->attempt ? -1 : x->attempt > y->attempt;
}

/* How far the attempt before had come, by what this one's decision passed over as damaged. */
static void take_rejected(const cJSON *decision, struct ckpt_history_attempt *before)
{
	const cJSON *trail = cJSON_GetObjectItemCaseSensitive(decision, "trail"), *entry;
	size_t n = 0;

	cJSON_ArrayForEach (entry, trail) {
		const cJSON *set = cJSON_GetObjectItemCaseSensitive(entry, "checkpoint");
		struct ckpt_position p;

		if (strcmp(text_of(entry, "fate"), "rejected") != 0 ||
		    !ckpt_json_bool(entry, "newer", false))
			continue;
		take_position(set, &p);
		reach(before, &p);
		n++;
	}
	/* where nobody watched and the ledger's line was cut, this is all that is known of them */
	if (n > before->rejected)
		before->rejected = n;
}

/* The name as ckpt_settle_name() makes it. */
static void read_decision(struct ckpt_ctx *ctx, const char *root,
			  const struct ckpt_history_attempt *a, struct ckpt_history_attempt *before)
{
	_cleanup_close_ int statefd = ckpt_state_open_in(root, NULL);
	_cleanup_json_ cJSON *decision = NULL;
	char name[CKPT_SETTLE_NAME];
	int n = snprintf(name, sizeof(name), "decision-%s-%lld-%lld.json", a->cluster,
			 (long long)a->job_id, (long long)a->attempt);

	if (statefd >= 0 && n < (int)sizeof(name) &&
	    ckpt_json_load(ctx, statefd, name, &decision, NULL) == 0)
		take_rejected(decision, before);
}

#define DECISIONS_MAX 1000 /* files that are read; those of the newest attempts */

static void read_decisions(struct ckpt_ctx *ctx, const struct ckpt_roots *roots,
			   struct ckpt_history *h)
{
	size_t first = h->n > DECISIONS_MAX ? h->n - DECISIONS_MAX : 1;

	for (size_t i = first; i < h->n; i++) {
		struct ckpt_history_attempt *a = &h->attempts[i];

		if (a[-1].group != a->group || !ckpt_text_is_word(a->cluster))
			continue;
		for (int r = 0; r < roots->n; r++)
			read_decision(ctx, roots->dir[r], a, a - 1);
	}
}

int ckpt_history_load(struct ckpt_ctx *ctx, const struct ckpt_roots *roots,
		      struct ckpt_history *ret)
{
	_cleanup_history_ struct ckpt_history h = { 0 };
	struct gather g = { .h = &h };
	int r = 0;

	for (g.root = 0; r == 0 && g.root < roots->n; g.root++)
		r = load_root(&g, roots->dir[g.root]);
	name_groups(&g);
	free(g.groups.list);
	if (r < 0)
		return r;
	if (h.n)
		qsort(h.attempts, h.n, sizeof(*h.attempts), by_job);
	r = ckpt_history_pass(&h);
	if (r < 0)
		return r;
	read_decisions(ctx, roots, &h);
	ckpt_history_reckon(&h);
	*ret = h;
	h = (struct ckpt_history) { 0 };
	return 0;
}
