/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/file.c, replace.c and ctx.c: files that shrink, change, block or are none; budgets;
 * replacement.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/file.h"
#include "tests/unit/support/scratch.h"

#define MIB (1024 * 1024)

static void test_file__opens_only_regular_files(void **state)
{
	const struct scratch *dir = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	static const struct {
		const char *name;
		int expected;
	} cases[] = {
		{ "file", 0 },
		{ "link", 0 },
		{ "missing", -ENOENT },
		{ "dangling", -ENOENT },
		{ "loop", -ELOOP },
		{ "dir", CKPT_FILE_NOT_REGULAR },
		{ "fifo", CKPT_FILE_NOT_REGULAR },
		{ "socket", CKPT_FILE_NOT_REGULAR },
		{ "zero", CKPT_FILE_NOT_REGULAR },
		{ "tty", CKPT_FILE_NOT_REGULAR },
		{ "file/x", -ENOTDIR },
	};
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	scratch_put(dir->fd, "file", "data");
	assert_int_equal(symlinkat("file", dir->fd, "link"), 0);
	assert_int_equal(symlinkat("nowhere", dir->fd, "dangling"), 0);
	assert_int_equal(symlinkat("loop", dir->fd, "loop"), 0);
	assert_int_equal(symlinkat("/dev/zero", dir->fd, "zero"), 0);
	assert_int_equal(symlinkat("/dev/tty", dir->fd, "tty"), 0);
	assert_int_equal(mkdirat(dir->fd, "dir", 0777), 0);
	assert_int_equal(mkfifoat(dir->fd, "fifo", 0666), 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", dir->path);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);

	alarm(120); /* a fifo that blocks must not hang the tests */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct ckpt_error err = { 0 };
		int r = ckpt_file_open(NULL, dir->fd, cases[i].name, &file, &err);

		if (r != cases[i].expected)
			fail_msg("%s: %d instead of %d", cases[i].name, r, cases[i].expected);
		assert_int_equal(err.code, cases[i].expected);
		assert_true(r == 0 || strstr(err.text, cases[i].name));
		assert_true((file.fd >= 0) == (r == 0));
	}
	alarm(0);
	close(sock);
}

static void test_file__says_access_denied(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	bool root = geteuid() == 0;

	scratch_put(dir->fd, "secret", "data");
	assert_int_equal(fchmodat(dir->fd, "secret", 0, 0), 0);
	assert_int_equal(chmod(dir->path, 0755), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	assert_int_equal(ckpt_file_open(NULL, dir->fd, "secret", &file, NULL), -EACCES);
	if (root)
		assert_int_equal(seteuid(0), 0);
}

static void test_file__descriptor_is_closed_on_exec(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT, view = CKPT_FILE_INIT;

	scratch_put(dir->fd, "file", "data");
	assert_int_equal(ckpt_file_open(NULL, dir->fd, "file", &file, NULL), 0);
	assert_int_equal(ckpt_file_view(&file, 1, 2, &view, NULL), 0);
	assert_true(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(view.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_not_equal(file.fd, view.fd);
}

static void test_file__reads_exactly(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_ctx ctx = { 0 };
	static const struct {
		uint64_t off;
		size_t len;
		int expected;
	} cases[] = {
		{ 0, 10, 0 },
		{ 3, 4, 0 },
		{ 10, 0, 0 },
		{ 0, 11, CKPT_FILE_SHORT },
		{ 10, 1, CKPT_FILE_SHORT },
		{ 11, 0, CKPT_FILE_SHORT },
		{ UINT64_MAX, 1, CKPT_FILE_SHORT },
		{ UINT64_MAX - 4, 8, CKPT_FILE_SHORT },
		{ 5, SIZE_MAX, CKPT_FILE_SHORT },
	};

	scratch_put(dir->fd, "file", "0123456789");
	assert_int_equal(ckpt_file_open(&ctx, dir->fd, "file", &file, NULL), 0);
	assert_int_equal(file.size, 10);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[17] = "################";

		assert_int_equal(ckpt_file_read(&file, cases[i].off, buf, cases[i].len, NULL),
				 cases[i].expected);
		if (cases[i].expected == 0)
			assert_memory_equal(buf, "0123456789" + cases[i].off, cases[i].len);
		else
			assert_memory_equal(buf, "################", 16);
	}
	assert_int_equal(ctx.bytes_read, 14);
}

static ssize_t pattern_pread(void *arg, void *buf, size_t len, uint64_t off)
{
	if (off >= *(uint64_t *)arg) {
		errno = EDQUOT;
		return -1;
	}
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)(off + i);
	return (ssize_t)(len < 7 ? len : 7);
}

static void test_file__reads_from_a_source(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT, view = CKPT_FILE_INIT;
	uint64_t end = 40;
	const struct ckpt_file_source source = { .pread = pattern_pread, .arg = &end };
	struct ckpt_ctx ctx = { 0 };
	uint8_t buf[20];

	scratch_put(dir->fd, "file", "0123456789");
	assert_int_equal(ckpt_file_open(&ctx, dir->fd, "file", &file, NULL), 0);
	file.source = &source;
	file.size = 100;
	assert_int_equal(ckpt_file_view(&file, 10, 80, &view, NULL), 0);
	assert_int_equal(ckpt_file_read(&view, 5, buf, sizeof(buf), NULL), 0);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 15 + i);
	assert_int_equal(ckpt_file_read(&view, 30, buf, sizeof(buf), NULL), -EDQUOT);
	assert_int_equal(ckpt_file_read(&view, 61, buf, sizeof(buf), NULL), CKPT_FILE_SHORT);
	assert_int_equal(ctx.bytes_read, 0);
	assert_int_equal(ckpt_file_unchanged(&view), 1);
}

static void test_file__views_nest(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT, outer = CKPT_FILE_INIT,
					inner = CKPT_FILE_INIT, none = CKPT_FILE_INIT;
	char buf[4] = "";

	scratch_put(dir->fd, "file", "0123456789");
	assert_int_equal(ckpt_file_open(NULL, dir->fd, "file", &file, NULL), 0);
	assert_int_equal(ckpt_file_view(&file, 2, 6, &outer, NULL), 0);
	assert_int_equal(ckpt_file_view(&outer, 3, 3, &inner, NULL), 0);
	assert_int_equal(inner.base, 5);
	ckpt_file_done(&file); /* a view lives on its own */
	assert_int_equal(ckpt_file_read(&inner, 1, buf, 2, NULL), 0);
	assert_string_equal(buf, "67");
	assert_int_equal(ckpt_file_read(&inner, 2, buf, 2, NULL), CKPT_FILE_SHORT);
	assert_int_equal(ckpt_file_view(&outer, 4, 3, &none, NULL), CKPT_FILE_SHORT);
	assert_int_equal(ckpt_file_view(&outer, UINT64_MAX, 2, &none, NULL), CKPT_FILE_SHORT);
	assert_int_equal(ckpt_file_unchanged(&inner), 1);
	assert_int_equal(none.fd, -1);
}

/* A pread that misbehaves at its calls number @at and later. */
struct fault {
	int calls, at, error;
	size_t most; /* bytes a call; 0 = all */
	int64_t now;
};

static ssize_t faulty_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct fault *fault = arg;

	if (++fault->calls >= fault->at && fault->error == EINTR && fault->calls < fault->at + 3) {
		errno = EINTR;
		return -1;
	}
	if (fault->calls >= fault->at && fault->error && fault->error != EINTR) {
		errno = fault->error;
		return -1;
	}
	fault->now += 1000;
	return pread(fd, buf, fault->most && fault->most < len ? fault->most : len, off);
}

static int64_t fault_now(void *arg)
{
	return ((struct fault *)arg)->now;
}

static void test_file__hands_up_errors(void **state)
{
	const struct scratch *dir = *state;
	static const int errors[] = { EIO, ESTALE, EAGAIN, EREMOTEIO };

	scratch_put(dir->fd, "file", "0123456789");
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct fault fault = { .at = 2, .error = errors[i], .most = 4 };
		struct ckpt_seam seam = { .pread = faulty_pread, .arg = &fault };
		struct ckpt_ctx ctx = { .seam = &seam };
		struct ckpt_error err = { 0 };
		char buf[10];

		assert_int_equal(ckpt_file_open(&ctx, dir->fd, "file", &file, NULL), 0);
		assert_int_equal(ckpt_file_read(&file, 0, buf, 10, &err), -errors[i]);
		assert_int_equal(err.code, -errors[i]);
		assert_non_null(strstr(err.text, "byte 4"));
		assert_int_equal(ctx.bytes_read, 4);
	}
}

static void test_file__goes_on_after_signals_and_short_reads(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct fault fault = { .at = 2, .error = EINTR, .most = 3 };
	struct ckpt_seam seam = { .pread = faulty_pread, .arg = &fault };
	struct ckpt_ctx ctx = { .seam = &seam };
	char buf[11] = "";

	scratch_put(dir->fd, "file", "0123456789");
	assert_int_equal(ckpt_file_open(&ctx, dir->fd, "file", &file, NULL), 0);
	assert_int_equal(ckpt_file_read(&file, 0, buf, 10, NULL), 0);
	assert_string_equal(buf, "0123456789");
	assert_int_equal(fault.calls, 7); /* four reads, three signals */
}

static void test_file__shrinks_and_changes(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_error err = { 0 };
	char buf[10];

	scratch_put(dir->fd, "file", "0123456789");
	assert_int_equal(ckpt_file_open(NULL, dir->fd, "file", &file, NULL), 0);
	assert_int_equal(ckpt_file_unchanged(&file), 1);
	assert_int_equal(
		truncate((snprintf(err.text, sizeof(err.text), "%s/file", dir->path), err.text), 5),
		0);
	assert_int_equal(ckpt_file_read(&file, 0, buf, 10, &err), CKPT_FILE_SHORT);
	assert_int_equal(ckpt_file_unchanged(&file), 0);
}

static void test_file__notices_a_rewrite_of_the_same_size(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_identity now;

	scratch_put(dir->fd, "file", "0123456789");
	assert_int_equal(ckpt_file_open(NULL, dir->fd, "file", &file, NULL), 0);
	usleep(20000); /* beyond the grain of the kernel's file times */
	scratch_patch(dir->fd, "file", 3, "X", 1);
	assert_int_equal(ckpt_file_unchanged(&file), 0);
	assert_int_equal(ckpt_identity_at(dir->fd, "file", true, &now), 0);
	assert_int_equal(now.size, file.id.size);
	assert_false(ckpt_identity_same(&now, &file.id));
}

static void test_file__identity_compares_all_but_the_device(void **state)
{
	const struct ckpt_identity a = { 1, 2, 3, 4, 5, 6 };
	struct ckpt_identity b = a;

	(void)state;
	b.dev = 99;
	b.blocks = 99;
	assert_true(ckpt_identity_same(&a, &b));
	for (int i = 0; i < 4; i++) {
		b = a;
		b.ino += i == 0;
		b.size += i == 1;
		b.mtime_ns += i == 2;
		b.ctime_ns += i == 3;
		assert_false(ckpt_identity_same(&a, &b));
	}
}

static void test_file__identity_follows_as_told(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_identity file, followed, link;

	scratch_put(dir->fd, "file", "0123456789");
	assert_int_equal(symlinkat("file", dir->fd, "link"), 0);
	assert_int_equal(ckpt_identity_at(dir->fd, "file", false, &file), 0);
	assert_int_equal(ckpt_identity_at(dir->fd, "link", true, &followed), 0);
	assert_int_equal(ckpt_identity_at(dir->fd, "link", false, &link), 0);
	assert_true(ckpt_identity_same(&file, &followed));
	assert_int_not_equal(file.ino, link.ino);
	assert_int_equal(ckpt_identity_at(dir->fd, "none", true, &file), -ENOENT);
}

static void test_file__keeps_the_deadline(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct fault fault = { .at = 1000 };
	struct ckpt_seam seam = { .now_ns = fault_now, .pread = faulty_pread, .arg = &fault };
	struct ckpt_ctx ctx = { .seam = &seam, .deadline_ns = 3000 };
	_cleanup_free_ char *buf = malloc(8 * MIB);
	struct ckpt_error err = { 0 };

	scratch_sparse(dir->fd, "file", 8 * MIB);
	assert_int_equal(ckpt_file_open(&ctx, dir->fd, "file", &file, NULL), 0);
	assert_int_equal(ckpt_file_read(&file, 0, buf, 8 * MIB, &err), -ETIMEDOUT);
	assert_int_equal(fault.calls, 3); /* the clock moves by 1000 a call of at most 2 MiB */
	assert_int_equal(ctx.bytes_read, 6 * MIB);
	assert_non_null(strstr(err.text, "time"));
}

static void test_file__keeps_the_allowance(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_ctx ctx = { .max_bytes = 2 * MIB };
	_cleanup_free_ char *buf = malloc(8 * MIB);

	scratch_sparse(dir->fd, "file", 8 * MIB);
	assert_int_equal(ckpt_file_open(&ctx, dir->fd, "file", &file, NULL), 0);
	assert_int_equal(ckpt_file_read(&file, 0, buf, 2 * MIB, NULL), 0);
	assert_int_equal(ckpt_file_read(&file, 0, buf, 1, NULL), -EDQUOT);
	assert_int_equal(ctx.bytes_read, 2 * MIB);
}

static uint32_t type_given(void *arg, int fd)
{
	(void)fd;
	return *(const uint32_t *)arg;
}

/* Nothing but what may lie on tape is left alone: on Lustre that has one block, on GPFS none. Where
 * there are no tapes, a hole is a hole. */
static void test_file__does_not_recall_from_tape(void **state)
{
	const struct scratch *dir = *state;
	enum { EXT4 = 0xef53, BTRFS = 0x9123683e, TMPFS = 0x01021994, ZFS = 0x2fc12fc1 };
	enum { LUSTRE = 0x0bd00bd0, XFS = 0x58465342, GPFS = 0x47504653, NFS = 0x6969 };
	enum { OVERLAY = 0x794c7630, CEPH = 0x00c36400, BEEGFS = 0x19830326 };
	static const struct {
		uint32_t type;
		uint64_t size, blocks;
		bool released;
	} cases[] = {
		{ LUSTRE, MIB, 1, true },   { LUSTRE, MIB, 0, true },	 { LUSTRE, MIB, 8, false },
		{ LUSTRE, 65536, 1, true }, { LUSTRE, 65535, 1, false }, { LUSTRE, MIB, 2, false },
		{ XFS, MIB, 0, false },	    { GPFS, MIB, 0, true },	 { NFS, MIB, 0, true },
		{ GPFS, MIB, 1, false },    { GPFS, 65535, 0, false },	 { OVERLAY, MIB, 0, false },
		{ CEPH, MIB, 0, false },    { BEEGFS, MIB, 0, false },	 { 0, MIB, 1, true },
		{ NFS, 65535, 0, false },   { NFS, MIB, 1, false },	 { 0, MIB, 0, true },
		{ EXT4, MIB, 0, false },    { BTRFS, MIB, 0, false },	 { TMPFS, MIB, 0, false },
		{ ZFS, MIB, 1, false },	    { EXT4, 100, 0, false },	 { BTRFS, 2000, 0, false },
		{ LUSTRE, 0, 0, false },
	};

	(void)dir;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t type = cases[i].type;
		const struct ckpt_seam seam = { .fs_type = type_given, .arg = &type };
		struct ckpt_ctx ctx = { .seam = &seam };
		struct ckpt_file file = CKPT_FILE_INIT;

		file.id.size = cases[i].size;
		file.id.blocks = cases[i].blocks;
		file.ctx = &ctx;
		if (ckpt_file_released(&file) != cases[i].released)
			fail_msg("case %zu", i);
	}
}

static void test_file__opens_none_that_is_released(void **state)
{
	const struct scratch *dir = *state;
	uint32_t type = 0x0bd00bd0;
	const struct ckpt_seam seam = { .fs_type = type_given, .arg = &type };
	struct ckpt_ctx ctx = { .seam = &seam };
	struct ckpt_error err = { 0 };
	static const struct {
		const char *name;
		uint64_t size;
		bool no_recall;
		int expected;
	} cases[] = {
		{ "large", MIB, true, -ENODATA },
		{ "edge", 65536, true, -ENODATA },
		{ "inline", 65535, true, 0 },
		{ "recalled", MIB, false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;

		scratch_sparse(dir->fd, cases[i].name, cases[i].size);
		ctx.no_recall = cases[i].no_recall;
		assert_int_equal(ckpt_file_open(&ctx, dir->fd, cases[i].name, &file, &err),
				 cases[i].expected);
	}
	assert_non_null(strstr(err.text, "released to tape"));
}

static void test_file__slurps_within_a_cap(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ char *text = NULL, *empty = NULL, *none = NULL;
	struct ckpt_error err = { 0 };
	size_t len = 99;

	scratch_write(dir->fd, "file", "ab\0cd", 5);
	scratch_put(dir->fd, "empty", "");
	assert_int_equal(mkfifoat(dir->fd, "fifo", 0666), 0);
	assert_int_equal(ckpt_file_slurp(NULL, dir->fd, "file", 5, &text, &len, NULL), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(text, "ab\0cd\0", 6);
	assert_int_equal(ckpt_file_slurp(NULL, dir->fd, "empty", 0, &empty, &len, NULL), 0);
	assert_int_equal(len, 0);
	assert_string_equal(empty, "");
	assert_int_equal(ckpt_file_slurp(NULL, dir->fd, "file", 4, &none, NULL, &err), -EFBIG);
	assert_int_equal(ckpt_file_slurp(NULL, dir->fd, "gone", 4, &none, NULL, NULL), -ENOENT);
	assert_int_equal(ckpt_file_slurp(NULL, dir->fd, "fifo", 4, &none, NULL, NULL),
			 CKPT_FILE_NOT_REGULAR);
	assert_null(none);
}

static void assert_content(const struct scratch *dir, const char *name, const char *expected)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(ckpt_file_slurp(NULL, dir->fd, name, 4096, &text, NULL, NULL), 0);
	assert_string_equal(text, expected);
}

static void test_file__replaces_whole(void **state)
{
	const struct scratch *dir = *state;
	mode_t mask = umask(027);
	struct stat st;

	assert_int_equal(ckpt_file_replace(dir->fd, "new", "one", 3, NULL), 0);
	assert_content(dir, "new", "one");
	assert_int_equal(fstatat(dir->fd, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(fchmodat(dir->fd, "new", 0604, 0), 0);
	assert_int_equal(ckpt_file_replace(dir->fd, "new", "", 0, NULL), 0);
	assert_content(dir, "new", "");
	assert_int_equal(fstatat(dir->fd, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0604); /* the old file's */
	assert_int_equal(scratch_count(dir->fd), 1);
	umask(mask);
}

static void test_file__replaces_a_link_not_its_target(void **state)
{
	const struct scratch *dir = *state;

	scratch_put(dir->fd, "target", "keep");
	assert_int_equal(symlinkat("target", dir->fd, "link"), 0);
	assert_int_equal(ckpt_file_replace(dir->fd, "link", "new", 3, NULL), 0);
	assert_content(dir, "target", "keep");
	assert_content(dir, "link", "new");
}

static void test_file__replaces_the_longest_name(void **state)
{
	const struct scratch *dir = *state;
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	assert_int_equal(ckpt_file_replace(dir->fd, name, "x", 1, NULL), 0);
	assert_content(dir, name, "x");
}

static void test_file__failed_replacement_leaves_the_old(void **state)
{
	const struct scratch *dir = *state;
	struct rlimit before, tiny;
	_cleanup_free_ uint8_t *data = scratch_noise(8192, 1);
	struct ckpt_error err = { 0 };
	int r;

	scratch_put(dir->fd, "file", "old");
	assert_int_equal(mkdirat(dir->fd, "dir", 0777), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	tiny = (struct rlimit) { 4096, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &tiny);
	r = ckpt_file_replace(dir->fd, "file", data, 8192, &err);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(r, -EFBIG); /* as a full disk: half of it was written */
	assert_non_null(strstr(err.text, "'file'"));
	assert_content(dir, "file", "old");
	assert_true(ckpt_file_replace(dir->fd, "dir", "x", 1, NULL) < 0);
	assert_int_equal(ckpt_file_replace(dir->fd, "no/file", "x", 1, NULL), -ENOENT);
	assert_int_equal(scratch_count(dir->fd), 2); /* no temporary stays */
}

static void test_file__directories(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_close_ int made = ckpt_dir_make(dir->fd, "dir", NULL);
	_cleanup_close_ int again = ckpt_dir_make(dir->fd, "dir", NULL);
	_cleanup_close_ int link = -1;

	assert_true(made >= 0 && again >= 0);
	scratch_put(dir->fd, "file", "");
	assert_int_equal(symlinkat("dir", dir->fd, "link"), 0);
	assert_int_equal(symlinkat("nowhere", dir->fd, "dangling"), 0);
	link = ckpt_dir_open(dir->fd, "link", NULL);
	assert_true(link >= 0);
	assert_true(ckpt_dir_make(dir->fd, "link", NULL) < 0);
	assert_true(ckpt_dir_make(dir->fd, "file", NULL) < 0);
	assert_int_equal(ckpt_dir_make(dir->fd, "no/dir", NULL), -ENOENT);
	assert_int_equal(ckpt_dir_open(dir->fd, "file", NULL), -ENOTDIR);
	assert_int_equal(ckpt_dir_open(dir->fd, "none", NULL), -ENOENT);
	assert_true(ckpt_dir_has(dir->fd, "dangling"));
	assert_false(ckpt_dir_has(dir->fd, "nowhere"));
}

static void test_file__context_defaults(void **state)
{
	struct ckpt_ctx ctx = { 0 };

	(void)state;
	assert_int_equal(ckpt_ctx_expired(NULL), 0);
	assert_int_equal(ckpt_ctx_expired(&ctx), 0);
	assert_true(ckpt_ctx_now(NULL) > 0);
	assert_in_range(ckpt_ctx_threads(NULL), 1, 64);
	ctx.threads = 3;
	assert_int_equal(ckpt_ctx_threads(&ctx), 3);
	ctx.threads = 1000;
	assert_int_equal(ckpt_ctx_threads(&ctx), 64);
	ctx.deadline_ns = ckpt_ctx_now(NULL) - 1;
	assert_int_equal(ckpt_ctx_expired(&ctx), -ETIMEDOUT);
	ctx.deadline_ns += 60000000000;
	assert_int_equal(ckpt_ctx_expired(&ctx), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_file__opens_only_regular_files),
		scratch_test(test_file__says_access_denied),
		scratch_test(test_file__descriptor_is_closed_on_exec),
		scratch_test(test_file__reads_exactly),
		scratch_test(test_file__reads_from_a_source),
		scratch_test(test_file__views_nest),
		scratch_test(test_file__hands_up_errors),
		scratch_test(test_file__goes_on_after_signals_and_short_reads),
		scratch_test(test_file__shrinks_and_changes),
		scratch_test(test_file__notices_a_rewrite_of_the_same_size),
		scratch_test(test_file__identity_compares_all_but_the_device),
		scratch_test(test_file__identity_follows_as_told),
		scratch_test(test_file__keeps_the_deadline),
		scratch_test(test_file__keeps_the_allowance),
		scratch_test(test_file__does_not_recall_from_tape),
		scratch_test(test_file__opens_none_that_is_released),
		scratch_test(test_file__slurps_within_a_cap),
		scratch_test(test_file__replaces_whole),
		scratch_test(test_file__replaces_a_link_not_its_target),
		scratch_test(test_file__replaces_the_longest_name),
		scratch_test(test_file__failed_replacement_leaves_the_old),
		scratch_test(test_file__directories),
		scratch_test(test_file__context_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
