/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The making of seal.h. What is sealed is what was verified: identities are taken before the
 * verdict and have to be the same after the last byte was hashed.
 */
#include "core/integrity/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/integrity/files.h"
#include "core/integrity/metadata.h"
#include "core/integrity/verify.h"
#include "wire/text.h"

/* Two writes within one tick of the file system's clock leave the same times: a jiffy where it
 * keeps parts of a second, else up to two seconds (FAT). */
#define TICK_NS ((int64_t)20 * 1000000)
#define TICK_COARSE_NS ((int64_t)2000 * 1000000)
#define SETTLE_TRIES 3

/* One seal in the making. */
struct making {
	struct ckpt_ctx *ctx;
	struct ckpt_set *set;
	struct ckpt_error *err;
	int dirfd, rootfd;
	bool unsealed;		 /* proved alone: nothing is written */
	struct ckpt_files files; /* as they were before the verdict */
	struct ckpt_seal seal;
	bool proved;		       /* once, with the CRCs left to hash() */
	struct ckpt_crc_deferred crcs; /* those */
};

static int changed(const struct making *m)
{
	return ckpt_fail(m->err, CKPT_SEAL_CHANGED, "%s changed while it was sealed",
			 CKPT_QUOTE(m->set->name));
}

static int list(const struct making *m, struct ckpt_files *ret)
{
	int r = ckpt_files_list(m->rootfd, m->set, ret, m->err);

	return r == CKPT_FILES_UNBOUNDED ? CKPT_SEAL_REFUSED : r;
}

/* Makes @name durable: a node that dies must not keep the seal and lose the data. Errors that say
 * only that this cannot be asked for are none. */
static int sync_file(const struct making *m, const char *name)
{
	_cleanup_close_ int fd =
		openat(m->rootfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		return changed(m);
	if (fd < 0)
		return ckpt_fail(m->err, -errno, "cannot open %s: %s", CKPT_QUOTE(name),
				 strerror(errno));
	if (fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP)
		return 0;
	return ckpt_fail(m->err, -errno, "cannot make %s durable: %s", CKPT_QUOTE(name),
			 strerror(errno));
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Nanoseconds until a write can no longer hide behind the times in @id. */
static int64_t settles_in(const struct ckpt_identity *id)
{
	int64_t changed_ns = later(id->mtime_ns, id->ctime_ns), age;
	bool coarse = id->mtime_ns % CKPT_SECOND_NS == 0 && id->ctime_ns % CKPT_SECOND_NS == 0;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	age = ckpt_clock_ns(now) - changed_ns;
	if (age < 0) /* its server's clock is ahead, or it was set: it may just have been written */
		age = 0;
	return (coarse ? TICK_COARSE_NS : TICK_NS) - age;
}

/* Data on disk, and times that a later write would change; then the files are listed for good. 0
 * with *@ret_still, whether they were the same all the while, which they are not where it was only
 * now that data came to their server. */
static int settle_once(struct making *m, bool *ret_still)
{
	_cleanup_files_ struct ckpt_files files = { 0 };
	int64_t wait_ns = 0;
	struct timespec wait;
	int r = list(m, &files);

	for (size_t i = 0; r == 0 && i < files.n; i++) {
		r = sync_file(m, files.f[i].name);
		wait_ns = later(wait_ns, settles_in(&files.f[i].id));
	}
	if (r != 0)
		return r;
	wait = (struct timespec) { wait_ns / CKPT_SECOND_NS, wait_ns % CKPT_SECOND_NS };
	if (wait_ns > 0)
		nanosleep(&wait, NULL);
	r = list(m, &m->files);
	*ret_still = r == 0 && ckpt_files_same(&files, &m->files);
	return r;
}

static int settle(struct making *m)
{
	bool still = false;
	int r = settle_once(m, &still);

	for (int i = 1; r == 0 && !still && i < SETTLE_TRIES; i++) {
		ckpt_files_done(&m->files);
		r = settle_once(m, &still);
	}
	return r == 0 && !still ? changed(m) : r;
}

/* Leaves the CRCs to hash(), which reads the same bytes, where that is faster. */
static const struct ckpt_report *verify(struct making *m)
{
	const struct ckpt_report *report;

	if (!m->proved && !m->unsealed && ckpt_digest_tells(m->ctx, ckpt_files_size(&m->files)))
		m->ctx->deferred = &m->crcs;
	report = ckpt_set_verify_anew(m->ctx, m->set);
	m->ctx->deferred = NULL;
	m->proved = true;
	return report;
}

/* The verdict, which has to be a whole one over all that is sealed. */
static int prove(struct making *m)
{
	const struct ckpt_report *report = verify(m);
	int r = ckpt_ctx_expired(m->ctx);

	if (!m->set->report)
		return ckpt_fail(m->err, -ENOMEM, "no memory for the verdict on %s",
				 CKPT_QUOTE(m->set->name));
	if (report->verdict.status != CKPT_VALID || m->files.n == 0)
		return ckpt_fail(m->err, CKPT_SEAL_INVALID, "%s is not valid",
				 CKPT_QUOTE(m->set->name));
	if (r < 0)
		return ckpt_fail(m->err, r, "the budget for verifying %s is used up",
				 CKPT_QUOTE(m->set->name));
	if (m->set->kind != CKPT_KIND_DIRECTORY &&
	    ckpt_files_size(&m->files) < report->verdict.size_bytes)
		return ckpt_fail(m->err, CKPT_SEAL_REFUSED,
				 "%s needs files whose names are not those of its set",
				 CKPT_QUOTE(m->set->name));
	return 0;
}

/* The chunk size that keeps the seal small. */
static uint64_t chunk_for(const struct ckpt_files *files)
{
	uint64_t chunk = CKPT_DIGEST_CHUNK;

	while (chunk < CKPT_DIGEST_CHUNK_MAX &&
	       ckpt_files_size(files) / chunk + files->n > CKPT_SEAL_CHUNKS_MAX)
		chunk *= 2;
	return chunk;
}

static int make_room(struct making *m)
{
	struct ckpt_seal *seal = &m->seal;
	uint64_t total = 0;

	seal->chunk = chunk_for(&m->files);
	for (size_t i = 0; i < m->files.n; i++)
		total += ckpt_digest_chunks(m->files.f[i].id.size, seal->chunk);
	seal->files = calloc(m->files.n, sizeof(*seal->files));
	seal->digests = calloc(total + 1, sizeof(*seal->digests));
	if (!seal->files || !seal->digests)
		return ckpt_fail(m->err, -ENOMEM, "no memory for a seal");
	total = 0;
	for (; seal->n < m->files.n; seal->n++) {
		struct ckpt_digest_file *f = &seal->files[seal->n];

		f->id = m->files.f[seal->n].id;
		f->digests = seal->digests + total;
		total += ckpt_digest_chunks(f->id.size, seal->chunk);
		f->name = strdup(m->files.f[seal->n].name);
		if (!f->name)
			return ckpt_fail(m->err, -ENOMEM, "no memory for a seal");
	}
	return 0;
}

/* 0, CHANGED or an errno. */
static int still_same(const struct making *m)
{
	_cleanup_files_ struct ckpt_files after = { 0 };
	int r = list(m, &after);

	return r == 0 && !ckpt_files_same(&m->files, &after) ? changed(m) : r;
}

static int hash(struct making *m)
{
	struct ckpt_digest_job job = { .ctx = m->ctx, .dirfd = m->rootfd };
	struct ckpt_digest_bad bad;
	int r = make_room(m);

	if (r < 0)
		return r;
	job.files = m->seal.files;
	job.n = m->seal.n;
	job.chunk = m->seal.chunk;
	job.crcs = m->crcs.n_files ? &m->crcs : NULL;
	r = ckpt_digest_run(&job, &bad, m->err);
	if (r > 0)
		return changed(m);
	return r == 0 ? still_same(m) : r;
}

static int store(struct making *m)
{
	const struct ckpt_subject subject = { .set = m->set,
					      .files = &m->files,
					      .seal = &m->seal,
					      .dirfd = m->dirfd,
					      .rootfd = m->rootfd };
	_cleanup_json_ cJSON *metadata = NULL;
	time_t now = time(NULL);
	struct tm tm;
	int r = ckpt_metadata_make(m->ctx, &subject, &metadata, m->err);

	if (r < 0)
		return r;
	if (!gmtime_r(&now, &tm) ||
	    !strftime(m->seal.sealed_at, sizeof(m->seal.sealed_at), "%Y-%m-%dT%H:%M:%SZ", &tm))
		m->seal.sealed_at[0] = '\0';
	m->seal.report = *m->set->report;
	return ckpt_seal_store(m->dirfd, m->set->name, &m->seal, metadata, m->err);
}

/* After hash(): what was left to it. Where that is not as it must be, a second look says why. */
static int prove_crcs(struct making *m)
{
	int r = ckpt_crc_deferred_good(&m->crcs) ? 0 : prove(m);

	return r == 0 && !ckpt_crc_deferred_good(&m->crcs) ? changed(m) : r;
}

static int make(struct making *m)
{
	int r = settle(m);

	if (r == 0)
		r = prove(m);
	if (r == 0 && m->unsealed)
		return still_same(m);
	if (r == 0)
		r = hash(m);
	if (r == 0)
		r = prove_crcs(m);
	return r == 0 ? store(m) : r;
}

static int run(struct ckpt_ctx *ctx, struct ckpt_set *set, bool unsealed, struct ckpt_error *err)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, err);
	_cleanup_close_ int rootfd = dirfd < 0 ? dirfd : ckpt_files_root(dirfd, set, err);
	struct making m = { .ctx = ctx,
			    .set = set,
			    .err = err,
			    .dirfd = dirfd,
			    .rootfd = rootfd,
			    .unsealed = unsealed };
	int r;

	if (rootfd < 0)
		return rootfd;
	r = make(&m);
	ckpt_files_done(&m.files);
	ckpt_crc_deferred_done(&m.crcs);
	ckpt_seal_done(&m.seal);
	return r;
}

int ckpt_seal_make(struct ckpt_ctx *ctx, struct ckpt_set *set, struct ckpt_error *err)
{
	return run(ctx, set, false, err);
}

int ckpt_seal_prove(struct ckpt_ctx *ctx, struct ckpt_set *set, struct ckpt_error *err)
{
	return run(ctx, set, true, err);
}
