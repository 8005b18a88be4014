/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ledger.h. Appending never looks at more than the file's tail and reading never holds more
 * than one line, whatever somebody else has put into the file.
 */
#include "core/record/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/json.h"

static int open_ledger(int statefd, int flags, struct stat *ret_st, struct ckpt_error *err)
{
	_cleanup_close_ int fd =
		openat(statefd, CKPT_LEDGER, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);

	if (fd < 0)
		return ckpt_fail(err, -errno, "cannot open %s/%s: %s", CKPT_STATE_DIR, CKPT_LEDGER,
				 strerror(errno));
	if (fstat(fd, ret_st) < 0)
		return ckpt_fail(err, -errno, "cannot stat %s: %s", CKPT_LEDGER, strerror(errno));
	if (!S_ISREG(ret_st->st_mode))
		return ckpt_fail(err, -ENOTSUP, "%s/%s is no regular file", CKPT_STATE_DIR,
				 CKPT_LEDGER);
	return ckpt_take_fd(&fd);
}

/* The object in @len bytes of a line, or NULL. */
static cJSON *parse_line(const char *line, size_t len)
{
	cJSON *entry = NULL;

	if (len == 0 || memchr(line, '\0', len) || ckpt_json_parse(line, len, &entry, NULL) != 0)
		return NULL;
	if (cJSON_IsObject(entry))
		return entry;
	cJSON_Delete(entry);
	return NULL;
}

/* What the end of the ledger says: whether its last line is torn, and the number of the next line
 * (0 = not known). */
struct tail {
	bool torn;
	int64_t next;
};

/* The number in the last whole line of @buf that has one, plus 1; 0 if there is none. */
static int64_t next_number(const char *buf, size_t len)
{
	while (len > 0) {
		const char *start = memrchr(buf, '\n', len - 1);
		size_t from = start ? (size_t)(start - buf) + 1 : 0;
		_cleanup_json_ cJSON *entry = parse_line(buf + from, len - 1 - from);
		int64_t n;

		if (entry && ckpt_json_int(entry, "n", &n) && n > 0 && n < INT32_MAX)
			return n + 1;
		len = from;
	}
	return 0;
}

static int read_tail(int fd, uint64_t size, struct tail *ret)
{
	char buf[CKPT_LEDGER_LINE];
	size_t want = size < sizeof(buf) ? (size_t)size : sizeof(buf);
	const char *end;
	ssize_t n;

	*ret = (struct tail) { .next = size == 0 };
	if (size == 0)
		return 0;
	n = pread(fd, buf, want, (off_t)(size - want));
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	ret->torn = buf[n - 1] != '\n';
	end = memrchr(buf, '\n', (size_t)n);
	if (end)
		ret->next = next_number(buf, (size_t)(end - buf) + 1);
	return 0;
}

static int stamp(cJSON *entry, int64_t number)
{
	char at[32];
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return -EOVERFLOW;
	cJSON_DeleteItemFromObjectCaseSensitive(entry, "at");
	cJSON_DeleteItemFromObjectCaseSensitive(entry, "n");
	if (!cJSON_AddStringToObject(entry, "at", at))
		return -ENOMEM;
	if (number && !cJSON_AddNumberToObject(entry, "n", (double)number))
		return -ENOMEM;
	return 0;
}

/* Removes the longest text of @o. False if it has none. */
static bool drop_longest(cJSON *o)
{
	cJSON *item, *longest = NULL;

	cJSON_ArrayForEach (item, o)
		if (cJSON_IsString(item) &&
		    (!longest || strlen(item->valuestring) > strlen(longest->valuestring)))
			longest = item;
	if (!longest)
		return false;
	cJSON_Delete(cJSON_DetachItemViaPointer(o, longest));
	return true;
}

/* Copies of the members of @entry that readers go by, marked as cut; NULL = no memory. */
static cJSON *least_of(const cJSON *entry)
{
	static const char *const keys[] = {
		"event",      "attempt",      "job_id",	  "at",		"n",	    "cluster",
		"run",	      "mode",	      "reason",	  "cause",	"finished", "batch_status",
		"hooks",      "refusal",      "where",	  "node",	"why",	    "verdict",
		"newest_dir", "newest_valid", "dir",	  "name",	"path",	    "id",
		"step",	      "epoch",	      "evidence", "n_rejected",
	};
	_cleanup_json_ cJSON *least = cJSON_CreateObject();

	for (size_t i = 0; least && i < sizeof(keys) / sizeof(keys[0]); i++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(entry, keys[i]);
		cJSON *copy;

		if (!cJSON_IsNumber(item) && !cJSON_IsString(item))
			continue;
		copy = cJSON_Duplicate(item, true);
		if (!copy || !cJSON_AddItemToObject(least, keys[i], copy))
			return cJSON_Delete(copy), NULL;
	}
	if (!least || !cJSON_AddTrueToObject(least, "cut"))
		return NULL;
	return ckpt_take_ptr(least);
}

/* A copy of @entry without its long lists, marked as cut; NULL = no memory. */
static cJSON *without_lists(const cJSON *entry)
{
	_cleanup_json_ cJSON *copy = cJSON_Duplicate(entry, true);
	const cJSON *rejected = cJSON_GetObjectItemCaseSensitive(copy, "rejected");
	int n = cJSON_GetArraySize(rejected);

	cJSON_DeleteItemFromObjectCaseSensitive(copy, "trail");
	cJSON_DeleteItemFromObjectCaseSensitive(copy, "rejected");
	cJSON_DeleteItemFromObjectCaseSensitive(copy, "cut");
	if (!copy || (n > 0 && !cJSON_AddNumberToObject(copy, "n_rejected", n)) ||
	    !cJSON_AddTrueToObject(copy, "cut"))
		return NULL;
	return ckpt_take_ptr(copy);
}

/* @o as a line without its newline; *@ret is NULL where that is too long. 0 or -ENOMEM. */
static int print_short(const cJSON *o, char **ret)
{
	_cleanup_free_ char *text = cJSON_PrintUnformatted(o);

	*ret = NULL;
	if (!text)
		return -ENOMEM;
	if (strlen(text) <= CKPT_LEDGER_LINE - 2) /* a newline behind, one perhaps before */
		*ret = ckpt_take_ptr(text);
	return 0;
}

/* @entry as a line without its newline that is short enough, or NULL: no memory. */
static char *print_line(const cJSON *entry)
{
	_cleanup_json_ cJSON *copy = NULL, *least = NULL;
	char *line;

	if (print_short(entry, &line) < 0 || line)
		return line;
	copy = without_lists(entry);
	if (!copy || print_short(copy, &line) < 0 || line)
		return line;
	least = least_of(copy);
	while (least && print_short(least, &line) == 0 && !line && drop_longest(least))
		if (!cJSON_HasObjectItem(least, "newest_dir")) /* the name alone misleads */
			cJSON_DeleteItemFromObjectCaseSensitive(least, "newest_valid");
	return line;
}

static int write_line(int fd, const char *line, bool heal)
{
	char buf[CKPT_LEDGER_LINE];
	size_t len = 0, text = strlen(line);
	ssize_t n;

	if (text > sizeof(buf) - 2)
		return -E2BIG;
	if (heal)
		buf[len++] = '\n';
	memcpy(buf + len, line, text);
	len += text;
	buf[len++] = '\n';
	n = write(fd, buf, len);
	if (n < 0)
		return -errno;
	if ((size_t)n != len)
		return -ENOSPC; /* the rest would not be one write; the next append heals what is
				   there */
	return fsync(fd) < 0 ? -errno : 0;
}

int ckpt_ledger_append(int statefd, cJSON *entry, struct ckpt_error *err)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_close_ int fd = -1;
	struct tail tail;
	struct stat st;
	int r;

	fd = open_ledger(statefd, O_RDWR | O_CREAT | O_APPEND, &st, err);
	if (fd < 0)
		return fd;
	r = read_tail(fd, (uint64_t)st.st_size, &tail);
	if (r < 0)
		return ckpt_fail(err, r, "cannot read %s: %s", CKPT_LEDGER, strerror(-r));
	r = stamp(entry, tail.next);
	if (r < 0)
		return ckpt_fail(err, r, "cannot write %s: %s", CKPT_LEDGER, strerror(-r));
	line = print_line(entry);
	if (!line)
		return ckpt_fail(err, -ENOMEM, "no memory for a line of %s", CKPT_LEDGER);
	r = write_line(fd, line, tail.torn);
	if (r == 0 && st.st_size == 0 && fsync(statefd) < 0 && errno != EINVAL)
		r = -errno; /* a new file's name has to last as long as its content */
	if (r < 0)
		return ckpt_fail(err, r, "cannot append to %s/%s: %s", CKPT_STATE_DIR, CKPT_LEDGER,
				 strerror(-r));
	return 0;
}

/* One reading: a line under way, and what became of those before. */
struct reader {
	ckpt_ledger_fn *fn;
	void *arg;
	size_t torn, len;
	bool overlong; /* the line under way is longer than any of ours: stepped over */
	char line[CKPT_LEDGER_LINE];
};

static int end_line(struct reader *r)
{
	_cleanup_json_ cJSON *entry = r->overlong ? NULL : parse_line(r->line, r->len);
	bool blank = r->len == 0 && !r->overlong;

	r->len = 0;
	r->overlong = false;
	if (entry)
		return r->fn(r->arg, entry);
	if (!blank)
		r->torn++;
	return 0;
}

static void add_piece(struct reader *r, const char *piece, size_t len)
{
	if (r->overlong || len > sizeof(r->line) - r->len) {
		r->overlong = true;
		return;
	}
	memcpy(r->line + r->len, piece, len);
	r->len += len;
}

/* Takes @len bytes more. 0, or what the callback returned. */
static int feed(struct reader *r, const char *buf, size_t len)
{
	while (len > 0) {
		const char *end = memchr(buf, '\n', len);
		size_t piece = end ? (size_t)(end - buf) : len;
		int stop;

		add_piece(r, buf, piece);
		if (!end)
			return 0;
		stop = end_line(r);
		if (stop != 0)
			return stop;
		buf += piece + 1;
		len -= piece + 1;
	}
	return 0;
}

static int read_all(int fd, struct reader *r, struct ckpt_error *err)
{
	char buf[16384];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		int stop;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ckpt_fail(err, -errno, "cannot read %s/%s: %s", CKPT_STATE_DIR,
					 CKPT_LEDGER, strerror(errno));
		if (n == 0)
			break;
		stop = feed(r, buf, (size_t)n);
		if (stop != 0)
			return stop;
	}
	r->torn += r->len > 0 || r->overlong;
	return 0;
}

int ckpt_ledger_read(int statefd, ckpt_ledger_fn *fn, void *arg, size_t *ret_torn,
		     struct ckpt_error *err)
{
	struct reader reader = { .fn = fn, .arg = arg };
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	fd = open_ledger(statefd, O_RDONLY, &st, err);
	if (fd == -ENOENT)
		return CKPT_STATE_ABSENT;
	if (fd < 0)
		return fd;
	r = read_all(fd, &reader, err);
	if (ret_torn)
		*ret_torn = reader.torn;
	return r;
}
