#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two at once in one run directory: another job, and an attempt that lives on where its node was given up.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

lease() { jq -r ".$1" "$RUN/.ckpt-resume/lease.json" 2>/dev/null; }
lease_is() { [[ "$(lease job_id) $(lease attempt) $(lease state)" == "$*" ]]; }
site() { sed -i "/^${1%%=*}=/d" "$CLUSTER_DIR/etc/ckpt-resume.conf"; echo "$1" >>"$CLUSTER_DIR/etc/ckpt-resume.conf"; }

# A job that holds the run directory; sets JOB.
holder()
{
	train_dir "$1"
	JOB=$(train 0 --ckpt-resume)
	waits_at 0 "$JOB"
	cluster_until 60 lease_is "$JOB" 0 held || fail "the lease is $(cat "$RUN/.ckpt-resume/lease.json")"
}

# second OUT SBATCH-ARGUMENTS...: another job in the same directory, which says that it started; prints its id.
second()
{
	local out=$1 && shift
	submit -o "$out" --ckpt-resume "$@" --wrap 'echo "started with $CKPT_RESUME_REASON $CKPT_RESUME_PATH"'
}

says() { cluster_until "${3:-60}" grep -qsF -- "$2" "$DIR/$1" || fail "$1 does not say '$2': $(cat "$DIR/$1")"; }

live_lease__is_renewed_and_released()
{
	holder renewed
	local before
	before=$(lease counter)
	cluster_until 8 counter_above "$before" || late "the counter stands at $before"
	requeue "$JOB"
	waits_at 1 "$JOB"
	cluster_until 60 lease_is "$JOB" 1 held || fail "attempt 1 has no lease"
	file_lacks "$OUT" "at work"
	ends_well "$JOB"
	cluster_until 60 lease_is "$JOB" 1 released || fail "not released"
	second out2 >/dev/null
	says out2 "started with first-start $RUN/ckpt-0.pt"
	file_lacks "$DIR/out2" "at work"
	file_lacks "$DIR/out2" "lease"
}

counter_above() { (($(lease counter) > $1)); }

live_lease__second_job_waits()
{
	holder waits
	other=$(second out2)
	says out2 "job $JOB (attempt 0 on n1) is at work in '$RUN': waiting up to 5m00s for it"
	file_lacks "$DIR/out2" started
	ends_well "$JOB"
	says out2 "job $JOB (attempt 0 on n1) has ended"
	says out2 "started with first-start $RUN/ckpt-0.pt"
	wait_state "$other" COMPLETED
}

# Its patience ends: it waits in the queue, and then it is the first start that it was.
live_lease__second_job_waits_in_the_queue()
{
	site ShareWait=4
	holder patience
	other=$(second out2 --ckpt-max-restarts=1)
	goes_back
	file_has "$DIR/out2" "waiting up to 4s"
	site ShareWait=300
}

live_lease__second_job_is_requeued()
{
	holder requeued
	other=$(second out2 --ckpt-share=requeue --ckpt-max-restarts=1)
	goes_back
	file_lacks "$DIR/out2" waiting
}

depends() { [[ $(job_field "$other" Dependency) == afterany:$JOB* ]]; }

goes_back()
{
	says out2 "the script was not started"
	cluster_until 60 depends || fail "it does not wait for the other: $(scontrol show job "$other")"
	file_lacks "$DIR/out2" "started with"
	ends_well "$JOB"
	wait_attempt "$other" 1
	says out2 "started with first-start $RUN/ckpt-0.pt"
	wait_state "$other" COMPLETED
}

live_lease__second_job_goes_on()
{
	holder beside
	second out2 --ckpt-share=yes >/dev/null
	says out2 "holds the lease of a run directory of this job: going on beside it"
	says out2 "started with first-start"
	lease_is "$JOB" 0 held || fail "the lease was taken away"
	ends_well "$JOB"
}

# Neither finds anything; one of them sees the other all the same.
live_lease__both_start_at_once()
{
	train_dir both
	local a b
	a=$(submit -H -o out --ckpt-resume "$TRAIN_POOL/train.sh" "$TRAIN_POOL" 0)
	b=$(submit -H -o out2 --ckpt-resume "$TRAIN_POOL/train.sh" "$TRAIN_POOL" 0)
	as_user scontrol release "$a,$b"
	cluster_until 60 one_waits || fail "$(cat "$DIR"/out*)"
	cluster_until 60 one_works || fail "$(cat "$DIR"/out*)"
	sleep 1
	equal "$(cat "$DIR"/out* | grep -c 'attempt 0 waits')" 1 "jobs at work"
	let_go
	wait_state "$a" COMPLETED
	wait_state "$b" COMPLETED
}

one_works() { grep -qs 'attempt 0 waits' "$DIR"/out*; }
one_waits() { grep -qs "waiting up to" "$DIR"/out*; }

# A program that saves when it is told to, and at SIGTERM; its script would start it again.
survivor()
{
	cat >"$TRAIN_POOL/survivor.sh" <<-'PROGRAM'
	#!/bin/bash
	attempt=${SLURM_RESTART_COUNT:-0} dir=$PWD/checkpoints
	cat >program.$attempt <<-'INNER'
	save() { echo "attempt $1 saves: $2"; cp "$3/ckpt-$2.pt" "$4/.$1" && mv "$4/.$1" "$4/ckpt-$2.pt"; }
	trap 'save $1 7 $2 $3' TERM
	save $1 $1 $2 $3
	while [[ -e hold ]]; do sleep 0.2; [[ ! -e save ]] || save $1 6 $2 $3; done
	INNER
	echo "attempt $attempt begins"
	until bash program.$attempt $attempt "$1" "$dir" && [[ ! -e hold ]]; do echo "attempt $attempt again"; done
	PROGRAM
	chmod 755 "$TRAIN_POOL/survivor.sh"
}

# Of this run alone: other clusters may be at work on this machine.
programs()
{
	local mine
	mapfile -t mine < <(grep -lszFx "CKPT_DIR=$RUN" /proc/[0-9]*/environ 2>/dev/null)
	[[ -z ${mine[*]} ]] && echo 0 || grep -lszFx "CKPT_ATTEMPT=$1" "${mine[@]}" 2>/dev/null | wc -l
}
was_requeued() { [[ $(job_field "$job" Restarts) == 1 ]]; }
none_of() { [[ $(programs "$1") == 0 ]]; }

live_lease__a_node_that_was_given_up()
{
	train_dir survivor
	survivor
	job=$(submit -o out --ckpt-resume "$TRAIN_POOL/survivor.sh" "$TRAIN_POOL")
	wait_said "attempt 0 saves: 0"
	cluster_until 60 lease_is "$job" 0 held || fail "no lease"
	kill_slurmd n1
	scontrol update NodeName=n1 State=DOWN Reason=test
	cluster_until 60 was_requeued || fail "the job is $(job_field "$job" JobState)"
	(($(programs 0) > 0)) || fail "the old attempt did not survive its node"
	wait_said "attempt 1 saves: 1"
	cluster_until 6 none_of 0 || late "the old attempt goes on: $(programs 0)"
	as_user touch "$DIR/save"
	wait_said "attempt 1 saves: 6"
	file_lacks "$OUT" "attempt 0 saves: 6"
	file_lacks "$OUT" "attempt 0 saves: 7"
	file_lacks "$OUT" "attempt 0 again"
	file_has "$OUT" "attempt 1 of job $job on n2 has the lease: this one, attempt 0 on n1, was given up"
	equal "$(jq -r 'select(.event == "lease-lost") | .attempt' "$RUN/.ckpt-resume/ledger.jsonl")" 0 lease-lost
	lease_is "$job" 1 held || fail "attempt 1 has no lease"
	start_slurmd n1
	ends_well "$job"
	cluster_until 60 none_of 1
	cluster_heal
}

companions()
{
	local mine
	mapfile -t mine < <(grep -lszFx "SLURM_CONF=$SLURM_CONF" /proc/[0-9]*/environ 2>/dev/null)
	grep -lszFx "CKPT_REQUEST_JOB_ID=$1" "${mine[@]}" 2>/dev/null | tr -dc '0-9\n'
}

# Nobody could release it. On this machine that is seen at once; of another one, by watching.
live_lease__left_behind()
{
	local pid
	holder left
	for pid in $(companions "$JOB"); do kill -KILL "$pid" 2>/dev/null || true; done
	cluster_kill_steps "$JOB"
	scancel "$JOB"
	wait_done "$JOB"
	cluster_until 60 cluster_all_idle
	[[ $(lease state) == held ]] || { echo "the epilog has released it: taken as left behind"; }
	as_user sed -i 's/"state": *"released"/"state":     "held"/' "$RUN/.ckpt-resume/lease.json"
	as_user cp "$RUN/.ckpt-resume/lease.json" "$DIR/left.json"
	second out2 >/dev/null
	says out2 "started with"
	file_lacks "$DIR/out2" "shows no life"
	cluster_until 60 cluster_all_idle
	jq '.boot = "another-machine" | .host = "n9"' "$DIR/left.json" >"$RUN/.ckpt-resume/lease.json"
	chown "$CLUSTER_USER" "$RUN/.ckpt-resume/lease.json"
	SECONDS=0
	second out3 >/dev/null
	says out3 "job $JOB (attempt 0 on n9) left its lease of '$RUN' and shows no life: going on"
	says out3 "started with"
	((SECONDS >= 14)) || fail "it took $SECONDS s"
	((SECONDS <= 25)) || late "it took $SECONDS s"
}

# No clock is asked: not the files', not the ledger's.
live_lease__clocks_differ()
{
	train_dir clocks
	job=$(train 3 --ckpt-resume --ckpt-epoch=completed)
	waits_at 0 "$job"
	as_user touch -d '9 hours ago' "$RUN/ckpt-3.pt"
	as_user touch -d '9 hours' "$RUN/ckpt-0.pt" "$RUN/ckpt-1.pt"
	as_user sed -i 's/"at":"20[0-9]*-/"at":"2091-/' "$RUN/.ckpt-resume/ledger.jsonl"
	requeue "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-3.pt" START_EPOCH=4 ATTEMPT=1 RESUME_REASON=requeued
	ends_well "$job"
}

CLUSTER_NODES=2
live_start
train_prepare
for name in is_renewed_and_released second_job_waits second_job_waits_in_the_queue second_job_is_requeued \
	second_job_goes_on both_start_at_once a_node_that_was_given_up left_behind clocks_differ; do
	live_case "live_lease__$name"
done
test_end
