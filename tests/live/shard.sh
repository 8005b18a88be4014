#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One check by the nodes of an allocation: `srun ckptctl validate --shard=auto` on four of them. How the
# work is split shows in the bytes that each reads; damage that no share can see alone is found together.
set -eu
. "$(dirname "$0")/../lib/live.sh"

PYTHON=/usr/bin/python3

# Writes the files of all cases below DIR: a zip as torch.save writes it with one record of 48 MiB and one
# of 16; the same with a bit flipped in the middle of the large one; a sealed safetensors file of 256 MiB.
make_files()
{
	as_user "$PYTHON" - "$1" <<-'END'
		import io, json, os, pickle, struct, sys, zipfile
		os.chdir(sys.argv[1])
		with zipfile.ZipFile("model_1.pt", "w", zipfile.ZIP_STORED) as z:
		    z.writestr("archive/data.pkl", pickle.dumps({"epoch": 3, "global_step": 4500}, 2))
		    z.writestr("archive/byteorder", "little")
		    z.writestr("archive/data/0", os.urandom(48 << 20))
		    z.writestr("archive/data/1", os.urandom(16 << 20))
		    z.writestr("archive/version", "3\n")
		data = bytearray(open("model_1.pt", "rb").read())
		data[20 << 20] ^= 1
		open("model_2.pt", "wb").write(data)
		n = 256 << 20
		h = json.dumps({"w": {"dtype": "U8", "shape": [n], "data_offsets": [0, n]}}).encode()
		with open("model_3.safetensors", "wb") as f:
		    f.write(struct.pack("<Q", len(h)) + h)
		    f.truncate(8 + len(h) + n)
	END
}

# share_out NAME: all four nodes check it; answers are in OUT, the exit code of srun in $RC.
share_out()
{
	RC=0
	rm -f "$DIR"/answer-?
	as_user srun -N 4 -n 4 -o "$DIR/answer-%t" "$CLUSTER_DIR/lib/ckptctl" validate --json --shard=auto \
		"$DIR/$1" || RC=$?
	for task in 0 1 2 3; do jq -e . "$DIR/answer-$task" >/dev/null || fail "task $task answered nothing"; done
}

# merged JQ: of the answers that all parts together gave; one at least did.
merged() { jq -rs "[.[] | select(.shard.merged)] | .[0] | $1" "$DIR"/answer-?; }

# read_by_shard NAME: bytes that each of the four has read, from their parts.
read_by_shard() { jq -r .bytes_read "$DIR/.ckpt-resume/$1".part-?-of-4.json; }

# expect_quarters NAME SIZE: nobody read more than a third of it, all of it was read.
expect_quarters()
{
	local n sum=0
	for n in $(read_by_shard "$1"); do
		((n > $2 / 5 && n < $2 / 3)) || fail "one read $n of $2 bytes: $(read_by_shard "$1" | xargs)"
		sum=$((sum + n))
	done
	((sum >= $2)) || fail "only $sum of $2 bytes were read"
	echo "bytes by shard: $(read_by_shard "$1" | xargs)"
}

live_shard__a_tensor_over_four_nodes()
{
	share_out model_1.pt
	equal "$RC" 0 "exit code"
	equal "$(merged '.verdict, .evidence, .step' | xargs)" "valid checksum 4500"
	expect_quarters model_1.pt $((64 << 20))
	equal "$(jq -r .run "$DIR/.ckpt-resume/model_1.pt".part-?-of-4.json | sort -u | wc -l)" 1 "runs"
}

live_shard__damage_that_no_node_sees_alone()
{
	share_out model_2.pt
	((RC == 1)) || fail "exit code $RC"
	equal "$(merged '.verdict, .problem.code, .problem.file' | xargs)" "corrupt checksum model_2.pt"
	equal "$(jq -r .verdict "$DIR/.ckpt-resume/model_2.pt".part-?-of-4.json | sort -u)" valid "the parts"
}

live_shard__a_seal_over_four_nodes()
{
	as_user "$CLUSTER_DIR/lib/ckptctl" seal -q "$DIR/model_3.safetensors"
	share_out model_3.safetensors
	equal "$RC" 0 "exit code"
	equal "$(merged '.verdict, .evidence' | xargs)" "valid seal"
	expect_quarters model_3.safetensors $((256 << 20))
}

# A node that dies leaves its part out: nobody takes the rest for the whole.
live_shard__a_part_that_is_missing()
{
	share_out model_1.pt
	rm "$DIR/.ckpt-resume/model_1.pt.part-2-of-4.json"
	exits 3 as_user "$CLUSTER_DIR/lib/ckptctl" validate --merge "$DIR/model_1.pt" >"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "part 2 of 4 is missing"
}

# Tasks of a later step believe none of an earlier one's parts.
live_shard__parts_of_an_earlier_step()
{
	share_out model_1.pt
	# shellcheck disable=SC2016
	as_user srun -N 1 -n 2 --overcommit sh -c '
		test $SLURM_PROCID = 1 || exec env SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4 "$0" validate --json --shard=auto "$1"' \
		"$CLUSTER_DIR/lib/ckptctl" "$DIR/model_1.pt" >"$TEST_TMP/one"
	equal "$(jq -r .shard.merged "$TEST_TMP/one")" false "merged with an earlier step's parts"
	exits 3 as_user "$CLUSTER_DIR/lib/ckptctl" validate --merge "$DIR/model_1.pt" >"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "of another run"
}

# The batch script has a task's numbers as well, and would check a share without anybody for the others;
# one that was submitted from within a step has that step's number, too; since 26.05 any has a number of its own.
live_shard__a_batch_script_is_no_task()
{
	local job
	cat >"$TEST_TMP/job.sh" <<-END
		#!/bin/bash
		env | grep ^SLURM_ | sort
		"$CLUSTER_DIR/lib/ckptctl" validate -q --shard=auto "$DIR/model_1.pt"
		echo "exit \$?"
	END
	rm -f "$DIR"/.ckpt-resume/*
	job=$(submit -N 4 -n 4 -o "$DIR/batch" "$TEST_TMP/job.sh")
	wait_done "$job"
	file_has "$DIR/batch" SLURM_PROCID=0
	file_has "$DIR/batch" SLURM_NTASKS=4
	file_has "$DIR/batch" "exit 2"
	job=$(as_user srun -N 1 -n 1 sbatch --parsable -N 4 -n 4 -o "$DIR/nested" "$TEST_TMP/job.sh")
	wait_done "$job"
	file_has "$DIR/nested" "SLURM_STEP_ID=$(slurm_since 2605 && echo -5 || echo 0)"
	file_has "$DIR/nested" "exit 2"
}

CLUSTER_PLUGIN=off CLUSTER_HOOKS=off CLUSTER_NODES=4
live_start
DIR=$CLUSTER_WORK/run
as_user mkdir "$DIR"
make_files "$DIR"
for name in a_tensor_over_four_nodes damage_that_no_node_sees_alone a_seal_over_four_nodes \
	a_part_that_is_missing parts_of_an_earlier_step a_batch_script_is_no_task; do
	live_case "live_shard__$name"
done
test_end
