#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `info` and `why` say of a checkpoint that was rejected, and of one that looks unlike its elders.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
RUNS=$TEST_SRC/tests/data/make_runs.py
PYTHON=/usr/bin/python3

# answers CODE ARGUMENTS...: stdout in $out.
answers()
{
	local want=$1 rc=0
	shift
	out=$("$CTL" "$@" 2>"$TEST_TMP/words") || rc=$?
	[[ $rc == "$want" ]] || fail "exit code $rc, expected $want: ckptctl $* ($(<"$TEST_TMP/words"))"
}

json() { "$PYTHON" -c 'import json,sys; v = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$out" "$1"; }

fresh_run()
{
	run=$TEST_TMP/run
	rm -rf "$run"
	"$PYTHON" "$RUNS" write "$run" "${1:-torch}" 4 || skip_case "no torch"
	for i in 1 2 3 4; do
		touch -c -d "2026-01-0$i 12:00" "$run/ckpt-$i.pt" "$run/model-step-${i}00.safetensors"
	done
}

forensics__truncated()
{
	fresh_run
	truncate -s 30000 "$run/ckpt-4.pt"
	touch -d "2026-01-04 12:00" "$run/ckpt-4.pt"
	answers 1 info "$run/ckpt-4.pt"
	contains "$out" "Data        end at 30000 of 30000 bytes"
	contains "$out" "Elders      30.0 KB (30000 bytes) where the 3 before it have "
	# its own number is all that is known of it: as far behind as ckpt-2.pt is behind ckpt-3.pt
	contains "$out" "Instead     ckpt-3.pt, which costs about 1 epoch, 100 steps, 1d00h of work"
	contains "$out" "Writer      none on this host that can be seen"
	answers 1 info --json "$run/ckpt-4.pt"
	equal "$(json 'v["findings"]["instead"], v["findings"]["cost_seconds"], v["findings"]["elders"]')" "('ckpt-3.pt', 86400, 3)"
	equal "$(json 'v["findings"]["file"]["data_end"], v["findings"]["file"]["zero_tail_bytes"]')" "(30000, 0)"
	answers 0 why --dir "$run"
	contains "$out" "Elders: 30.0 KB (30000 bytes) where the 3 before it have "
	[[ $out != *Suspicious* ]] || fail "its size is told twice: $out"
	contains "$out" "Data: end at 30000 of 30000 bytes"
	answers 0 why --json --dir "$run"
	equal "$(json '[e["findings"]["instead"] for e in v["trail"] if e["fate"] == "rejected"]')" "['ckpt-3.pt']"
}

forensics__zero_tail_and_cost()
{
	fresh_run
	local size
	size=$(stat -c %s "$run/ckpt-4.pt")
	"$PYTHON" - "$run/ckpt-4.pt" <<-'END'
		import sys
		f = open(sys.argv[1], 'r+b'); f.seek(0, 2); n = f.tell(); f.seek(50000); f.write(bytes(n - 50000))
	END
	answers 1 info --json "$run/ckpt-4.pt"
	equal "$(json 'v["findings"]["file"]["size_bytes"]')" "$size"
	(($(json 'v["findings"]["file"]["data_end"]') <= 50000)) || fail "data_end"
	(($(json 'v["findings"]["file"]["zero_tail_bytes"]') >= size - 50000)) || fail "zero tail"
	answers 1 info "$run/ckpt-4.pt"
	contains "$out" "of zeros follow"
}

forensics__sparse_terabyte()
{
	fresh_run
	truncate -s 1T "$run/ckpt-4.pt" || skip_case "no sparse files here"
	answers 1 info --json "$run/ckpt-4.pt"
	(($(json 'v["findings"]["file"]["hole_bytes"]') > 1000000000000)) || fail "holes"
	(($(json 'v["findings"]["file"]["data_end"]') < 1000000)) || fail "data_end"
}

# Blocks in the middle that never reached the disk: where the first lies, and how much in all.
forensics__holes_in_the_data()
{
	local words="131.1 KB were never written, from 16384 on (2 holes)"
	fresh_run
	"$PYTHON" -c 'import sys, torch; torch.save({"epoch": 4, "w": torch.randn(100000)}, sys.argv[1])' "$run/ckpt-4.pt"
	for at in 16384 131072; do
		fallocate --punch-hole --offset "$at" --length 65536 "$run/ckpt-4.pt" || skip_case "no holes can be made here"
	done
	answers 1 info --level=full "$run/ckpt-4.pt"
	contains "$out" "Holes       $words"
	answers 1 info --json --level=full "$run/ckpt-4.pt"
	equal "$(json '[v["findings"]["file"][k] for k in ("holes", "hole_bytes", "first_hole")]')" "[2, 131072, 16384]"
	answers 0 why --dir "$run"
	contains "$out" "Holes: $words"
}

forensics__writer()
{
	fresh_run
	truncate -s 30000 "$run/ckpt-4.pt"
	exec 7>>"$run/ckpt-4.pt"
	answers 1 info "$run/ckpt-4.pt"
	exec 7>&-
	contains "$out" "still open for writing by "
	contains "$out" "(pid "
}

forensics__saved_by()
{
	fresh_run
	mkdir -p "$run/.ckpt-resume"
	printf '%s\n' '{"event":"decision","job_id":4711,"attempt":0,"at":"2026-01-01T00:00:00Z"}' \
		'{"event":"decision","job_id":4711,"attempt":1,"at":"2026-01-03T20:00:00Z"}' \
		'{"event":"decision","job_id":4711,"attempt":2,"at":"2026-01-09T00:00:00Z"}' >"$run/.ckpt-resume/ledger.jsonl"
	truncate -s 30000 "$run/ckpt-4.pt"
	touch -d "2026-01-04 12:00 UTC" "$run/ckpt-4.pt"
	answers 1 info "$run/ckpt-4.pt"
	contains "$out" "Saved by    attempt 1 of job 4711, its first save that is there (by the ledger's times)"
	answers 1 info --json "$run/ckpt-4.pt"
	equal "$(json 'v["findings"]["save_of_attempt"]')" 1
	sed -i 's/2026-01-03T20/2026-01-03T00/' "$run/.ckpt-resume/ledger.jsonl"
	answers 1 info "$run/ckpt-4.pt"
	contains "$out" "Saved by    attempt 1 of job 4711, its save no. 2 of those that are there (by the ledger's times)"
	sed -i 's/4711/0/' "$run/.ckpt-resume/ledger.jsonl"
	answers 1 info "$run/ckpt-4.pt"
	contains "$out" "Saved by    attempt 1, no job of Slurm's, its save no. 2 of those that are there (by the ledger's times)"
}

# Half the size of all elders, in a format without checksums: taken, and said.
forensics__suspicious()
{
	fresh_run safetensors
	"$PYTHON" - "$run" <<-'END'
		import json, struct, sys
		h = json.dumps({"w": {"dtype": "U8", "shape": [64], "data_offsets": [0, 64]}, "__metadata__": {"step": "900"}}).encode()
		open(sys.argv[1] + '/model-step-900.safetensors', 'wb').write(struct.pack('<Q', len(h)) + h + bytes(range(64)))
	END
	answers 0 info "$run/model-step-900.safetensors"
	contains "$out" "Suspicious  it has "
	answers 0 why --dir "$run"
	contains "$out" "model-step-900.safetensors is suspicious, and taken all the same: it has "
	rm "$run/model-step-900.safetensors"
	answers 0 why --dir "$run"
	[[ $out != *suspicious* ]] || fail "$out"
}

# Half the data, and a head as large as theirs.
forensics__half_the_data()
{
	local n
	rm -rf "$TEST_TMP/half"
	mkdir "$TEST_TMP/half"
	for n in 1 2 3 4; do head -c "$((n < 4 ? 100000 : 50000))" /dev/urandom >"$TEST_TMP/half/state_$n.dump"; done
	answers 0 why --dir "$TEST_TMP/half" --glob 'state_*.dump'
	contains "$out" "state_4.dump is suspicious, and taken all the same: it has 50.0 KB, its 3 elders have 100.0 KB and more"
	head -c 55000 /dev/urandom >"$TEST_TMP/half/state_4.dump"
	answers 0 why --dir "$TEST_TMP/half" --glob 'state_*.dump'
	contains "$out" "state_4.dump is suspicious"
	head -c 67000 /dev/urandom >"$TEST_TMP/half/state_4.dump"
	answers 0 why --dir "$TEST_TMP/half" --glob 'state_*.dump'
	[[ $out != *suspicious* ]] || fail "$out"
}

# Checksums prove that it is what was saved, not that all was: the same is said of one that has them, read in full or sealed.
forensics__suspicious_checksums()
{
	fresh_run
	"$PYTHON" -c "import sys, torch; torch.save({'epoch': 5, 'global_step': 500, 'model_state_dict': {'w': torch.ones(8)}, 'optimizer_state_dict': {'state': {}}}, sys.argv[1])" "$run/ckpt-5.pt"
	answers 0 info "$run/ckpt-5.pt"
	contains "$out" "Suspicious  it has "
	for level in structure full; do
		answers 0 why --level "$level" --dir "$run"
		contains "$out" "resuming from $run/ckpt-5.pt"
		contains "$out" "ckpt-5.pt is suspicious, and taken all the same: it has "
	done
	answers 0 seal "$run/ckpt-5.pt"
	answers 0 why --dir "$run"
	contains "$out" "seal-unchanged"
	contains "$out" "ckpt-5.pt is suspicious, and taken all the same: it has "
	rm "$run/ckpt-5.pt"*
	answers 0 why --level full --dir "$run"
	[[ $out != *suspicious* ]] || fail "$out"
}

# As large as its elder, and of the same tensors; but one of them is of another type. Remarked, and taken.
forensics__another_type()
{
	fresh_run safetensors
	"$PYTHON" - "$run" <<-'END'
		import json, struct, sys
		for step, dtype, shape in ((900, "F32", [16]), (901, "F16", [32])):
		    h = json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, 64]}, "__metadata__": {"step": str(step)}}).encode()
		    open(sys.argv[1] + '/model-step-%d.safetensors' % step, 'wb').write(struct.pack('<Q', len(h)) + h + bytes(range(64)))
	END
	answers 0 info "$run/model-step-901.safetensors"
	contains "$out" "w is of F16, F32 in model-step-900.safetensors"
	answers 0 validate "$run/model-step-901.safetensors"
	answers 0 why --dir "$run"
	contains "$out" "Suspicious: w is of F16, F32 in model-step-900.safetensors"
	answers 0 why --json --dir "$run"
	equal "$(json '[e["findings"]["suspicious"] for e in v["trail"] if e["fate"] == "chosen"]')" "['w is of F16, F32 in model-step-900.safetensors']"
	rm "$run/model-step-90"[01].safetensors
	answers 0 why --json --dir "$run"
	equal "$(json '[e.get("findings") for e in v["trail"] if e["fate"] == "chosen"]')" "[None]"
}

# One whose optimizer is gone has the most progress, and is not taken: said as it is.
forensics__weights_alone()
{
	fresh_run
	"$PYTHON" - "$run" <<-'END'
		import sys, torch
		d = torch.load(sys.argv[1] + "/ckpt-4.pt")
		[d.pop(k) for k in list(d) if k.startswith("optim")]
		d["epoch"] = d.get("epoch", 0) + 1
		torch.save(d, sys.argv[1] + "/ckpt-5.pt")
	END
	answers 0 info "$run/ckpt-5.pt"
	contains "$out" "no optimizer_state_dict, which ckpt-4.pt has"
	answers 0 why --dir "$run"
	contains "$out" "resuming from $run/ckpt-4.pt"
	contains "$(grep ckpt-5.pt <<<"$out")" "whole, but weights alone: training goes on from one with its optimizer"
	contains "$(grep ckpt-3.pt <<<"$out")" "whole, but not the one with the most progress"
}

# A Trainer's save that was killed before its end is no damage, so that it stays; resume_from_checkpoint=True
# (get_last_checkpoint(): the highest ^checkpoint-(\d+)$ that is a directory) would start from it.
forensics__unfinished_save_of_a_trainer()
{
	local set=$TEST_TMP/trainer words
	set_of_files "$set"
	cp -a "$set/checkpoint-500" "$set/checkpoint-1000"
	rm "$set/checkpoint-1000/trainer_state.json"
	words="checkpoint-1000 stays where it is, and what takes the highest number, as transformers' resume_from_checkpoint=True does, would start from it"
	equal "$("$PYTHON" -c 'import os, re, sys; print(max(int(m[1]) for m in map(re.compile(r"^checkpoint-(\d+)$").search, os.listdir(sys.argv[1])) if m))' "$set")" 1000
	answers 0 why --dir "$set"
	contains "$out" " from $set/checkpoint-500"
	contains "$out" "incomplete (member-missing) in trainer_state.json"
	contains "$out" "$words: use \$CKPT_RESUME_PATH there, or move checkpoint-1000 out of the directory"
	answers 0 resolve --dir "$set"
	equal "$out" "$set/checkpoint-500"
	contains "$(<"$TEST_TMP/words")" "$words"
	answers 1 info "$set/checkpoint-1000"
	[[ $out != *"Size        0 B"* ]] || fail "$out"
	# what is damaged is moved by the start itself: nothing to do
	cp "$set/checkpoint-500/trainer_state.json" "$set/checkpoint-1000/"
	"$PYTHON" - "$set/checkpoint-1000/optimizer.pt" <<-'END'
		import sys
		f = open(sys.argv[1], "r+b"); f.seek(6000); f.write(b"ABCD")
	END
	answers 0 why --dir "$set"
	contains "$out" " from $set/checkpoint-500"
	[[ $out != *"stays where it is"* ]] || fail "$out"
}

# set_of_files DIR: a Trainer's directory of step 500, and a DeepSpeed save of four ranks in DIR-ds.
set_of_files()
{
	rm -rf "$1" "$1-ds"
	"$PYTHON" - "$1" <<-'END' || skip_case "no torch"
		import json, os, sys
		import torch
		def save(name, **more):
		    os.makedirs(os.path.dirname(name), exist_ok=True)
		    torch.save({"w": torch.arange(3000.), **more}, name)
		hf, ds = sys.argv[1] + "/checkpoint-500/", sys.argv[1] + "-ds/global_step600/"
		save(hf + "pytorch_model.bin"); save(hf + "optimizer.pt", state={}, param_groups=[])
		json.dump({"global_step": 500, "epoch": 1.0}, open(hf + "trainer_state.json", "w"))
		save(ds + "mp_rank_00_model_states.pt", module={}, global_steps=600, dp_world_size=4, mp_world_size=1)
		for i in range(4):
		    save(ds + "zero_pp_rank_%d_mp_rank_00_optim_states.pt" % i, optimizer_state_dict={})
	END
}

# says WORDS PATH [LEVEL]: those that validate and list print of it.
says()
{
	local rc=0
	out=$("$CTL" validate --level="${3:-full}" "$2" 2>/dev/null) || rc=$?
	equal "$out" "$2: $1"
	contains "$("$CTL" list --level=full --all-runs --parsable -o name,why "$(dirname "$2")")" "${2##*/}|$1"
	[[ $1 == valid* ]] || contains "$("$CTL" why --dir "$(dirname "$2")" || true)" "$1"
	out=$("$CTL" info --level="${3:-full}" "$2") || true
	contains "$out" "Verdict     $1"
}

# What is damaged in a checkpoint of several files is said with the file's name, the member, and where.
forensics__words_name_the_file()
{
	local set=$TEST_TMP/sets ds file
	set_of_files "$set"
	ds=$set-ds/global_step600
	file=$set/checkpoint-500/optimizer.pt
	says "valid by checksum" "$set/checkpoint-500"
	says "valid by checksum" "$ds"
	rm "$ds/zero_pp_rank_2_mp_rank_00_optim_states.pt"
	says "incomplete (shard-missing) in zero_pp_rank_2_mp_rank_00_optim_states.pt: it is missing" "$ds"
	cp -a "$file" "$set/kept"
	truncate -s 5000 "$file"
	says "incomplete (truncated) in optimizer.pt at byte 5000: the zip directory at the end is missing: the save did not finish" \
		"$set/checkpoint-500"
	mv "$ds" "$set/checkpoint-500"
	rm "$file"
	mv "$set/kept" "$file"
	says "incomplete (shard-missing) in global_step600/zero_pp_rank_2_mp_rank_00_optim_states.pt: it is missing" "$set/checkpoint-500"
}

# The same of what digests show: a list of sums, and a seal.
forensics__words_of_digests()
{
	local set=$TEST_TMP/sets file
	set_of_files "$set"
	file=$set/checkpoint-500/optimizer.pt
	"$PYTHON" - "$set/model.safetensors" <<-'END'
		import json, struct, sys
		h = json.dumps({"w": {"dtype": "U8", "shape": [64], "data_offsets": [0, 64]}}).encode()
		open(sys.argv[1], 'wb').write(struct.pack('<Q', len(h)) + h + bytes(range(64)))
	END
	mkdir "$set/checkpoint-7"
	cp "$set/checkpoint-500/trainer_state.json" "$set/model.safetensors" "$set/checkpoint-7"
	printf '%064d  model.safetensors\n' 0 >"$set/checkpoint-7/SHA256SUMS"
	answers 1 validate "$set/checkpoint-7"
	equal "$out" "$set/checkpoint-7: corrupt (digest) in model.safetensors: its SHA-256 is not the one in SHA256SUMS"
	answers 0 seal "$set/checkpoint-500"
	cp -a --attributes-only "$file" "$TEST_TMP/times"
	printf 'x' | dd of="$file" bs=1 seek=6000 conv=notrunc status=none
	touch -r "$TEST_TMP/times" "$file"
	answers 1 validate "$set/checkpoint-500"
	contains "$out" "corrupt (digest) in data/0 of optimizer.pt: bytes 0 to "
}

# What is behind the end of a whole one proves nothing, and is said.
forensics__words_of_a_remark()
{
	local set=$TEST_TMP/sets n
	set_of_files "$set"
	mv "$set/checkpoint-500/optimizer.pt" "$set/last.pt"
	n=$(stat -c %s "$set/last.pt")
	says "valid by checksum" "$set/last.pt"
	tar -C "$set" -cf "$set/step-1.tar" last.pt
	touch -d '-1 minute' "$set/step-1.tar"
	head -c 500 /dev/zero | tr '\0' x >>"$set/last.pt"
	says "valid by checksum; remark (trailing) at byte $n: 500 bytes follow the archive" "$set/last.pt"
	answers 0 why --dir "$set"
	contains "$out" "valid by checksum; remark (trailing) at byte $n: 500 bytes follow the archive"
	head -c 500 /dev/zero | tr '\0' x >>"$set/step-1.tar"
	answers 0 validate "$set/step-1.tar"
	contains "$out" "valid by checksum; remark (trailing) at byte "
	contains "$out" ": something follows the archive's end"
	"$PYTHON" -c "import h5py, sys; h5py.File(sys.argv[1], 'w')['w'] = [1.0] * 100" "$set/model_2.h5" || skip_case "no h5py"
	n=$(stat -c %s "$set/model_2.h5")
	echo junk >>"$set/model_2.h5"
	answers 0 info "$set/model_2.h5"
	contains "$out" "; remark (trailing) at byte $n: 5 bytes follow its end: junk, or a writer that was killed"
	cp "$set/last.pt" "$set/checkpoint-500/optimizer.pt"
	answers 0 validate "$set/checkpoint-500"
	contains "$out" "valid by checksum; remark (trailing) in optimizer.pt at byte "
}

# A file system that says it is a Lustre, where a hole may be a file on tape: what is decided is told by
# `why` as `resolve` decides it; `info` leaves the file where it is.
forensics__tape_is_one_decision()
{
	local shim=$TEST_TMP/lustre.so mode
	[[ $TEST_BUILD != "$TEST_ASAN" ]] || skip_case "ASan has to be loaded first"
	cc -shared -fPIC -o "$shim" -x c - 2>/dev/null <<-'END' || skip_case "no compiler"
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <sys/vfs.h>
		int fstatfs(int fd, struct statfs *buf)
		{
			int (*next)(int, struct statfs *) = dlsym(RTLD_NEXT, "fstatfs");
			int r = next(fd, buf);
			buf->f_type = 0x0bd00bd0;
			return r;
		}
	END
	fresh_run
	rm "$run/ckpt-4.pt"
	truncate -s 200000 "$run/ckpt-4.pt"
	[[ $(stat -c %b "$run/ckpt-4.pt") == 0 ]] || skip_case "no holes here"
	for mode in auto best name:ckpt-4.pt; do
		LD_PRELOAD=$shim "$CTL" resolve --dir "$run" --mode "$mode" --json >"$TEST_TMP/resolve" 2>"$TEST_TMP/words" || true
		LD_PRELOAD=$shim "$CTL" why --dir "$run" --mode "$mode" --json >"$TEST_TMP/why" 2>"$TEST_TMP/words" || true
		for key in .mode .path .warning; do
			equal "$(jq -c "$key" "$TEST_TMP/why")" "$(jq -c "$key" "$TEST_TMP/resolve")" "$mode $key"
		done
	done
	LD_PRELOAD=$shim answers 0 resolve --dir "$run"
	equal "$out" "$run/ckpt-3.pt"
	file_has "$TEST_TMP/words" "ckpt-4.pt was released to tape: recalled"
	LD_PRELOAD=$shim answers 0 why --dir "$run"
	contains "$out" "ckpt-3.pt"
	LD_PRELOAD=$shim answers 3 info "$run/ckpt-4.pt"
	contains "$out" "released to tape, or was never written"
	answers 1 info "$run/ckpt-4.pt" # and here it is a hole
}

for case in words_name_the_file words_of_digests words_of_a_remark truncated zero_tail_and_cost sparse_terabyte holes_in_the_data writer saved_by suspicious half_the_data suspicious_checksums another_type \
	weights_alone unfinished_save_of_a_trainer tape_is_one_decision; do
	run_case "forensics__$case"
done
test_end
