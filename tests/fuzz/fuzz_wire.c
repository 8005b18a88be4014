/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the wire form of a request and of a decision: what root reads from the agent's pipe
 * and the spool. What is accepted must encode and decode to the same again.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/decision.h"
#include "wire/request.h"
#include "wire/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char buf[256 * 1024];
static union {
	struct ckpt_decision decision;
	struct ckpt_request request;
} one, two;

static void round_trip(const struct ckpt_fields *fields, const uint8_t *data, size_t size)
{
	struct ckpt_error err = { 0 };
	long len;

	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	if (ckpt_fields_decode(fields, &one, (const char *)data, size, &err) != 0) {
		if (ckpt_text_has_control(err.text))
			abort();
		return;
	}
	len = ckpt_fields_encode(fields, &one, buf, sizeof(buf));
	if (len < 0 || ckpt_fields_decode(fields, &two, buf, (size_t)len, &err) != 0)
		abort();
	if (memcmp(&one, &two, sizeof(one)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_error err = { 0 };

	round_trip(&ckpt_decision_fields, data, size);
	ckpt_decision_check(&one.decision, &err);
	round_trip(&ckpt_request_fields, data, size);
	ckpt_request_check(&one.request, &err);
	return 0;
}
