/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl damage SOURCE --to=COPY [--how=KIND], ckptctl damage COPY --how=KIND: damages a copy of a
 * checkpoint, and says exactly how, so that anybody can try whether it would be found. Writes to
 * nothing but a copy that it made itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "cli/common.h"
#include "cli/damage.h"
#include "core/base/text.h"

struct damage_options {
	const char *path, *to, *how, *from, *member;
	int64_t seed, offset, length;
	bool json, touch;
};

static const struct argp_option options[] = {
	{ "to", 't', "COPY", 0, "copy the checkpoint to this name first, and damage that", 0 },
	{ "how", 'w', "KIND", 0, "the kind of damage, see below", 0 },
	{ "seed", 's', "N", 0, "of what is chosen at random (default: random, and told)", 0 },
	{ "offset", 'o', "BYTE", 0, "where, in the file chosen", 0 },
	{ "length", 'n', "BYTES", 0, "of a block (default 4096) or of junk", 0 },
	{ "member", 'm', "NAME", 0, "which file of a set (default: one at random)", 0 },
	{ "from", 'f', "OTHER", 0, "another save, for kinds that take a part of it", 0 },
	{ "touch", 'T', NULL, 0,
	  "leave the time of the change, as a program's writing would; else the file's time is "
	  "kept, "
	  "as damage by storage keeps it",
	  0 },
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static const struct ckpt_damage_kind *find_kind(const char *name)
{
	for (const struct ckpt_damage_kind *k = ckpt_damage_kinds; k->name; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

static int64_t number(struct argp_state *state, const char *arg)
{
	int64_t n = -1;

	if (!ckpt_text_int(arg, 0, INT64_MAX, &n))
		argp_error(state, "'%s' is no number of bytes or seed", arg);
	return n;
}

static void check(const struct damage_options *o, struct argp_state *state)
{
	const struct ckpt_damage_kind *kind = o->how ? find_kind(o->how) : NULL;

	if (!o->path)
		argp_error(state, "which checkpoint? (a file, a directory, or a bundle's prefix)");
	if (!o->how && !o->to)
		argp_error(state, "--how=KIND or --to=COPY is needed");
	if (o->how && !kind)
		argp_error(state, "--how=%s: there is no such kind", o->how);
	if (kind && kind->wants_other && !o->from)
		argp_error(state, "--how=%s needs another save: --from=OTHER", o->how);
}

static error_t parse_word(char *arg, struct damage_options *o, struct argp_state *state)
{
	if (o->path)
		argp_error(state, "one checkpoint at a time");
	o->path = arg;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct damage_options *o = state->input;

	switch (key) {
	case 't':
		return o->to = arg, 0;
	case 'w':
		return o->how = arg, 0;
	case 's':
		return o->seed = number(state, arg), 0;
	case 'o':
		return o->offset = number(state, arg), 0;
	case 'n':
		return o->length = number(state, arg), 0;
	case 'm':
		return o->member = arg, 0;
	case 'f':
		return o->from = arg, 0;
	case 'T':
		return o->touch = true, 0;
	case 'j':
		return o->json = true, 0;
	case ARGP_KEY_ARG:
		return parse_word(arg, o, state);
	case ARGP_KEY_END:
		check(o, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* The table of kinds as a part of --help. */
static char *help_filter(int key, const char *text, void *input)
{
	struct ckpt_str out = { 0 };

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	ckpt_str_add(&out, "Kinds:\n");
	for (const struct ckpt_damage_kind *k = ckpt_damage_kinds; k->name; k++)
		ckpt_str_add(&out, "  %-16s %s\n", k->name, k->help);
	ckpt_str_add(&out, "\n%s", text);
	return out.s;
}

static const struct argp argp = {
	options,
	parse,
	"COPY --how=KIND\nSOURCE --to=COPY [--how=KIND]",
	"Tries whether your own checkpoints' damage would be found: damages a copy and says what "
	"was "
	"done to it; then ask `ckptctl validate`. Only a copy that --to made is ever written to.\v"
	"Exit: 0 done, 1 it cannot be done to this checkpoint or is refused, 3 could not do it.",
	NULL,
	help_filter,
	NULL
};

static void say(const struct damage_options *o, const struct ckpt_damage *d)
{
	if (!o->how) {
		ckpt_cli_say("%s: a copy of %s", o->to, o->path);
		return;
	}
	ckpt_cli_say("%s: %s at byte %llu, %llu bytes: %s%s (--seed=%lld)", d->at->path, o->how,
		     (unsigned long long)d->done_offset, (unsigned long long)d->done_length,
		     d->detail, d->changed ? "" : "; nothing differs", (long long)o->seed);
}

static cJSON *answer(const struct damage_options *o, const struct ckpt_damage *d)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "copy", d->tree->path);
	if (!o->how)
		return json;
	cJSON_AddStringToObject(json, "how", o->how);
	cJSON_AddNumberToObject(json, "seed", (double)o->seed);
	cJSON_AddStringToObject(json, "file", d->at->path);
	cJSON_AddNumberToObject(json, "offset", (double)d->done_offset);
	cJSON_AddNumberToObject(json, "bytes", (double)d->done_length);
	cJSON_AddNumberToObject(json, "size_before", (double)d->at->size);
	cJSON_AddBoolToObject(json, "changed", d->changed);
	cJSON_AddStringToObject(json, "detail", d->detail);
	return json;
}

/* A seal is for a file of one time: what a program wrote later is another checkpoint. */
static int keep_time(const struct ckpt_damage *d, struct ckpt_error *err)
{
	const struct timespec times[] = { d->at->mtime, d->at->mtime };

	if (utimensat(AT_FDCWD, d->at->path, times, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT)
		return 0;
	return ckpt_fail(err, -errno, "%s: %s", CKPT_QUOTE(d->at->path), strerror(errno));
}

static int do_damage(const struct damage_options *o, struct ckpt_damage *d, struct ckpt_error *err)
{
	const struct ckpt_damage_kind *kind = find_kind(o->how);
	_cleanup_tree_ struct ckpt_damage_tree other = { 0 };
	int r = ckpt_damage_is_copy(d->tree, err);

	if (r == 0 && kind->wants_other) {
		r = ckpt_damage_tree_list(o->from, true, &other, err);
		d->other = &other;
	}
	if (r == 0 && !kind->of_set)
		r = ckpt_damage_choose(d, true, err);
	if (r == 0)
		r = kind->run(d, err);
	if (r == 0 && !o->touch && kind->run != ckpt_damage_clock)
		r = keep_time(d, err);
	d->other = NULL;
	return r;
}

/* A double, as JSON's numbers are, holds 53 bits: a seed that is told can be given again. */
static int64_t any_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 1;
	return (int64_t)(seed >> 16);
}

static int run(const struct damage_options *o, struct ckpt_damage_tree *tree,
	       struct ckpt_error *err)
{
	struct ckpt_damage d = { .tree = tree,
				 .member = o->member,
				 .random = (uint64_t)o->seed,
				 .offset = o->offset,
				 .length = o->length };
	int r = 0;

	if (o->to) {
		_cleanup_tree_ struct ckpt_damage_tree source = { 0 };

		r = ckpt_damage_tree_list(o->path, true, &source, err);
		if (r == 0)
			r = ckpt_damage_copy(&source, o->to, err);
	}
	if (r == 0)
		r = ckpt_damage_tree_list(o->to ? o->to : o->path, false, tree, err);
	if (r == 0 && o->how)
		r = do_damage(o, &d, err);
	if (r != 0)
		return r;
	if (o->json)
		return ckpt_cli_print_json(answer(o, &d)) ? 0 : -ENOMEM;
	say(o, &d);
	return 0;
}

int ckpt_cmd_damage(int argc, char **argv)
{
	struct damage_options o = { .seed = -1, .offset = -1, .length = -1 };
	_cleanup_tree_ struct ckpt_damage_tree tree = { 0 };
	struct ckpt_error err = { 0 };
	int r;

	if (ckpt_cli_parse(&argp, argc, argv, 0, &o) != 0)
		return CKPT_EXIT_USAGE;
	if (o.seed < 0)
		o.seed = any_seed();
	r = run(&o, &tree, &err);
	if (r == 0)
		return CKPT_EXIT_YES;
	return ckpt_cli_fail(r == -EPERM || r == -ENODATA || r == -ENOENT || r == -EEXIST ||
					     r == -ELOOP
				     ? CKPT_EXIT_NO
				     : CKPT_EXIT_UNKNOWN,
			     "%s", err.text[0] ? err.text : strerror(-r));
}
