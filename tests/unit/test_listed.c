/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/catalog/listed.h: beside which checkpoints nothing may lie that begins as they do.
 */
#include "core/catalog/listed.h"
#include "tests/unit/support/scratch.h"

#define FILE_ CKPT_KIND_FILE
#define DIR_ CKPT_KIND_DIRECTORY

static void test_listed__names(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_kind kind;
		bool renamed, seal;
	} rows[] = {
		/* Lightning */
		{ "hpc_ckpt_5.ckpt", FILE_, true, false },
		{ "hpc_ckpt_5.ckpt", DIR_, false, false },
		{ "hpc_ckpt.ckpt", FILE_, false, false },
		{ "last.ckpt", FILE_, false, false },
		{ "epoch=4-step=40.ckpt", FILE_, false, false },
		/* flax */
		{ "checkpoint_1000", FILE_, true, true },
		{ "checkpoint_1000", CKPT_KIND_PREFIX, false, false },
		{ "checkpoint_1000.pth", FILE_, false, false },
		{ "checkpoint_1000.0", FILE_, false, false },
		{ "checkpoint_1_1000", FILE_, false, false },
		{ "checkpoint_", FILE_, false, false },
		{ "checkpoint_last", FILE_, false, false },
		{ "Checkpoint_1000", FILE_, false, false },
		/* accelerate */
		{ "checkpoint_0", DIR_, false, true },
		{ "checkpoint_0.old", DIR_, false, false },
		{ "step_100", DIR_, false, false },
		/* diffusers' scripts */
		{ "checkpoint-500", DIR_, false, true },
		{ "checkpoint-500", FILE_, false, false },
		{ "checkpoint-best", DIR_, false, false },
		{ "my-checkpoint-500", DIR_, false, false },
		/* torchtitan */
		{ "step-1000", DIR_, false, true },
		{ "step-1000", FILE_, false, false },
		{ "model-step-1000", DIR_, false, false },
	};
	const struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ckpt_set set = { .dir = s->path,
					      .name = rows[i].name,
					      .kind = rows[i].kind };

		print_message("%s\n", rows[i].name);
		assert_int_equal(ckpt_set_renamed_is_listed(&set), rows[i].renamed);
		assert_int_equal(ckpt_set_seal_is_listed(&set), rows[i].seal);
	}
}

/* transformers' Trainer writes the same name as diffusers' scripts, and looks at whole names. */
static void test_listed__the_trainers_own(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_set set = { .dir = s->path, .name = "checkpoint-500", .kind = DIR_ };

	scratch_put(s->fd, "checkpoint-500/model.safetensors", "");
	assert_true(ckpt_set_seal_is_listed(&set));
	scratch_put(s->fd, "checkpoint-500/trainer_state.json", "{}");
	assert_false(ckpt_set_seal_is_listed(&set));
	scratch_put(s->fd, "checkpoint_500/trainer_state.json", "{}");
	set.name = "checkpoint_500";
	assert_true(ckpt_set_seal_is_listed(&set));
}

/* Coqui counts all that begins with checkpoint_N; others that write checkpoint_N.pth do not. */
static void test_listed__beside_its_configuration(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_set set = { .dir = s->path, .name = "checkpoint_1000.pth", .kind = FILE_ };

	assert_false(ckpt_set_seal_is_listed(&set));
	scratch_put(s->fd, "config.json", "{}");
	assert_true(ckpt_set_seal_is_listed(&set));
	assert_true(ckpt_set_renamed_is_listed(&set));
	set.name = "best_model_1000.pth";
	assert_false(ckpt_set_seal_is_listed(&set));
	assert_false(ckpt_set_renamed_is_listed(&set));
	set.name = "best_model.pth";
	assert_false(ckpt_set_seal_is_listed(&set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_listed__names),
		scratch_test(test_listed__the_trainers_own),
		scratch_test(test_listed__beside_its_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
