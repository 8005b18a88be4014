/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See journal.h.
 */
#include "core/integrity/journal.h"

#include <errno.h>
#include <string.h>

#include "core/base/json.h"
#include "core/record/ledger.h"
#include "core/record/mark.h"
#include "wire/text.h"

#define LINE_ROOM                                                                                  \
	(CKPT_LEDGER_LINE / 2) /* of members in one line: escapes can take more than the names */

int ckpt_moved_init(struct ckpt_moved *ret, const char *name)
{
	struct ckpt_moved moved = { 0 };
	int r = ckpt_run_id(moved.id);

	if (r < 0)
		return r;
	moved.set = strdup(name);
	if (!moved.set)
		return -ENOMEM;
	*ret = moved;
	return 0;
}

int ckpt_moved_add(struct ckpt_moved *moved, const char *from, const char *to)
{
	_cleanup_free_ char *from_copy = strdup(from), *to_copy = strdup(to);
	struct ckpt_move *more;

	if (!from_copy || !to_copy)
		return -ENOMEM;
	more = reallocarray(moved->moves, moved->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	moved->moves = more;
	more[moved->n].from = ckpt_take_ptr(from_copy);
	more[moved->n++].to = ckpt_take_ptr(to_copy);
	return 0;
}

void ckpt_moved_done(struct ckpt_moved *moved)
{
	for (size_t i = 0; i < moved->n; i++) {
		free(moved->moves[i].from);
		free(moved->moves[i].to);
	}
	free(moved->moves);
	free(moved->set);
	*moved = (struct ckpt_moved) { 0 };
}

void ckpt_journal_done(struct ckpt_journal *journal)
{
	for (size_t i = 0; i < journal->n; i++)
		ckpt_moved_done(&journal->sets[i]);
	free(journal->sets);
	*journal = (struct ckpt_journal) { 0 };
}

static struct ckpt_moved *find(struct ckpt_journal *journal, const char *id)
{
	for (size_t i = journal->n; i > 0; i--)
		if (strcmp(journal->sets[i - 1].id, id) == 0)
			return &journal->sets[i - 1];
	return NULL;
}

/* A new record, or NULL: no memory. */
static struct ckpt_moved *add(struct ckpt_journal *journal, const char *id, const char *set)
{
	struct ckpt_moved *more = reallocarray(journal->sets, journal->n + 1, sizeof(*more));
	struct ckpt_moved moved = { .set = strdup(set) };

	if (more)
		journal->sets = more;
	if (!more || !moved.set || !ckpt_text_copy(moved.id, sizeof(moved.id), id)) {
		free(moved.set);
		return NULL;
	}
	more[journal->n] = moved;
	return &more[journal->n++];
}

static void forget(struct ckpt_journal *journal, struct ckpt_moved *moved)
{
	size_t i = (size_t)(moved - journal->sets);

	ckpt_moved_done(moved);
	memmove(moved, moved + 1, (journal->n - i - 1) * sizeof(*moved));
	journal->n--;
}

static bool is_plain_name(const char *name)
{
	return name && *name && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

bool ckpt_move_in_state(const char *to, const char **ret_name)
{
	return ckpt_text_starts(to, CKPT_CORRUPTED_DIR "/", ret_name) ||
	       ckpt_text_starts(to, CKPT_DISCARD_DIR "/", ret_name);
}

bool ckpt_moved_is_discard(const struct ckpt_moved *moved)
{
	return moved->n > 0 && ckpt_text_starts(moved->moves[0].to, CKPT_DISCARD_DIR "/", NULL);
}

/* Where a member may have gone to: a name beside it, or one in the state directory. */
static bool is_place(const char *to)
{
	const char *name;

	return is_plain_name(to && ckpt_move_in_state(to, &name) ? name : to);
}

static int add_members(struct ckpt_moved *moved, const cJSON *members)
{
	const cJSON *pair;

	cJSON_ArrayForEach (pair, members) {
		const char *from = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 0));
		const char *to = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 1));

		if (is_plain_name(from) && is_place(to) && ckpt_moved_add(moved, from, to) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ckpt_ledger_fn: one entry. 0 or -ENOMEM. */
static int take_entry(void *arg, const cJSON *entry)
{
	struct ckpt_journal *journal = arg;
	const char *event = ckpt_json_text(entry, "event"), *id = ckpt_json_text(entry, "id");
	const char *set = ckpt_json_text(entry, "set");
	struct ckpt_moved *moved;

	if (!event || !id || !set || strlen(id) >= sizeof(moved->id))
		return 0;
	moved = find(journal, id);
	if (strcmp(event, "quarantine-begin") == 0) {
		if (!moved)
			moved = add(journal, id, set);
		return moved ? add_members(moved,
					   cJSON_GetObjectItemCaseSensitive(entry, "members"))
			     : -ENOMEM;
	}
	if (!moved)
		return 0;
	if (strcmp(event, "quarantine") == 0)
		moved->state = CKPT_MOVED_DONE;
	else if (strcmp(event, "release-begin") == 0)
		moved->state = CKPT_MOVED_RELEASING;
	else if (strcmp(event, "release") == 0 || strcmp(event, "quarantine-undone") == 0 ||
		 strcmp(event, "discard") == 0)
		forget(journal, moved);
	return 0;
}

int ckpt_journal_load(int statefd, struct ckpt_journal *ret, struct ckpt_error *err)
{
	_cleanup_journal_ struct ckpt_journal journal = { 0 };
	int r = ckpt_ledger_read(statefd, take_entry, &journal, NULL, err);

	if (r == -ENOMEM)
		return ckpt_fail(err, r, "no memory to read the ledger");
	if (r < 0)
		return r;
	*ret = journal;
	journal = (struct ckpt_journal) { 0 };
	return 0;
}

/* An entry without members, or NULL: no memory. */
static cJSON *entry_for(const char *event, const struct ckpt_moved *moved)
{
	_cleanup_json_ cJSON *entry = cJSON_CreateObject();

	if (!entry || !cJSON_AddStringToObject(entry, "event", event) ||
	    !cJSON_AddStringToObject(entry, "id", moved->id) ||
	    !cJSON_AddStringToObject(entry, "set", moved->set))
		return NULL;
	return ckpt_take_ptr(entry);
}

static int append(int statefd, cJSON *entry, struct ckpt_error *err)
{
	_cleanup_json_ cJSON *owned = entry;

	if (!owned)
		return ckpt_fail(err, -ENOMEM, "no memory for a line of the ledger");
	return ckpt_ledger_append(statefd, owned, err);
}

int ckpt_journal_note(int statefd, const char *event, const struct ckpt_moved *moved,
		      struct ckpt_error *err)
{
	return append(statefd, entry_for(event, moved), err);
}

static bool add_pair(cJSON *members, const struct ckpt_move *move)
{
	const char *const names[] = { move->from, move->to };
	cJSON *pair = cJSON_CreateStringArray(names, 2);

	if (pair && cJSON_AddItemToArray(members, pair))
		return true;
	cJSON_Delete(pair);
	return false;
}

/* Bytes of a text in JSON, at most. */
static size_t json_length(const char *s)
{
	size_t len = 4;

	for (; *s; s++)
		len += (unsigned char)*s < 0x20 ? 6 : 2;
	return len;
}

/* One line with the moves from @i on that it holds, at least one. Returns the next one's index; 0 =
 * no memory. */
static size_t fill_line(cJSON *entry, const struct ckpt_moved *moved, size_t i)
{
	cJSON *members = entry ? cJSON_AddArrayToObject(entry, "members") : NULL;
	size_t len = 0;

	for (; members && i < moved->n; i++) {
		const struct ckpt_move *move = &moved->moves[i];

		if (len > 0 && len + json_length(move->from) + json_length(move->to) > LINE_ROOM)
			break;
		len += json_length(move->from) + json_length(move->to);
		if (!add_pair(members, move))
			return 0;
	}
	return members ? i : 0;
}

int ckpt_journal_begin(int statefd, const struct ckpt_moved *moved, struct ckpt_error *err)
{
	for (size_t i = 0; i < moved->n;) {
		_cleanup_json_ cJSON *entry = entry_for("quarantine-begin", moved);
		int r;

		i = fill_line(entry, moved, i);
		if (i == 0)
			return ckpt_fail(err, -ENOMEM, "no memory for a line of the ledger");
		r = append(statefd, ckpt_take_ptr(entry), err);
		if (r < 0)
			return r;
	}
	return 0;
}
