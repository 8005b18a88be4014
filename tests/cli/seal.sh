#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Seals, through ckptctl: made of what is whole, believed while nothing changed, compared byte by byte,
# ignored where they are torn, edited or of another file; killed at any moment; read by sha256sum.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
DIR=$TEST_TMP/run
PYTHON=/usr/bin/python3

# A safetensors file of FLOATS numbers: structure is all that its format can show.
put()
{
	"$PYTHON" - "$1" "${2:-1000}" <<-'END'
		import json, os, struct, sys
		n = int(sys.argv[2])
		h = json.dumps({"w": {"dtype": "F32", "shape": [n], "data_offsets": [0, 4 * n]}}).encode()
		with open(sys.argv[1], "wb") as f:
		    f.write(struct.pack("<Q", len(h)) + h + os.urandom(4 * n))
	END
}

fresh()
{
	rm -rf "$DIR"
	mkdir "$DIR"
}

# evidence PATH [LEVEL]
evidence() { "$CTL" validate --json --level="${2:-structure}" "$1" | jq -r .evidence; }

noted() { "$CTL" validate --json --level="${2:-structure}" "$1" | jq -r .note; }

# flip FILE OFFSET: another byte there, the times as they were.
flip()
{
	cp -a --attributes-only "$1" "$TEST_TMP/times"
	"$PYTHON" - "$1" "$2" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    f.seek(int(sys.argv[2])); b = f.read(1)
		    f.seek(int(sys.argv[2])); f.write(bytes([b[0] ^ 1]))
	END
	touch -r "$TEST_TMP/times" "$1"
}

entries() { (cd "$DIR" && set -- * && echo "$*"); }

# What cannot be listed with its set is not sealed, and that is a no: it was found out.
seal__refused_is_a_no()
{
	fresh
	mkdir "$DIR/part"
	put "$DIR/part/model-00001-of-00001.safetensors"
	echo '{"weight_map": {"w": "part/model-00001-of-00001.safetensors"}}' >"$DIR/model.safetensors.index.json"
	exits 0 "$CTL" validate -q "$DIR/model.safetensors.index.json"
	exits 1 "$CTL" seal "$DIR/model.safetensors.index.json" 2>"$TEST_TMP/words"
	contains "$(cat "$TEST_TMP/words")" "not sealed"
	equal "$(entries)" "model.safetensors.index.json part"
	equal "$("$CTL" seal --json "$DIR/model.safetensors.index.json" 2>/dev/null | jq -c '[.. | objects | .sealed]')" "[false]"
}

seal__round_trip()
{
	local before
	fresh
	put "$DIR/model_1.safetensors"
	before=$(stat -c '%i %s %y %z' "$DIR/model_1.safetensors")
	equal "$(evidence "$DIR/model_1.safetensors" full)" structure
	exits 0 "$CTL" seal "$DIR/model_1.safetensors"
	equal "$(evidence "$DIR/model_1.safetensors")" seal-unchanged
	equal "$(evidence "$DIR/model_1.safetensors" full)" seal
	equal "$(stat -c '%i %s %y %z' "$DIR/model_1.safetensors")" "$before" "the file"
	contains "$("$CTL" seal "$DIR/model_1.safetensors")" "sealed before"
	equal "$("$CTL" seal --again --json "$DIR/model_1.safetensors" | jq -r '.sealed, .evidence' | xargs)" \
		"true structure"
	equal "$("$CTL" list --json "$DIR" | jq -r '.. | .path? // empty' | sort -u)" \
		"$DIR/model_1.safetensors" "checkpoints listed"
}

seal__flipped_byte_is_found()
{
	local out
	fresh
	put "$DIR/model_1.safetensors" $((40 << 20))
	"$CTL" seal -q "$DIR/model_1.safetensors"
	flip "$DIR/model_1.safetensors" $((100 << 20))
	out=$("$CTL" validate --json "$DIR/model_1.safetensors") && fail "it is valid"
	equal "$(jq -r '.verdict, .problem.code, .problem.offset' <<<"$out" | xargs)" "corrupt digest 67108864"
	contains "$out" "bytes 67108864 to 134217727"
	flip "$DIR/model_1.safetensors" $((100 << 20))
	equal "$(evidence "$DIR/model_1.safetensors" full)" seal
}

seal__nothing_damaged_is_sealed()
{
	fresh
	put "$DIR/model_1.safetensors"
	truncate -s -1 "$DIR/model_1.safetensors"
	exits 1 "$CTL" seal "$DIR/model_1.safetensors" 2>"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "not sealed"
	exits 1 "$CTL" seal "$DIR/nothing_1.safetensors" 2>/dev/null
	equal "$("$CTL" seal --json "$DIR/nothing_1.safetensors" 2>/dev/null | jq -r .verdict)" missing
	equal "$(entries)" model_1.safetensors "entries"
	exits 2 "$CTL" seal --export=md5sum "$DIR/model_1.safetensors" 2>/dev/null
}

seal__sha256sum_reads_the_export()
{
	local odd=$'model_2 \\ x\ny.safetensors'
	fresh
	cd "$DIR"
	mkdir sub
	put model_1.safetensors
	put "sub/model_3.safetensors"
	put "$odd"
	"$CTL" seal -q --export=sha256sum model_1.safetensors sub/model_3.safetensors ./model_1.safetensors \
		"$DIR/model_1.safetensors" >list
	"$CTL" seal -q --export=sha256sum "$odd" >>list 2>/dev/null || true # no candidate: its name has a line's end
	[[ $(wc -l <list) -ge 4 ]] || fail "too few lines: $(cat list)"
	sha256sum --strict -c list >/dev/null || fail "sha256sum does not agree"
	cut -c67- list | grep -qxF "$DIR/model_1.safetensors" || fail "no absolute path"
	flip sub/model_3.safetensors 500
	exits 1 sha256sum --status -c list
}

seal__killed_leaves_none_or_a_whole_one()
{
	local pid made=0 none=0
	fresh
	put "$DIR/model_1.safetensors" $((30 << 20))
	for i in $(seq 1 25); do
		rm -f "$DIR"/*.json
		"$CTL" seal -q "$DIR/model_1.safetensors" &
		pid=$!
		sleep "$(printf '0.%03d' $((i * 12)))"
		kill -9 $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
		lacks "$(noted "$DIR/model_1.safetensors")" ignored
		case $(evidence "$DIR/model_1.safetensors") in
		seal-unchanged) made=$((made + 1)) ;;
		structure) none=$((none + 1)) ;;
		*) fail "neither sealed nor not" ;;
		esac
	done
	echo "killed: $none times before, $made times after the seal"
	((none > 0)) || fail "never killed early enough"
	equal "$("$CTL" list --json "$DIR" | jq -r '.. | .path? // empty' | sort -u)" "$DIR/model_1.safetensors"
}

seal__rewritten_meanwhile_is_given_up()
{
	local rc=0 writer
	fresh
	put "$DIR/model_1.safetensors" $((30 << 20))
	(while :; do touch "$DIR/model_1.safetensors" && sleep 0.01; done) &
	writer=$!
	"$CTL" seal "$DIR/model_1.safetensors" 2>"$TEST_TMP/words" || rc=$?
	kill $writer
	wait $writer 2>/dev/null || true
	while pgrep -f "touch $DIR/model_1" >/dev/null; do sleep 0.05; done # the one it was about to run
	equal "$rc" 3 "exit code"
	[[ ! -e $DIR/model_1.safetensors.metadata.json ]] || fail "a seal was made"
	exits 0 "$CTL" seal -q "$DIR/model_1.safetensors"
}

seal__torn_or_edited_is_ignored()
{
	local seal=$DIR/model_1.safetensors.metadata.json
	fresh
	put "$DIR/model_1.safetensors"
	"$CTL" seal -q "$DIR/model_1.safetensors"
	cp "$seal" "$TEST_TMP/seal"
	sed 's/"metadata_version":\t1/"metadata_version":\t7/' "$TEST_TMP/seal" >"$seal"
	contains "$(noted "$DIR/model_1.safetensors")" "seal ignored: the seal was edited"
	equal "$(evidence "$DIR/model_1.safetensors")" structure
	head -c 900 "$TEST_TMP/seal" >"$seal"
	contains "$(noted "$DIR/model_1.safetensors" full)" "seal ignored: the seal is torn"
	equal "$(evidence "$DIR/model_1.safetensors" full)" structure
	exits 0 "$CTL" seal -q "$DIR/model_1.safetensors"
	equal "$(evidence "$DIR/model_1.safetensors")" seal-unchanged
	cmp -s "$seal.torn" <(head -c 900 "$TEST_TMP/seal") || fail "the torn one is not kept"
}

seal__of_another_file_is_stale()
{
	fresh
	put "$DIR/model_1.safetensors"
	"$CTL" seal -q "$DIR/model_1.safetensors"
	cp "$DIR/model_1.safetensors" "$DIR/model_2.safetensors"
	cp "$DIR/model_1.safetensors.metadata.json" "$DIR/model_2.safetensors.metadata.json"
	contains "$(noted "$DIR/model_2.safetensors" structure)" "rewritten after it was made"
	equal "$(evidence "$DIR/model_2.safetensors" full)" seal # all bytes are those
	put "$DIR/model_1.safetensors"
	cp "$DIR/model_1.safetensors" "$DIR/model_2.safetensors"
	equal "$(evidence "$DIR/model_2.safetensors" structure)" structure
	contains "$(noted "$DIR/model_2.safetensors" structure)" "rewritten after it was made"
	equal "$(evidence "$DIR/model_1.safetensors")" structure
	rm "$DIR/model_1.safetensors"
	equal "$("$CTL" resolve --dir "$DIR" --json | jq -r '.path, .evidence' | xargs)" "$DIR/model_2.safetensors structure"
}

# Who asks about one checkpoint is told that it is not what was sealed; no job loses what it saved anew.
seal__written_after_its_seal()
{
	local f part
	fresh
	cd "$DIR"
	for f in model_1 model_2; do
		put $f.safetensors $((3 << 20))
		"$CTL" seal -q $f.safetensors
	done
	put model_2.safetensors $((3 << 20))
	exits 1 "$CTL" validate model_2.safetensors >"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "corrupt (digest)"
	file_has "$TEST_TMP/words" 'it was written after that: damaged, or saved anew (then `ckptctl seal` it again)'
	exits 1 "$CTL" info --level=full model_2.safetensors >"$TEST_TMP/words"
	for part in 0 1; do "$CTL" validate -q --shard=$part/2 model_2.safetensors || :; done
	exits 1 "$CTL" validate -q --merge=2 model_2.safetensors
	equal "$("$CTL" resolve --dir "$DIR" --json | jq -r '.path, .evidence' | xargs)" "$DIR/model_2.safetensors structure"
	sha256sum model_2.safetensors >model_2.safetensors.sha256 # proves it
	equal "$(evidence model_2.safetensors full)" seal
	flip model_2.safetensors 700
	exits 1 "$CTL" validate -q model_2.safetensors
	rm model_2.safetensors.sha256
	"$CTL" seal -q model_2.safetensors
	equal "$(evidence model_2.safetensors full)" seal
	truncate -s $((2 << 20)) model_1.safetensors
	echo more >>model_2.safetensors
	for f in model_1 model_2; do exits 1 "$CTL" validate -q $f.safetensors; done
	for n in 1 2; do # whose checksums prove it
		"$PYTHON" -c 'import numpy, sys; numpy.savez("anew.npz", numpy.ones(9) * int(sys.argv[1]))' $n 2>/dev/null ||
			skip_case "numpy is not installed"
		((n == 2)) || "$CTL" seal -q anew.npz
	done
	equal "$(evidence anew.npz full)" checksum
}

seal__start_reads_no_sealed_data()
{
	local out
	fresh
	for n in 1 2 3; do put "$DIR/model_$n.safetensors" $((5 << 20)); done
	"$CTL" seal -q "$DIR/model_3.safetensors"
	out=$("$CTL" resolve --dir "$DIR" --json)
	equal "$(jq -r '.path, .evidence' <<<"$out" | xargs)" "$DIR/model_3.safetensors seal-unchanged"
	(($(jq '[.trail[].checkpoint | select(.evidence == "seal-unchanged") | .bytes_read] | max' <<<"$out") < 20000)) ||
		fail "data were read: $out"
	flip "$DIR/model_3.safetensors" 9000000
	out=$("$CTL" resolve --dir "$DIR" --json) || true
	equal "$(jq -r .path <<<"$out")" "$DIR/model_2.safetensors" "after damage"
}

seal__quarantine_takes_it_along()
{
	fresh
	put "$DIR/model_1.safetensors"
	put "$DIR/model_2.safetensors"
	"$CTL" seal -q "$DIR/model_2.safetensors"
	flip "$DIR/model_2.safetensors" 3000
	exits 0 "$CTL" quarantine "$DIR/model_2.safetensors" >/dev/null
	equal "$(entries)" "model_1.safetensors model_2.safetensors.corrupted model_2.safetensors.metadata.json.corrupted"
	exits 0 "$CTL" release "$DIR/model_2.safetensors" >/dev/null
	equal "$(entries)" "model_1.safetensors model_2.safetensors model_2.safetensors.metadata.json"
	exits 1 "$CTL" validate -q "$DIR/model_2.safetensors"
}

# Once more where it was through before that was seen.
seal__in_the_background()
{
	local pid stepped='' try
	fresh
	put "$DIR/model_1.safetensors" $((60 << 20))
	for try in {1..20}; do
		rm -f "$DIR"/*.json
		"$CTL" seal -q --background "$DIR/model_1.safetensors" &
		pid=$!
		until [[ $stepped == idle || -z $(tr -d '\0' <"/proc/$pid/cmdline") ]]; do
			[[ $(ps -o ni= -p $pid) != *19 ]] || stepped=$(ionice -p $pid)
		done
		wait $pid
		[[ $stepped != idle ]] || break
	done
	equal "$stepped" idle "I/O class, after $try tries"
	equal "$(evidence "$DIR/model_1.safetensors")" seal-unchanged
}

seal__digests_of_others_are_evidence()
{
	fresh
	cd "$DIR"
	put model_1.safetensors
	put model_2.safetensors
	sha256sum model_1.safetensors model_2.safetensors >SHA256SUMS
	equal "$(evidence model_1.safetensors full)" seal
	equal "$(evidence model_1.safetensors)" structure
	flip model_1.safetensors 700
	exits 1 "$CTL" validate model_1.safetensors >"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "its SHA-256 is not the one in SHA256SUMS"
	touch model_1.safetensors # saved again after the list was made, or not
	exits 1 "$CTL" validate model_1.safetensors >"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "is not the one in SHA256SUMS, which is older: damaged, or saved anew"
	exits 0 "$CTL" resolve --mode="$DIR/model_1.safetensors" >/dev/null
	sha256sum model_1.safetensors >model_1.safetensors.sha256 # the nearer one counts
	equal "$(evidence model_1.safetensors full)" seal
	sha256sum model_2.safetensors | cut -c1-64 >model_2.safetensors.sha256
	rm SHA256SUMS
	equal "$(evidence model_2.safetensors full)" seal
	flip model_2.safetensors 701
	exits 1 "$CTL" validate -q model_2.safetensors
}

seal__the_blobs_name_is_its_digest()
{
	local sum
	fresh
	cd "$DIR"
	mkdir blobs snap
	put model.safetensors
	sum=$(sha256sum <model.safetensors | cut -c1-64)
	mv model.safetensors "blobs/$sum"
	ln -s "../blobs/$sum" snap/model.safetensors
	equal "$(evidence snap/model.safetensors full)" seal
	flip "blobs/$sum" 800
	exits 1 "$CTL" validate -q snap/model.safetensors
	touch -d '1 minute' "blobs/$sum" # saved through the link since
	exits 0 "$CTL" validate -q snap/model.safetensors
}

# A disk that is full leaves no seal, no part of one, and the checkpoint as it was.
seal__a_full_disk_leaves_nothing()
{
	local rc=0
	fresh
	mount -t tmpfs -o size=128k tmpfs "$DIR" 2>/dev/null || skip_case "may not mount here"
	put "$DIR/model_1.safetensors"
	dd if=/dev/zero of="$DIR/fill" bs=4k 2>/dev/null || true
	"$CTL" seal "$DIR/model_1.safetensors" 2>"$TEST_TMP/words" || rc=$?
	equal "$(cd "$DIR" && find . -type f | sort | xargs)" "./fill ./model_1.safetensors" "files"
	rm "$DIR/fill"
	exits 0 "$CTL" seal -q "$DIR/model_1.safetensors"
	umount "$DIR"
	equal "$rc" 3 "exit code"
	file_has "$TEST_TMP/words" "No space left"
}

seal__a_sample_says_what_it_read()
{
	fresh
	put "$DIR/model_1.safetensors" $((40 << 20))
	contains "$(noted "$DIR/model_1.safetensors" sample)" "no seal: structure only"
	"$CTL" seal -q "$DIR/model_1.safetensors"
	equal "$(evidence "$DIR/model_1.safetensors" sample)" seal-unchanged
	contains "$(noted "$DIR/model_1.safetensors" sample)" "3 of 3 chunks re-read (seed 0)"
	contains "$("$CTL" validate --level=sample --seed=5 --json "$DIR/model_1.safetensors" | jq -r .note)" "seed 5"
	exits 2 "$CTL" validate --level=sample --seed=x "$DIR/model_1.safetensors" 2>/dev/null
}

# ten_terabytes DIR FILES: holes of 10 TB in all and a seal as the documentation of the format has it, but
# for the digests, which nobody is to compare.
ten_terabytes()
{
	"$PYTHON" - "$1" "$2" <<-'END'
		import hashlib, json, os, sys
		top, n = sys.argv[1], int(sys.argv[2])
		size, chunk = 10 * (1 << 40) // n, 128 << 20
		os.mkdir(top)
		files = []
		for i in range(n):
		    path = "%s/part-%04d" % (top, i)
		    with open(path, "wb") as f:
		        f.truncate(size)
		    st = os.stat(path)
		    files.append({"name": "part-%04d" % i, "inode": str(st.st_ino), "size": str(size),
		                  "mtime_ns": str(st.st_mtime_ns), "ctime_ns": str(st.st_ctime_ns),
		                  "whole": "", "chunks": "ab" * 32 * -(-size // chunk)})
		    whole = bytes.fromhex(files[-1]["chunks"])
		    files[-1]["whole"] = hashlib.sha256(whole).hexdigest()
		seal = {"version": 1, "sealed_at": "2026-01-02T03:04:05Z", "algorithm": "sha256",
		        "leaf_size": 1 << 20, "chunk_size": chunk,
		        "verdict": {"verdict": "valid", "evidence": "structure", "format": "", "contents": "full",
		                    "framework": "", "size_bytes": size * n, "tensors": 0,
		                    "position": {"step": 500, "step_source": "content"}, "keys": []},
		        "files": files, "self_sha256": "0" * 64}
		text = json.dumps({"checkpoint_name": os.path.basename(top), "seal": seal}) + "\n"
		at = text.rindex("0" * 64)
		digest = hashlib.sha256(text.encode()).hexdigest()
		with open(top + ".metadata.json", "w") as f:
		    f.write(text[:at] + digest + text[at + 64:])
	END
}

# calls FILE NAME...: how often these calls stand in strace's summary FILE.
calls() { awk -v names=" ${*:2} " 'index(names, " " $NF " ") { n += $4 } END { print n + 0 }' "$1"; }

# Decided from the seal and a stat of each file: nothing grows with the bytes.
seal__ten_terabytes_are_a_stat_of_each_file()
{
	local n stats=() out
	command -v strace >/dev/null || skip_case "strace is not installed"
	fresh
	for n in 10 80; do
		ten_terabytes "$DIR/huge-$n" "$n" || skip_case "no files of a terabyte here"
		out=$("$CTL" validate --level=structure --json "$DIR/huge-$n")
		equal "$(jq -r '.verdict, .evidence, .size_bytes, .step' <<<"$out" | xargs)" \
			"valid seal-unchanged $((10 << 40)) 500"
		equal "$(jq -r .bytes_read <<<"$out")" "$(stat -c %s "$DIR/huge-$n.metadata.json")" "bytes read"
		strace -f -c -o "$TEST_TMP/calls" "$CTL" validate -q --level=structure "$DIR/huge-$n" ||
			skip_case "strace may not trace here"
		stats+=("$(calls "$TEST_TMP/calls" newfstatat fstatat64 stat lstat statx)")
		(($(calls "$TEST_TMP/calls" openat open) < 80)) || fail "files were opened: $(cat "$TEST_TMP/calls")"
	done
	echo "stat calls: ${stats[0]} for 10 files, ${stats[1]} for 80"
	((stats[1] - stats[0] >= 70 && stats[1] - stats[0] <= 4 * 70)) || fail "not a few for each file"
}

# Two processes, a part each; without one of them, or with one of another save, nothing is known.
seal__two_shards_are_a_whole()
{
	local file=$DIR/model_1.safetensors
	fresh
	put "$file" $((40 << 20))
	"$CTL" seal -q "$file"
	exits 3 "$CTL" validate -q --merge "$file"
	"$CTL" validate --shard=0/2 "$file" >"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "part 0 of 2: valid"
	file_has "$TEST_TMP/words" "its share alone: \`ckptctl validate --merge\` tells the whole"
	exits 3 "$CTL" validate --merge "$file" >"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "part 1 of 2 is missing"
	exits 0 "$CTL" validate -q --shard=1/2 "$file"
	equal "$("$CTL" validate --merge --json "$file" | jq -r '.verdict, .evidence, .shard.merged' | xargs)" \
		"valid seal true"
	flip "$file" $((150 << 20))
	exits 3 "$CTL" validate -q --merge "$file" # its change time is another
	exits 0 "$CTL" validate -q --shard=0/2 "$file"
	exits 1 "$CTL" validate -q --shard=1/2 "$file"
	exits 1 "$CTL" validate --merge "$file" >"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "bytes 134217728 to"
	mkdir "$TEST_TMP/parts"
	exits 0 "$CTL" validate -q --shard=0/3 --shard-dir="$TEST_TMP/parts" "$file"
	equal "$(ls "$TEST_TMP/parts")" model_1.safetensors.part-0-of-3.json
	for bad in 2/2 -1/2 1 0/0 a/b auto; do
		exits 2 "$CTL" validate --shard=$bad "$file" 2>/dev/null
	done
	exits 2 "$CTL" validate --shard=0/2 --merge "$file" 2>/dev/null
	equal "$("$CTL" list --json "$DIR" | jq -r '.. | .path? // empty' | sort -u)" "$file" "listed"
}

# Two files, three places: all are told, with what lies there, by validate, by info and by a merge.
seal__all_that_differs_is_told()
{
	local dir=$DIR/checkpoint-5 ranges='.differing | .ranges, .all_compared, .first[].file, .first[].member'
	local told="3 true model.safetensors optimizer.safetensors optimizer.safetensors the header, w the header, w w"
	fresh
	mkdir "$dir"
	echo '{"epoch": 1, "global_step": 5, "log_history": []}' >"$dir/trainer_state.json"
	put "$dir/model.safetensors" 1000
	put "$dir/optimizer.safetensors" $((50 << 20)) # of four chunks
	exits 0 "$CTL" seal -q "$dir"
	equal "$("$CTL" validate --json "$dir" | jq .differing)" null
	flip "$dir/model.safetensors" 500
	flip "$dir/optimizer.safetensors" 5000
	flip "$dir/optimizer.safetensors" $((200 << 20))
	exits 1 "$CTL" validate "$dir" >"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "in the header, w of model.safetensors: bytes 0 to 4"
	file_has "$TEST_TMP/words" "; also bytes 0 to 67108863 of optimizer.safetensors (the header, w); bytes 201326592 to 2097"
	file_has "$TEST_TMP/words" "of optimizer.safetensors (w); 3 ranges, "
	equal "$("$CTL" validate --json "$dir" | jq -r "$ranges" | xargs)" "$told"
	equal "$("$CTL" info --level=full --json "$dir" | jq -r "$ranges" | xargs)" "$told"
	for share in 0 1; do exits 1 "$CTL" validate -q --shard=$share/2 "$dir"; done
	equal "$("$CTL" validate --merge --json "$dir" | jq -r "$ranges" | xargs)" "$told"
}

# A name that JSON cannot hold, and one that the range has cut: the tensors are found all the same.
seal__what_differs_in_a_file_of_any_name()
{
	local name
	fresh
	for name in $'na\xefve-5' "$(printf 'long%.0s' {1..40})-5"; do
		put "$DIR/$name.safetensors" 1000
		exits 0 "$CTL" seal -q "$DIR/$name.safetensors"
		flip "$DIR/$name.safetensors" 500
		"$CTL" validate --json "$DIR/$name.safetensors" >"$TEST_TMP/json" || true
		equal "$("$PYTHON" -c 'import json, sys
print(json.load(open(sys.argv[1], encoding="utf-8"))["differing"]["first"][0]["member"])' "$TEST_TMP/json")" "the header, w"
	done
}

# last.safetensors of step 100, then of step 400: the second seal tells of the second save alone.
seal__made_again_tells_of_this_save()
{
	local step said
	fresh
	for step in 100 400; do
		"$PYTHON" - "$DIR/last.safetensors" "$step" <<-'END'
			import json, struct, sys
			h = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
			                "__metadata__": {"step": sys.argv[2], "epoch": str(int(sys.argv[2]) // 100)}}).encode()
			open(sys.argv[1], "wb").write(struct.pack("<Q", len(h)) + h + bytes(range(16)))
		END
		touch -d "2026-01-01 UTC +$step days" "$DIR/last.safetensors"
		echo "{\"lr\": $step}" >"$DIR/config.json"
		exits 0 "$CTL" seal "$DIR/last.safetensors"
		said=$(jq -c '[.training.step, .training.epoch, .config.lr, .created_at[:10], .seal.verdict.position.step]' \
			"$DIR/last.safetensors.metadata.json")
		equal "$said" "[$step,$((step / 100)),$step,\"$(date -u -d "2026-01-01 UTC +$step days" +%F)\",$step]"
	done
}

# The script of a batch job has the numbers of a task, too, and is alone: it would check a quarter, and
# call it whole. Steps' ids above 4294967280 are no step of srun's; -5 is what 26.05 calls a batch script.
seal__a_share_of_its_own_is_for_tasks_of_a_step()
{
	local file=$DIR/model_1.safetensors step
	local task=(env SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4)
	fresh
	put "$file"
	for step in "" SLURM_STEP_ID= SLURM_STEP_ID=4294967291 SLURM_STEP_ID=4294967290 SLURM_STEP_ID=-5 SLURM_STEP_ID=batch; do
		# shellcheck disable=SC2086
		exits 2 env -u SLURM_STEP_ID "${task[@]}" $step "$CTL" validate -q --shard=auto "$file" 2>"$TEST_TMP/words"
		file_has "$TEST_TMP/words" "start it with srun"
	done
	[[ ! -e $DIR/.ckpt-resume ]] || fail "a part was left: $(ls "$DIR/.ckpt-resume")"
	exits 2 env -u SLURM_JOB_ID SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=4 "$CTL" validate -q --shard=auto "$file" \
		2>/dev/null
	exits 2 "${task[@]}" SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=1 "$CTL" validate -q --shard=auto "$file" 2>/dev/null
	exits 2 "${task[@]}" SLURM_STEP_ID=0 SLURM_PROCID=4 "$CTL" validate -q --shard=auto "$file" 2>/dev/null
	exits 0 "${task[@]}" SLURM_STEP_ID=4294967280 "$CTL" validate -q --shard=auto "$file"
	equal "$(jq -r .run "$DIR"/.ckpt-resume/*.part-0-of-4.json)" 7.4294967280
}

for case in refused_is_a_no round_trip made_again_tells_of_this_save flipped_byte_is_found \
	nothing_damaged_is_sealed sha256sum_reads_the_export \
	killed_leaves_none_or_a_whole_one rewritten_meanwhile_is_given_up torn_or_edited_is_ignored \
	of_another_file_is_stale written_after_its_seal start_reads_no_sealed_data quarantine_takes_it_along in_the_background \
	digests_of_others_are_evidence the_blobs_name_is_its_digest a_full_disk_leaves_nothing a_sample_says_what_it_read \
	a_share_of_its_own_is_for_tasks_of_a_step \
	ten_terabytes_are_a_stat_of_each_file two_shards_are_a_whole all_that_differs_is_told \
	what_differs_in_a_file_of_any_name; do
	run_case "seal__$case"
done
test_end
