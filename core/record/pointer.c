/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See pointer.h. A CheckpointState text proto: `name: value` fields, values quoted strings with C
 * escapes or bare numbers. Fields are kept as the text they were read as; only those that must
 * change are written anew.
 */
#include "core/record/pointer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/record/backup.h"

#define POINTER "checkpoint"
#define POINTER_MAX (4 * 1024 * 1024) /* bytes: a run that keeps all of 50,000 checkpoints */
#define CURRENT "model_checkpoint_path"
#define LISTED "all_model_checkpoint_paths"
#define STAMPS "all_model_checkpoint_timestamps"

/* One field: spans of the text. */
struct field {
	const char *name, *value;
	size_t name_len, value_len;
};

struct pointer {
	char *text;
	size_t len;
	struct field *fields;
	size_t n;
};

static void pointer_done(struct pointer *p)
{
	free(p->text);
	free(p->fields);
}
#define _cleanup_pointer_ _cleanup_(pointer_done)

static int torn(struct ckpt_error *err, const char *how)
{
	return ckpt_fail(err, CKPT_POINTER_TORN, "the pointer file %s %s", POINTER, how);
}

static const char *skip_blank(const char *p)
{
	for (;;) {
		p += strspn(p, " \t\r\n,;");
		if (*p != '#')
			return p;
		p += strcspn(p, "\n");
	}
}

/* Behind the value at @p, or NULL: none, or a string that does not end on its line. */
static const char *skip_value(const char *p)
{
	char quote = *p;

	if (quote != '"' && quote != '\'') {
		size_t len = strcspn(p, " \t\r\n,;#\"'{}<>:");

		return len ? p + len : NULL;
	}
	for (p++; *p && *p != quote && *p != '\n'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p == quote ? p + 1 : NULL;
}

static size_t name_length(const char *p)
{
	size_t len = 0;

	while (isalnum((unsigned char)p[len]) || p[len] == '_')
		len++;
	return len;
}

/* Reads the field at *@p and moves behind it. False if there is none. */
static bool take_field(const char **p, struct field *ret)
{
	struct field field = { .name = *p, .name_len = name_length(*p) };
	const char *at = skip_blank(*p + field.name_len), *end;

	if (field.name_len == 0 || *at != ':')
		return false;
	field.value = skip_blank(at + 1);
	end = skip_value(field.value);
	if (!end)
		return false;
	field.value_len = (size_t)(end - field.value);
	*p = skip_blank(end);
	*ret = field;
	return true;
}

static int add_field(struct pointer *p, const struct field *field)
{
	if ((p->n & (p->n - 1)) == 0) { /* room runs out at each power of two */
		struct field *more = reallocarray(p->fields, p->n ? 2 * p->n : 1, sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->fields = more;
	}
	p->fields[p->n++] = *field;
	return 0;
}

static int parse(struct pointer *p, struct ckpt_error *err)
{
	const char *at = skip_blank(p->text);

	while (*at) {
		struct field field;

		if (!take_field(&at, &field))
			return torn(err, "is torn: no text proto of \"name: value\" fields");
		if (add_field(p, &field) < 0)
			return ckpt_fail(err, -ENOMEM, "no memory for %s", POINTER);
	}
	return 0;
}

static int read_pointer(struct ckpt_ctx *ctx, int dirfd, struct pointer *p, struct ckpt_error *err)
{
	int r = ckpt_file_slurp(ctx, dirfd, POINTER, POINTER_MAX, &p->text, &p->len, err);

	if (r == -ENOENT)
		return CKPT_POINTER_ABSENT;
	if (r > 0)
		return torn(err, "is no regular file");
	if (r == -EFBIG)
		return torn(err, "is too large");
	if (r < 0)
		return r;
	if (memchr(p->text, '\0', p->len))
		return torn(err, "is torn: it holds NUL bytes");
	return parse(p, err);
}

static bool is_named(const struct field *field, const char *name)
{
	return field->name_len == strlen(name) && memcmp(field->name, name, field->name_len) == 0;
}

/* The byte that the escape behind a backslash at *@p stands for; moves behind it. -1: no escape of
 * C's. */
static int unescape(const char **p)
{
	static const char letters[] = "abfnrtv\\'\"?";
	static const char bytes[] = "\a\b\f\n\r\t\v\\'\"?";
	const char *found = **p ? strchr(letters, **p) : NULL;
	int value = 0, digits = 0;

	if (found)
		return (*p)++, (unsigned char)bytes[found - letters];
	for (; digits < 3 && **p >= '0' && **p <= '7'; digits++)
		value = value * 8 + *(*p)++ - '0';
	if (digits)
		return value & 0xff;
	if (*(*p)++ != 'x')
		return -1;
	for (; digits < 2 && isxdigit((unsigned char)**p); digits++, (*p)++)
		value = value * 16 +
			(isdigit((unsigned char)**p) ? **p - '0' : (**p | 0x20) - 'a' + 10);
	return digits ? value : -1;
}

/* The last path component of a string field into @ret (@size bytes). False if it is no string or
 * has none that fits. */
static bool base_name(const struct field *field, char *ret, size_t size)
{
	const char *p = field->value + 1, *end = field->value + field->value_len - 1;
	size_t len = 0;

	if (*field->value != '"' && *field->value != '\'')
		return false;
	while (p < end) {
		int c = (unsigned char)*p++;

		if (c == '\\')
			c = unescape(&p);
		if (c <= 0 || len + 1 >= size)
			return false;
		ret[len++] = (char)c;
		if (c == '/')
			len = 0;
	}
	ret[len] = '\0';
	return len > 0;
}

/* The last field with that name, as proto's rule for a repeated single field has it; NULL if there
 * is none. */
static const struct field *last_named(const struct pointer *p, const char *name)
{
	for (size_t i = p->n; i > 0; i--)
		if (is_named(&p->fields[i - 1], name))
			return &p->fields[i - 1];
	return NULL;
}

static int load(struct ckpt_ctx *ctx, int dirfd, struct pointer *p, struct ckpt_error *err)
{
	char name[256];
	const struct field *current;
	int r = read_pointer(ctx, dirfd, p, err);

	if (r != 0)
		return r;
	current = last_named(p, CURRENT);
	if (!current || !base_name(current, name, sizeof(name)))
		return torn(err, "names no checkpoint");
	return 0;
}

int ckpt_pointer_tf_load(struct ckpt_ctx *ctx, int dirfd, char *ret, size_t size,
			 struct ckpt_error *err)
{
	_cleanup_pointer_ struct pointer p = { 0 };
	char name[256];
	int r = load(ctx, dirfd, &p, err);

	if (r != 0)
		return r;
	base_name(last_named(&p, CURRENT), name, sizeof(name));
	if (strlen(name) >= size)
		return torn(err, "names a checkpoint with too long a name");
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}

/* Where the target stands in the list: its index among the LISTED fields, and how many those are.
 */
struct place {
	size_t index, listed, stamps;
	bool found;
};

static struct place find_target(const struct pointer *p, const char *target)
{
	struct place place = { 0 };
	char name[256];

	for (size_t i = 0; i < p->n; i++) {
		const struct field *field = &p->fields[i];

		place.stamps += is_named(field, STAMPS);
		if (!is_named(field, LISTED))
			continue;
		if (base_name(field, name, sizeof(name)) && strcmp(name, target) == 0) {
			place.index = place.listed;
			place.found = true;
		}
		place.listed++;
	}
	return place;
}

static bool agrees(const struct pointer *p, const char *target, const struct place *place)
{
	char name[256];

	return base_name(last_named(p, CURRENT), name, sizeof(name)) && strcmp(name, target) == 0 &&
	       (place->listed == 0 || (place->found && place->index + 1 == place->listed));
}

static void add_path(struct ckpt_str *out, const char *name, const char *path)
{
	ckpt_str_add(out, "%s: \"", name);
	for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
		if (*p == '"' || *p == '\\' || *p == '\'')
			ckpt_str_add(out, "\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f)
			ckpt_str_add(out, "\\%03o", *p);
		else
			ckpt_str_add(out, "%c", *p);
	}
	ckpt_str_add(out, "\"\n");
}

/* What aligning does to one field: the n'th of its name. */
static bool stays(const struct field *field, size_t n, const struct place *place)
{
	if (is_named(field, LISTED) || (is_named(field, STAMPS) && place->stamps == place->listed))
		return n <= place->index;
	return true;
}

static void add_aligned(struct ckpt_str *out, const struct pointer *p, const char *target,
			const struct place *place)
{
	size_t listed = 0, stamps = 0;

	add_path(out, CURRENT, target);
	for (size_t i = 0; i < p->n; i++) {
		const struct field *field = &p->fields[i];
		bool is_listed = is_named(field, LISTED);
		size_t n = is_listed ? listed++ : is_named(field, STAMPS) ? stamps++ : 0;

		if (is_named(field, CURRENT) || !stays(field, n, place))
			continue;
		if (is_listed && place->found && n == place->index)
			add_path(out, LISTED, target);
		else
			ckpt_str_add(out, "%.*s: %.*s\n", (int)field->name_len, field->name,
				     (int)field->value_len, field->value);
	}
}

/* A list that never held the target says nothing about what came after it: it begins anew. */
static void add_fresh(struct ckpt_str *out, const char *target)
{
	add_path(out, CURRENT, target);
	add_path(out, LISTED, target);
}

int ckpt_pointer_tf_align(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_aim *aim,
			  struct ckpt_error *err)
{
	_cleanup_pointer_ struct pointer p = { 0 };
	_cleanup_str_ struct ckpt_str out = { 0 };
	struct ckpt_backup backup = { .name = POINTER, .attempt = aim->attempt };
	struct place place;
	int r = load(ctx, dirfd, &p, err);

	if (r != 0)
		return r;
	place = find_target(&p, aim->target);
	if (agrees(&p, aim->target, &place))
		return CKPT_POINTER_SAME;
	if (place.listed > 0 && !place.found)
		add_fresh(&out, aim->target);
	else
		add_aligned(&out, &p, aim->target, &place);
	if (out.failed)
		return ckpt_fail(err, -ENOMEM, "no memory for %s", POINTER);
	backup.data = p.text;
	backup.len = p.len;
	r = ckpt_backup_store(ctx, aim->backup_dirfd, &backup, err);
	return r < 0 ? r : ckpt_file_replace(dirfd, POINTER, out.s, out.len, err);
}
