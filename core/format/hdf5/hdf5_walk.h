/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk through an HDF5 file that the hdf5_*.c files share. Two things keep it bounded whatever
 * the file says: parts of a file do not overlap, so every structure and every piece of data that is
 * visited is charged to a budget of the file's own size (a loop, or a part that many point at, runs
 * out of it); and objects, which may be linked more than once, are remembered.
 *
 * Addresses are relative to the superblock's base. All functions return as a check function does.
 */
#ifndef CKPT_CORE_FORMAT_HDF5_HDF5_WALK_H
#define CKPT_CORE_FORMAT_HDF5_HDF5_WALK_H

#include "core/format/names_at.h"

#define CKPT_HDF5_NONE UINT64_MAX		     /* the undefined address */
#define CKPT_HDF5_RANK 32			     /* the library's own limit */
#define CKPT_HDF5_KEY (8 + 8 * (CKPT_HDF5_RANK + 1)) /* the longest of a version 1 tree's keys */
#define CKPT_HDF5_FILTERS 32			     /* likewise */
#define CKPT_HDF5_PAGES 16
#define CKPT_HDF5_PAGE 4096
#define CKPT_HDF5_OBJECTS (1u << 19) /* 24 MiB of table; a model has under 10,000 */

/* An object that a link names. */
struct ckpt_hdf5_known {
	uint64_t addr, name_at; /* where its link's name stands */
	uint64_t cached;	/* ckpt_hdf5_cached() of its entry in an old group, or 0 */
	uint32_t parent;	/* index */
	uint32_t name_len;
};

struct ckpt_hdf5_objects {
	struct ckpt_hdf5_known *list; /* in the order found; [0] is the root */
	uint32_t *slots;	      /* hash table of indexes + 1 */
	uint32_t n, cap, n_slots;
	bool cut;
};

struct ckpt_hdf5_told {
	ckpt_tensor_fn *tell;
	void *arg;
};

/* A question for what lies in a range of the file. */
struct ckpt_hdf5_asked {
	const struct ckpt_extent *extent;
	struct ckpt_names *names;
	uint32_t told; /* index of the data set that was named last, plus one */
	bool metadata; /* some structure lies there */
};

/* What the superblock says, and the walk's state. */
struct ckpt_hdf5 {
	struct ckpt_check *check;
	bool content;			   /* verify chunks too */
	struct ckpt_hdf5_look *look;	   /* look for NaN and Inf; NULL = do not */
	const struct ckpt_hdf5_told *told; /* who wants to hear of data sets; NULL = nobody */
	struct ckpt_hdf5_asked *asked;	   /* what lies in a range; NULL = nobody asks */
	uint64_t base, end;
	uint8_t so, sl;	 /* bytes of an address, of a length */
	unsigned leaf_k; /* half of what a node of an old group's table holds */
	unsigned
		tree_k[2]; /* half of what a node of a version 1 tree holds: of groups, of chunks */
	uint64_t root, extension;
	uint64_t root_cached; /* as ckpt_hdf5_known.cached */
	uint64_t root_name;   /* where that entry says the root's name is in its heap */
	uint64_t left;	      /* of the budget */
	uint64_t unsummed;    /* parts that no checksum covers */
	uint32_t current;     /* the object being looked at */
	struct ckpt_hdf5_objects objects;
	struct {
		uint64_t off;
		uint32_t len;
		uint8_t data[CKPT_HDF5_PAGE];
	} pages[CKPT_HDF5_PAGES];
};

/* Reads integers one after the other; r keeps the first failure, after which all are 0. */
struct ckpt_hdf5_cur {
	struct ckpt_hdf5 *h;
	uint64_t at, end;
	int r;
};

enum ckpt_hdf5_layout {
	CKPT_HDF5_COMPACT,
	CKPT_HDF5_CONTIGUOUS,
	CKPT_HDF5_CHUNKED,
	CKPT_HDF5_VIRTUAL, /* data of other data sets, mostly in other files */
};

enum ckpt_hdf5_index {
	CKPT_HDF5_TREE1 = 0,
	CKPT_HDF5_SINGLE,
	CKPT_HDF5_IMPLICIT,
	CKPT_HDF5_FIXED,
	CKPT_HDF5_EXTENSIBLE,
	CKPT_HDF5_TREE2,
};

/* Links or attributes in a fractal heap, and two trees that index them: by name, by age. */
struct ckpt_hdf5_dense {
	uint64_t heap, names, order;
};

/* What the messages of one object say. Absent addresses are CKPT_HDF5_NONE. */
struct ckpt_hdf5_object {
	bool summed;   /* its header has a checksum */
	bool is_group; /* it has the messages of one */
	bool has_space, has_type, has_layout;
	uint32_t elsewhere;  /* types of messages that are shared: their contents are not known */
	unsigned n_external; /* files beside this one that hold the data */
	uint64_t external_heap, external_at;
	int rank;
	uint64_t dims[CKPT_HDF5_RANK], most[CKPT_HDF5_RANK]; /* UINT64_MAX: unlimited */
	uint64_t items;
	uint8_t type_class;
	bool big, is_signed;
	uint64_t type_size;
	uint8_t exponent; /* bits of a float's; 0 = no order of bytes that is known */
	uint8_t fill[8];  /* the fill value's first bytes; zeros without one */
	int layout;	  /* enum ckpt_hdf5_layout, or another class */
	uint64_t addr, size;
	int index;
	uint8_t chunk_flags;
	int chunk_rank; /* with the element's size as last dimension */
	uint64_t chunk_dims[CKPT_HDF5_RANK + 1];
	uint32_t mask;
	int n_filters;
	uint16_t filters[CKPT_HDF5_FILTERS];
	uint64_t table_tree, table_heap; /* old groups */
	struct ckpt_hdf5_dense links, attributes;
};

/* A member in an old group's table, and the root in superblocks of versions 0 and 1. */
enum ckpt_hdf5_kind { /* H5Gent.c: H5G_cache_type_t */
		      CKPT_HDF5_PLAIN,
		      CKPT_HDF5_GROUP, /* an old group: the entry repeats where its tree and its
					  heap are */
		      CKPT_HDF5_SOFT,  /* a soft link: no object, but the offset of a text in the
					  group's heap */
};

struct ckpt_hdf5_entry {
	uint64_t name; /* offset in the group's heap; as wide as a length (H5G_SIZEOF_ENTRY_FILE) */
	uint64_t object;
	unsigned kind;	     /* enum ckpt_hdf5_kind; others were not refused yet */
	uint64_t tree, heap; /* CKPT_HDF5_GROUP */
	uint64_t text;	     /* CKPT_HDF5_SOFT */
};

/* hdf5_super.c: finds and checks the superblock of check->file; fills @h but for the walk's state.
 */
int ckpt_hdf5_super(struct ckpt_hdf5 *h);

/*
 * hdf5_super_old.c: a superblock of version 0 or 1 has no checksum; refuses what libhdf5 refuses of
 * it (H5Fsuper_cache.c) and what no writer leaves there (File Format Specification II.A). h->base
 * and h->end are known; sets h->leaf_k, h->tree_k, h->root_cached and h->root_name.
 */
int ckpt_hdf5_super_old(struct ckpt_hdf5 *h, unsigned version);

/* hdf5_super.c: the superblock's place in @check's file, or CKPT_HDF5_NONE. */
uint64_t ckpt_hdf5_find(const struct ckpt_check *check);

/* hdf5_file.c: rejects as corrupt, at @addr, naming the current object. */
int ckpt_hdf5_reject(struct ckpt_hdf5 *h, enum ckpt_problem_code code, uint64_t addr,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Reads through the page cache. */
int ckpt_hdf5_read(struct ckpt_hdf5 *h, uint64_t addr, void *buf, size_t len);

/* Checks that a part lies in the file, and charges it. */
int ckpt_hdf5_charge(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, const char *what);

/* The same for data of the current object, which are its answer where h->asked. */
int ckpt_hdf5_charge_data(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, const char *what);

/* Begins at @addr, to the file's end; wants the 4 bytes @sig there (NULL: none). */
int ckpt_hdf5_begin(struct ckpt_hdf5 *h, struct ckpt_hdf5_cur *cur, uint64_t addr, const char *sig);

/* Charges the structure of @len bytes at @addr and compares its last 4 with their lookup3. */
int ckpt_hdf5_sum(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, const char *what);

/* The same, but the sum stands at @at within (and counts as zeros), or nowhere where @at is 0. */
int ckpt_hdf5_sum_at(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, uint64_t at,
		     const char *what);

/* The next integer of @n bytes (at most 8), address, or length. */
uint64_t ckpt_hdf5_uint(struct ckpt_hdf5_cur *cur, unsigned n);
uint64_t ckpt_hdf5_addr(struct ckpt_hdf5_cur *cur);
uint64_t ckpt_hdf5_len(struct ckpt_hdf5_cur *cur);

/* Steps over @n bytes. */
void ckpt_hdf5_skip(struct ckpt_hdf5_cur *cur, uint64_t n);

/* hdf5_objects.c: adds the object @known, unless its address is known, as child of the current one.
 */
int ckpt_hdf5_add(struct ckpt_hdf5 *h, const struct ckpt_hdf5_known *known);

/* The path of object @index, cut to fit; "" for the root. */
void ckpt_hdf5_path(struct ckpt_hdf5 *h, uint32_t index, char *ret, size_t size);

/* Frees the table. */
void ckpt_hdf5_objects_done(struct ckpt_hdf5_objects *objects);

/* hdf5_header.c: reads the object header at @addr and all its messages into @obj. */
int ckpt_hdf5_header(struct ckpt_hdf5 *h, uint64_t addr, struct ckpt_hdf5_object *obj);

/* hdf5_message.c: one message of @type, whose data are what @cur still has. */
int ckpt_hdf5_message(struct ckpt_hdf5_cur *cur, unsigned type, struct ckpt_hdf5_object *obj);

/* A link message. */
int ckpt_hdf5_link(struct ckpt_hdf5_cur *cur);

/* hdf5_attribute.c: an attribute message, in a header with a checksum or not. */
int ckpt_hdf5_attribute(struct ckpt_hdf5_cur *cur, bool summed);

/* Looks for the training's progress in a data set of one number. */
int ckpt_hdf5_scalar(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj);

/* hdf5_names.c: an old group's heap: its data. */
struct ckpt_hdf5_names {
	uint64_t addr, size;
};

/* Opens and checks the local heap at @addr. */
int ckpt_hdf5_names_open(struct ckpt_hdf5 *h, uint64_t addr, struct ckpt_hdf5_names *ret);

/* A name in it; longer ones are cut in @text. */
struct ckpt_hdf5_name {
	uint64_t at; /* in the file */
	size_t len;
	char text[1024];
};

/* Reads the one at @offset of the heap; it must end there. */
int ckpt_hdf5_name(struct ckpt_hdf5 *h, const struct ckpt_hdf5_names *names, uint64_t offset,
		   struct ckpt_hdf5_name *ret);

/* hdf5_group.c: the members of an old group; the links or attributes of
 * a dense one. */
int ckpt_hdf5_old_group(struct ckpt_hdf5 *h, uint64_t tree, uint64_t heap);
int ckpt_hdf5_dense(struct ckpt_hdf5 *h, const struct ckpt_hdf5_dense *dense);

/* The next entry of such a table. */
void ckpt_hdf5_entry(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_entry *ret);

/* What an entry of kind CKPT_HDF5_GROUP, or a group's own message, says of its places, in one
 * number that is never 0. */
uint64_t ckpt_hdf5_cached(uint64_t tree, uint64_t heap);

/*
 * hdf5_tree.c: a version 1 B-tree of @type (0 groups, 1 chunks with keys of @key bytes): @leaf is
 * called with a cursor at each key of level 0 and the child's address; the key to the child's right
 * stands at key->end + h->so. Of a node's own keys the first and the last are those around it in
 * the node above, from their byte @same on.
 */
typedef int ckpt_hdf5_leaf_fn(struct ckpt_hdf5_cur *key, uint64_t child, void *arg);
struct ckpt_hdf5_tree {
	unsigned type, key, same;
	ckpt_hdf5_leaf_fn *leaf;
	void *arg;
};
int ckpt_hdf5_tree1(struct ckpt_hdf5 *h, uint64_t addr, const struct ckpt_hdf5_tree *tree);

/* hdf5_tree2.c: a version 2 B-tree: @record is called with a cursor over each record. */
typedef int ckpt_hdf5_record_fn(struct ckpt_hdf5_cur *record, unsigned type, void *arg);
int ckpt_hdf5_tree2(struct ckpt_hdf5 *h, uint64_t addr, ckpt_hdf5_record_fn *record, void *arg);

/* hdf5_heap.c: a fractal heap. */
struct ckpt_hdf5_heap {
	struct ckpt_hdf5 *h;
	uint64_t addr;
	unsigned id_len, filter_len, width, bits, root_rows;
	unsigned off_len, len_len; /* bytes of offset and length in an id */
	bool summed;
	uint64_t start, direct_max, root, huge_tree, free_space;
};

/* Reads the header and checks all blocks. */
int ckpt_hdf5_heap_open(struct ckpt_hdf5 *h, uint64_t addr, struct ckpt_hdf5_heap *ret);

/* Where the managed object of the id at @id lies: a cursor over it. 0 with cur->h NULL for objects
 * kept otherwise. */
int ckpt_hdf5_heap_find(struct ckpt_hdf5_heap *heap, struct ckpt_hdf5_cur *id,
			struct ckpt_hdf5_cur *ret);

/* hdf5_global.c: checks the heaps that the @size bytes at @addr name, if @value's length varies. */
int ckpt_hdf5_variable(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *value, uint64_t addr,
		       uint64_t size);

/* The text that the reference at @addr names, cut to fit; "" where there is none. */
void ckpt_hdf5_text(struct ckpt_hdf5 *h, uint64_t addr, char *ret, size_t size);

/* hdf5_shared.c: checks the table of shared messages that the message @cur names, and all it names.
 */
int ckpt_hdf5_shared_table(struct ckpt_hdf5_cur *cur);

/* Reads the message of external files. */
int ckpt_hdf5_external_list(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj);

/*
 * Those files are there and large enough: INCOMPLETE otherwise. One of a relative name that is not
 * beside the file may lie where the job runs: the evidence is capped to OPAQUE.
 */
int ckpt_hdf5_external(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj);

/* hdf5_array.c: fixed and extensible arrays of chunks. */
int ckpt_hdf5_fixed(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj);
int ckpt_hdf5_extensible(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj);

/*
 * hdf5_shape.c: whether @obj is a group, a data set or a named type, and, where its header has no
 * checksum, whether what its messages say fits together: space, type, layout.
 */
int ckpt_hdf5_shape(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj, uint64_t addr);

/* hdf5_data.c: all data of a data set. */
int ckpt_hdf5_data(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj);

/* One chunk of @size bytes as stored; @mask: filters left out. */
int ckpt_hdf5_chunk(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj, uint64_t addr,
		    uint64_t size, uint32_t mask);

/* Bytes of a chunk before any filter; 0 when no file can hold it. */
uint64_t ckpt_hdf5_chunk_bytes(const struct ckpt_hdf5_object *obj);

/* A chunk as it lies in the file. */
struct ckpt_hdf5_stored {
	uint64_t addr, size;
	uint32_t mask; /* filters left out */
};

/* hdf5_finite.c: NaN and Inf. Makes h->look, which free() ends; 0 or -ENOMEM. */
int ckpt_hdf5_look_new(struct ckpt_hdf5 *h);

/* Before and behind the data of a data set. */
void ckpt_hdf5_look_begin(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj);
void ckpt_hdf5_look_end(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj);

/* Its data in one piece, unfiltered. */
int ckpt_hdf5_look_range(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len);

/* One of its chunks. */
int ckpt_hdf5_look_chunk(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj,
			 const struct ckpt_hdf5_stored *stored);

#endif
