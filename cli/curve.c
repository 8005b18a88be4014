/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The score over a run's steps, as the checkpoints that were seen name it: one line an attempt, so
 * that work which was done again is seen twice.
 */
#include <math.h>
#include <string.h>

#include "cli/page.h"

#define LEFT 110
#define WIDTH 860
#define TOP 10
#define HEIGHT 180
#define POINTS_MAX 5000

/* What the picture spans: steps, or epochs where nothing has a step; a step is never compared with
 * an epoch. */
struct curve {
	const char *key; /* of the scores */
	bool by_step;
	double x[2], y[2];
	size_t n;
};

static bool is_scored(const struct ckpt_history_saved *s)
{
	return strcmp(s->verdict, "valid") == 0 && s->position.has_loss &&
	       (s->position.has_step || s->position.has_epoch);
}

static bool point_of(const struct curve *c, const struct ckpt_history_saved *s, double *x,
		     double *y)
{
	const struct ckpt_position *p = &s->position;

	if (!is_scored(s) || strcmp(p->loss_key, c->key) != 0 ||
	    !(c->by_step ? p->has_step : p->has_epoch))
		return false;
	*x = c->by_step ? (double)p->step : p->epoch;
	*y = p->loss;
	return isfinite(*x) && isfinite(*y);
}

/* The newest score says which one is drawn, and over what. */
static void choose(struct curve *c, const struct ckpt_history *h)
{
	for (size_t i = 0; i < h->n; i++)
		for (size_t k = 0; k < h->attempts[i].n_saved; k++) {
			const struct ckpt_history_saved *s = &h->attempts[i].saved[k];

			if (!is_scored(s))
				continue;
			c->key = s->position.loss_key;
			c->by_step = s->position.has_step;
		}
}

static void widen(double range[2], double value, bool first)
{
	if (first || value < range[0])
		range[0] = value;
	if (first || value > range[1])
		range[1] = value;
}

static void span(struct curve *c, const struct ckpt_history *h)
{
	double x, y;

	for (size_t i = 0; i < h->n; i++)
		for (size_t k = 0; k < h->attempts[i].n_saved; k++) {
			if (!point_of(c, &h->attempts[i].saved[k], &x, &y))
				continue;
			widen(c->x, x, c->n == 0);
			widen(c->y, y, c->n == 0);
			c->n++;
		}
}

static double scale(const double range[2], double value)
{
	return range[1] > range[0] ? (value - range[0]) / (range[1] - range[0]) : 0.5;
}

static size_t draw_line(struct ckpt_str *page, const struct curve *c,
			const struct ckpt_history_attempt *a, size_t room)
{
	size_t n = 0;
	double x, y;

	ckpt_str_add(page, "<polyline class=\"loss\" points=\"");
	for (size_t k = 0; k < a->n_saved && n < room; k++)
		if (point_of(c, &a->saved[k], &x, &y)) {
			ckpt_str_add(page, "%.1f,%.1f ", LEFT + WIDTH * scale(c->x, x),
				     TOP + HEIGHT * (1 - scale(c->y, y)));
			n++;
		}
	ckpt_str_add(page, "\"/>\n");
	return n;
}

static void label(struct ckpt_str *page, int x, int y, double value)
{
	ckpt_str_add(page, "<text x=\"%d\" y=\"%d\">%.6g</text>\n", x, y, value);
}

void ckpt_page_curve(struct ckpt_str *page, const struct ckpt_history *h)
{
	struct curve c = { 0 };
	size_t drawn = 0;

	choose(&c, h);
	if (c.key)
		span(&c, h);
	if (c.n < 2)
		return;
	ckpt_str_add(page, "<h2>");
	ckpt_page_escape(page, c.key);
	ckpt_str_add(page,
		     " by %s</h2>\n<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
		     "width=\"%d\" height=\"%d\">\n",
		     c.by_step ? "step" : "epoch", LEFT + WIDTH + 20, TOP + HEIGHT + 30);
	for (size_t i = 0; i < h->n && drawn < POINTS_MAX; i++)
		drawn += draw_line(page, &c, &h->attempts[i], POINTS_MAX - drawn);
	label(page, 4, TOP + 10, c.y[1]);
	label(page, 4, TOP + HEIGHT, c.y[0]);
	label(page, LEFT, TOP + HEIGHT + 20, c.x[0]);
	label(page, LEFT + WIDTH - 50, TOP + HEIGHT + 20, c.x[1]);
	ckpt_str_add(page, "</svg>\n");
}
