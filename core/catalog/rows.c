/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of names. Frameworks' own names come first, names that only say "step" or "epoch"
 * somewhere last; what a number means is told only where the framework's name tells it.
 */
#include "core/catalog/rows.h"

#define PT CKPT_EXT_PT
#define PTH CKPT_EXT_PTH
#define CKPT CKPT_EXT_CKPT
#define ST CKPT_EXT_SAFETENSORS
#define BIN CKPT_EXT_BIN
#define KERAS CKPT_EXT_KERAS
#define NONE CKPT_EXT_NONE
#define TORCH (PT | PTH | CKPT)
#define MODEL (TORCH | ST | KERAS)
#define ANY (MODEL | CKPT_EXT_OTHER | CKPT_EXT_ZIP)
#define EVERY (~0U)

#define FILE_ (1U << CKPT_KIND_FILE)
#define BUNDLE (1U << CKPT_KIND_PREFIX)
#define DIR_ (1U << CKPT_KIND_DIRECTORY)

#define NUMBERED CKPT_ROLE_NUMBERED
#define LAST CKPT_ROLE_LAST
#define BEST CKPT_ROLE_BEST

#define MISTAKABLE CKPT_ROW_MISTAKABLE
#define TOP (CKPT_ROW_MISTAKABLE | CKPT_ROW_TOP)

/* apart, or they would be trigraphs */
#define UUID                                                                                       \
	"????????"                                                                                 \
	"-????"                                                                                    \
	"-????"                                                                                    \
	"-????"                                                                                    \
	"-????????????"

#define STEP_WORDS                                                                                 \
	"[bgisu](global_steps|global_step|global-step|steps|step|iterations|iteration|iters|iter|" \
	"updates|update|batch|ba|it)"
#define EPOCH_WORDS "[e](epochs|epoch|ep|e)"
/* A file that says itself what it is. Such endings mean data of any kind: results of step 100 are
 * no checkpoint, so that "step" alone does not do. */
#define SAID "*<[cr](checkpoint|ckpt|chkpt|restart)"
#define DATA_END ".(" CKPT_NAME_DATA_ENDS ")"
/* what is saved beside a model, for the same state */
#define STATE_WORDS                                                                                \
	"optimizer|optim|opt|scheduler|scaler|rng|sampler|dataloader|replay_buffer|vecnormalize"
#define PARTS_WORDS                                                                                \
	"[deforpstv](" STATE_WORDS "|dataset|tokenizer|predictions|results|embeddings|features)"
#define PART_DIRS "[dorsv](optimizers|" STATE_WORDS ")"

const struct ckpt_name_row ckpt_name_rows[] = {
	/* directories that count as a whole */
	{ "hf-trainer", "checkpoint-{s}", NONE, DIR_, NUMBERED, 0 },
	{ "accelerate", "checkpoint_{n}", NONE, DIR_, NUMBERED, 0 },
	{ "accelerate", "step_{s}", NONE, DIR_, NUMBERED, 0 },
	{ "accelerate", "epoch_{e}", NONE, DIR_, NUMBERED, 0 },
	{ "kohya-state", "*-step~{s}-state", NONE, DIR_, NUMBERED, 0 },
	{ "kohya-state", "*-epoch~{e}-state", NONE, DIR_, NUMBERED, 0 },
	{ "kohya-state", "*-{e6}-state", NONE, DIR_, NUMBERED, 0 },
	{ "kohya-state", "*-state", NONE, DIR_, LAST, MISTAKABLE },
	{ "lightning", "epoch={e}-step={s}*", CKPT, DIR_, NUMBERED, 0 },
	{ "lightning", "last", CKPT, DIR_, LAST, 0 },
	{ "lightning", "last-v{v}", CKPT, DIR_, LAST, 0 },
	{ "mmengine", "epoch_{e}", PTH, DIR_, NUMBERED, 0 }, /* with DeepSpeed */
	{ "mmengine", "iter_{s}", PTH, DIR_, NUMBERED, 0 },
	{ "deepspeed", "global_step{s}", NONE, DIR_, NUMBERED, 0 },
	{ "megatron", "iter_{s7}", NONE, DIR_, NUMBERED, 0 },
	{ "torchtitan", "step-{s}", NONE, DIR_, NUMBERED, 0 },
	{ "determined", UUID, NONE, DIR_, NUMBERED, CKPT_ROW_RANDOM },
	{ "amrex", "chk{s}", NONE, DIR_, NUMBERED, 0 },
	{ "criu", "criu~{n}", NONE, DIR_, NUMBERED, 0 },
	{ "criu", "criu", NONE, DIR_, LAST, 0 },
	{ "criu", "criu~(dump|images|image|img|checkpoint|ckpt)", NONE, DIR_, LAST, 0 },
	{ "adios2", "*<{s}>*.bp", NONE, DIR_ | FILE_, NUMBERED, 0 },
	{ "adios2", "*.bp", NONE, DIR_ | FILE_, LAST, MISTAKABLE },
	{ "orbax", "{s}", NONE, DIR_, NUMBERED, CKPT_ROW_ORBAX },
	{ "orbax", "*_{s}", NONE, DIR_, NUMBERED, CKPT_ROW_ORBAX }, /* with a step_prefix */
	{ "checkpoint-best", "checkpoint~best", NONE, DIR_, BEST, 0 },
	{ "checkpoint-last", "checkpoint~(last|latest|final)", NONE, DIR_, LAST, 0 },
	{ "scr", "(ckpt|checkpoint|timestep|dataset|scr.dataset)~{n}", NONE, DIR_, NUMBERED,
	  CKPT_ROW_SCR },

	{ "fti", "l4", NONE, DIR_, LAST, CKPT_ROW_FTI },

	/* sets of LAMMPS: '%' stands for "base" and for the number of each file */
	{ CKPT_LAYOUT_LAMMPS_SET, "*<restart>.%.{s}", NONE, BUNDLE, NUMBERED, 0 },
	{ CKPT_LAYOUT_LAMMPS_SET, "*<restart>.{s}.%", NONE, BUNDLE, NUMBERED, 0 },
	{ CKPT_LAYOUT_LAMMPS_SET, "*.%.restart.{s}", NONE, BUNDLE, NUMBERED, 0 },
	{ CKPT_LAYOUT_LAMMPS_SET, "*.%.{s}.restart", NONE, BUNDLE, NUMBERED, 0 },
	{ CKPT_LAYOUT_LAMMPS_SET, "*.{s}.%.restart", NONE, BUNDLE, NUMBERED, 0 },
	{ CKPT_LAYOUT_LAMMPS_SET, "*<(restart|rst)>*%*", NONE, BUNDLE, LAST, 0 },
	{ CKPT_LAYOUT_LAMMPS_SET, "*%*<(restart|rst)>*", NONE, BUNDLE, LAST, 0 },
	{ CKPT_LAYOUT_LAMMPS_SET, "*.%.{n}", NONE, BUNDLE, NUMBERED, MISTAKABLE },

	/* TensorFlow bundles: the prefix */
	{ "tf-bundle", "variables", NONE, BUNDLE, LAST, CKPT_ROW_REJECT },
	{ "tf-bundle", "*.ckpt-{s}", NONE, BUNDLE, NUMBERED, 0 },
	{ "tf-bundle", "(ckpt|checkpoint|ckp)~{n}", NONE | CKPT, BUNDLE, NUMBERED, 0 },
	{ "tf-bundle", "cp~{e}*", NONE | CKPT, BUNDLE, NUMBERED, 0 },

	/* TensorFlow's first version: files, whole or in shards */
	{ "tf-v1", "*.ckpt-{s}", NONE, FILE_, NUMBERED, 0 },
	{ "tf-v1", "*.ckpt-{s}-{p5}-of-{o5}", NONE, FILE_, NUMBERED, CKPT_ROW_RANKS },

	/* files of known frameworks */
	{ "pretrained", "pretrained_*", ANY | BIN, FILE_, CKPT_ROLE_PRETRAINED, TOP },
	{ "lightning", "epoch={e}-step={s}*", CKPT, FILE_, NUMBERED, 0 },
	{ "lightning", "hpc_ckpt_{n}", CKPT, FILE_, NUMBERED, 0 },
	{ "lightning", "last", CKPT, FILE_, LAST, 0 },
	{ "lightning", "last-v{v}", CKPT, FILE_, LAST, 0 },
	{ "coqui", "checkpoint_{s}", PTH, FILE_, NUMBERED, 0 },
	{ "coqui", "best_model_{s}", PTH, FILE_, BEST, 0 },
	{ "coqui", "best_model", PTH, FILE_, BEST, 0 },
	{ "composer", "ep{e}-ba{s}-rank{p}", PT, FILE_, NUMBERED, CKPT_ROW_RANKS },
	{ "composer", "latest-rank{p}", PT, FILE_, LAST, CKPT_ROW_RANKS },
	{ "fairseq", "checkpoint{e}", PT, FILE_, NUMBERED, 0 },
	{ "fairseq", "checkpoint_{e}_{s}", PT, FILE_, NUMBERED, 0 },
	{ "fairseq", "checkpoint_last", PT, FILE_, LAST, 0 },
	{ "fairseq", "checkpoint_best", PT, FILE_, BEST, 0 },
	{ "mmengine", "epoch_{e}", PTH, FILE_, NUMBERED, 0 },
	{ "mmengine", "iter_{s}", PTH, FILE_, NUMBERED, 0 },
	{ "nvrx", "iter_{s7}_{p}_local", PT, FILE_, NUMBERED, CKPT_ROW_COPIES },
	{ "espnet", "{e}epoch", PTH, FILE_, NUMBERED, 0 },
	{ "model_N", "model_{s}", PT | PTH, FILE_, NUMBERED, MISTAKABLE },
	{ "model_N", "model_last", PT | PTH, FILE_, LAST, 0 },
	{ "model_N", "model_best", PT | PTH, FILE_, BEST, 0 },
	{ "flax", "checkpoint_{s}", NONE, FILE_, NUMBERED, 0 },
	{ "flax", "checkpoint_{n}.{v}", NONE, FILE_, NUMBERED, 0 }, /* steps may be floats */
	{ "flax", "(flax_model|diffusion_flax_model)", CKPT_EXT_OTHER, FILE_, LAST, TOP },
	{ "sb3", "*_{s}_steps", CKPT_EXT_ZIP, FILE_, NUMBERED, 0 },
	{ "kohya", "*-step{s8}", ST | CKPT | PT, FILE_, NUMBERED, 0 },
	{ "kohya", "*-{e6}", ST | CKPT, FILE_, NUMBERED, TOP },
	{ "keras", "cp~{e}*", CKPT | KERAS, FILE_, NUMBERED, 0 },
	{ "keras", "weights.{e}*", KERAS, FILE_, NUMBERED, 0 },
	{ "keras", "{e}-*", KERAS, FILE_, NUMBERED, MISTAKABLE },
	{ "gromacs", "*", CKPT_EXT_CPT, FILE_, LAST, 0 },
	{ "lammps", "restart.{s}", NONE, FILE_, NUMBERED, 0 },
	{ "lammps", "*.restart.{s}", NONE, FILE_, NUMBERED, 0 },
	{ "lammps", "*.{s}.restart", NONE, FILE_, NUMBERED, 0 },
	{ "lammps", "*<restart>.?", NONE, FILE_, LAST, MISTAKABLE }, /* two names in turn */
	{ "lammps", "*.?.restart", NONE, FILE_, LAST, MISTAKABLE },
	{ "lammps", "*<restart>*.base*", NONE, FILE_, LAST, MISTAKABLE }, /* of an incomplete set */
	{ "lammps", "*<base>*.restart", NONE, FILE_, LAST, MISTAKABLE },
	{ "veloc", "*-agg-{n}.dat", NONE, FILE_, NUMBERED, MISTAKABLE },
	{ "veloc", "*-{p}-{n}.dat", NONE, FILE_, NUMBERED, MISTAKABLE | CKPT_ROW_RANKS },
	{ "dmtcp", "dmtcp_restart_script*.sh", NONE, FILE_, LAST, 0 },
	{ "chainer", "snapshot_iter_{s}", NONE | CKPT_EXT_OTHER, FILE_, NUMBERED, 0 },
	{ "checkpoint", "(checkpoint|ckpt)", ANY, FILE_, LAST, 0 },
	{ "weights", "(model|pytorch_model|adapter_model)", MODEL | BIN, FILE_, LAST, TOP },

	/* names that say it in words */
	{ "parts", "*<" PARTS_WORDS ">*", EVERY, FILE_, LAST, CKPT_ROW_REJECT },
	{ "epoch-step", "*<" EPOCH_WORDS "~{e}>*<" STEP_WORDS "~{s}>*", ANY | NONE, FILE_ | BUNDLE,
	  NUMBERED, MISTAKABLE | CKPT_ROW_VAGUE },
	{ "epoch-step", "*<" STEP_WORDS "~{s}>*<" EPOCH_WORDS "~{e}>*", ANY | NONE, FILE_ | BUNDLE,
	  NUMBERED, MISTAKABLE | CKPT_ROW_VAGUE },
	{ "step", "*<" STEP_WORDS "~{s}>*", ANY, FILE_ | BUNDLE, NUMBERED, MISTAKABLE },
	{ "step", "*<" STEP_WORDS "~{s}>*", NONE, BUNDLE, NUMBERED, MISTAKABLE },
	{ "step", "*<{s}~(steps|step|iterations|iters|iter|updates)>*", ANY, FILE_, NUMBERED,
	  MISTAKABLE },
	{ "epoch", "*<" EPOCH_WORDS "~{e}>*", ANY, FILE_ | BUNDLE, NUMBERED, MISTAKABLE },
	{ "epoch", "*<" EPOCH_WORDS "~{e}>*", NONE, BUNDLE, NUMBERED, MISTAKABLE },
	{ "epoch", "*<{e}~(epochs|epoch|ep)>*", ANY, FILE_, NUMBERED, MISTAKABLE },
	{ "number", "*<[c](checkpoint|ckpt|chkpt)~{n}>*", ANY, FILE_ | BUNDLE, NUMBERED, 0 },
	{ "number", "*<[ms](model|snapshot)~{n}>*", MODEL, FILE_ | BUNDLE, NUMBERED, MISTAKABLE },
	{ "best", "*<best>*", MODEL, FILE_ | BUNDLE, BEST, MISTAKABLE },
	{ "last", "*<[lf](last|latest|final)>*", MODEL, FILE_ | BUNDLE, LAST, MISTAKABLE },
	{ "step", SAID "*<" STEP_WORDS "~{s}>*" DATA_END, NONE, FILE_, NUMBERED, MISTAKABLE },
	{ "step", SAID "*<" STEP_WORDS "~{s}>*", BIN, FILE_, NUMBERED, MISTAKABLE },
	{ "epoch", SAID "*<" EPOCH_WORDS "~{e}>*" DATA_END, NONE, FILE_, NUMBERED, MISTAKABLE },
	{ "epoch", SAID "*<" EPOCH_WORDS "~{e}>*", BIN, FILE_, NUMBERED, MISTAKABLE },
	{ "number", SAID "~{n}>*" DATA_END, NONE, FILE_, NUMBERED, 0 },
	{ "number", SAID "~{n}>*", BIN, FILE_, NUMBERED, 0 },
	{ "last", SAID "~(last|latest|final)" DATA_END, NONE, FILE_, LAST, 0 },
	{ "last", SAID "~(last|latest|final)", BIN, FILE_, LAST, 0 },
	{ "checkpoint", "(checkpoint|ckpt|restart)" DATA_END, NONE, FILE_, LAST, MISTAKABLE },
	{ "checkpoint", "(checkpoint|ckpt)", BIN, FILE_, LAST, MISTAKABLE },
	{ "best", "*<best>*", NONE, BUNDLE, BEST, CKPT_ROW_WEAK },
	{ "tf-bundle", "*", EVERY, BUNDLE, LAST, CKPT_ROW_WEAK },
	{ 0 },
};

const struct ckpt_name_row ckpt_name_marked_rows[] = {
	/* one of several directories that make a checkpoint together */
	{ "parts", "*<" PART_DIRS ">*", EVERY, DIR_, LAST, CKPT_ROW_REJECT },
	{ "megatron", "release", EVERY, DIR_, CKPT_ROLE_PRETRAINED, 0 },
	/* what DeepSpeed converts for another number of ranks is loaded on request alone */
	{ "deepspeed", "*_universal", EVERY, DIR_, LAST, CKPT_ROW_REJECT },
	{ "marked", "*<" EPOCH_WORDS "~{e}>*<" STEP_WORDS "~{s}>*", EVERY, DIR_, NUMBERED,
	  CKPT_ROW_VAGUE },
	{ "marked", "*<" STEP_WORDS "~{s}>*<" EPOCH_WORDS "~{e}>*", EVERY, DIR_, NUMBERED,
	  CKPT_ROW_VAGUE },
	{ "marked", "*<" STEP_WORDS "~{s}>*", EVERY, DIR_, NUMBERED, 0 },
	{ "marked", "*<{s}~(steps|step|iterations|iters|iter|updates)>*", EVERY, DIR_, NUMBERED,
	  0 },
	{ "marked", "*<" EPOCH_WORDS "~{e}>*", EVERY, DIR_, NUMBERED, 0 },
	{ "marked", "*<{e}~(epochs|epoch|ep)>*", EVERY, DIR_, NUMBERED, 0 },
	{ "marked", "*<[c](checkpoint|ckpt|chkpt)~{n}>*", EVERY, DIR_, NUMBERED, 0 },
	{ "marked", "*<best>*", EVERY, DIR_, BEST, MISTAKABLE },
	{ "marked", "*<[lf](last|latest|final)>*", EVERY, DIR_, LAST, MISTAKABLE },
	{ "marked", "{n}", EVERY, DIR_, NUMBERED, 0 },
	/* any other word is a copy's or an export's too, newer than what it was made of */
	{ 0 },
};

const struct ckpt_name_ext ckpt_name_exts[] = {
	{ ".pth.tar", PTH },
	{ ".pt.tar", PT },
	{ ".pth", PTH },
	{ ".pt", PT },
	{ ".tar", PT }, /* PyTorch's tutorial names dictionaries so */
	{ ".ckpt", CKPT },
	{ ".safetensors", ST },
	{ ".bin", BIN },
	{ ".weights.h5", KERAS },
	{ ".h5", KERAS },
	{ ".hdf5", KERAS },
	{ ".keras", KERAS },
	{ ".zip", CKPT_EXT_ZIP },
	{ ".cpt", CKPT_EXT_CPT },
	{ ".pkl", CKPT_EXT_OTHER },
	{ ".msgpack", CKPT_EXT_OTHER },
	{ ".npz", CKPT_EXT_OTHER },
	{ ".safetensors.index.json", CKPT_EXT_INDEX },
	{ ".bin.index.json", CKPT_EXT_INDEX },
	{ 0 },
};

const char *const ckpt_name_packed[] = { ".gz", ".zst", ".xz", ".lz4", ".bz2", NULL };

const struct ckpt_name_mark ckpt_name_unfinished[] = {
	{ ".tmp", "", "its name ends in .tmp: the writer had not finished" },
	{ ".tmp", "??????", "a temporary file of safetensors: the writer had not finished" },
	{ ".tmp", "(.|-|_)*", "its name holds .tmp: the writer had not finished" },
	{ ".tempstate", "{n}", "a temporary file of TensorFlow: the writer had not finished" },
	{ "_temp", "", "TensorFlow's staging directory: the writer had not finished" },
	{ "_temp_", "*", "TensorFlow's staging directory: the writer had not finished" },
	{ ".temp", "", "its name ends in .temp: the writer had not finished" },
	{ ".partial", "", "its name ends in .partial: the writer had not finished" },
	{ ".part", "", "its name ends in .part: the writer had not finished" },
	{ ".incomplete", "", "its name ends in .incomplete: the writer had not finished" },
	{ "-unfinished", "", "NeMo's mark that the checkpoint beside it is not finished" },
	{ ".writing", "", "its name ends in .writing: the writer had not finished" },
	{ 0 },
};

const struct ckpt_name_mark ckpt_name_staging[] = {
	{ "tmp-checkpoint-{n}", NULL, "staged by the trainer: the writer had not finished" },
	{ "checkpoint_tmp_gda", NULL, "a temporary name of flax: the writer had not finished" },
	{ "checkpoint_tmp", NULL, "a temporary name of flax: the writer had not finished" },
	{ "*.orbax-checkpoint-tmp*", NULL,
	  "a temporary name of Orbax: the writer had not finished" },
	{ "*.dirty*.pt", NULL, "a dirty local checkpoint: the writer had not finished" },
	{ "*_step{n}.cpt", NULL, "a temporary name of GROMACS: the writer may not have finished" },
	{ "(tmp_|tmp-|temp_)(checkpoint|ckpt|model|epoch|step)*", NULL,
	  "a temporary name: the writer had not finished" },
	{ 0 },
};

const struct ckpt_name_mark ckpt_name_superseded[] = {
	{ "_prev", ".cpt", NULL }, { ".old", "", NULL },  { ".old", ".{n}", NULL },
	{ ".bkp", "", NULL },	   { ".bak", "*", NULL }, { ".backup", "", NULL },
	{ ".prev", "", NULL },	   { "~", "", NULL },	  { 0 },
};
