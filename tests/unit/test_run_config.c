/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run configuration: keys that are honoured, values that are refused, keys that are left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config/run_config.h"
#include "tests/unit/support/scratch.h"

/* Loads @text as a configuration. */
static int load(const struct scratch *s, const char *text, struct ckpt_run_config *ret,
		struct ckpt_error *err)
{
	char path[128];

	scratch_put(s->fd, CKPT_RUN_CONFIG, text);
	snprintf(path, sizeof(path), "%s/%s", s->path, CKPT_RUN_CONFIG);
	*ret = (struct ckpt_run_config) { 0 };
	return ckpt_run_config_load(NULL, path, false, ret, err);
}

static void test_run_config__all_keys(void **state)
{
	struct scratch *s = *state;
	struct ckpt_run_config c;

	assert_int_equal(
		load(s,
		     "{\"training\": {\"resume_from_checkpoint\": \"ckpt-7\", \"no_restore\": true,"
		     "  \"lr\": 0.1},"
		     " \"checkpoints\": {\"save_best_only\": false, \"max_checkpoints\": 3.0},"
		     " \"model\": {\"custom_checkpoint\": \"/a/b.pt\", \"pretrained\": \"p.pt\","
		     "  \"fetch\": [\"rclone\", \"copy\", \"r:x\", \"\"], \"fetch_into\": \"got\"},"
		     " \"validation\": {\"min_size_bytes\": 1048576,"
		     "  \"required_keys\": [\"model_state_dict\", \"vocab_char_map\"]},"
		     " \"other\": [1, {\"no_restore\": \"mine\"}]}",
		     &c, NULL),
		0);
	assert_true(c.present);
	assert_string_equal(c.resume_from_checkpoint, "ckpt-7");
	assert_false(c.has_resume_flag);
	assert_true(c.no_restore);
	assert_false(c.save_best_only);
	assert_true(c.has_max_checkpoints);
	assert_int_equal(c.max_checkpoints, 3);
	assert_string_equal(c.custom_checkpoint, "/a/b.pt");
	assert_string_equal(c.pretrained, "p.pt");
	assert_string_equal(c.fetch[0], "rclone");
	assert_string_equal(c.fetch[3], "");
	assert_null(c.fetch[4]);
	assert_string_equal(c.fetch_into, "got");
	assert_int_equal(c.min_size_bytes, 1048576);
	assert_string_equal(c.required_keys[1], "vocab_char_map");
	assert_null(c.required_keys[2]);
	assert_string_equal(c.warning, "");
	assert_non_null(strstr(c.file, CKPT_RUN_CONFIG));
	ckpt_run_config_done(&c);
	assert_null(c.fetch[0]);
	ckpt_run_config_done(&c);
}

static void test_run_config__nothing_of_ours_is_fine(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"training\": {}}",
		"{\"training\": [\"no_restore\"], \"model\": \"gpt2\", \"validation\": 3}",
		"{\"Training\": {\"no_restore\": \"yes\"}, \"training\": {\"No_Restore\": 1}}",
		"{\"training\": {\"resume_from_checkpoint\": null, \"no_restore\": null},"
		" \"model\": {\"fetch\": null, \"custom_checkpoint\": null},"
		" \"checkpoints\": {\"max_checkpoints\": null},"
		" \"validation\": {\"required_keys\": null}}",
		"{\"lr\": NaN}",
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ckpt_run_config c;

		assert_int_equal(load(s, texts[i], &c, NULL), 0);
		assert_true(c.present);
		assert_false(c.no_restore || c.has_resume_flag || c.has_max_checkpoints);
		assert_string_equal(c.resume_from_checkpoint, "");
		assert_null(c.fetch[0]);
		ckpt_run_config_done(&c);
	}
}

static void test_run_config__resume_flag(void **state)
{
	struct scratch *s = *state;
	struct ckpt_run_config c;

	assert_int_equal(load(s, "{\"training\":{\"resume_from_checkpoint\":true}}", &c, NULL), 0);
	assert_true(c.has_resume_flag && c.resume_flag);
	assert_int_equal(load(s, "{\"training\":{\"resume_from_checkpoint\":false}}", &c, NULL), 0);
	assert_true(c.has_resume_flag && !c.resume_flag);
	assert_string_equal(c.resume_from_checkpoint, "");
}

static void test_run_config__wrong_values_are_refused_by_name(void **state)
{
	static const struct {
		const char *text, *key;
	} cases[] = {
		{ "{\"training\":{\"no_restore\":\"yes\"}}", "training.no_restore" },
		{ "{\"training\":{\"no_restore\":1}}", "training.no_restore" },
		{ "{\"training\":{\"no_restore\":{}}}", "training.no_restore" },
		{ "{\"training\":{\"resume_from_checkpoint\":1}}",
		  "training.resume_from_checkpoint" },
		{ "{\"training\":{\"resume_from_checkpoint\":\"\"}}",
		  "training.resume_from_checkpoint" },
		{ "{\"training\":{\"resume_from_checkpoint\":\"a\\nb\"}}",
		  "resume_from_checkpoint" },
		{ "{\"checkpoints\":{\"save_best_only\":\"true\"}}", "checkpoints.save_best_only" },
		{ "{\"checkpoints\":{\"max_checkpoints\":-1}}", "checkpoints.max_checkpoints" },
		{ "{\"checkpoints\":{\"max_checkpoints\":1.5}}", "checkpoints.max_checkpoints" },
		{ "{\"checkpoints\":{\"max_checkpoints\":1e300}}", "checkpoints.max_checkpoints" },
		{ "{\"checkpoints\":{\"max_checkpoints\":\"3\"}}", "checkpoints.max_checkpoints" },
		{ "{\"model\":{\"custom_checkpoint\":[\"a\"]}}", "model.custom_checkpoint" },
		{ "{\"model\":{\"pretrained\":false}}", "model.pretrained" },
		{ "{\"model\":{\"fetch\":\"rclone copy\"}}", "model.fetch" },
		{ "{\"model\":{\"fetch\":[]}}", "model.fetch" },
		{ "{\"model\":{\"fetch\":[\"\"]}}", "model.fetch" },
		{ "{\"model\":{\"fetch\":[1]}}", "model.fetch" },
		{ "{\"model\":{\"fetch\":[\"rclone\",1]}}", "model.fetch" },
		{ "{\"model\":{\"fetch\":[\"bin/rclone\"]}}", "model.fetch" },
		{ "{\"model\":{\"fetch\":[\"./rclone\"]}}", "model.fetch" },
		{ "{\"model\":{\"fetch\":[\"-x\"]}}", "model.fetch" },
		{ "{\"model\":{\"fetch\":{}}}", "model.fetch" },
		{ "{\"model\":{\"fetch_into\":7}}", "model.fetch_into" },
		{ "{\"validation\":{\"min_size_bytes\":\"1M\"}}", "validation.min_size_bytes" },
		{ "{\"validation\":{\"required_keys\":\"model\"}}", "validation.required_keys" },
		{ "{\"validation\":{\"required_keys\":[\"a\",2]}}", "validation.required_keys" },
		{ "{\"validation\":{\"required_keys\":[\"a\",\"\"]}}", "validation.required_keys" },
		{ "{\"training\":{\"no_restore\":true", "torn" },
		{ "", "torn" },
		{ "[]", "object" },
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_run_config c;
		struct ckpt_error err = { 0 };
		int r = load(s, cases[i].text, &c, &err);

		if (r != CKPT_RUN_CONFIG_BAD || !strstr(err.text, cases[i].key))
			print_message("%s -> %d %s\n", cases[i].text, r, err.text);
		assert_int_equal(r, CKPT_RUN_CONFIG_BAD);
		assert_non_null(strstr(err.text, cases[i].key));
		assert_non_null(strstr(err.text, CKPT_RUN_CONFIG));
		assert_false(c.present);
		ckpt_run_config_done(&c);
	}
}

static void test_run_config__lists_are_capped(void **state)
{
	struct scratch *s = *state;

	for (int n = 31; n <= 34; n++) {
		char text[512] = "{\"validation\":{\"required_keys\":[\"k\"";
		struct ckpt_run_config c;

		for (int i = 1; i < n; i++)
			strncat(text, ",\"k\"", sizeof(text) - strlen(text) - 1);
		strncat(text, "]}}", sizeof(text) - strlen(text) - 1);
		assert_int_equal(load(s, text, &c, NULL), n <= 32 ? 0 : CKPT_RUN_CONFIG_BAD);
		ckpt_run_config_done(&c);
	}
}

static void test_run_config__overlong_path_is_refused(void **state)
{
	struct scratch *s = *state;
	struct ckpt_run_config c;
	char *text = calloc(1, 8192);

	snprintf(text, 8192, "{\"model\":{\"pretrained\":\"%05000d\"}}", 0);
	assert_int_equal(load(s, text, &c, NULL), CKPT_RUN_CONFIG_BAD);
	assert_string_equal(c.pretrained, "");
	free(text);
}

static void test_run_config__warns_where_nothing_is_left_to_fall_back_on(void **state)
{
	static const struct {
		const char *text;
		bool warned;
	} cases[] = {
		{ "{\"checkpoints\":{\"save_best_only\":true}}", true },
		{ "{\"checkpoints\":{\"max_checkpoints\":1}}", true },
		{ "{\"checkpoints\":{\"max_checkpoints\":2}}", false },
		{ "{\"checkpoints\":{\"max_checkpoints\":0}}",
		  false }, /* keep all, in most programs */
		{ "{\"checkpoints\":{\"save_best_only\":false}}", false },
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_run_config c;

		assert_int_equal(load(s, cases[i].text, &c, NULL), 0);
		assert_int_equal(strstr(c.warning, "leaves no fallback") != NULL, cases[i].warned);
	}
}

static void test_run_config__absent_and_unreadable(void **state)
{
	struct scratch *s = *state;
	struct ckpt_run_config c = { 0 };
	char path[128], too_long[CKPT_PATH_MAX + 10];

	snprintf(path, sizeof(path), "%s/%s", s->path, CKPT_RUN_CONFIG);
	assert_int_equal(ckpt_run_config_load(NULL, path, true, &c, NULL), 0);
	assert_false(c.present);
	assert_int_equal(ckpt_run_config_load(NULL, path, false, &c, NULL), -ENOENT);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(ckpt_run_config_load(NULL, path, true, &c, NULL), CKPT_RUN_CONFIG_BAD);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(ckpt_run_config_load(NULL, path, true, &c, NULL), CKPT_RUN_CONFIG_BAD);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(CKPT_RUN_CONFIG, path), 0);
	assert_int_equal(ckpt_run_config_load(NULL, path, true, &c, NULL), -ELOOP);
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(ckpt_run_config_load(NULL, too_long, true, &c, NULL), -ENAMETOOLONG);
	assert_false(c.present);
}

static void test_run_config__too_large_is_refused(void **state)
{
	struct scratch *s = *state;
	struct ckpt_run_config c = { 0 };
	char path[128];

	scratch_put(s->fd, CKPT_RUN_CONFIG, "{}");
	snprintf(path, sizeof(path), "%s/%s", s->path, CKPT_RUN_CONFIG);
	assert_int_equal(truncate(path, CKPT_JSON_MAX + 1), 0);
	assert_int_equal(ckpt_run_config_load(NULL, path, true, &c, NULL), CKPT_RUN_CONFIG_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_run_config__all_keys),
		scratch_test(test_run_config__nothing_of_ours_is_fine),
		scratch_test(test_run_config__resume_flag),
		scratch_test(test_run_config__wrong_values_are_refused_by_name),
		scratch_test(test_run_config__lists_are_capped),
		scratch_test(test_run_config__overlong_path_is_refused),
		scratch_test(test_run_config__warns_where_nothing_is_left_to_fall_back_on),
		scratch_test(test_run_config__absent_and_unreadable),
		scratch_test(test_run_config__too_large_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
