/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See page.h. The timeline has a row an attempt, on one axis of time; where clocks disagree a row
 * shows what is known and nothing is drawn that is not.
 */
#include "cli/page.h"

#include <stdio.h>
#include <string.h>

#define LEFT 110  /* pixels before the axis */
#define WIDTH 860 /* of the axis */
#define ROW 26
#define ROWS_MAX 500 /* attempts in the picture; the table has all */
#define MARKS_MAX 2000

void ckpt_page_escape(struct ckpt_str *page, const char *text)
{
	_cleanup_free_ char *clean = strdup(text);

	if (!clean) {
		page->failed = 1;
		return;
	}
	ckpt_text_clean(clean);
	for (const char *p = clean; *p;) {
		size_t plain = strcspn(p, "&<>\"'");

		if (plain > 0)
			ckpt_str_add(page, "%.*s", (int)plain, p);
		p += plain;
		if (*p)
			ckpt_str_add(page, "&#%d;", *p++);
	}
}

/* Times that the picture spans. */
struct axis {
	int64_t from, to;
};

static void widen(struct axis *axis, int64_t at)
{
	if (at == CKPT_HISTORY_UNKNOWN)
		return;
	if (axis->to == CKPT_HISTORY_UNKNOWN || at > axis->to)
		axis->to = at;
	if (axis->from == CKPT_HISTORY_UNKNOWN || at < axis->from)
		axis->from = at;
}

static struct axis axis_of(const struct ckpt_history *h)
{
	struct axis axis = { CKPT_HISTORY_UNKNOWN, CKPT_HISTORY_UNKNOWN };

	for (size_t i = 0; i < h->n; i++) {
		widen(&axis, h->attempts[i].began);
		widen(&axis, h->attempts[i].over);
		widen(&axis, h->attempts[i].last);
	}
	return axis;
}

static double x_of(const struct axis *axis, int64_t at)
{
	double span = (double)(axis->to - axis->from);
	double x = span > 0 ? (double)(at - axis->from) / span : 0;

	return LEFT + WIDTH * (x < 0 ? 0 : x > 1 ? 1 : x);
}

/* A bar of @class between two times, with the words that show under the pointer. */
static void bar(struct ckpt_str *page, const char *class, const double x[2], int y)
{
	double width = x[1] - x[0] < 1 ? 1 : x[1] - x[0];

	ckpt_str_add(page,
		     "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"14\"/>\n",
		     class, x[0], y, width);
}

/* Of what only the next start saw no more is known than that it was there at the end. */
static int64_t mark_time(const struct ckpt_history_attempt *a, const struct ckpt_history_saved *s)
{
	if (s->at != CKPT_HISTORY_UNKNOWN || strcmp(s->verdict, "valid") == 0)
		return s->at;
	return a->ended ? a->over : a->last;
}

static void draw_marks(struct ckpt_str *page, const struct axis *axis,
		       const struct ckpt_history_attempt *a, int y)
{
	size_t first = a->n_saved > MARKS_MAX ? a->n_saved - MARKS_MAX : 0;

	for (size_t i = first; i < a->n_saved; i++) {
		const struct ckpt_history_saved *s = &a->saved[i];
		bool valid = strcmp(s->verdict, "valid") == 0;
		int64_t at = mark_time(a, s);

		if (at == CKPT_HISTORY_UNKNOWN)
			continue;
		ckpt_str_add(page, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%d\" r=\"4\"><title>",
			     valid ? "saved" : "rejected", x_of(axis, at), y + 7);
		ckpt_page_escape(page, s->name);
		ckpt_str_add(page, ": ");
		ckpt_page_escape(page, s->verdict);
		ckpt_str_add(page, " ");
		ckpt_page_escape(page, s->problem);
		ckpt_str_add(page, "</title></circle>\n");
	}
}

/* The tail of @a that the attempt after it has to do again, as far as it lies in @a. */
static void draw_lost(struct ckpt_str *page, const struct axis *axis,
		      const struct ckpt_history_attempt *a, int y)
{
	const struct ckpt_history_attempt *after = a + 1;
	int64_t lost = after->lost_s < a->ran_s ? after->lost_s : a->ran_s;

	if (after->lost_s > 0 && a->ran_s > 0)
		bar(page, "lost", (double[]) { x_of(axis, a->over - lost), x_of(axis, a->over) },
		    y);
}

static void draw_attempt(struct ckpt_str *page, const struct ckpt_history *h,
			 const struct axis *axis, size_t i)
{
	const struct ckpt_history_attempt *a = &h->attempts[i];
	const struct ckpt_history_attempt *before = ckpt_history_before(h, a);
	int64_t until = a->ended ? a->over : a->last;
	int y = 24 + (int)i * ROW;

	ckpt_str_add(page, "<text x=\"4\" y=\"%d\">%lld / %lld</text>\n", y + 12,
		     (long long)a->job_id, (long long)a->attempt);
	if (before && a->waited_s > 0)
		bar(page, "waiting", (double[]) { x_of(axis, before->over), x_of(axis, a->began) },
		    y);
	if (a->began != CKPT_HISTORY_UNKNOWN && until >= a->began)
		bar(page, "running", (double[]) { x_of(axis, a->began), x_of(axis, until) }, y);
	if (i + 1 < h->n && ckpt_history_before(h, a + 1) == a)
		draw_lost(page, axis, a, y);
	draw_marks(page, axis, a, y);
}

static void draw(struct ckpt_str *page, const struct ckpt_history *h)
{
	struct axis axis = axis_of(h);
	size_t n = h->n < ROWS_MAX ? h->n : ROWS_MAX;

	ckpt_str_add(page,
		     "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" "
		     "height=\"%zu\">\n<title>Timeline</title>\n<text x=\"4\" y=\"14\">job / "
		     "attempt</text>\n",
		     LEFT + WIDTH + 20, 30 + n * ROW);
	for (size_t i = 0; i < n; i++)
		draw_attempt(page, h, &axis, i);
	ckpt_str_add(page, "</svg>\n");
	if (h->n > n)
		ckpt_str_add(page, "<p>The first %zu attempts of %zu are drawn.</p>\n", n, h->n);
}

static void add_sums(struct ckpt_str *page, const struct ckpt_history *h)
{
	struct ckpt_history_sums s = ckpt_history_sum(h);
	char age[32];

	ckpt_str_add(page, "<dl>\n");
	if (s.has_goodput)
		ckpt_str_add(page, "<dt>Goodput</dt><dd>%.1f %%</dd>\n", 100 * s.goodput);
	ckpt_str_add(page, "<dt>Restarts</dt><dd>%zu</dd>\n", s.restarts);
	ckpt_str_add(page, "<dt>Ran</dt><dd>%s</dd>\n", ckpt_text_age(age, sizeof(age), s.ran_s));
	ckpt_str_add(page, "<dt>Restart cost, waiting</dt><dd>about %s</dd>\n",
		     ckpt_text_age(age, sizeof(age), s.waited_s));
	ckpt_str_add(page, "<dt>Restart cost, done again</dt><dd>about %s, %lld steps</dd>\n",
		     ckpt_text_age(age, sizeof(age), s.lost_s), (long long)s.lost_steps);
	ckpt_str_add(page, "<dt>Checkpoints</dt><dd>%zu valid, %zu rejected</dd>\n</dl>\n", s.valid,
		     s.rejected);
}

static void add_cells(struct ckpt_str *page, const struct ckpt_runs_row *row)
{
	ckpt_str_add(page, "<tr>");
	for (int i = 0; ckpt_runs_columns[i].name; i++) {
		const char *color = NULL, *text;
		char buf[512];

		text = ckpt_runs_cell(row, i, buf, sizeof(buf), &color);
		ckpt_str_add(page, "<td>");
		ckpt_page_escape(page, text ? text : "-");
		ckpt_str_add(page, "</td>");
	}
	ckpt_str_add(page, "</tr>\n");
}

static void add_table(struct ckpt_str *page, const struct ckpt_history *h)
{
	ckpt_str_add(page, "<table>\n<tr>");
	for (const struct ckpt_column *c = ckpt_runs_columns; c->name; c++) {
		ckpt_str_add(page, "<th title=\"");
		ckpt_page_escape(page, c->help);
		ckpt_str_add(page, "\">%s</th>", c->name);
	}
	ckpt_str_add(page, "</tr>\n");
	for (size_t i = 0; i < h->n; i++)
		add_cells(page, &(struct ckpt_runs_row) { .attempt = &h->attempts[i],
							  .newest = i + 1 == h->n ||
								    h->attempts[i + 1].group !=
									    h->attempts[i].group });
	ckpt_str_add(page, "</table>\n");
}

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	"'unsafe-inline'\">\n<title>ckpt-resume report</title>\n<style>\n"
	"body{font:14px sans-serif;margin:2em}svg text{font:12px sans-serif}\n"
	"table{border-collapse:collapse}td,th{padding:2px 8px;text-align:left;border-bottom:1px "
	"solid #ddd}\ndt{font-weight:bold}.running{fill:#4a90d9}.waiting{fill:#ddd}.lost{fill:"
	"#d9534f;fill-opacity:.6}\n.loss{fill:none;stroke:#4a90d9}.saved{fill:#2e8b57;stroke:#fff}."
	"rejected{fill:#b00020;stroke:"
	"#fff}\n.key span{padding:0 .6em}\n</style></head><body>\n";

static const char key[] =
	"<p class=\"key\"><svg width=\"560\" height=\"18\">"
	"<rect class=\"running\" x=\"0\" y=\"2\" width=\"14\" height=\"14\"/>"
	"<text x=\"18\" y=\"14\">running</text>"
	"<rect class=\"waiting\" x=\"90\" y=\"2\" width=\"14\" height=\"14\"/>"
	"<text x=\"108\" y=\"14\">waiting</text>"
	"<rect class=\"lost\" x=\"180\" y=\"2\" width=\"14\" height=\"14\"/>"
	"<text x=\"198\" y=\"14\">lost, about</text>"
	"<circle class=\"saved\" cx=\"287\" cy=\"9\" r=\"5\"/><text x=\"298\" y=\"14\">saved</text>"
	"<circle class=\"rejected\" cx=\"367\" cy=\"9\" r=\"5\"/>"
	"<text x=\"378\" y=\"14\">rejected</text></svg></p>\n";

void ckpt_page_write(const struct ckpt_history *h, const char *dir, struct ckpt_str *page)
{
	ckpt_str_add(page, "%s<h1>", head);
	ckpt_page_escape(page, dir);
	ckpt_str_add(page, "</h1>\n");
	add_sums(page, h);
	ckpt_str_add(page, "%s", key);
	draw(page, h);
	ckpt_page_curve(page, h);
	add_table(page, h);
	ckpt_str_add(page, "</body></html>\n");
}
