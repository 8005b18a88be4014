/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as one of the small files that say something of a run: epoch_info.json, the run
 * configuration, the programs' pointers, our mark and marker. The first byte chooses, the rest is
 * the file. What was made to name a checkpoint names it, and is then left alone.
 */
#include "core/config/run_config.h"
#include "core/record/done.h"
#include "core/record/epoch_info.h"
#include "core/record/mark.h"
#include "core/record/pointer.h"

#include "tests/fuzz/dir.h"

#define BACKUP "backup"

static int backup_dir(void)
{
	static int fd = -1;

	if (fd < 0) {
		fuzz_dir_make(BACKUP);
		fd = openat(fuzz_dir(), BACKUP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		abort();
	return fd;
}

static void check_epoch_info(struct ckpt_ctx *ctx)
{
	const struct ckpt_epoch_record record = {
		.position = { .has_step = true, .step = 100 },
		.has_last = true,
		.last_completed_epoch = 3,
		.checkpoint = "ckpt-100.pt",
		.reason = "preempted",
		.job_id = 7,
	};
	struct ckpt_epoch_info info;
	int dir = fuzz_dir(), r = ckpt_epoch_info_load(ctx, dir, &info, NULL);

	if (r == 0 && ckpt_epoch_info_align(ctx, dir, backup_dir(), &record, NULL) == 0 &&
	    (ckpt_epoch_info_load(ctx, dir, &info, NULL) != 0 || !info.has_last ||
	     info.last_completed_epoch != 3 ||
	     ckpt_epoch_info_align(ctx, dir, backup_dir(), &record, NULL) != CKPT_EPOCH_INFO_SAME))
		abort();
	r = ckpt_epoch_info_write(ctx, dir, &record, NULL);
	if (r == 0 && (ckpt_epoch_info_load(ctx, dir, &info, NULL) != 0 || !info.has_step ||
		       info.step != 100 || strcmp(info.recorded_by, CKPT_RECORDED_BY) != 0))
		abort();
	unlinkat(dir, CKPT_EPOCH_INFO ".torn", 0);
}

static void check_run_config(struct ckpt_ctx *ctx)
{
	struct ckpt_run_config *config = calloc(1, sizeof(*config));
	struct ckpt_error err = { 0 };
	char path[64];

	if (!config)
		abort();
	snprintf(path, sizeof(path), "%s/" CKPT_RUN_CONFIG, fuzz_dir_path);
	if (ckpt_run_config_load(ctx, path, false, config, &err) != 0 && !err.text[0])
		abort();
	if (ckpt_text_has_control(config->warning) || ckpt_text_has_control(err.text))
		abort();
	ckpt_run_config_done(config);
	free(config);
}

static void check_pointer(struct ckpt_ctx *ctx, const struct ckpt_pointer_row *row)
{
	const struct ckpt_pointer_aim aim = { .target = strcmp(row->file, "checkpoint") == 0
								? "ckpt-5"
								: "iter_0000005",
					      .backup_dirfd = backup_dir() };
	char name[CKPT_POINTER_NAME] = "";
	struct ckpt_error err = { 0 };
	int dir = fuzz_dir(), r = row->load(ctx, dir, row, name, &err);

	if (r == 0 && (!name[0] || strchr(name, '/')))
		abort();
	if (ckpt_text_has_control(err.text))
		abort();
	if (row->align(ctx, dir, row, &aim, NULL) == 0 &&
	    (row->load(ctx, dir, row, name, NULL) != 0 || strcmp(name, aim.target) != 0 ||
	     row->align(ctx, dir, row, &aim, NULL) != CKPT_POINTER_SAME))
		abort();
}

/* The first rank's file of @row; a link's content is where it leads. */
static void put_pointer(const struct ckpt_pointer_row *row, const uint8_t *data, size_t size)
{
	char name[CKPT_POINTER_NAME], path[4096] = { 0 };
	char *hash;

	snprintf(name, sizeof(name), "%s", row->file);
	hash = strchr(name, '#');
	if (hash)
		*hash = '0';
	unlinkat(fuzz_dir(), name, 0);
	memcpy(path, data, size < sizeof(path) - 1 ? size : sizeof(path) - 1);
	if (row->mends || strcmp(row->file, "checkpoint") == 0)
		fuzz_dir_put(name, data, size);
	else if (symlinkat(path, fuzz_dir(), name) < 0)
		return; /* no path that a link can hold */
}

static void check_state(struct ckpt_ctx *ctx)
{
	_cleanup_mark_ struct ckpt_mark mark = { 0 }, again = { 0 };
	struct ckpt_done done;
	int dir = fuzz_dir();

	if (ckpt_mark_load(ctx, dir, &mark, NULL) == 0) {
		ckpt_mark_base(&mark);
		if (ckpt_mark_store(dir, &mark, NULL) != 0 ||
		    ckpt_mark_load(ctx, dir, &again, NULL) != 0 ||
		    again.n_foreign != mark.n_foreign || again.job_id != mark.job_id ||
		    strcmp(again.run, mark.run) != 0 || strcmp(again.base, mark.base) != 0)
			abort();
	}
	if (ckpt_done_load(ctx, dir, &done, NULL) == 0 &&
	    (ckpt_done_store(dir, &done, NULL) != 0 || ckpt_done_load(ctx, dir, &done, NULL) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	const struct ckpt_pointer_row *row = ckpt_pointer_rows;
	unsigned kind = size ? data[0] % 16 : 0;

	data += size > 0, size -= size > 0;
	if (kind < 3) {
		static const char *const names[] = { CKPT_EPOCH_INFO, CKPT_RUN_CONFIG, CKPT_MARK };

		fuzz_dir_put(names[kind], data, size);
		if (kind == 2)
			fuzz_dir_put(CKPT_DONE, data, size);
		(kind == 0 ? check_epoch_info : kind == 1 ? check_run_config : check_state)(&ctx);
		return 0;
	}
	for (kind -= 3; kind && row[1].file; kind--)
		row++;
	put_pointer(row, data, size);
	check_pointer(&ctx, row);
	return 0;
}
