/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two saves of one run, by the formats' own writers: what differs is told, and what may differ is
 * not.
 */
#include "core/integrity/siblings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/sealed.h"
#include "tests/unit/support/tf_build.h"

#define BEGIN                                                                                      \
	"import sys, os\nimport numpy as np\n"                                                     \
	"def f(n, t='f4'): return np.arange(n).astype(t)\n"

/* Runs @script, which finds what makes checkpoints for other tests. */
static void make(const struct scratch *dir, const char *script)
{
	char command[512];

	scratch_put(dir->fd, "make.py", script);
	snprintf(command, sizeof(command),
		 "cd %s && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=%s /usr/bin/python3 make.py 2>&1",
		 dir->path, CKPT_TEST_DATA);
	if (system(command) == 0)
		return;
	print_message("no writer of this format here\n");
	skip();
}

static int compare(const struct scratch *dir, const char *own, const char *old,
		   struct ckpt_siblings *ret)
{
	_cleanup_catalog_ struct ckpt_catalog a = { 0 }, b = { 0 };
	struct ckpt_ctx ctx = { 0 };

	return ckpt_siblings_compare(&ctx, sealed_set(dir, &a, own), sealed_set(dir, &b, old), ret);
}

static const char *words(const struct scratch *dir, const char *own, const char *old)
{
	static char buf[512];
	struct ckpt_siblings s;

	assert_int_equal(compare(dir, own, old, &s), 0);
	assert_true(s.own > 0 && s.old > 0);
	return ckpt_siblings_words(&s, old, buf, sizeof(buf));
}

/* One format: how its files are called, and how a dict of arrays becomes one. */
static const struct writer {
	const char *name, *save;
	const char *f4, *f2, *i8; /* what it calls these types */
	bool shapes;
} writers[] = {
	{ "model_%d.h5",
	  "import h5py\n"
	  "def save(name, d):\n"
	  "  with h5py.File(name, 'w') as h:\n"
	  "    for k in d: h[k] = d[k]\n",
	  "float32", "float16", "int64", true },
	{ "model_%d.npz", "def save(name, d): np.savez(name, **d)\n", "f4", "f2", "i8", true },
	{ "packed_%d.npz", "def save(name, d): np.savez_compressed(name, **d)\n", "f4", "f2", "i8",
	  true },
	{ "model_%d.pt",
	  "import torch\n"
	  "def save(name, d):\n"
	  "  d = {k: torch.from_numpy(v.copy()) for k, v in d.items()}\n"
	  "  torch.save({'model': d, 'epoch': 1}, name)\n",
	  "F32", "F16", "8-byte ints", true },
	{ "model_%d.safetensors",
	  "import json, struct\n"
	  "T = {'f4': 'F32', 'f2': 'F16', 'i8': 'I64'}\n"
	  "def save(name, d):\n"
	  "  h, at = {}, 0\n"
	  "  for k, v in d.items():\n"
	  "    h[k] = dict(dtype=T[v.dtype.str[1:]], shape=v.shape, data_offsets=[at, at + "
	  "v.nbytes])\n"
	  "    at += v.nbytes\n"
	  "  h = json.dumps(h).encode()\n"
	  "  data = b''.join(v.tobytes() for v in d.values())\n"
	  "  open(name, 'wb').write(struct.pack('<Q', len(h)) + h + data)\n",
	  "F32", "F16", "I64", true },
	/* the classic format by its specification; it has no half floats */
	{ "model_%d.nc",
	  "from struct import pack\n"
	  "T = {'f4': 5, 'f2': 3, 'i8': 6}\n"
	  "def text(s): return pack('>i', len(s)) + s.encode() + bytes(-len(s) % 4)\n"
	  "def save(name, d):\n"
	  "  dims = sorted({n for v in d.values() for n in v.shape})\n"
	  "  size = lambda v: {'f2': 2}.get(v.dtype.str[1:], v.dtype.itemsize) * v.size\n"
	  "  def header(begin):\n"
	  "    h = b'CDF\\2' + pack('>iii', 0, 10, len(dims))\n"
	  "    h += b''.join(text('d%d' % n) + pack('>i', n) for n in dims)\n"
	  "    h += pack('>iiii', 0, 0, 11, len(d))\n"
	  "    for k, v in d.items():\n"
	  "      h += text(k) + pack('>i', v.ndim)\n"
	  "      h += b''.join(pack('>i', dims.index(n)) for n in v.shape)\n"
	  "      h += pack('>ii', 12, 1) + text('units') + pack('>ii', 2, 1) + b'm\\0\\0\\0'\n"
	  "      h += pack('>iiq', T[v.dtype.str[1:]], size(v), begin)\n"
	  "      begin += -(-size(v) // 4) * 4\n"
	  "    return h, begin\n"
	  "  h, end = header(len(header(0)[0]))\n"
	  "  open(name, 'wb').write(h + bytes(end - len(h)))\n",
	  "float", "short", "double", true },
	/* MessagePack as flax/serialization.py packs it */
	{ "checkpoint_%d",
	  "from struct import pack\n"
	  "def num(n): return pack('>BQ', 0xcf, n)\n"
	  "def text(s): return pack('>BB', 0xd9, len(s)) + s.encode()\n"
	  "def array(v):\n"
	  "  a = b'\\x93' + bytes([0x90 + v.ndim]) + b''.join(num(n) for n in v.shape)\n"
	  "  a += text(v.dtype.name) + pack('>BI', 0xc6, v.nbytes) + v.tobytes()\n"
	  "  return pack('>BIb', 0xc9, len(a), 1) + a\n"
	  "def save(name, d):\n"
	  "  h = bytes([0x82]) + text('step') + num(7) + text('model') + bytes([0x80 + len(d)])\n"
	  "  h += b''.join(text(k) + array(v) for k, v in d.items())\n"
	  "  open(name, 'wb').write(h)\n",
	  "float32", "float16", "int64", true },
	/* as Keras writes its archive (saving_lib.py), all members stored */
	{ "model_%d.keras",
	  "import h5py, io, zipfile\n"
	  "def save(name, d):\n"
	  "  b = io.BytesIO()\n"
	  "  with h5py.File(b, 'w') as h:\n"
	  "    for k in d: h['model/' + k] = d[k]\n"
	  "  with zipfile.ZipFile(name, 'w') as z:\n"
	  "    z.writestr('metadata.json', '{\"keras_version\": \"3.0.5\"}')\n"
	  "    z.writestr('config.json', '{\"class_name\": \"Sequential\"}')\n"
	  "    z.writestr('model.weights.h5', b.getvalue())\n",
	  "float32", "float16", "int64", true },
/* Orbax: a tree in OCDBT, and the same with zarr 3 */
#define ORBAX                                                                                      \
	"from make_orbax import *\n"                                                               \
	"def entry(v): return v2(v.shape, v.shape, 'raw').replace(b'<f4', v.dtype.str.encode())\n" \
	"def entry3(v): return v3(v.shape, v.shape, PLAIN3).replace(b'float32', "                  \
	"v.dtype.name.encode())\n"                                                                 \
	"def store(name, entries):\n"                                                              \
	"  s = Store(name, False)\n"                                                               \
	"  s.finish(0, s.leaf(sorted(entries), 'd/' + '2' * 32))\n"                                \
	"def place(v, c): return c.join('0' * v.ndim)\n"
	{ "state-%d",
	  ORBAX "def save(name, d):\n"
		"  store(name, [(k + '/.zarray', entry(v)) for k, v in d.items()] +\n"
		"        [(k + '/' + place(v, '.'), v.tobytes()) for k, v in d.items()])\n"
		"  put(name + '/_METADATA', metadata())\n",
	  "f4", "f2", "i8", true },
	{ "state3-%d",
	  ORBAX "def save(name, d):\n"
		"  store(name, [(k + '/zarr.json', entry3(v)) for k, v in d.items()] +\n"
		"        [(k + '/c/' + place(v, '/'), v.tobytes()) for k, v in d.items()])\n"
		"  put(name + '/_METADATA', metadata(use_zarr3=True))\n",
	  "float32", "float16", "int64", true },
	{ "step-%d",
	  "import make_dcp, torch\n"
	  "def save(name, d):\n"
	  "  d = {'model/' + k: torch.from_numpy(v.copy()) for k, v in d.items()}\n"
	  "  make_dcp.save(name, dict(d, lr={'last_epoch': 1}), name < 'step-5')\n",
	  "float32", "float16", "int64", true },
};

static void check_writer(const struct scratch *dir, const struct writer *w)
{
	static const char body[] =
		"a = dict(w=f(60), b=f(7), n=f(3, 'i8'), x=f(9))\n"
		"names = %s\n"
		"save(names %% 1, a)\n"
		"save(names %% 2, a)\n"					   /* the same */
		"save(names %% 3, dict(a, w=f(60, 'f2'), x=f(9, 'i8')))\n" /* two types */
		"save(names %% 4, dict(a, w=f(30)))\n"			   /* half */
		"save(names %% 5, dict(a, x=f(900)))\n"			   /* a history grows */
		"save(names %% 6, {k: f(9 * len(v), v.dtype) for k, v in a.items()})\n"
		"save(names %% 7, {k: a[k] for k in 'wb'})\n" /* two are gone */
		"save(names %% 8, dict(a, w=f(60).reshape(6, 10)))\n"
		"save(names %% 9, {k if k in 'wb' else 'm.' + k: a[k] for k in a})\n";
	char script[4096], quoted[64], name[10][64], expect[160];
	const char *prefix = strstr(w->save, "'model") ? "model/" : "";

	snprintf(quoted, sizeof(quoted), "'%s'", w->name);
	snprintf(script, sizeof(script), BEGIN "%s", w->save);
	snprintf(script + strlen(script), sizeof(script) - strlen(script), body, quoted);
	make(dir, script);
	for (int i = 1; i <= 9; i++) {
		char digit[] = { (char)('0' + i), '\0' };
		const char *hole = strstr(w->name, "%d");

		snprintf(name[i], sizeof(name[i]), "%.*s%s%s", (int)(hole - w->name), w->name,
			 digit, hole + 2);
	}
	assert_string_equal(words(dir, name[2], name[1]), "");
	snprintf(expect, sizeof(expect), "%sw is of %s, %s in %s (and 1 more)", prefix, w->f2,
		 w->f4, name[1]);
	assert_string_equal(words(dir, name[3], name[1]), expect);
	snprintf(expect, sizeof(expect), "%sw has 30 numbers, 60 in %s", prefix, name[1]);
	assert_string_equal(words(dir, name[4], name[1]), expect);
	assert_string_equal(words(dir, name[5], name[1]), "");
	assert_non_null(strstr(words(dir, name[6], name[1]), " numbers, "));
	assert_non_null(strstr(words(dir, name[6], name[1]), " (and 3 more)"));
	snprintf(expect, sizeof(expect), "no %sn, which %s has (and 1 more)", prefix, name[1]);
	assert_string_equal(words(dir, name[7], name[1]), expect);
	assert_string_equal(words(dir, name[1], name[7]), "");
	snprintf(expect, sizeof(expect), "%sw has another shape than in %s", prefix, name[1]);
	assert_string_equal(words(dir, name[8], name[1]), w->shapes ? expect : "");
	snprintf(expect, sizeof(expect),
		 "no %sn, which %s has (and 1 more); %sm.n is new (and 1 more)", prefix, name[1],
		 prefix);
	assert_string_equal(words(dir, name[9], name[1]), expect);
}

static void test_siblings__hdf5(void **state)
{
	check_writer(*state, &writers[0]);
}

static void test_siblings__npz(void **state)
{
	check_writer(*state, &writers[1]);
	check_writer(*state, &writers[2]);
}

static void test_siblings__torch(void **state)
{
	check_writer(*state, &writers[3]);
}

static void test_siblings__safetensors(void **state)
{
	check_writer(*state, &writers[4]);
}

static void test_siblings__netcdf(void **state)
{
	check_writer(*state, &writers[5]);
}

static void test_siblings__flax(void **state)
{
	check_writer(*state, &writers[6]);
}

static void test_siblings__keras(void **state)
{
	check_writer(*state, &writers[7]);
}

static void test_siblings__orbax(void **state)
{
	check_writer(*state, &writers[8]);
	check_writer(*state, &writers[9]);
}

/* Folders come in the order of the file system. */
static void test_siblings__orbax_folders(void **state)
{
	const struct scratch *dir = *state;

	make(dir, BEGIN ORBAX
	     "def save(i, d):\n"
	     "  put('%d/model/_METADATA' % i, metadata(use_ocdbt=False))\n"
	     "  for k, v in d.items():\n"
	     "    put('%d/model/%s/.zarray' % (i, k), entry(v))\n"
	     "    put('%d/model/%s/%s' % (i, k, place(v, '.')), v.tobytes())\n"
	     "a = {'w': f(60), 'b.c': f(7)}\n"
	     "save(1, a)\nsave(2, a)\nsave(3, dict(a, w=f(60, 'f2')))\nsave(4, dict(a, w=f(30)))\n"
	     "save(5, {'w': f(60), 'b.d': f(7)})\n");
	assert_string_equal(words(dir, "2", "1"), "");
	assert_string_equal(words(dir, "3", "1"), "model/w is of f2, f4 in 1");
	assert_string_equal(words(dir, "4", "1"), "model/w has 30 numbers, 60 in 1");
	assert_string_equal(words(dir, "5", "1"), "no model/b.c, which 1 has; model/b.d is new");
}

/* Metadata that do not fit into the tree lie beside it; a tree too large to walk tells nothing. */
static void test_siblings__orbax_beside_the_tree(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_siblings s;

	make(dir,
	     BEGIN ORBAX "def save(i, d):\n"
			 "  s, log, all = Store('%d' % i, False), 'd/' + '1' * 32, []\n"
			 "  for k, v in d.items():\n"
			 "    all += [(k + '/.zarray', (('', log), *s.append(log, entry(v))))]\n"
			 "  s.finish(0, s.leaf(all, 'd/' + '2' * 32))\n"
			 "  put('%d/_METADATA' % i, metadata("
			 "store_array_data_equal_to_fill_value=False))\n"
			 "save(1, {'b': f(7), 'w': f(60)})\nsave(2, {'b': f(7)})\n"
			 "s = Store('3')\n"
			 "s.finish(0, s.leaf([('x', b'y')], 'd/' + '9' * 32), kind=1)\n"
			 "put('3/_METADATA', metadata())\n");
	assert_string_equal(words(dir, "2", "1"), "no w, which 1 has");
	assert_int_equal(compare(dir, "3", "1", &s), CKPT_UNREADABLE);
}

/* Orbax's own: the same tree as an item and as a whole. */
static void test_siblings__orbax_samples(void **state)
{
	const struct scratch *dir = *state;
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s && for i in composite direct; do cp -r " CKPT_SAMPLES
		 "/orbax/v0_checkpoints/${i}_checkpoint/checkpoint_metadata_present/"
		 "pytree_checkpointable_has_metadata $i || exit; cp -r $i $i-2; done 2>/dev/null",
		 dir->path);
	if (system(command) != 0) {
		print_message("no samples of Orbax\n");
		skip();
	}
	assert_string_equal(words(dir, "direct-2", "direct"), "");
	assert_string_equal(words(dir, "composite-2", "composite"), "");
	assert_string_equal(words(dir, "direct", "composite"),
			    "no state/a, which composite has (and 1 more); a is new (and 1 more)");
}

static void test_siblings__distributed(void **state)
{
	check_writer(*state, &writers[10]);
}

/* A single tensor, none of whose dimensions says anything, names that agree in 80 letters or are
 * words of the format, and ranks whose parts are told once. */
static void test_siblings__distributed_names(void **state)
{
	const struct scratch *dir = *state;

	make(dir,
	     "import make_dcp, torch\n"
	     "long = 'optim.state.' + 'x' * 80 + '.exp_avg'\n"
	     "one, two = torch.zeros(()), torch.zeros(2, 3)\n"
	     "def save(i, d): make_dcp.save('step-%d' % i, d, True)\n"
	     "save(1, {'w': one})\n"
	     "save(2, {'w': one.double()})\n"
	     "save(3, {long: two, long + '_sq': two, 'size': two, 'properties': two, '0': two})\n"
	     "save(4, {long: two, 'size': two, 'properties': two})\n"
	     "save(5, {long: two, long + '_sq': one, 'size': two.T, '0': two})\n"
	     "make_dcp.two_ranks('step-6', 3)\n"
	     "make_dcp.two_ranks('step-7', 3)\n"
	     "make_dcp.save('step-8', {'rank0.model.w': two}, True)\n");
	assert_string_equal(words(dir, "step-2", "step-1"), "w is of float64, float32 in step-1");
	assert_string_equal(
		words(dir, "step-4", "step-3"),
		"no optim.state.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxx, which step-3 has (and 1 more)");
	assert_string_equal(
		words(dir, "step-5", "step-3"),
		"optim.state.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxx has 1 numbers, 6 in step-3 (and 1 more); no properties, "
		"which step-3 has");
	assert_string_equal(words(dir, "step-7", "step-6"), "");
	assert_string_equal(words(dir, "step-8", "step-6"),
			    "rank0.model.w has 6 numbers, 3000 in step-6; no rank0.model.b, which "
			    "step-6 has (and 6 more)");
}

/* In a folder of another checkpoint, as FSDP's trainers leave it, they are told too. */
static void test_siblings__distributed_inside(void **state)
{
	const struct scratch *dir = *state;

	make(dir,
	     "import make_dcp, torch, os\n"
	     "def save(i, n):\n"
	     "  os.mkdir('checkpoint-%d' % i)\n"
	     "  open('checkpoint-%d/trainer_state.json' % i, 'w').write("
	     "'{\"epoch\": 1.0, \"global_step\": %d}' % i)\n"
	     "  for part in 'pytorch_model_fsdp_0', 'optimizer_0':\n"
	     "    make_dcp.save('checkpoint-%d/%s' % (i, part), {part[:5] + '.w': torch.zeros(n)},"
	     " True)\n"
	     "save(1, 6)\nsave(2, 6)\nsave(3, 3)\n");
	assert_string_equal(words(dir, "checkpoint-2", "checkpoint-1"), "");
	assert_string_equal(words(dir, "checkpoint-3", "checkpoint-1"),
			    "optim.w has 3 numbers, 6 in checkpoint-1 (and 1 more)");
}

/* As many data files as a large run has ranks are not opened. */
static void test_siblings__distributed_over_many(void **state)
{
	const struct scratch *dir = *state;

	make(dir, "import make_dcp, torch\n"
		  "make_dcp.save('step-1', {'w': torch.zeros(6), 'b': torch.zeros(2)}, True)\n"
		  "make_dcp.save('step-2', {'w': torch.zeros(3), 'b': torch.zeros(2)}, True)\n"
		  "for i in range(1, 5000): open('step-2/__%d_0.distcp' % i, 'w')\n");
	assert_string_equal(words(dir, "step-2", "step-1"), "w has 3 numbers, 6 in step-1");
}

/* A bundle's files are no files of tensors by themselves. */
static void test_siblings__tensorflow(void **state)
{
	static const float data[12];
	const struct tf_tensor first[] = { { "b", 1, 1, 3, 0, data, 12, 0 },
					   { "w", 1, 1, 6, 1, data, 24, 0 } };
	const struct tf_tensor second[] = { { "b", 3, 1, 3, 0, data, 12, 0 },
					    { "w", 1, 1, 3, 0, data, 12, 0 } };
	const struct scratch *dir = *state;
	struct bench bench = { .fd = dir->fd };

	tf_bundle_write(&bench, "ckpt-1", first, 2, 2, 0);
	tf_bundle_write(&bench, "ckpt-2", first, 2, 2, 1);
	tf_bundle_write(&bench, "ckpt-3", second, 2, 1, 0);
	tf_bundle_write(&bench, "ckpt-4", first, 1, 2, 0);
	assert_string_equal(words(dir, "ckpt-2", "ckpt-1"), "");
	assert_string_equal(words(dir, "ckpt-3", "ckpt-1"),
			    "b is of int32, float in ckpt-1; w has 3 numbers, 6 in ckpt-1");
	assert_string_equal(words(dir, "ckpt-4", "ckpt-1"), "no w, which ckpt-1 has");
}

/* What has no name in its file has the file's, where that stays the same. */
static void test_siblings__npy(void **state)
{
	const struct scratch *dir = *state;

	make(dir, BEGIN "np.save('state_1.npy', f(60))\n"
			"np.save('state_2.npy', f(60, 'f8'))\n"
			"np.save('state_3.npy', f(60).reshape(6, 10))\n"
			"np.save('state_4.npy', f(60))\n"
			"for i in 1, 2, 3:\n"
			"  os.mkdir('checkpoint-%d' % i)\n"
			"  np.save('checkpoint-%d/w.npy' % i, f(60))\n"
			"  np.save('checkpoint-%d/b.npy' % i, f(6 * min(i, 2)))\n"
			"os.remove('checkpoint-3/w.npy')\n");
	assert_string_equal(words(dir, "state_2.npy", "state_1.npy"),
			    "the array is of f8, f4 in state_1.npy");
	assert_string_equal(words(dir, "state_3.npy", "state_1.npy"),
			    "the array has another shape than in state_1.npy");
	assert_string_equal(words(dir, "state_4.npy", "state_1.npy"), "");
	assert_string_equal(words(dir, "checkpoint-1", "checkpoint-2"),
			    "b.npy has 6 numbers, 12 in checkpoint-2");
	assert_string_equal(words(dir, "checkpoint-3", "checkpoint-2"),
			    "no w.npy, which checkpoint-2 has");
}

/* A part of a storage that is saved with all of it counts as what the tensor has of it. */
static void test_siblings__parts_of_storages(void **state)
{
	const struct scratch *dir = *state;

	make(dir, "import torch\n"
		  "w = torch.arange(60.)\n"
		  "torch.save({'model': {'w': w[:30], 'b': w[30:]}}, 'model_1.pt')\n"
		  "torch.save({'model': {'w': w[:20], 'b': w[30:]}}, 'model_2.pt')\n"
		  "torch.save({'model': {'w': w[:30], 'b': w[30:].view(5, 6)}}, 'model_3.pt')\n");
	assert_string_equal(words(dir, "model_2.pt", "model_1.pt"),
			    "model/w has 20 numbers, 30 in model_1.pt");
	assert_string_equal(words(dir, "model_3.pt", "model_1.pt"),
			    "model/b has another shape than in model_1.pt");
}

static void put_tensors(const struct scratch *dir, const char *name, size_t from, size_t n)
{
	_cleanup_free_ char *text = malloc(128 * (n + 1) + 16);
	size_t at = 8;
	uint64_t len;

	assert_non_null(text);
	text[at++] = '{';
	for (size_t i = from; i < from + n; i++)
		at += (size_t)sprintf(text + at,
				      "%s\"t%zu\":{\"dtype\":\"F32\",\"shape\":[0],"
				      "\"data_offsets\":[0,0]}",
				      i > from ? "," : "", i);
	text[at++] = '}';
	len = at - 8;
	memcpy(text, &len, sizeof(len));
	scratch_write(dir->fd, name, text, at);
}

/* Shards of a directory are one save, however its tensors are spread over them. */
static void test_siblings__shards_and_limits(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_siblings s;

	put_tensors(dir, "checkpoint-1/model-00001-of-00002.safetensors", 0, 10);
	put_tensors(dir, "checkpoint-1/model-00002-of-00002.safetensors", 10, 20);
	put_tensors(dir, "checkpoint-2/model.safetensors", 0, 29);
	assert_string_equal(words(dir, "checkpoint-2", "checkpoint-1"),
			    "no t29, which checkpoint-1 has");
	assert_string_equal(words(dir, "checkpoint-1", "checkpoint-2"), "");
	put_tensors(dir, "checkpoint-3/model.safetensors", 0, CKPT_SIBLINGS_TENSORS);
	assert_int_equal(compare(dir, "checkpoint-3", "checkpoint-2", &s), 0);
	assert_int_equal(s.own, CKPT_SIBLINGS_TENSORS);
	put_tensors(dir, "checkpoint-4/model.safetensors", 0, CKPT_SIBLINGS_TENSORS + 1);
	assert_int_equal(compare(dir, "checkpoint-4", "checkpoint-2", &s), -E2BIG);
	assert_int_equal(compare(dir, "checkpoint-2", "checkpoint-4", &s), -E2BIG);
}

/* One tensor "w" as rank @rank of @dir has it. */
static void put_rank(const struct scratch *dir, const char *of, int rank, const char *type, int n)
{
	char text[256], name[64];
	int size = type[1] == '1' ? 2 : 4;
	uint64_t len;

	snprintf(text + 8, sizeof(text) - 8,
		 "{\"w\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", type, n,
		 n * size);
	len = strlen(text + 8);
	memcpy(text, &len, sizeof(len));
	snprintf(name, sizeof(name), "%s/rank-%d.safetensors", of, rank);
	scratch_write(dir->fd, name, text, 8 + (size_t)len);
	scratch_resize(dir->fd, name, 8 + len + (uint64_t)(n * size));
}

/* A run that goes on with another number of ranks has the same tensors in more or fewer pieces. */
static void test_siblings__another_number_of_ranks(void **state)
{
	const struct scratch *dir = *state;

	for (int i = 0; i < 2; i++)
		put_rank(dir, "checkpoint-1", i, "F32", 60);
	for (int i = 0; i < 4; i++)
		put_rank(dir, "checkpoint-2", i, "F32", 30);
	for (int i = 0; i < 2; i++)
		put_rank(dir, "checkpoint-3", i, i ? "F32" : "F16", 60);
	for (int i = 0; i < 2; i++)
		put_rank(dir, "checkpoint-4", i, "F16", 60);
	for (int i = 0; i < 2; i++)
		put_rank(dir, "checkpoint-5", i, "F32", 30);
	for (int i = 0; i < 4; i++)
		put_rank(dir, "checkpoint-6", i, "F32", 60);
	assert_string_equal(words(dir, "checkpoint-2", "checkpoint-1"), "");
	assert_string_equal(words(dir, "checkpoint-1", "checkpoint-2"), "");
	assert_string_equal(words(dir, "checkpoint-6", "checkpoint-1"), "");
	assert_string_equal(words(dir, "checkpoint-1", "checkpoint-6"), "");
	assert_string_equal(words(dir, "checkpoint-2", "checkpoint-3"), "");
	assert_string_equal(words(dir, "checkpoint-3", "checkpoint-1"),
			    "w is of other types than in checkpoint-1");
	assert_string_equal(words(dir, "checkpoint-4", "checkpoint-1"),
			    "w is of F16, F32 in checkpoint-1");
	assert_string_equal(words(dir, "checkpoint-5", "checkpoint-1"),
			    "w has 60 numbers, 120 in checkpoint-1");
}

/* What runs do as they go on: an optimizer that has taken its first step, averages, thawed layers.
 */
static void test_siblings__new_ones_alone(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_siblings s;

	make(dir, "import torch\n"
		  "def save(i, n):\n"
		  "  m = torch.nn.Sequential(*[torch.nn.Linear(3, 4) for _ in range(9)])\n"
		  "  o = torch.optim.Adam(m.parameters())\n"
		  "  for l in m[:n]: l(torch.randn(2, 3)).sum().backward()\n"
		  "  o.step()\n"
		  "  torch.save({'model': m.state_dict(), 'optimizer': o.state_dict()},"
		  " 'model_%d.pt' % i)\n"
		  "save(1, 0)\nsave(2, 3)\nsave(3, 9)\n");
	for (int i = 2; i <= 3; i++) {
		char own[32], old[32];

		snprintf(own, sizeof(own), "model_%d.pt", i);
		snprintf(old, sizeof(old), "model_%d.pt", i - 1);
		assert_string_equal(words(dir, own, old), "");
		assert_int_equal(compare(dir, own, old, &s), 0);
		assert_true(s.own > s.old);
		assert_int_equal(s.fresh.n, 0);
	}
}

/* Files whose rows tell no tensors differ in nothing; a torn header is no difference either. */
static void test_siblings__unknown(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_siblings s;

	scratch_put(dir->fd, "model_1.pt", "no such thing");
	put_tensors(dir, "model_2.safetensors", 0, 10);
	assert_int_equal(compare(dir, "model_1.pt", "model_2.safetensors", &s), 0);
	assert_int_equal(s.own + s.old + s.gone.n, 0);
	put_tensors(dir, "model_3.safetensors", 0, 10);
	scratch_resize(dir->fd, "model_3.safetensors", 200);
	assert_true(compare(dir, "model_3.safetensors", "model_2.safetensors", &s) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_siblings__hdf5),
		scratch_test(test_siblings__npz),
		scratch_test(test_siblings__torch),
		scratch_test(test_siblings__safetensors),
		scratch_test(test_siblings__netcdf),
		scratch_test(test_siblings__flax),
		scratch_test(test_siblings__keras),
		scratch_test(test_siblings__orbax),
		scratch_test(test_siblings__orbax_folders),
		scratch_test(test_siblings__orbax_beside_the_tree),
		scratch_test(test_siblings__orbax_samples),
		scratch_test(test_siblings__distributed),
		scratch_test(test_siblings__distributed_names),
		scratch_test(test_siblings__distributed_inside),
		scratch_test(test_siblings__distributed_over_many),
		scratch_test(test_siblings__tensorflow),
		scratch_test(test_siblings__npy),
		scratch_test(test_siblings__parts_of_storages),
		scratch_test(test_siblings__shards_and_limits),
		scratch_test(test_siblings__another_number_of_ranks),
		scratch_test(test_siblings__new_ones_alone),
		scratch_test(test_siblings__unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
