/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See orbax.h. What is needed and what is not was read off Orbax's own test checkpoints: without
 * the manifest or the data nothing can be restored, without metadata files it can.
 */
#include "core/format/jax/orbax.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/format/array/zarr_store.h"
#include "core/format/jax/flax.h"
#include "core/format/jax/ocdbt.h"
#include "core/format/jax/orbax_names.h"
#include "wire/text.h"

#define TREE "_METADATA"
#define MANIFEST CKPT_OCDBT_MANIFEST
#define STRINGS "_strings.json" /* leaves that are texts */
#define PROCESS "ocdbt.process_"
#define DATA "d"
#define UNFINISHED ".__lock"   /* TensorStore's file driver writes so, then renames */
#define AGGREGATE "checkpoint" /* before OCDBT: the whole tree, or what is no array, by flax */
#define COMMITTED "commit_success.txt"
#define NO_TREE "items that are no tree of arrays have no checksum"
#define NAME_SIZE 256
#define PATH_SIZE 1024

/* One item: @prefix is "" or ends in a slash. */
struct item {
	struct ckpt_check *check;
	enum ckpt_level level;
	char prefix[NAME_SIZE + 2];
	bool all;	      /* the metadata say that every chunk was written */
	ckpt_tensor_fn *tell; /* hears of each array; or NULL */
	void *arg;
};

/* Called with each entry's path relative to the checkpoint. 0 goes on. */
typedef int entry_fn(const struct item *item, const char *path, const char *name);

static void join(char *path, const struct item *item, const char *name)
{
	snprintf(path, PATH_SIZE, "%s%s", item->prefix, name);
}

static bool item_has(const struct item *item, const char *name)
{
	char path[PATH_SIZE];

	join(path, item, name);
	return ckpt_dir_has(item->check->dirfd, path);
}

static int lacks(struct ckpt_check *check, const char *path)
{
	return ckpt_check_blame(check, path,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET, NULL,
						  "it is missing"));
}

/* Calls @fn with the entries of the folder @path. 0, what @fn said, or an errno. */
static int each(const struct item *item, const char *path, entry_fn *fn)
{
	int fd = openat(item->check->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	char below[PATH_SIZE];

	if (!dir)
		return -errno;
	while (errno = 0, !r && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (strcmp(path, ".") == 0)
			snprintf(below, sizeof(below), "%s", entry->d_name);
		else
			snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		r = fn(item, below, entry->d_name);
	}
	return r ? r : -errno;
}

/* Runs @fn over the file @path as a member of the set. */
static int check_file(const struct item *item, const char *path, int (*fn)(struct ckpt_check *))
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_check sub = *item->check;
	int r = ckpt_file_open(sub.ctx, sub.dirfd, path, &file, sub.err);

	if (r == -ENOENT)
		return lacks(item->check, path);
	if (r < 0)
		return r;
	sub.name = path;
	if (r > 0)
		return ckpt_check_reject(&sub, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
					 NULL, "not a regular file");
	sub.file = &file;
	sub.report->verdict.size_bytes += file.size;
	if (file.size == 0)
		return ckpt_check_reject(&sub, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY, 0, NULL,
					 "the file is empty");
	return fn(&sub);
}

static int nothing(struct ckpt_check *check)
{
	(void)check;
	return 0;
}

static int check_data(const struct item *item, const char *path, const char *name)
{
	if (ckpt_text_ends(name, UNFINISHED))
		return 0;
	return check_file(item, path, item->level >= CKPT_LEVEL_FULL ? ckpt_ocdbt_data : nothing);
}

static int any(const struct item *item, const char *path, const char *name)
{
	(void)item, (void)path, (void)name;
	return 1;
}

/* The folder of data files @path; which of them are needed, only the tree tells. */
static int check_folder(const struct item *item, const char *path)
{
	int r = each(item, path, check_data);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return r < 0 ? ckpt_fail(item->check->err, r, "cannot read %s: %s", CKPT_QUOTE(path),
				 strerror(-r))
		     : r;
}

/* What one process wrote before the manifests were merged; its values are still used. */
static int check_process(const struct item *item, const char *path, const char *name)
{
	char below[PATH_SIZE + 32];
	int r;

	if (!ckpt_text_starts(name, PROCESS, NULL))
		return 0;
	snprintf(below, sizeof(below), "%s/" MANIFEST, path);
	r = check_file(item, below, ckpt_ocdbt_manifest);
	snprintf(below, sizeof(below), "%s/" DATA, path);
	return r ? r : check_folder(item, below);
}

static struct ckpt_zarr_store store_of(const struct item *item)
{
	return (struct ckpt_zarr_store) { .check = item->check,
					  .prefix = item->prefix,
					  .level = item->level,
					  .all = item->all,
					  .tell = item->tell,
					  .arg = item->arg };
}

static int check_ocdbt(const struct item *item)
{
	struct ckpt_zarr_store store = store_of(item);
	char path[PATH_SIZE];
	uint64_t before = item->check->report->verdict.size_bytes;
	int r;

	join(path, item, MANIFEST);
	r = check_file(item, path, ckpt_ocdbt_manifest);
	join(path, item, DATA);
	r = r ? r : check_folder(item, path);
	if (r)
		return r;
	join(path, item, ".");
	if (item->prefix[0])
		path[strlen(path) - 2] = '\0'; /* "state/." */
	r = each(item, path, check_process);
	store.bytes = item->check->report->verdict.size_bytes - before;
	return r ? r : ckpt_zarr_ocdbt(&store);
}

/* Reads the JSON file @path. As a check function. */
static int load_json(struct ckpt_check *check, const char *path, cJSON **ret)
{
	int r = ckpt_json_load(check->ctx, check->dirfd, path, ret, check->err);

	if (r == -ENOENT)
		return lacks(check, path);
	if (r <= 0)
		return r;
	return ckpt_check_blame(
		check, path,
		ckpt_check_reject(check, r == CKPT_JSON_TORN ? CKPT_INCOMPLETE : CKPT_UNREADABLE,
				  CKPT_PROBLEM_TRUNCATED, CKPT_NO_OFFSET, NULL,
				  "it is no whole JSON document"));
}

/* True if the item has such an old file: TensorFlow's pointer has the same name. */
static bool has_aggregate(const struct item *item)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_check sub = *item->check;
	char path[PATH_SIZE];

	join(path, item, AGGREGATE);
	if (ckpt_file_open(sub.ctx, sub.dirfd, path, &file, NULL))
		return false;
	sub.file = &file;
	return ckpt_check_probe(&sub) == 0 && ckpt_flax_sniff(&sub);
}

static int check_aggregate(const struct item *item)
{
	struct ckpt_report *report = item->check->report, member;
	char path[PATH_SIZE];
	int r;

	join(path, item, AGGREGATE);
	r = ckpt_check_member(item->check, path, item->level, CKPT_PROBLEM_MEMBER_MISSING, &member);
	if (r == 0 && member.position.has_step) {
		report->position.has_step = true;
		report->position.step = member.position.step;
		report->position.step_source = CKPT_FROM_CONTENT;
	}
	return r;
}

/* The name of a leaf's folder: its keys with dots between them. False if there is none. */
static bool leaf_name(const cJSON *leaf, char *ret, size_t size)
{
	const cJSON *keys = cJSON_GetObjectItemCaseSensitive(leaf, "key_metadata"), *key;
	size_t n = 0;

	cJSON_ArrayForEach (key, keys) {
		const char *name = ckpt_json_text(key, "key");
		int more = name ? snprintf(ret + n, size - n, "%s%s", n ? "." : "", name) : -1;

		if (more <= 0 || (size_t)more >= size - n)
			return false;
		n += (size_t)more;
	}
	return n > 0;
}

/* A leaf of the tree that was saved as an array must have its folder. */
static int check_leaf(const struct item *item, const cJSON *leaf)
{
	static const char *const types[] = { "jax.Array", "np.ndarray", "scalar" };
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(leaf, "value_metadata");
	const char *type = ckpt_json_text(value, "value_type");
	char name[PATH_SIZE / 2], path[PATH_SIZE];
	bool array = false;

	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		array |= strcmp(type, types[i]) == 0;
	if (!array || ckpt_json_bool(value, "skip_deserialize", true) ||
	    !leaf_name(leaf, name, sizeof(name)))
		return 0;
	snprintf(path, sizeof(path), "%s%s/.zarray", item->prefix, name);
	if (!ckpt_dir_lacks(item->check->dirfd, path))
		return 0;
	snprintf(path, sizeof(path), "%s%s/zarr.json", item->prefix, name);
	if (!ckpt_dir_lacks(item->check->dirfd, path))
		return 0;
	snprintf(path, sizeof(path), "%s%s", item->prefix, name);
	return lacks(item->check, path);
}

/* The arrays of a tree without OCDBT, each a folder of its name; none where all are in the old
 * file, the @aggregate. */
static int check_folders(const struct item *item, const cJSON *tree, bool aggregate)
{
	const struct ckpt_zarr_store store = store_of(item);
	const cJSON *leaf;
	uint64_t arrays;
	int r = ckpt_zarr_folders(&store, &arrays);

	cJSON_ArrayForEach (leaf, cJSON_GetObjectItemCaseSensitive(tree, "tree_metadata"))
		r = r ? r : check_leaf(item, leaf);
	if (r == 0 && arrays == 0 && !aggregate)
		ckpt_check_cap(item->check, CKPT_EVIDENCE_OPAQUE, "no arrays of zarr were found");
	return r;
}

/* Whether the arrays are in OCDBT: by the metadata, or, where old ones do not say it, by the store.
 * Beside an old file of the tree without either there are folders, if any arrays. */
static bool is_ocdbt(const struct item *item, const cJSON *tree, bool aggregate)
{
	bool store = item_has(item, MANIFEST) || item_has(item, PROCESS "0") ||
		     (item_has(item, DATA) && !item_has(item, DATA "/.zarray"));

	return ckpt_json_bool(tree, "use_ocdbt", !aggregate || store);
}

/* Folders of arrays, or OCDBT; until 0.5 with the small values in a file of flax's beside them. */
static int check_tree(struct item *item)
{
	_cleanup_json_ cJSON *tree = NULL;
	bool aggregate = has_aggregate(item);
	char path[PATH_SIZE];
	int r = aggregate ? check_aggregate(item) : 0;

	if (r)
		return r;
	join(path, item, TREE);
	if (!ckpt_dir_lacks(item->check->dirfd, path))
		r = load_json(item->check, path, &tree);
	if (r)
		return r;
	if (item_has(item, STRINGS))
		ckpt_check_cap(item->check, CKPT_EVIDENCE_STRUCTURE, "texts have no checksum");
	item->all = ckpt_json_bool(tree, "store_array_data_equal_to_fill_value", false);
	return is_ocdbt(item, tree, aggregate) ? check_ocdbt(item)
					       : check_folders(item, tree, aggregate);
}

/* Whether the item holds arrays: any of the marks, since each may be what was lost. */
static bool is_tree(const struct item *item)
{
	static const char *const marks[] = { TREE, MANIFEST, "_sharding", "array_metadatas",
					     PROCESS "0" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (item_has(item, marks[i]))
			return true;
	return item_has(item, AGGREGATE) && has_aggregate(item);
}

static bool set_item(struct item *item, const char *name)
{
	if (!name[0] || name[0] == '.' || strchr(name, '/') || strlen(name) >= NAME_SIZE)
		return false;
	snprintf(item->prefix, sizeof(item->prefix), "%s/", name);
	return true;
}

/* One of the files that the JSON handler left: whole documents, but for the mark of the commit. */
static int check_json_file(const struct item *item, const char *path, const char *name)
{
	_cleanup_json_ cJSON *json = NULL;

	return strcmp(name, COMMITTED) == 0 ? 0 : load_json(item->check, path, &json);
}

static int is_json_file(const struct item *item, const char *path, const char *name)
{
	(void)item, (void)path;
	return strcmp(name, COMMITTED) != 0;
}

/* Its one file has the name that the handler was made with: "metadata", or the manager's "metrics"
 * (checkpoint_manager.py, METRIC_ITEM_NAME), or the program's own. */
static int check_json(const struct item *item, const char *folder)
{
	char path[PATH_SIZE];
	int r = each(item, folder, is_json_file);

	join(path, item, "metadata");
	if (r == 0)
		return lacks(item->check, path);
	r = r < 0 ? r : each(item, folder, check_json_file);
	return r < 0 ? ckpt_fail(item->check->err, r, "cannot list %s: %s", CKPT_QUOTE(folder),
				 strerror(-r))
		     : r;
}

/* A folder of its own for each handler named; JSON's and the trees' are looked into. */
static int check_item(struct item *item, const char *name, const char *handler)
{
	int r;

	if (!set_item(item, name))
		return ckpt_check_blame(item->check, CKPT_ORBAX_METADATA,
					ckpt_check_reject(item->check, CKPT_CORRUPT,
							  CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, name,
							  "an item's name is no entry of this "
							  "directory"));
	r = each(item, name, any);
	if (r == -ENOENT || r == -ENOTDIR || r == 0)
		return lacks(item->check, name);
	if (r < 0)
		return ckpt_fail(item->check->err, r, "cannot list %s: %s", CKPT_QUOTE(name),
				 strerror(-r));
	if (!is_tree(item))
		ckpt_check_cap(item->check, CKPT_EVIDENCE_STRUCTURE, NO_TREE);
	if (handler && ckpt_text_ends(handler, ".JsonCheckpointHandler"))
		return check_json(item, name);
	if (is_tree(item) || (handler && strstr(handler, "PyTree")) ||
	    (handler && strstr(handler, "StandardCheckpointHandler")))
		return check_tree(item);
	return 0;
}

/* A folder that no handler is known of: a tree by its marks. */
static int check_unnamed(const struct item *item, const char *path, const char *name)
{
	struct item own = *item;

	(void)path;
	if (set_item(&own, name) && is_tree(&own))
		return check_tree(&own);
	if (name[0] != '_')
		ckpt_check_cap(item->check, CKPT_EVIDENCE_STRUCTURE, NO_TREE);
	return 0;
}

static int is_tree_folder(const struct item *item, const char *path, const char *name)
{
	struct item own = *item;

	(void)path;
	return set_item(&own, name) && is_tree(&own);
}

/* What a save without the names of its items holds: at least one tree. */
static int check_unknown(const struct item *item)
{
	int r = each(item, ".", is_tree_folder);

	if (r == 0)
		return lacks(item->check, "any item");
	return r < 0 ? r : each(item, ".", check_unnamed);
}

static int check_items(struct item *item, const cJSON *handlers)
{
	const cJSON *handler;
	int r = 0;

	item->prefix[0] = '\0';
	if (cJSON_IsString(handlers) || is_tree(item))
		return check_tree(item);
	if (!cJSON_IsObject(handlers) || !handlers->child)
		return check_unknown(item);
	cJSON_ArrayForEach (handler, handlers) {
		r = check_item(item, handler->string,
			       cJSON_IsString(handler) ? handler->valuestring : NULL);
		if (r)
			break;
	}
	return r;
}

/* The metrics' loss, and whether the save was committed: null until then, absent in old files. */
static int read_metadata(struct ckpt_check *check, const cJSON *json)
{
	static const char *const losses[] = { "loss", "val_loss", "eval_loss" };
	const cJSON *metrics = cJSON_GetObjectItemCaseSensitive(json, "metrics");
	const cJSON *commit = cJSON_GetObjectItemCaseSensitive(json, "commit_timestamp_nsecs");
	struct ckpt_position *p = &check->report->position;

	if (cJSON_IsNull(commit))
		return ckpt_check_blame(check, CKPT_ORBAX_METADATA,
					ckpt_check_reject(check, CKPT_INCOMPLETE,
							  CKPT_PROBLEM_MEMBER_MISSING,
							  CKPT_NO_OFFSET, "commit_timestamp_nsecs",
							  "the save was not committed"));
	for (size_t i = 0; !p->has_loss && i < sizeof(losses) / sizeof(losses[0]); i++) {
		p->has_loss = ckpt_json_number(metrics, losses[i], &p->loss);
		if (p->has_loss)
			snprintf(p->loss_key, sizeof(p->loss_key), "%s", losses[i]);
	}
	return 0;
}

/* All items of the directory; @item has no prefix yet. */
static int check_directory(struct item *item)
{
	struct ckpt_check *check = item->check;
	_cleanup_json_ cJSON *json = NULL;
	int r = 0;

	if (ckpt_dir_has(check->dirfd, CKPT_ORBAX_METADATA))
		r = load_json(check, CKPT_ORBAX_METADATA, &json);
	if (r == 0)
		r = read_metadata(check, json);
	return r ? r : check_items(item, cJSON_GetObjectItemCaseSensitive(json, "item_handlers"));
}

static int orbax_structure(struct ckpt_check *check)
{
	return check_directory(&(struct item) { .check = check, .level = CKPT_LEVEL_STRUCTURE });
}

static int orbax_content(struct ckpt_check *check)
{
	return check_directory(&(struct item) { .check = check, .level = CKPT_LEVEL_FULL });
}

/* The walk of the structure, which tells on its way. A file of flax has a row of its own. Where the
 * evidence sinks, not all was walked. */
static int orbax_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	struct item item = {
		.check = check, .level = CKPT_LEVEL_STRUCTURE, .tell = tell, .arg = arg
	};
	int r;

	check->report->verdict.evidence = CKPT_EVIDENCE_STRUCTURE;
	r = check_directory(&item);
	if (r || check->report->verdict.evidence == CKPT_EVIDENCE_STRUCTURE)
		return r;
	return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, CKPT_NO_OFFSET,
				 NULL, "not all of its arrays can be told");
}

/* Its metadata, or, before those were written, the marks of a tree here or one folder down. */
static bool orbax_sniff(const struct ckpt_check *check)
{
	struct ckpt_check own = *check;
	const struct item item = { .check = &own };

	return ckpt_dir_has(check->dirfd, CKPT_ORBAX_METADATA) || is_tree(&item) ||
	       each(&item, ".", is_tree_folder) == 1;
}

const struct ckpt_format ckpt_format_orbax = {
	.name = "orbax",
	.title = "Orbax step",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM, /* of values in nodes, or with one of their own */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = orbax_sniff,
	.structure = orbax_structure,
	.content = orbax_content,
	.at = ckpt_orbax_at,
	.tensors = orbax_tensors,
};
