/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See amrex.h. The header of class Amr (AMReX_Amr.cpp, checkPoint) and that of plot files
 * (AMReX_PlotFileUtil.cpp) tell the step; codes without that class write headers of their own, of
 * which only the names of multifabs are taken.
 */
#include "core/format/hpc/amrex.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/hpc/amrex_files.h"
#include "core/format/hpc/amrex_mf.h"
#include "core/format/scan.h"
#include "core/format/train/train_dir.h"
#include "wire/text.h"

#define HEADER "Header"
#define DEPTH 2		    /* particles/Level_0/ below the directory */
#define LINE 4096	    /* of a header; steps of all levels take less */
#define LEVELS_MAX 64	    /* of refinement */
#define MEMBERS_MAX 100000  /* multifabs; a hostile directory has more */
#define ENTRIES_MAX 2000000 /* looked at; links to directories above make any number of few */

/* First words of headers that are known. */
enum kind { KIND_OTHER, KIND_AMR, KIND_PLOT };

/* What the header says. */
struct header {
	enum kind kind;
	int64_t max_level, finest;
	int64_t step_line; /* counted from 0; -1: not told */
	uint64_t named;	   /* levels of which a multifab is named, a bit each */
};

static enum kind kind_of(const char *line)
{
	if (ckpt_text_starts(line, "CheckPointVersion_", NULL))
		return KIND_AMR;
	return ckpt_text_starts(line, "HyperCLaw", NULL) ||
			       ckpt_text_starts(line, "NavierStokes", NULL)
		       ? KIND_PLOT
		       : KIND_OTHER;
}

/* Whether some code of AMReX begins its header so. */
static bool is_first_line(const char *line)
{
	return kind_of(line) != KIND_OTHER || ckpt_text_starts(line, "Checkpoint version:", NULL) ||
	       ckpt_text_starts(line, "Checkpoint file for", NULL);
}

/* "Level_N/NAME" alone in its line names a multifab. Returns N, or -1. */
static int64_t named_level(const char *line)
{
	const char *rest;
	char number[8];
	size_t n;
	int64_t level;

	if (!ckpt_text_starts(line, "Level_", &rest))
		return -1;
	n = strspn(rest, "0123456789");
	if (n == 0 || n >= sizeof(number) || rest[n] != '/' || !ckpt_text_is_word(rest + n + 1))
		return -1;
	snprintf(number, sizeof(number), "%.*s", (int)n, rest);
	return ckpt_text_int(number, 0, LEVELS_MAX - 1, &level) ? level : -1;
}

static int check_named(struct ckpt_check *check, const char *line)
{
	char path[LINE + 4];

	snprintf(path, sizeof(path), "%s_H", line);
	if (!ckpt_dir_lacks(check->dirfd, path))
		return 0;
	return ckpt_check_blame(check, path,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET, NULL,
						  "it is missing, but " HEADER " names it"));
}

/* Takes a whole line of integers' first one as the step. */
static void take_step(struct ckpt_check *check, const char *line)
{
	struct ckpt_position *pos = &check->report->position;
	char number[24];

	if (line[strspn(line, "0123456789 ")] != '\0')
		return;
	snprintf(number, sizeof(number), "%.*s", (int)strcspn(line, " "), line);
	if (!ckpt_text_int(number, 0, INT64_MAX, &pos->step))
		return;
	pos->has_step = true;
	pos->step_source = CKPT_FROM_CONTENT;
}

static int64_t small(const char *line)
{
	int64_t value;

	return ckpt_text_int(line, 0, LEVELS_MAX - 1, &value) ? value : -1;
}

/*
 * Class Amr: version, dimensions, time, the two levels; each level's geometry has a line and a
 * newline follows the last; then the ratios, two lists of time steps, cycles, and the steps.
 */
static void read_amr(struct header *h, int64_t i, const char *line)
{
	if (i == 3)
		h->max_level = small(line);
	if (i != 4)
		return;
	h->finest = small(line);
	if (h->max_level >= 0 && h->finest >= 0)
		h->step_line = 5 + h->max_level + 1 + 5;
}

/* Plot file: version, count of names, names, dimensions, time, finest level, two corners, ratios,
 * domains, steps. */
static void read_plot(struct header *h, int64_t i, const char *line)
{
	int64_t names;

	if (i == 1 && ckpt_text_int(line, 0, 100000, &names))
		h->max_level = names + 4; /* where the finest level stands */
	if (i < 2 || i != h->max_level)
		return;
	h->finest = small(line);
	h->step_line = h->finest >= 0 ? i + 5 : -1;
}

static int read_line(struct ckpt_check *check, struct header *h, int64_t i, const char *line)
{
	int64_t level = named_level(line);

	if (i == 0)
		h->kind = kind_of(line);
	if (h->kind == KIND_AMR)
		read_amr(h, i, line);
	if (h->kind == KIND_PLOT)
		read_plot(h, i, line);
	if (h->step_line == i)
		take_step(check, line);
	if (level < 0)
		return 0;
	h->named |= UINT64_C(1) << level;
	return check_named(check, line);
}

static int lacks_level(struct ckpt_check *check, int64_t level)
{
	return ckpt_check_blame(check, HEADER,
				ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
						  CKPT_NO_OFFSET, NULL,
						  "it ends before it names the data of level %lld",
						  (long long)level));
}

static int scan_header(struct ckpt_check *check, const struct ckpt_file *file, struct header *h)
{
	_cleanup_scan_ struct ckpt_scan in = { .r = 0 };
	char line[LINE];
	int r = ckpt_scan_open(&in, file, 0, file->size, check->err);

	for (int64_t i = 0; r == 0 && ckpt_scan_line(&in, line, sizeof(line)); i++)
		r = read_line(check, h, i, line);
	if (r || in.r)
		return r ? r : in.r;
	for (int64_t level = 0; h->kind != KIND_OTHER && level <= h->finest; level++)
		if (!(h->named >> level & 1))
			return lacks_level(check, level);
	if (h->kind != KIND_OTHER && h->finest < 0)
		return lacks_level(check, 0);
	return 0;
}

static int check_header(struct ckpt_check *check)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct header h = { .max_level = -1, .finest = -1, .step_line = -1 };
	int r = ckpt_file_open(check->ctx, check->dirfd, HEADER, &file, check->err);

	if (r == -ENOENT)
		return ckpt_train_dir_lacks(check, HEADER);
	if (r > 0)
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
					 CKPT_NO_OFFSET, HEADER, "not a regular file");
	if (r < 0)
		return r;
	if (file.size == 0)
		return ckpt_check_blame(check, HEADER,
					ckpt_check_reject(check, CKPT_INCOMPLETE,
							  CKPT_PROBLEM_EMPTY, 0, NULL,
							  "the file is empty"));
	check->report->verdict.size_bytes += file.size;
	r = scan_header(check, &file, &h);
	if (h.kind != KIND_PLOT)
		check->report->contents = CKPT_CONTENTS_FULL;
	return r;
}

/* Directories, and headers of multifabs. */
static int is_wanted(const struct dirent *entry)
{
	if (entry->d_name[0] == '.')
		return 0;
	return entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN ||
	       ckpt_text_ends(entry->d_name, "_H");
}

/* A walk through the directories. */
struct walk {
	struct ckpt_check *check;
	enum ckpt_level level;
	uint64_t found;
	uint64_t seen; /* entries */
};

/* Whether @path is the header of particles. */
static bool is_particles(struct ckpt_check *check, const char *path)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	char begin[9] = "";

	return ckpt_file_open(check->ctx, check->dirfd, path, &file, NULL) == 0 &&
	       ckpt_file_read(&file, 0, begin, 8, NULL) == 0 && strcmp(begin, "Version_") == 0;
}

static int check_found(struct walk *walk, const char *path)
{
	if (++walk->found > MEMBERS_MAX)
		return ckpt_check_reject(walk->check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
					 CKPT_NO_OFFSET, NULL, "more than %d multifabs",
					 MEMBERS_MAX);
	return ckpt_amrex_mf_check(walk->check, path, walk->level);
}

static int walk_dir(struct walk *walk, const char *dir, int depth);

/* 0 where @code says that nothing of the kind is there: gone, a loose link, a plain file. */
static int unless_absent(struct walk *walk, const char *path, int code)
{
	if (code == -ENOENT || code == -ENOTDIR || code == -ELOOP)
		return 0;
	return ckpt_fail(walk->check->err, code, "cannot look into %s in %s: %s", CKPT_QUOTE(path),
			 CKPT_QUOTE(walk->check->name), strerror(-code));
}

static int walk_entry(struct walk *walk, const char *path, int depth)
{
	char header[CKPT_AMREX_PATH];
	struct ckpt_identity id;
	int r, fd;

	if (ckpt_text_ends(path, "_H") && !ckpt_text_ends(path, "/Particle_H")) {
		r = ckpt_identity_at(walk->check->dirfd, path, true, &id);
		return r == 0 ? check_found(walk, path) : unless_absent(walk, path, r);
	}
	fd = depth < DEPTH ? ckpt_dir_open(walk->check->dirfd, path, NULL) : -ELOOP;
	if (fd < 0)
		return unless_absent(walk, path, fd);
	close(fd);
	r = 0;
	if ((size_t)snprintf(header, sizeof(header), "%s/" HEADER, path) < sizeof(header) &&
	    is_particles(walk->check, header))
		r = ckpt_amrex_particles_check(walk->check, header);
	return r ? r : walk_dir(walk, path, depth + 1);
}

struct listing {
	struct dirent **e;
	int n;
};

static void listing_done(struct listing *list)
{
	for (int i = 0; i < list->n; i++)
		free(list->e[i]);
	free(list->e);
}

/* Checks all below @dir ("" is the checkpoint itself), in the order of names. */
static int walk_dir(struct walk *walk, const char *dir, int depth)
{
	_cleanup_(listing_done) struct listing list = { .n = 0 };
	char path[CKPT_AMREX_PATH];
	int r = ckpt_ctx_expired(walk->check->ctx);

	if (r < 0)
		return r;
	list.n = scandirat(walk->check->dirfd, *dir ? dir : ".", &list.e, is_wanted, alphasort);
	if (list.n < 0)
		return ckpt_fail(walk->check->err, -errno, "cannot list %s in %s: %s",
				 CKPT_QUOTE(dir), CKPT_QUOTE(walk->check->name), strerror(errno));
	walk->seen += (uint64_t)list.n;
	if (walk->seen > ENTRIES_MAX)
		return ckpt_check_reject(walk->check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
					 CKPT_NO_OFFSET, NULL, "more than %d entries", ENTRIES_MAX);
	for (int i = 0; r == 0 && i < list.n; i++)
		if ((size_t)snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "",
				     list.e[i]->d_name) < sizeof(path))
			r = walk_entry(walk, path, depth);
	return r;
}

static int check_data(struct ckpt_check *check, enum ckpt_level level)
{
	struct walk walk = { .check = check, .level = level };
	int r = walk_dir(&walk, "", 0);

	check->report->tensors = walk.found;
	return r == 0 && walk.found == 0 ? ckpt_train_dir_lacks(check, "Level_0") : r;
}

static int amrex_structure(struct ckpt_check *check)
{
	int r = check_header(check);

	return r ? r : check_data(check, CKPT_LEVEL_STRUCTURE);
}

static int amrex_content(struct ckpt_check *check)
{
	struct ckpt_verdict *verdict = &check->report->verdict;
	int r = check_data(check, CKPT_LEVEL_FULL);

	if (r == 0 && !verdict->note[0])
		snprintf(verdict->note, sizeof(verdict->note),
			 "AMReX stores no checksum; values were compared with its extremes");
	return r;
}

/* "chk00010" or "plt00010". */
static bool is_named_so(const char *name)
{
	const char *digits;

	return (ckpt_text_starts(name, "chk", &digits) || ckpt_text_starts(name, "plt", &digits)) &&
	       *digits && digits[strspn(digits, "0123456789")] == '\0';
}

static bool amrex_sniff(const struct ckpt_check *check)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	char line[32] = "";
	size_t n;

	if (is_named_so(ckpt_train_dir_name(check)))
		return true;
	if (ckpt_file_open(check->ctx, check->dirfd, HEADER, &file, NULL) != 0)
		return false;
	n = file.size < sizeof(line) - 1 ? file.size : sizeof(line) - 1;
	return ckpt_file_read(&file, 0, line, n, NULL) == 0 && is_first_line(line);
}

const struct ckpt_format ckpt_format_amrex = {
	.name = "amrex",
	.title = "AMReX checkpoint or plot file",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = amrex_sniff,
	.structure = amrex_structure,
	.content = amrex_content,
};
