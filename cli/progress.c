/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The progress bar: how far a long read is, its rate and what is left, on stderr where that is a
 * terminal. A fast check never shows it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/common.h"
#include "core/base/text.h"

#define BAR 30			   /* characters of the bar */
#define BAR_NS (100 * 1000 * 1000) /* between two drawings */
#define NAME 64			   /* bytes of the name that are shown */

/* What the bar needs to know between two calls. */
static struct {
	char name[NAME];
	int64_t began_ns, drawn_ns;
	uint64_t began, done; /* bytes at the first and at the last call of this file */
	bool drawn;
} bar;

/* A call about another file, or one that starts over. */
static void begin_file(const char *name, int64_t now, uint64_t done)
{
	snprintf(bar.name, sizeof(bar.name), "%s", name);
	ckpt_text_clean(bar.name);
	bar.began_ns = now;
	bar.began = done;
}

static double bytes_a_second(int64_t now)
{
	double seconds = (double)(now - bar.began_ns) / 1e9;

	return seconds > 0 ? (double)(bar.done - bar.began) / seconds : 0;
}

static void draw(double speed, uint64_t total)
{
	int filled = (int)((double)BAR * (double)bar.done / (double)total);
	char size[32], rate[32], eta[32] = "?";

	if (speed > 0)
		ckpt_text_age(eta, sizeof(eta), (int64_t)((double)(total - bar.done) / speed));
	fprintf(stderr, "\r%.24s [%.*s%*s] %3d%% of %s, %s/s, ETA %s \033[K", bar.name, filled,
		"##############################", BAR - filled, "",
		(int)(100.0 * (double)bar.done / (double)total),
		ckpt_text_size(size, sizeof(size), total),
		ckpt_text_size(rate, sizeof(rate), (uint64_t)speed), eta);
}

static void on_progress(void *arg, const char *name, uint64_t done, uint64_t total)
{
	int64_t now = ckpt_ctx_now(arg);

	if (strncmp(bar.name, name, sizeof(bar.name) - 1) != 0 || done < bar.done)
		begin_file(name, now, done);
	bar.done = done;
	if (now - bar.drawn_ns < BAR_NS || total == 0 || done > total)
		return;
	draw(bytes_a_second(now), total);
	bar.drawn_ns = now;
	bar.drawn = true;
}

void ckpt_cli_progress(struct ckpt_ctx *ctx)
{
	if (!isatty(STDERR_FILENO))
		return;
	bar.drawn_ns = ckpt_ctx_now(ctx);
	ctx->progress = on_progress;
	ctx->progress_arg = ctx;
}

void ckpt_cli_progress_end(struct ckpt_ctx *ctx)
{
	if (ctx->progress && bar.drawn)
		fprintf(stderr, "\r\033[K");
	bar.drawn = false;
}
