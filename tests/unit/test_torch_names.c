/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/format/torch/torch_names.h by pickles that PyTorch would not write: more storages, longer
 * and deeper names, larger tensors than are kept. (Files that it wrote: test_names_at.)
 */
#include "core/format/torch/torch_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/pickle.h"
#include "core/format/torch/torch_zip.h"
#include "tests/unit/support/scratch.h"
#include "tests/unit/support/torch_synthetic.h"
#include "wire/cleanup.h"

#define KEPT 64	     /* storages whose names are looked for */
#define ALL_OTHERS 2 /* data.pkl, version */

/* What tensors() told last, and how often. */
struct told {
	size_t n, longest;
	char name[CKPT_PICKLE_PATH];
	struct ckpt_tensor last;
};

/* A pickle under construction. */
struct pickle {
	FILE *to;
	char *bytes;
	size_t len;
};

static void pickle_begin(struct pickle *p)
{
	*p = (struct pickle) { 0 };
	p->to = open_memstream(&p->bytes, &p->len);
	assert_non_null(p->to);
	fputs("\x80\x02", p->to);
}

/* Writes it as x.pt with @n storages of @element bytes. */
static void pickle_end(struct pickle *p, const struct scratch *dir, unsigned n, size_t element)
{
	struct torch_pickled what = { .n = n, .element = element };

	fputc('.', p->to);
	assert_int_equal(fclose(p->to), 0);
	what.pickle = p->bytes;
	what.len = p->len;
	torch_synthetic_put(dir->fd, "x.pt", &what);
	free(p->bytes);
}

/* A tensor of the storage @key, of @n dimensions of @dim. */
static void put_tensor(struct pickle *p, const char *type, unsigned key, size_t n, uint64_t dim)
{
	fputs("ctorch._utils\n_rebuild_tensor_v2\n(", p->to);
	torch_pickle_storage(p->to, type, key);
	fprintf(p->to, "K%c", 0);
	for (int stride = 0; stride < 2; stride++) {
		fputc('(', p->to);
		for (size_t i = 0; i < n; i++)
			fprintf(p->to, "L%lluL\n", (unsigned long long)dim);
		fputc('t', p->to);
	}
	fputs("\x89}tR", p->to);
}

/* {"p0": tensor 0, "p1": tensor 1, ...} */
static void put_storages(const struct scratch *dir, unsigned n)
{
	struct pickle p;
	char key[16];

	pickle_begin(&p);
	fputs("}(", p.to);
	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "p%u", i);
		torch_pickle_text(p.to, key);
		put_tensor(&p, "FloatStorage", i, 1, 1);
	}
	fputc('u', p.to);
	pickle_end(&p, dir, n, 4);
}

static void tell(void *arg, const struct ckpt_tensor *tensor)
{
	struct told *told = arg;

	told->n++;
	told->last = *tensor;
	assert_true(strlen(tensor->name) < sizeof(told->name));
	snprintf(told->name, sizeof(told->name), "%s", tensor->name);
	if (strlen(tensor->name) > told->longest)
		told->longest = strlen(tensor->name);
}

/* Asks x.pt for the names in @extent, where it is given, or for its tensors. */
static void ask(const struct scratch *dir, const struct ckpt_extent *extent, void *ret)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_free_ struct ckpt_report *report = calloc(1, sizeof(*report));
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_check check = { .ctx = &ctx,
				    .kind = CKPT_KIND_FILE,
				    .dirfd = dir->fd,
				    .name = "x.pt",
				    .file = &file,
				    .report = report };

	assert_non_null(report);
	assert_int_equal(ckpt_file_open(&ctx, dir->fd, "x.pt", &file, NULL), 0);
	assert_int_equal(ckpt_check_probe(&check), 0);
	assert_ptr_equal(ckpt_format_find(&check), &ckpt_format_torch_zip);
	if (extent)
		assert_int_equal(ckpt_torch_zip_at(&check, extent, ret), 0);
	else
		assert_int_equal(ckpt_torch_zip_tensors(&check, tell, ret), 0);
}

/* What tensors() tells of { "t": what @p ends with }. */
static struct told told_of(struct pickle *p, const struct scratch *dir, size_t element)
{
	struct told told = { 0 };

	fputc('u', p->to);
	pickle_end(p, dir, 1, element);
	ask(dir, NULL, &told);
	return told;
}

/* All are counted; which of them have names depends on where they lie, not on how many there are.
 */
static void test_torch_names__more_storages_than_are_kept(void **state)
{
	static const unsigned counts[] = { KEPT - 1, KEPT, KEPT + 1, 3 * KEPT };
	const struct scratch *dir = *state;
	const struct ckpt_extent all = { "x.pt", 0, UINT64_MAX };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct ckpt_names names = { .n = 0 };
		struct told told = { 0 };

		put_storages(dir, counts[i]);
		ask(dir, &all, &names);
		assert_int_equal(names.n, counts[i] + ALL_OTHERS);
		assert_true(names.kept < KEPT);
		assert_int_equal(strncmp(names.text, "data.pkl, version, p0, p1, ", 27), 0);
		ask(dir, NULL, &told);
		assert_int_equal(told.n, counts[i]);
	}
}

/* The range holds the last ones alone: their names are found, however many stand before. */
static void test_torch_names__only_those_in_the_range_count(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ unsigned char *bytes = NULL;
	struct ckpt_names names = { .n = 0 };
	struct ckpt_extent behind = { "x.pt", 0, UINT64_MAX };
	size_t len;

	put_storages(dir, 3 * KEPT);
	bytes = scratch_read(dir->fd, "x.pt", &len);
	assert_non_null(bytes);
	behind.off =
		(uint64_t)((unsigned char *)memmem(bytes, len, "archive/data/190", 16) - bytes);
	ask(dir, &behind, &names);
	assert_string_equal(names.text, "version, p190, p191");
	assert_int_equal(names.n, 3);
}

/* The first mention names it; a storage that the pickle never mentions is named by its record. */
static void test_torch_names__mentioned_twice_or_never(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_extent all = { "x.pt", 0, UINT64_MAX };
	struct ckpt_names names = { .n = 0 };
	struct pickle p;

	pickle_begin(&p);
	fputs("}(", p.to);
	torch_pickle_text(p.to, "first");
	put_tensor(&p, "FloatStorage", 1, 1, 1);
	torch_pickle_text(p.to, "again");
	put_tensor(&p, "FloatStorage", 1, 1, 1);
	torch_pickle_text(p.to, "nowhere");
	put_tensor(&p, "FloatStorage", 7, 1, 1);
	fputc('u', p.to);
	pickle_end(&p, dir, 2, 4);
	ask(dir, &all, &names);
	assert_string_equal(names.text, "data.pkl, version, data/0, first");
	assert_int_equal(names.n, 4);
}

/* @depth dicts in dicts, each key @len bytes long, around one storage. */
static struct told nest(const struct scratch *dir, size_t depth, size_t len)
{
	struct told told = { 0 };
	char key[256];
	struct pickle p;

	memset(key, 'k', len);
	key[len] = '\0';
	pickle_begin(&p);
	for (size_t i = 0; i < depth; i++) {
		fputs("}(", p.to);
		torch_pickle_text(p.to, key);
	}
	put_tensor(&p, "FloatStorage", 0, 1, 1);
	for (size_t i = 0; i < depth; i++)
		fputc('u', p.to);
	pickle_end(&p, dir, 1, 4);
	ask(dir, NULL, &told);
	return told;
}

/* A name is cut where it is too long or too deep, never run over. */
static void test_torch_names__long_and_deep_names(void **state)
{
	const struct scratch *dir = *state;

	assert_int_equal(nest(dir, 1, 63).longest, 63);
	assert_int_equal(nest(dir, 1, 64).longest, 63);
	assert_int_equal(nest(dir, 1, 255).longest, 63);
	assert_int_equal(nest(dir, 2, 63).longest, 127);
	assert_int_equal(nest(dir, 3, 52).longest, 158);
	assert_int_equal(nest(dir, 4, 39).longest, 159); /* just fits */
	assert_int_equal(nest(dir, 3, 53).longest, 159);
	assert_int_equal(nest(dir, 9, 63).longest, 159);
	assert_int_equal(nest(dir, 16, 2).longest, 16 * 3 - 1);
	assert_int_equal(nest(dir, 17, 2).longest, 16 * 3 - 1);
	assert_int_equal(nest(dir, 500, 2).longest, 16 * 3 - 1);
}

/* A tensor "t" of @n dimensions of @dim, its storage's length 1. */
static struct told dims(const struct scratch *dir, size_t n, uint64_t dim)
{
	struct pickle p;

	pickle_begin(&p);
	fputs("}(", p.to);
	torch_pickle_text(p.to, "t");
	put_tensor(&p, "FloatStorage", 0, n, dim);
	return told_of(&p, dir, 4);
}

/* A product that no number holds is told as the largest; more dimensions than are followed as the
 * storage alone. */
static void test_torch_names__shapes(void **state)
{
	const struct scratch *dir = *state;
	static const struct {
		size_t n;
		uint64_t dim, count;
		bool shape;
	} cases[] = {
		{ 0, 0, 1, false },
		{ 2, 3, 9, true },
		{ 3, 0, 0, true },
		{ 2, UINT64_C(1) << 31, UINT64_C(1) << 62, true },
		{ 2, UINT64_C(1) << 32, UINT64_MAX, true },
		{ 2, INT64_MAX, UINT64_MAX, true },
		{ 5, INT64_MAX, UINT64_MAX, true },
		{ CKPT_PICKLE_DIMS, 2, 65536, true },
		{ CKPT_PICKLE_DIMS + 1, 2, 1, false },
		{ 60, 2, 1, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct told told = dims(dir, cases[i].n, cases[i].dim);

		assert_int_equal(told.n, 1);
		assert_string_equal(told.name, "t");
		assert_string_equal(told.last.type, "F32");
		if (told.last.count != cases[i].count || (told.last.shape != 0) != cases[i].shape)
			fail_msg("case %zu: %llu elements, shape %llx", i,
				 (unsigned long long)told.last.count,
				 (unsigned long long)told.last.shape);
	}
}

static void test_torch_names__types(void **state)
{
	static const struct {
		const char *storage, *type;
		size_t element;
	} cases[] = {
		{ "DoubleStorage", "F64", 8 },
		{ "HalfStorage", "F16", 2 },
		{ "BFloat16Storage", "BF16", 2 },
		{ "LongStorage", "8-byte ints", 8 },
		{ "BoolStorage", "1-byte ints", 1 },
		{ "ComplexDoubleStorage", "complex F64", 16 },
		{ "ComplexFloatStorage", "complex F32", 8 },
		{ "UntypedStorage", "1 bytes each", 1 },
		{ "NoSuchStorage", "", 3 },
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct told told;
		struct pickle p;

		pickle_begin(&p);
		fputs("}(", p.to);
		torch_pickle_text(p.to, "t");
		put_tensor(&p, cases[i].storage, 0, 1, 1);
		told = told_of(&p, dir, cases[i].element);
		assert_int_equal(told.n, 1);
		assert_string_equal(told.last.type, cases[i].type);
		assert_int_equal(told.last.count, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_torch_names__more_storages_than_are_kept),
		scratch_test(test_torch_names__only_those_in_the_range_count),
		scratch_test(test_torch_names__mentioned_twice_or_never),
		scratch_test(test_torch_names__long_and_deep_names),
		scratch_test(test_torch_names__shapes),
		scratch_test(test_torch_names__types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
