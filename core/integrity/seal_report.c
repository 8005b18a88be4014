/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict that a seal was made on, as JSON and back, so that what is unchanged need not be
 * parsed again to know its position.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/integrity/seal.h"
#include "wire/text.h"

/* The value whose word is member @key of @o; @fallback if there is none. */
#define WORD_VALUE(o, key, name_of, last, fallback)                                                \
	({                                                                                         \
		const char *word_ = ckpt_json_text(o, key);                                        \
		int value_ = 0;                                                                    \
		while (value_ <= (int)(last) && (!word_ || strcmp(word_, name_of(value_)) != 0))   \
			value_++;                                                                  \
		value_ <= (int)(last) ? value_ : (int)(fallback);                                  \
	})

static cJSON *position_json(const struct ckpt_position *p)
{
	cJSON *o = cJSON_CreateObject();

	if (p->has_step) {
		cJSON_AddNumberToObject(o, "step", (double)p->step);
		cJSON_AddStringToObject(o, "step_source", ckpt_source_name(p->step_source));
		cJSON_AddBoolToObject(o, "step_vague", p->step_vague);
	}
	if (p->has_epoch) {
		cJSON_AddNumberToObject(o, "epoch", p->epoch);
		cJSON_AddStringToObject(o, "epoch_source", ckpt_source_name(p->epoch_source));
		cJSON_AddStringToObject(o, "epoch_meaning", ckpt_meaning_name(p->meaning));
	}
	if (p->has_loss && isfinite(p->loss)) {
		cJSON_AddNumberToObject(o, "loss", p->loss);
		cJSON_AddStringToObject(o, "loss_key", p->loss_key);
	}
	return o;
}

cJSON *ckpt_seal_report_json(const struct ckpt_report *report)
{
	const struct ckpt_verdict *v = &report->verdict;
	cJSON *o = cJSON_CreateObject(), *keys;

	cJSON_AddStringToObject(o, "verdict", ckpt_status_name(v->status));
	cJSON_AddStringToObject(o, "evidence", ckpt_evidence_name(v->evidence));
	cJSON_AddStringToObject(o, "format", report->format ? report->format->name : "");
	cJSON_AddStringToObject(o, "contents", ckpt_contents_name(report->contents));
	cJSON_AddStringToObject(o, "framework", report->framework);
	cJSON_AddNumberToObject(o, "size_bytes", (double)v->size_bytes);
	cJSON_AddNumberToObject(o, "tensors", (double)report->tensors);
	cJSON_AddItemToObject(o, "position", position_json(&report->position));
	keys = cJSON_AddArrayToObject(o, "keys");
	for (int i = 0; i < report->n_keys; i++)
		cJSON_AddItemToArray(keys, cJSON_CreateString(report->keys[i]));
	cJSON_AddBoolToObject(o, "keys_cut", report->keys_cut);
	return o;
}

static void parse_position(const cJSON *o, struct ckpt_position *p)
{
	const char *loss_key = ckpt_json_text(o, "loss_key");

	p->has_step = ckpt_json_int(o, "step", &p->step);
	p->step_source = (enum ckpt_source)WORD_VALUE(o, "step_source", ckpt_source_name,
						      CKPT_FROM_CONTENT, CKPT_FROM_NOWHERE);
	/* a seal of a version that did not ask: the saves' times decide */
	p->step_vague = ckpt_json_bool(o, "step_vague", true);
	p->has_epoch = ckpt_json_number(o, "epoch", &p->epoch);
	p->epoch_source = (enum ckpt_source)WORD_VALUE(o, "epoch_source", ckpt_source_name,
						       CKPT_FROM_CONTENT, CKPT_FROM_NOWHERE);
	p->meaning = (enum ckpt_meaning)WORD_VALUE(o, "epoch_meaning", ckpt_meaning_name,
						   CKPT_EPOCH_SAVE_COUNTER, CKPT_EPOCH_UNKNOWN);
	p->has_loss = ckpt_json_number(o, "loss", &p->loss);
	snprintf(p->loss_key, sizeof(p->loss_key), "%s", loss_key ? loss_key : "");
}

static void parse_keys(const cJSON *o, struct ckpt_report *report)
{
	const cJSON *key;

	cJSON_ArrayForEach (key, cJSON_GetObjectItemCaseSensitive(o, "keys")) {
		const char *text = cJSON_GetStringValue(key);

		if (text)
			ckpt_report_add_key(report, text, strlen(text));
	}
	report->keys_cut |= ckpt_json_bool(o, "keys_cut", false);
}

bool ckpt_seal_report_parse(const cJSON *o, struct ckpt_report *ret)
{
	const char *status = ckpt_json_text(o, "verdict");
	const char *format = ckpt_json_text(o, "format");
	const char *framework = ckpt_json_text(o, "framework");
	struct ckpt_report report = { 0 };
	int64_t size, tensors;

	if (!status || strcmp(status, ckpt_status_name(CKPT_VALID)) != 0 || !format ||
	    !ckpt_json_int(o, "size_bytes", &size) || !ckpt_json_int(o, "tensors", &tensors) ||
	    size < 0 || tensors < 0)
		return false;
	report.format = *format ? ckpt_format_named(format) : NULL;
	report.verdict.evidence = (enum ckpt_evidence)WORD_VALUE(
		o, "evidence", ckpt_evidence_name, CKPT_EVIDENCE_SEAL, CKPT_EVIDENCE_NONE);
	if ((*format && !report.format) || report.verdict.evidence == CKPT_EVIDENCE_NONE)
		return false;
	report.contents = (enum ckpt_contents)WORD_VALUE(o, "contents", ckpt_contents_name,
							 CKPT_CONTENTS_FULL, CKPT_CONTENTS_UNKNOWN);
	report.verdict.size_bytes = (uint64_t)size;
	report.tensors = (uint64_t)tensors;
	snprintf(report.framework, sizeof(report.framework), "%s", framework ? framework : "");
	ckpt_text_clean(report.framework);
	parse_position(cJSON_GetObjectItemCaseSensitive(o, "position"), &report.position);
	parse_keys(o, &report);
	*ret = report;
	return true;
}
