/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The restart script (src/restartscript.cpp): a shell program whose variable given_ckpt_files, or
 * worker_ckpts with hosts between, names the images. What another host keeps for itself is missing
 * here, which is not damage.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/hpc/dmtcp.h"
#include "core/format/opaque.h"
#include "core/format/scan.h"
#include "wire/text.h"

#define LINE 65536	  /* of the script: a path takes 100 bytes, a host has 256 processes */
#define IMAGES_MAX 100000 /* of one checkpoint; one a process */

/* The script under way. */
struct script {
	struct ckpt_check *check;
	enum ckpt_level level;
	char end;   /* the quote that ends the list being read, or 0 */
	bool seen;  /* a list was there */
	bool ended; /* and it was whole */
	int n_images;
};

static bool is_image(const char *word)
{
	return ckpt_text_ends(word, ".dmtcp") || ckpt_text_ends(word, ".dmtcp.gz");
}

/* What is named as an image and is of no format has lost its head. */
static int judge_image(struct script *s, const char *word, const struct ckpt_report *own)
{
	int r;

	if (own->format != &ckpt_format_opaque)
		return 0;
	r = ckpt_check_reject(s->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, NULL,
			      "it does not begin as an image does");
	return ckpt_check_blame(s->check, word, r);
}

static int check_image(struct script *s, const char *word)
{
	struct ckpt_report own = { .format = NULL };
	int r;

	if (!is_image(word))
		return 0;
	if (++s->n_images > IMAGES_MAX)
		return ckpt_check_reject(s->check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
					 CKPT_NO_OFFSET, NULL, "more than %d images", IMAGES_MAX);
	r = ckpt_check_member(s->check, word, s->level, CKPT_PROBLEM_SHARD_MISSING, &own);
	return r ? r : judge_image(s, word, &own);
}

/* The images in @line, up to the end of the list. */
static int read_words(struct script *s, char *line)
{
	char *quote = strchr(line, s->end);
	int r = 0;

	if (quote) {
		*quote = '\0';
		s->end = '\0';
		s->ended = true;
	}
	while (r == 0 && *(line += strspn(line, " \t"))) {
		size_t n = strcspn(line, " \t");
		bool last = line[n] == '\0';

		line[n] = '\0';
		r = check_image(s, line);
		line += n + !last;
	}
	return r;
}

static int read_line(struct script *s, char *line)
{
	static const char *const lists[] = { "given_ckpt_files=", "worker_ckpts=" };
	size_t i = 0;

	if (s->end)
		return read_words(s, line);
	while (i < 2 && strncmp(line, lists[i], strlen(lists[i])) != 0)
		i++;
	if (i == 2)
		return 0;
	line += strlen(lists[i]);
	if (*line != '"' && *line != '\'')
		return 0;
	s->end = *line;
	s->seen = true;
	s->ended = false;
	return read_words(s, line + 1);
}

static int check_end(const struct script *s)
{
	if (s->seen && s->ended && s->n_images)
		return 0;
	return ckpt_check_reject(s->check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
				 s->check->file->size, NULL, "it does not name its images");
}

static int check_script(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_scan_ struct ckpt_scan in = { .r = 0 };
	_cleanup_free_ char *line = malloc(LINE);
	struct script s = { .check = check, .level = level };
	int r = line ? ckpt_scan_open(&in, check->file, 0, check->file->size, check->err) : -ENOMEM;

	check->report->contents = CKPT_CONTENTS_FULL;
	check->report->verdict.size_bytes = check->file->size; /* images are counted anew */
	while (r == 0 && ckpt_scan_line(&in, line, LINE)) {
		r = strlen(line) < LINE - 1
			    ? read_line(&s, line)
			    : ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
						ckpt_scan_offset(&in), NULL,
						"a line longer than %d bytes", LINE);
	}
	if (r == 0)
		r = in.r;
	return r ? r : check_end(&s);
}

static int script_structure(struct ckpt_check *check)
{
	return check_script(check, CKPT_LEVEL_STRUCTURE);
}

/* All images are checked anew: packed ones, of which the structure told nothing, tell all now. */
static int script_content(struct ckpt_check *check)
{
	check->report->verdict.evidence = ckpt_format_dmtcp_script.full;
	check->report->verdict.note[0] = '\0';
	return check_script(check, CKPT_LEVEL_FULL);
}

/* Its first lines have not changed since version 2. */
static bool script_sniff(const struct ckpt_check *check)
{
	static const char mark[] = "#This script launches all the restarts in the background.";

	return check->head.n_head > 2 && memcmp(check->head.head, "#!", 2) == 0 &&
	       memmem(check->head.head, check->head.n_head, mark, sizeof(mark) - 1);
}

const struct ckpt_format ckpt_format_dmtcp_script = {
	.name = "dmtcp-script",
	.title = "DMTCP restart script and its images",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the images lower it */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = script_sniff,
	.structure = script_structure,
	.content = script_content,
};
