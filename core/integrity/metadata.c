/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See metadata.h.
 */
#include "core/integrity/metadata.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/catalog/pattern.h"
#include "core/format/format.h"
#include "core/format/torch/torch_args.h"
#include "core/integrity/seal.h"
#include "core/record/backup.h"
#include "wire/text.h"

#define CONFIG_MAX 65536 /* bytes of a configuration that is worth a copy */
#define HASH_DIGITS 16

/* One metadata file in the making. */
struct making {
	struct ckpt_ctx *ctx;
	const struct ckpt_subject *from;
	cJSON *old; /* what is there; NULL = nothing */
	bool older; /* it tells of an older save */
	cJSON *o;
};

/* Configurations that programs leave inside or beside a checkpoint, the best one first. */
static const char *const config_names[] = { "ckpt-config.json", "config.json", "args.json",
					    "training_args.json" };

/* Files of a directory that hold the training's arguments (torch_args.h), as pattern.h has them;
 * the ranks' are equal in that. Megatron's distributed form and its older one, DeepSpeed without
 * and with parameters in pieces, Lightning's sharded one. */
static const char *const settings_files[] = { "common.pt", "mp_rank_*/model_optim_rng.pt",
					      "mp_rank_*_model_states.pt",
					      "zero_pp_rank_*_model_states.pt", "meta.pt" };

/* What a Trainer's state says that is short and of use. */
static const char *const state_keys[] = { "global_step",      "epoch",
					  "max_steps",	      "best_metric",
					  "num_train_epochs", "best_model_checkpoint" };

/* Takes member @key of the old metadata over. False if it has none, or not of this save. */
static bool keep(const struct making *m, const char *key)
{
	cJSON *item = m->old ? cJSON_DetachItemFromObjectCaseSensitive(m->old, key) : NULL;

	if (item && !m->older && !cJSON_IsNull(item))
		return cJSON_AddItemToObject(m->o, key, item);
	cJSON_Delete(item);
	return false;
}

static void add_time(const struct making *m)
{
	int64_t newest = 0;
	char at[32] = "";
	struct tm tm;
	time_t seconds;

	if (keep(m, "created_at"))
		return;
	for (size_t i = 0; i < m->from->files->n; i++)
		if (m->from->files->f[i].id.mtime_ns > newest)
			newest = m->from->files->f[i].id.mtime_ns;
	seconds = (time_t)(newest / 1000000000);
	if (gmtime_r(&seconds, &tm))
		strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm);
	cJSON_AddStringToObject(m->o, "created_at", at);
}

static void add_size(const struct making *m)
{
	uint64_t bytes = ckpt_files_size(m->from->files);

	cJSON_AddNumberToObject(m->o, "size_bytes", (double)bytes);
	cJSON_AddNumberToObject(m->o, "size_gb", round((double)bytes / 1e6) / 1e3);
}

/* Of the first MiB of the file itself; of a set, of its largest one. */
static int add_hash(const struct making *m, struct ckpt_error *err)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_free_ char *head = NULL;
	const struct ckpt_member *largest = &m->from->files->f[0];
	char hex[CKPT_DIGEST_HEX];
	struct ckpt_digest digest;
	size_t len;
	int r;

	for (size_t i = 1; i < m->from->files->n; i++)
		if (m->from->files->f[i].id.size > largest->id.size)
			largest = &m->from->files->f[i];
	r = ckpt_file_open(m->ctx, m->from->rootfd, largest->name, &file, err);
	if (r != 0)
		return r < 0 ? r : -EAGAIN;
	len = file.size < CKPT_DIGEST_LEAF ? (size_t)file.size : (size_t)CKPT_DIGEST_LEAF;
	head = malloc(len + 1);
	if (!head)
		return ckpt_fail(err, -ENOMEM, "no memory to read %s", CKPT_QUOTE(largest->name));
	r = ckpt_file_read(&file, 0, head, len, err);
	if (r != 0)
		return r < 0 ? r : -EAGAIN;
	r = ckpt_digest_of(head, len, &digest);
	if (r < 0)
		return ckpt_fail(err, r, "cannot compute digests: %s", strerror(-r));
	ckpt_digest_text(hex, &digest);
	hex[HASH_DIGITS] = '\0';
	cJSON_AddStringToObject(m->o, "hash_partial", hex);
	return 0;
}

/* The small JSON object @name in @dirfd, or NULL. */
static cJSON *load_object(const struct making *m, int dirfd, const char *name, size_t max)
{
	_cleanup_free_ char *text = NULL;
	cJSON *o = NULL;
	size_t len;

	if (ckpt_file_slurp(m->ctx, dirfd, name, max, &text, &len, NULL) != 0 ||
	    ckpt_json_parse(text, len, &o, NULL) != 0 || cJSON_IsObject(o))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* As JSON; NULL where it has no such value. */
static cJSON *setting_of(const struct ckpt_pickle_value *value)
{
	char text[sizeof(value->text)];

	switch (value->kind) {
	case CKPT_PICKLE_BOOL:
		return cJSON_CreateBool(value->i != 0);
	case CKPT_PICKLE_INT:
		return cJSON_CreateNumber((double)value->i);
	case CKPT_PICKLE_FLOAT:
		return isfinite(value->f) ? cJSON_CreateNumber(value->f) : NULL;
	case CKPT_PICKLE_TEXT:
		memcpy(text, value->text, sizeof(text));
		ckpt_text_clean(text);
		return cJSON_CreateString(text);
	case CKPT_PICKLE_NONE:
		return cJSON_CreateNull();
	case CKPT_PICKLE_OPAQUE:
	case CKPT_PICKLE_TENSOR:
	case CKPT_PICKLE_INTERNED:
	case CKPT_PICKLE_EARLIER:
		return NULL;
	}
	return NULL;
}

/* Of two places with the same name the first counts. */
static bool add_setting(void *arg, const char *name, const struct ckpt_pickle_value *value)
{
	char key[CKPT_TORCH_ARGS_NAME];
	cJSON *item;

	snprintf(key, sizeof(key), "%s", name);
	ckpt_text_clean(key);
	item = cJSON_HasObjectItem(arg, key) ? NULL : setting_of(value);
	return item && cJSON_AddItemToObject(arg, key, item);
}

/* The file that holds the settings: a single one itself, of a directory the first of its kind. NULL
 * if it has none. */
static const char *settings_file(const struct making *m)
{
	struct ckpt_pattern_match match;

	if (m->from->set->kind == CKPT_KIND_FILE)
		return m->from->set->name;
	for (size_t i = 0; i < sizeof(settings_files) / sizeof(*settings_files); i++)
		for (size_t j = 0; j < m->from->files->n; j++)
			if (m->from->set->kind == CKPT_KIND_DIRECTORY &&
			    ckpt_pattern_match(settings_files[i], m->from->files->f[j].name,
					       &match))
				return m->from->files->f[j].name;
	return NULL;
}

/* Looks at the structure of @file, for the names at its top. 0, or it cannot be told. */
static int report_member(const struct making *m, struct ckpt_file *file, struct ckpt_report *ret)
{
	struct ckpt_error err = { .code = 0 };
	struct ckpt_check check = { .ctx = m->ctx,
				    .kind = CKPT_KIND_FILE,
				    .dirfd = m->from->rootfd,
				    .name = file->name,
				    .file = file,
				    .report = ret,
				    .err = &err };

	return ckpt_check_file(&check, CKPT_LEVEL_STRUCTURE);
}

/* The arguments that the checkpoint holds, or NULL; and how many more there are. */
static cJSON *settings_inside(const struct making *m, struct ckpt_torch_args_count *ret)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));
	_cleanup_json_ cJSON *o = cJSON_CreateObject();
	bool single = m->from->set->kind == CKPT_KIND_FILE;
	const char *name = settings_file(m);

	if (!o || !own || !name ||
	    ckpt_file_open(m->ctx, m->from->rootfd, name, &file, NULL) != 0 ||
	    (!single && report_member(m, &file, own) != 0) ||
	    ckpt_torch_args(&file, single ? m->from->set->report : own, add_setting, o, ret) != 0 ||
	    ret->told + ret->left_out == 0)
		return NULL;
	return ckpt_take_ptr(o);
}

static void add_config(const struct making *m)
{
	struct ckpt_torch_args_count count = { 0 };
	cJSON *o = NULL;

	if (keep(m, "config"))
		return; /* and what is said of it */
	cJSON_DeleteItemFromObjectCaseSensitive(m->old, "config_left_out");
	for (size_t i = 0; !o && i < sizeof(config_names) / sizeof(*config_names); i++) {
		if (m->from->set->kind == CKPT_KIND_DIRECTORY)
			o = load_object(m, m->from->rootfd, config_names[i], CONFIG_MAX);
		if (!o)
			o = load_object(m, m->from->dirfd, config_names[i], CONFIG_MAX);
	}
	if (!o)
		o = settings_inside(m, &count);
	cJSON_AddItemToObject(m->o, "config", o ? o : cJSON_CreateNull());
	if (count.left_out)
		cJSON_AddNumberToObject(m->o, "config_left_out", (double)count.left_out);
}

/* The position that was read, or what trainer_state.json says of it and more. */
static void add_training(const struct making *m)
{
	const struct ckpt_position *p = &m->from->set->report->position;
	_cleanup_json_ cJSON *state = NULL;
	cJSON *o;

	if (keep(m, "training"))
		return;
	o = cJSON_AddObjectToObject(m->o, "training");
	if (m->from->set->kind == CKPT_KIND_DIRECTORY)
		state = load_object(m, m->from->rootfd, "trainer_state.json", CKPT_JSON_MAX);
	for (size_t i = 0; state && i < sizeof(state_keys) / sizeof(*state_keys); i++) {
		cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(state, state_keys[i]);

		if (item && !cJSON_IsObject(item) && !cJSON_IsArray(item))
			cJSON_AddItemToObject(o, state_keys[i], item);
		else
			cJSON_Delete(item);
	}
	if (p->has_step)
		cJSON_AddNumberToObject(o, "step", (double)p->step);
	if (p->has_epoch && !cJSON_HasObjectItem(o, "epoch"))
		cJSON_AddNumberToObject(o, "epoch", p->epoch);
	if (p->has_loss && isfinite(p->loss))
		cJSON_AddNumberToObject(o, p->loss_key[0] ? p->loss_key : "loss", p->loss);
}

/* Whether @item's key is one of those that @o has up to @last. */
static bool is_taken(const cJSON *o, const cJSON *last, const cJSON *item)
{
	for (const cJSON *own = o->child; own; own = own == last ? NULL : own->next)
		if (strcmp(own->string, item->string) == 0)
			return true;
	return false;
}

/* Keys of others, each compared with ours alone: they may be many. */
static void keep_rest(const struct making *m)
{
	const cJSON *last = m->o->child->prev; /* cJSON's way of keeping the end */

	for (cJSON *item = m->old ? m->old->child : NULL, *next; item; item = next) {
		next = item->next;
		if (item->string && !is_taken(m->o, last, item) &&
		    strcmp(item->string, "seal") != 0)
			cJSON_AddItemToObject(m->o, item->string,
					      cJSON_DetachItemViaPointer(m->old, item));
	}
}

/* Reads the file @name into m->old. 0; a verdict: it is no metadata; or an errno: it could not be
 * read, which is another matter. */
static int read_old(struct making *m, const char *name, struct ckpt_error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = ckpt_file_slurp(m->ctx, m->from->dirfd, name, CKPT_SEAL_MAX, &text, &len, err);

	if (r == -EFBIG || r == -ENOENT || r == -ELOOP || (r == 0 && ckpt_seal_crowded(text, len)))
		return CKPT_JSON_TORN; /* too large, or a link to nowhere */
	if (r == 0)
		r = ckpt_json_parse(text, len, &m->old, err);
	return r == 0 && !cJSON_IsObject(m->old) ? CKPT_JSON_TORN : r;
}

/* Reads what is there into m->old; sets aside what is no metadata. */
static int load_old(struct making *m, struct ckpt_error *err)
{
	char name[NAME_MAX + 1];
	int r;

	if (!ckpt_seal_name(m->from->set->name, name))
		return ckpt_fail(err, -ENAMETOOLONG, "the name %s is too long for a seal",
				 CKPT_QUOTE(m->from->set->name));
	if (!ckpt_dir_has(m->from->dirfd, name))
		return 0;
	r = read_old(m, name, err);
	if (r <= 0) {
		m->older = m->old && ckpt_seal_of_others(m->old, m->from->seal);
		return r;
	}
	cJSON_Delete(m->old);
	m->old = NULL;
	return ckpt_set_aside(m->from->dirfd, name, ".torn", err);
}

static int fill(struct making *m, struct ckpt_error *err)
{
	int r = load_old(m, err);

	if (r < 0)
		return r;
	m->o = cJSON_CreateObject();
	cJSON_AddStringToObject(m->o, "checkpoint_name", m->from->set->name);
	add_time(m);
	add_size(m);
	r = add_hash(m, err);
	if (r < 0)
		return r;
	add_config(m);
	add_training(m);
	if (!cJSON_AddNumberToObject(m->o, "metadata_version", 1))
		return ckpt_fail(err, -ENOMEM, "no memory for the metadata of %s",
				 CKPT_QUOTE(m->from->set->name));
	keep_rest(m);
	return 0;
}

int ckpt_metadata_make(struct ckpt_ctx *ctx, const struct ckpt_subject *subject, cJSON **ret,
		       struct ckpt_error *err)
{
	struct making m = { .ctx = ctx, .from = subject };
	int r = fill(&m, err);

	cJSON_Delete(m.old);
	if (r < 0)
		cJSON_Delete(m.o);
	else
		*ret = m.o;
	return r;
}
