/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one name to what it says: marks of unfinished and superseded names are taken off first, then
 * members of bundles and shards are told, then the rows are tried in order.
 */
#include "core/catalog/names_sets.h"

#include <stdio.h>
#include <string.h>

#include "core/catalog/pattern.h"
#include "core/catalog/rows.h"
#include "wire/text.h"

/* A step's own metadata; before 0.5.11 had those, a tree's under the manager's name for a single
 * one or the names that programs use. */
#define ORBAX_HOLDS                                                                                \
	"_CHECKPOINT_METADATA:default/_METADATA:items/_METADATA:state/_METADATA:params/_METADATA"

/* A name on its way through the rows. */
struct subject {
	const char *name;	    /* as it stands in the directory */
	char lower[CKPT_NAME_SIZE]; /* lower case, cut before the extension */
	size_t len;		    /* of lower */
	unsigned ext;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ckpt_name_lower(const char *name, char *ret, size_t *ret_len)
{
	size_t i;

	for (i = 0; name[i]; i++) {
		if (i == CKPT_NAME_SIZE - 1)
			return false;
		ret[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
	}
	ret[i] = '\0';
	*ret_len = i;
	return i > 0;
}

size_t ckpt_name_unpacked(const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; ckpt_name_packed[i]; i++)
		if (ckpt_text_ends(name, ckpt_name_packed[i]) && len > strlen(ckpt_name_packed[i]))
			return len - strlen(ckpt_name_packed[i]);
	return len;
}

static bool subject_init(struct subject *s, const char *name)
{
	const struct ckpt_name_ext *e;
	size_t len;

	s->name = name;
	s->ext = CKPT_EXT_NONE;
	if (!ckpt_name_lower(name, s->lower, &s->len))
		return false;
	s->len = ckpt_name_unpacked(s->lower);
	s->lower[s->len] = '\0';
	for (e = ckpt_name_exts; e->ext; e++) {
		len = strlen(e->ext);
		if (s->len <= len || memcmp(s->lower + s->len - len, e->ext, len) != 0)
			continue;
		s->ext = e->bit;
		s->len -= len;
		s->lower[s->len] = '\0';
		break;
	}
	return true;
}

static void set_number(struct ckpt_name *ret, char meaning, int64_t value)
{
	switch (meaning) {
	case 's':
		ret->position.has_step = true;
		ret->position.step = value;
		ret->position.step_source = CKPT_FROM_NAME;
		break;
	case 'e':
		ret->position.has_epoch = true;
		ret->position.epoch = (double)value;
		ret->position.epoch_source = CKPT_FROM_NAME;
		break;
	case 'n':
		ret->has_number = true;
		ret->number = value;
		break;
	case 'p':
		ret->part = value;
		break;
	case 'o':
		ret->ranks = value;
		break;
	}
}

void ckpt_name_take_numbers(const char *name, struct ckpt_name *ret)
{
	int64_t value;

	for (int i = 0; i < ret->n_numbers; i++) {
		if (ckpt_pattern_int(name, &ret->numbers[i], &value))
			set_number(ret, ret->numbers[i].meaning, value);
	}
}

/* Length of the decimal number (metric values: 0.35, 1e-05) at @s. */
static size_t span_metric(const char *s)
{
	size_t n = strspn(s, "0123456789");

	if (s[n] == '.' && is_digit(s[n + 1]))
		n += 1 + strspn(s + n + 1, "0123456789");
	if (s[n] == 'e' && s[n + 1] == '-' && is_digit(s[n + 2]))
		n += 2 + strspn(s + n + 2, "0123456789");
	return n;
}

/* Where Lightning's "-v1" ends @s of @len bytes: it marks a clash of names, not another series. */
static size_t cut_version(const char *s, size_t len)
{
	size_t i = len;

	while (i > 0 && is_digit(s[i - 1]))
		i--;
	return i < len && i >= 2 && s[i - 1] == 'v' && s[i - 2] == '-' ? i - 2 : len;
}

/* Whether a metric's value begins at @i: "=0.35", also before any counter (NeMo's default names).
 */
static bool is_metric(const char *s, size_t i)
{
	return i > 0 && s[i - 1] == '=' && is_digit(s[i]) && memchr(s + i, '.', span_metric(s + i));
}

/*
 * The series: numbers that the pattern took become '#', and so does every number after the first of
 * them, so that a metric's value in the name does not make a series of each checkpoint.
 */
static void make_series(const struct subject *s, const struct ckpt_pattern_match *m, char *ret)
{
	size_t end = cut_version(s->lower, s->len), first = m->n ? m->numbers[0].begin : SIZE_MAX;
	size_t i = 0, out = 0;

	while (i < end) {
		if ((i >= first && is_digit(s->lower[i])) || (m->n && is_metric(s->lower, i))) {
			ret[out++] = '#';
			i += i == first ? m->numbers[0].end - first : span_metric(s->lower + i);
		} else {
			ret[out++] = s->name[i++];
		}
	}
	snprintf(ret + out, CKPT_NAME_SIZE, "%s", s->name + s->len);
}

/* A best or last checkpoint may carry its number as well. */
static enum ckpt_role role_of(const struct ckpt_name_row *row, const char *lower)
{
	struct ckpt_pattern_match m;

	if (row->role != CKPT_ROLE_NUMBERED)
		return row->role;
	if (strstr(lower, "best") && ckpt_pattern_match("*<best>*", lower, &m))
		return CKPT_ROLE_BEST;
	if (strstr(lower, "last") && ckpt_pattern_match("*<last>*", lower, &m))
		return CKPT_ROLE_LAST;
	return CKPT_ROLE_NUMBERED;
}

/* The name with its rank as '#'. */
static void make_rank_stem(const struct subject *s, const struct ckpt_pattern_match *m, char *ret)
{
	const struct ckpt_pattern_number *rank = m->numbers;

	while (rank < &m->numbers[m->n - 1] && rank->meaning != 'p')
		rank++;
	snprintf(ret, 2 * CKPT_NAME_SIZE, "%.*s#%s", (int)rank->begin, s->name,
		 s->name + rank->end);
}

static void fill(const struct subject *s, const struct ckpt_name_row *row,
		 const struct ckpt_pattern_match *m, struct ckpt_name *ret)
{
	ret->layout = row->layout;
	ret->role = role_of(row, s->lower);
	ret->weak = row->flags & CKPT_ROW_WEAK;
	ret->numbering = (row->flags & CKPT_ROW_COPIES) == CKPT_ROW_COPIES ? CKPT_RANKS_ANY
									   : CKPT_RANKS_FROM_0;
	ret->mistakable = row->flags & CKPT_ROW_MISTAKABLE;
	ret->top_only = row->flags & CKPT_ROW_TOP & ~CKPT_ROW_MISTAKABLE;
	ret->holds = row->flags & CKPT_ROW_ORBAX    ? ORBAX_HOLDS
		     : row->flags & CKPT_ROW_RANDOM ? "state_dict.pth"
		     : row->flags & CKPT_ROW_SCR    ? "../.scr/index.scr"
		     : row->flags & CKPT_ROW_FTI    ? "ckpt{n}-*.(fti|h5)"
						    : NULL;
	ret->n_numbers = m->n;
	memcpy(ret->numbers, m->numbers, sizeof(ret->numbers));
	ckpt_name_take_numbers(s->lower, ret);
	ret->position.step_vague = row->flags & CKPT_ROW_VAGUE;
	make_series(s, m, ret->series);
	if (row->flags & CKPT_ROW_RANDOM)
		snprintf(ret->series, sizeof(ret->series), "%s", row->pattern);
	if (row->flags & CKPT_ROW_RANKS) {
		ret->fold = CKPT_FOLD_RANKS;
		make_rank_stem(s, m, ret->stem);
	}
}

static int parse_table(const struct ckpt_name_row *row, const char *name, enum ckpt_kind kind,
		       struct ckpt_name *ret)
{
	struct ckpt_pattern_match m;
	struct subject s;

	memset(ret, 0, offsetof(struct ckpt_name, series));
	ret->fold = CKPT_FOLD_NONE;
	ret->part = 0;
	ret->kind = kind;
	if (!subject_init(&s, name))
		return CKPT_NAME_NONE;
	for (; row->pattern; row++) {
		if (!(row->exts & s.ext) || !(row->kinds & 1U << kind) ||
		    !ckpt_pattern_match(row->pattern, s.lower, &m))
			continue;
		if (row->flags & CKPT_ROW_REJECT)
			return CKPT_NAME_NONE;
		fill(&s, row, &m, ret);
		return 0;
	}
	return CKPT_NAME_NONE;
}

int ckpt_name_parse_rows(const char *name, enum ckpt_kind kind, struct ckpt_name *ret)
{
	return parse_table(ckpt_name_rows, name, kind, ret);
}

static int parse_plain(const char *name, bool is_dir, struct ckpt_name *ret)
{
	int r;

	if (!is_dir && (!ckpt_name_parse_bundle(name, ret) || !ckpt_name_parse_shards(name, ret) ||
			!ckpt_name_parse_ranked(name, ret)))
		return 0;
	r = ckpt_name_parse_rows(name, is_dir ? CKPT_KIND_DIRECTORY : CKPT_KIND_FILE, ret);
	if (!r && is_dir)
		ckpt_name_end_series(ret, "/");
	return r;
}

/* A row of @marks that @lower bears; *@ret_at is where the mark begins, *@ret_end where it ends. */
static const struct ckpt_name_mark *find_mark(const struct ckpt_name_mark *marks, const char *lower,
					      size_t *ret_at, size_t *ret_end)
{
	struct ckpt_pattern_match m;
	const char *at;

	for (; marks->mark; marks++) {
		at = strstr(lower, marks->mark);
		if (!at || at == lower)
			continue;
		*ret_at = (size_t)(at - lower);
		*ret_end = *ret_at + strlen(marks->mark);
		if (ckpt_pattern_match(marks->tail, lower + *ret_end, &m))
			return marks;
	}
	return NULL;
}

/* The name without the mark, with and without what follows it, read as a checkpoint's. 0 or
 * CKPT_NAME_NONE. */
static int parse_without(const char *name, size_t at, size_t end, bool is_dir,
			 struct ckpt_name *ret)
{
	char rest[CKPT_NAME_SIZE];

	snprintf(rest, sizeof(rest), "%.*s%s", (int)at, name, name + end);
	if (!parse_plain(rest, is_dir, ret))
		return 0;
	rest[at] = '\0';
	return parse_plain(rest, is_dir, ret);
}

/* A temporary directory may stage a file, or a bundle whose name no entry has. */
static bool is_staged(const char *name, size_t at, size_t end, bool is_dir, struct ckpt_name *ret)
{
	char rest[CKPT_NAME_SIZE];

	snprintf(rest, sizeof(rest), "%.*s", (int)at, name);
	return !parse_without(name, at, end, is_dir, ret) ||
	       (is_dir && (!parse_plain(rest, false, ret) ||
			   (!ckpt_name_parse_prefix(rest, ret) && !ret->weak)));
}

static const char *why_unfinished(const char *name, const char *lower, bool is_dir,
				  struct ckpt_name *ret)
{
	const struct ckpt_name_mark *mark;
	struct ckpt_pattern_match m;
	size_t at, end;

	for (mark = ckpt_name_staging; mark->mark; mark++) {
		if (ckpt_pattern_match(mark->mark, lower, &m))
			return mark->why;
	}
	mark = find_mark(ckpt_name_unfinished, lower, &at, &end);
	return mark && is_staged(name, at, end, is_dir, ret) ? mark->why : NULL;
}

static bool is_quarantined(const char *lower)
{
	struct ckpt_pattern_match m;

	return strstr(lower, ".corrupted") && (ckpt_pattern_match("*.corrupted", lower, &m) ||
					       ckpt_pattern_match("*.corrupted.{n}", lower, &m));
}

int ckpt_name_parse(const char *name, bool is_dir, struct ckpt_name *ret, const char **ret_why)
{
	char lower[CKPT_NAME_SIZE];
	size_t len, at, end;
	const char *why;

	if (name[0] == '.' || !ckpt_name_lower(name, lower, &len))
		return CKPT_NAME_NONE;
	if (is_quarantined(lower)) {
		*ret_why = "quarantined";
		return CKPT_NAME_QUARANTINED;
	}
	why = why_unfinished(name, lower, is_dir, ret);
	if (why) {
		*ret_why = why;
		return CKPT_NAME_UNFINISHED;
	}
	if (!find_mark(ckpt_name_superseded, lower, &at, &end))
		return parse_plain(name, is_dir, ret);
	if (parse_without(name, at, end, is_dir, ret) ||
	    (ret->fold != CKPT_FOLD_NONE && ret->fold != CKPT_FOLD_RANKS))
		return CKPT_NAME_NONE;
	ret->role = CKPT_ROLE_SUPERSEDED;
	ckpt_name_end_series(ret, name + at);
	if (ret->fold == CKPT_FOLD_RANKS)
		ckpt_name_end(ret->stem, sizeof(ret->stem), name + at);
	return 0;
}

int ckpt_name_marked(const char *name, struct ckpt_name *ret)
{
	char lower[CKPT_NAME_SIZE];
	size_t len, at, end;
	int r;

	if (!ckpt_name_lower(name, lower, &len) ||
	    find_mark(ckpt_name_unfinished, lower, &at, &end))
		return CKPT_NAME_NONE;
	r = parse_table(ckpt_name_marked_rows, name, CKPT_KIND_DIRECTORY, ret);
	if (r)
		return r;
	ckpt_name_end_series(ret, "/");
	if (find_mark(ckpt_name_superseded, lower, &at, &end))
		ret->role = CKPT_ROLE_SUPERSEDED;
	return 0;
}

/* The last run of digits in @name. */
static bool last_number(const char *name, struct ckpt_pattern_number *ret)
{
	size_t i = strlen(name);

	while (i > 0 && !is_digit(name[i - 1]))
		i--;
	ret->end = i;
	while (i > 0 && is_digit(name[i - 1]))
		i--;
	ret->begin = i;
	return ret->end > ret->begin;
}

void ckpt_name_user(const char *name, bool is_dir, struct ckpt_name *ret)
{
	struct ckpt_pattern_number n;

	memset(ret, 0, sizeof(*ret));
	ret->layout = "named";
	ret->kind = is_dir ? CKPT_KIND_DIRECTORY : CKPT_KIND_FILE;
	ret->role = CKPT_ROLE_NAMED;
	snprintf(ret->series, sizeof(ret->series), "%s%s", name, is_dir ? "/" : "");
	if (!last_number(name, &n))
		return;
	ret->has_number = ckpt_pattern_int(name, &n, &ret->number);
	snprintf(ret->series, sizeof(ret->series), "%.*s#%s%s", (int)n.begin, name, name + n.end,
		 is_dir ? "/" : "");
}
