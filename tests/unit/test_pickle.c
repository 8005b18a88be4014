/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pickle scan: opcodes of all protocols, the memo, the top-level dict against nested ones, and
 * streams that are torn, hostile or no pickle at all.
 */
#include "core/format/torch/pickle.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/cleanup.h"

/* What a scan told, as one line: names, "word=value", "@key:numel*element". */
struct told {
	char text[2048];
	size_t names, stop_after;
};

static void tell(struct told *told, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct told *told, const char *fmt, ...)
{
	size_t len = strlen(told->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(told->text + len, sizeof(told->text) - len, fmt, ap);
	va_end(ap);
}

static const char *const words[] = { "step", "epoch", "version" };

static bool on_name(void *arg, const char *text, size_t len)
{
	struct told *told = arg;

	tell(told, "%.*s ", (int)len, text);
	return ++told->names != told->stop_after;
}

static bool on_item(void *arg, size_t word, const struct ckpt_pickle_value *v)
{
	switch (v->kind) {
	case CKPT_PICKLE_INT:
	case CKPT_PICKLE_BOOL:
		tell(arg, "%s=%lld%s ", words[word], (long long)v->i,
		     v->kind == CKPT_PICKLE_BOOL ? "?" : "");
		break;
	case CKPT_PICKLE_FLOAT:
		tell(arg, "%s=%g. ", words[word], v->f);
		break;
	case CKPT_PICKLE_TEXT:
		tell(arg, "%s='%s' ", words[word], v->text);
		break;
	case CKPT_PICKLE_NONE:
		tell(arg, "%s=None ", words[word]);
		break;
	case CKPT_PICKLE_TENSOR:
		tell(arg, "%s=tensor ", words[word]);
		break;
	case CKPT_PICKLE_INTERNED:
	case CKPT_PICKLE_EARLIER:
	case CKPT_PICKLE_OPAQUE:
		tell(arg, "%s=opaque ", words[word]);
		break;
	}
	return true;
}

static bool on_storage(void *arg, const struct ckpt_pickle_storage *s)
{
	if (s->has_key)
		tell(arg, "@%llu:%llu*%u ", (unsigned long long)s->key,
		     (unsigned long long)s->numel, s->element);
	else
		tell(arg, "@?:%llu*%u ", (unsigned long long)s->numel, s->element);
	return true;
}

/* Scans @len bytes for @sink; *@ret_left is what the scan left behind the pickle. */
static int scan_by(const struct ckpt_pickle_sink *sink, const void *data, size_t len,
		   struct ckpt_pickle_summary *sum, uint64_t *ret_left)
{
	struct ckpt_ctx ctx = { 0 };
	char name[] = "pickle";
	struct ckpt_file file = { .name = name, .size = len, .ctx = &ctx };
	struct ckpt_pickle_range range = { .file = &file, .end = len };
	_cleanup_close_ int fd = memfd_create("pickle", MFD_CLOEXEC);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	file.fd = fd;
	r = ckpt_pickle_scan_range(&range, sink, sum, NULL);
	if (ret_left)
		*ret_left = len - range.off;
	return r;
}

static int scan(const void *data, size_t len, struct told *told, struct ckpt_pickle_summary *sum,
		uint64_t *ret_left)
{
	const struct ckpt_pickle_sink sink = { .words = words,
					       .n_words = 3,
					       .name = on_name,
					       .item = on_item,
					       .storage = on_storage,
					       .arg = told };

	return scan_by(&sink, data, len, sum, ret_left);
}

#define P(s) s, sizeof(s) - 1
#define KEY(len, s) "X" len "\0\0\0" s

struct row {
	const char *data;
	size_t len;
	const char *told;
	uint64_t items, tensors;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct told told = { .text = "" };
		struct ckpt_pickle_summary sum = { 0 };
		uint64_t left = 1;
		int r = scan(rows[i].data, rows[i].len, &told, &sum, &left);

		if (r || strcmp(told.text, rows[i].told) != 0)
			print_error("row %zu: result %d\n", i, r);
		assert_int_equal(r, 0);
		assert_string_equal(told.text, rows[i].told);
		assert_int_equal(left, 0);
		assert_int_equal(sum.items, rows[i].items);
		assert_int_equal(sum.tensors, rows[i].tensors);
	}
}

static void test_pickle__values(void **state)
{
	static const struct row rows[] = {
		{ P("\x80\2}" KEY("\4", "step") "K\5s."), "step step=5 ", 1, 0 },
		{ P("\x80\2}" KEY("\4", "step") "M\1\2s."), "step step=513 ", 1, 0 },
		{ P("\x80\2}" KEY("\4", "step") "J\xff\xff\xff\xffs."), "step step=-1 ", 1, 0 },
		{ P("\x80\2}" KEY("\4", "step") "\x8a\5\0\0\0\0\1s."), "step step=4294967296 ", 1,
		  0 },
		{ P("\x80\2}" KEY("\4", "step") "\x8a\1\xfes."), "step step=-2 ", 1, 0 },
		{ P("\x80\2}" KEY("\4", "step") "\x8a\0s."), "step step=0 ", 1, 0 },
		{ P("\x80\2}" KEY("\4", "step") "\x8a\x09"
						"123456789s."),
		  "step step=opaque ", 1, 0 },
		{ P("\x80\2}" KEY("\4", "step") "G\x3f\xf8\0\0\0\0\0\0s."), "step step=1.5. ", 1,
		  0 },
		{ P("\x80\2}" KEY("\4", "step") "Ns."), "step step=None ", 1, 0 },
		{ P("\x80\2}" KEY("\4", "step") "\x88s."), "step step=1? ", 1, 0 },
		{ P("\x80\2}" KEY("\4", "step") "\x89s."), "step step=0? ", 1, 0 },
		{ P("\x80\2}" KEY("\7", "version") KEY("\5", "2.1.0") "s."),
		  "version version='2.1.0' ", 1, 0 },
		{ P("\x80\2}" KEY("\7", "version") KEY("\2", "12") "s."), "version version='12' ",
		  1, 0 },
		/* protocol 0 */
		{ P("(dp0\nVstep\np1\nI7\nsVepoch\np2\nF1.5\ns."), "step step=7 epoch epoch=1.5. ",
		  2, 0 },
		{ P("(S'step'\nL70L\nS'epoch'\nI01\nd."), "step step=70 epoch epoch=1? ", 2, 0 },
		/* protocol 4: frame, short names, MEMOIZE */
		{ P("\x80\4\x95\x0b\0\0\0\0\0\0\0}\x94(\x8c\4step\x94K\3\x8c\5"
		    "epoch\x94K\4u."),
		  "step step=3 epoch epoch=4 ", 2, 0 },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Only the dict that is the object itself counts, whatever it is built by. */
static void test_pickle__top_level(void **state)
{
	static const struct row rows[] = {
		/* {"c": {"step": 9}, "step": 4}, the second "step" from the memo */
		{ P("\x80\2}q\0(" KEY("\1", "c") "}" KEY("\4", "step") "q\1K\x09sh\1K\4u."),
		  "c step step=4 ", 2, 0 },
		/* the same memoised by a long PUT and GET, and by lines */
		{ P("\x80\2}(" KEY("\1", "c") "}" KEY("\4",
						      "step") "r\1\2\0\0K\x09sj\1\2\0\0K\4u."),
		  "c step step=4 ", 2, 0 },
		{ P("(dVc\n(dVstep\np5\nI9\nssg5\nI4\ns."), "c step step=4 ", 2, 0 },
		/* an OrderedDict: REDUCE, then items */
		{ P("\x80\2ccollections\nOrderedDict\n)R(" KEY("\4", "step") "K\5u."),
		  "step step=5 ", 1, 0 },
		/* with attributes: BUILD of a state that has a "step" of its own */
		{ P("\x80\2ccollections\nOrderedDict\n)R(" KEY("\4", "step") "K\5u}" KEY(
			  "\4", "step") "K\6sb."),
		  "step step=5 ", 1, 0 },
		/* a list: its strings */
		{ P("\x80\2](" KEY("\2", "12") KEY("\2", "ab") "K\1e."), "12 ab ", 0, 0 },
		{ P("\x80\2]" KEY("\2", "12") "a."), "12 ", 0, 0 },
		/* neither */
		{ P("\x80\2K\5."), "", 0, 0 },
		{ P("\x80\2](}" KEY("\4", "step") "K\5se."), "", 0, 0 },
		{ P("\x80\2}" KEY("\4", "step") "K\1s0}."), "step step=1 ", 1, 0 },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

#define TENSOR(key)                                                                                \
	"ctorch._utils\n_rebuild_tensor_v2\n((" KEY(                                               \
		"\7", "storage") "ctorch\nFloatStorage\n" key KEY("\3", "cpu") "K\x06tQK\0tR"

static void test_pickle__storages(void **state)
{
	static const struct row rows[] = {
		{ P("\x80\2}" KEY("\1", "w") TENSOR(KEY("\1", "0")) "s."), "@0:6*4 w ", 1, 1 },
		{ P("\x80\2}(" KEY("\1", "w") TENSOR(KEY("\2", "17")) KEY("\4", "step") "K\1u."),
		  "@17:6*4 w step step=1 ", 2, 1 },
		/* a key that was seen before and comes from the memo */
		{ P("\x80\2]" TENSOR(KEY("\1", "3") "q\7") "a" TENSOR("h\7") "a."),
		  "@3:6*4 @3:6*4 ", 0, 0 },
		/* one that the memo never had: no key, not key 0 */
		{ P("\x80\2]" TENSOR("h\7") "a."), "@?:6*4 ", 0, 0 },
		/* keys that are none: leading zero, beyond 64 bit, a word */
		{ P("\x80\2]" TENSOR(KEY("\2", "07")) "a."), "@?:6*4 ", 0, 0 },
		{ P("\x80\2]" TENSOR(KEY("\x14", "18446744073709551616")) "a."), "@?:6*4 ", 0, 0 },
		{ P("\x80\2]" TENSOR(KEY("\x14", "18446744073709551615")) "a."),
		  "@18446744073709551615:6*4 ", 0, 0 },
		/* unknown class: no element size; six members: legacy */
		{ P("\x80\2(" KEY("\7", "storage") "ctorch\nOddStorage\n" KEY("\1",
									      "1") "NK\2NtQ."),
		  "@1:2*0 ", 0, 0 },
		/* not a storage: another word, four members, negative size */
		{ P("\x80\2(" KEY("\5", "other") "ctorch\nFloatStorage\n" KEY("\1", "1") "NK\2tQ."),
		  "", 0, 0 },
		{ P("\x80\2(" KEY("\7", "storage") "ctorch\nFloatStorage\n" KEY("\1", "1") "NtQ."),
		  "", 0, 0 },
		{ P("\x80\2(" KEY("\7", "storage") "ctorch\nFloatStorage\n" KEY(
			  "\1", "1") "NJ\xff\xff\xff\xfftQ."),
		  "", 0, 0 },
		/* STACK_GLOBAL */
		{ P("\x80\4(\x8c\7storage\x8c\5torch\x8c\x0bHalfStorage\x93\x8c\1"
		    "1NK\2tQ."),
		  "@1:2*2 ", 0, 0 },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_pickle__element_sizes(void **state)
{
	static const struct {
		const char *name;
		unsigned int element;
	} rows[] = {
		{ "DoubleStorage", 8 },		{ "FloatStorage", 4 },
		{ "HalfStorage", 2 },		{ "BFloat16Storage", 2 },
		{ "LongStorage", 8 },		{ "IntStorage", 4 },
		{ "ShortStorage", 2 },		{ "CharStorage", 1 },
		{ "ByteStorage", 1 },		{ "BoolStorage", 1 },
		{ "ComplexDoubleStorage", 16 }, { "ComplexFloatStorage", 8 },
		{ "QInt8Storage", 1 },		{ "QUInt8Storage", 1 },
		{ "QInt32Storage", 4 },		{ "UntypedStorage", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told told = { .text = "" };
		struct ckpt_pickle_summary sum;
		char data[256], expected[64];
		int len = snprintf(data, sizeof(data),
				   "(U\007storagectorch\n%s\nU\0011U\003cpuK\002tQ.", rows[i].name);

		snprintf(expected, sizeof(expected), "@1:2*%u ", rows[i].element);
		assert_int_equal(scan(data, (size_t)len, &told, &sum, NULL), 0);
		assert_string_equal(told.text, expected);
	}
}

/* Every beginning of a pickle is torn, none of it is believed to be whole. */
static void test_pickle__torn(void **state)
{
	static const char data[] =
		"\x80\2}q\0(" KEY("\1", "w") TENSOR(KEY("\1", "0")) KEY("\4", "step") "M\1\2u.";

	(void)state;
	for (size_t len = 0; len < sizeof(data) - 1; len++) {
		struct told told = { .text = "" };
		struct ckpt_pickle_summary sum;

		assert_int_equal(scan(data, len, &told, &sum, NULL), CKPT_PICKLE_TORN);
	}
}

static void test_pickle__bad(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} rows[] = {
		{ P("\xff.") },		     /* no opcode */
		{ P("\0.") },		     /* nor this */
		{ P(".") },		     /* nothing to give */
		{ P("(.") },		     /* but a mark */
		{ P("0.") },		     /* POP of nothing */
		{ P("t.") },		     /* no mark */
		{ P("K\1K\2s.") },	     /* SETITEM without a dict */
		{ P("(K\1K\2s.") },	     /* across a mark */
		{ P("}(K\1u.") },	     /* a key without a value */
		{ P("(K\1K\2u.") },	     /* pairs for nothing */
		{ P("(e.") },		     /* elements for nothing */
		{ P("K\1(R.") },	     /* call across a mark */
		{ P("K\1R.") },		     /* call of nothing */
		{ P("q\0.") },		     /* PUT of nothing */
		{ P("K\1p99999999999\n.") }, /* no memo number */
		{ P("Ix\n.") },		     /* no number */
		{ P("F1.5x\n.") },	     /* nor this */
		{ P("S'\n.") },		     /* no string */
		{ P("\x93.") },		     /* names from nowhere */
		{ P("2.") },		     /* DUP of nothing */
		{ P("\x87.") },		     /* a tuple of nothing */
		{ P("Q.") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told told = { .text = "" };
		struct ckpt_pickle_summary sum;
		int r = scan(rows[i].data, rows[i].len, &told, &sum, NULL);

		if (r != CKPT_PICKLE_BAD)
			print_error("row %zu\n", i);
		assert_int_equal(r, CKPT_PICKLE_BAD);
	}
}

static void test_pickle__limits(void **state)
{
	_cleanup_free_ char *data = malloc(1 << 20);
	struct told told = { .text = "" };
	struct ckpt_pickle_summary sum;

	(void)state;
	assert_non_null(data);
	memset(data, 'N', 1 << 20);
	assert_int_equal(scan(data, 1 << 20, &told, &sum, NULL), CKPT_PICKLE_LIMIT);
	/* 65,536 slots are fine */
	memset(data + 65536, '.', 1);
	assert_int_equal(scan(data, 65537, &told, &sum, NULL), 0);
	/* a line without an end */
	memset(data, 'V', 1 << 20);
	assert_int_equal(scan(data, 1 << 20, &told, &sum, NULL), CKPT_PICKLE_TORN);
	/* a long one with it */
	memcpy(data + (1 << 20) - 2, "\n.", 2);
	assert_int_equal(scan(data, 1 << 20, &told, &sum, NULL), 0);
	/* but no name */
	memset(data, 'c', 1 << 20);
	assert_int_equal(scan(data, 1 << 20, &told, &sum, NULL), CKPT_PICKLE_BAD);
	/* a length beyond everything */
	assert_int_equal(scan(P("\x8e\xff\xff\xff\xff\xff\xff\xff\xff."), &told, &sum, NULL),
			 CKPT_PICKLE_TORN);
}

/* Strings longer than a buffer are stepped over; the pickle behind them is read to its end. */
static void test_pickle__long_text(void **state)
{
	size_t body = 300000, at = 0;
	_cleanup_free_ char *data = malloc(body + 64);
	struct told told = { .text = "" };
	struct ckpt_pickle_summary sum;
	uint64_t left;

	(void)state;
	assert_non_null(data);
	memcpy(data, "}(X\xe0\x93\4\0", 7);
	at += 7;
	memset(data + at, 'a', body);
	at += body;
	memcpy(data + at, "K\1U\4stepK\2u.rest", 16);
	assert_int_equal(scan(data, at + 16, &told, &sum, &left), 0);
	assert_int_equal(left, 4);
	assert_int_equal(strspn(told.text, "a"), 63);
	assert_string_equal(told.text + 63, " step step=2 ");
}

static void test_pickle__stops_where_told(void **state)
{
	struct told told = { .stop_after = 1 };
	struct ckpt_pickle_summary sum;

	(void)state;
	assert_int_equal(scan(P("](U\1aU\1be."), &told, &sum, NULL), CKPT_PICKLE_STOPPED);
	assert_string_equal(told.text, "a ");
}

static bool on_intern(void *arg, size_t word, const char *text, uint32_t *ret_id)
{
	tell(arg, "<%s %s> ", words[word], text);
	*ret_id = 70 + (uint32_t)strlen(text);
	return word == 2;
}

static bool on_nested(void *arg, size_t word, const struct ckpt_pickle_value *v)
{
	if (v->kind == CKPT_PICKLE_INTERNED)
		tell(arg, "%s=#%lld ", words[word], (long long)v->i);
	else
		on_item(arg, word, v);
	return v->kind != CKPT_PICKLE_NONE;
}

/* A pickle, what the scan of it tells and what it returns. */
struct scanned {
	const char *data;
	size_t len;
	const char *told;
	int result;
};

/* Scans @row with @sink, whose arg it sets. */
static void expect_told(struct ckpt_pickle_sink sink, const struct scanned *row)
{
	struct told told = { .text = "" };
	struct ckpt_pickle_summary sum;

	sink.words = words;
	sink.n_words = 3;
	sink.arg = &told;
	assert_int_equal(scan_by(&sink, row->data, row->len, &sum, NULL), row->result);
	assert_string_equal(told.text, row->told);
}

/* Dicts in dicts, and strings that the caller keeps: also where the memo brings them back. */
static void test_pickle__nested(void **state)
{
	static const struct scanned rows[] = {
		{ P("}U\1a}(U\4stepK\5us."), "step=5 ", 0 },
		{ P("}U\1a}U\4stepK\5ss."), "step=5 ", 0 },
		{ P("}U\1a(U\4stepK\5ds."), "step=5 ", 0 },
		{ P("](}(U\7versionU\3abcu}(U\5epochU\1xue."),
		  "<version abc> version=#73 <epoch x> epoch='' ", 0 },
		{ P("](}(U\7versionq\0U\3abcq\1u}(h\0h\1ue."),
		  "<version abc> version=#73 version=#73 ", 0 },
		{ P("\x80\4](}(\x8c\7version\x94\x8c\3abc\x94u}(h\0h\1ue."),
		  "<version abc> version=#73 version=#73 ", 0 },
		{ P("](}(U\4stepNu}(U\4stepK\1ue."), "step=None ", CKPT_PICKLE_STOPPED },
	};
	const struct ckpt_pickle_sink sink = { .intern = on_intern, .nested = on_nested };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_told(sink, &rows[i]);
}

static bool on_holder(void *arg, const struct ckpt_pickle_value *key)
{
	tell(arg, "%s: ", key->kind == CKPT_PICKLE_TEXT ? key->text : "?");
	return true;
}

static bool on_named(void *arg, size_t word)
{
	tell(arg, "!%s ", words[word]);
	return true;
}

static bool on_numbers(void *arg, const struct ckpt_pickle_dims *dims)
{
	tell(arg, "(");
	for (size_t i = 0; i < dims->n; i++)
		tell(arg, "%s%llu", i ? "," : "", (unsigned long long)dims->of[i]);
	tell(arg, ") ");
	return dims->n < 5;
}

/* What objects are made of: the key that one with such a state stands under, classes as often as
 * they are mentioned, tuples of numbers. */
static void test_pickle__objects(void **state)
{
	static const struct scanned rows[] = {
		{ P("}U\4stepK\5s."), "?: step=5 ", 0 },
		{ P("}U\1acm\nx\n)\x81}U\4stepK\5sbs."), "() a: step=5 ", 0 },
		{ P("}(U\1bK\1U\1acm\nx\n)\x81}(U\1yNU\4stepK\5U\5epochK\6ubu."),
		  "() a: step=5 epoch=6 ", 0 },
		{ P("cm\nx\n)\x81}U\4stepK\5sb."), "() ?: step=5 ", 0 },
		{ P("](}U\4stepK\5se."), "?: step=5 ", 0 },
		{ P("(cm\nversion\nq\0h\0t."), "!version !version ", 0 },
		{ P("(cm\nversion\np0\ng0\nt."), "!version !version ", 0 },
		{ P("(K\1K\2K\3K\4t."), "(1,2,3,4) ", 0 },
		{ P("K\1K\7\x86\x85."), "(1,7) ", 0 },
		{ P("K\1J\xff\xff\xff\xff\x86."), "", 0 },
		{ P("(K\1K\2K\3K\4K\5t]."), "(1,2,3,4,5) ", CKPT_PICKLE_STOPPED },
	};
	const struct ckpt_pickle_sink sink = { .named = on_named,
					       .holder = on_holder,
					       .numbers = on_numbers,
					       .nested = on_item,
					       .paths = true };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_told(sink, &rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pickle__values),
		cmocka_unit_test(test_pickle__top_level),
		cmocka_unit_test(test_pickle__storages),
		cmocka_unit_test(test_pickle__element_sizes),
		cmocka_unit_test(test_pickle__torn),
		cmocka_unit_test(test_pickle__bad),
		cmocka_unit_test(test_pickle__limits),
		cmocka_unit_test(test_pickle__long_text),
		cmocka_unit_test(test_pickle__stops_where_told),
		cmocka_unit_test(test_pickle__nested),
		cmocka_unit_test(test_pickle__objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
