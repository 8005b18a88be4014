#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ckptctl env, exec, done and beat as scripts use them, with nothing installed: two and more attempts of a
# job, loops inside one attempt, hostile names, refusals.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
GLOB='state-*.dat'
unset "${!SLURM_@}" "${!CKPT_@}"
# Each case has a work directory of its own.
WORK=$TEST_TMP/work

# attempt N COMMAND...: as attempt N of job 4711 would run it.
attempt()
{
	SLURM_JOB_ID=4711 SLURM_CLUSTER_NAME=test SLURM_RESTART_COUNT=$1 "${@:2}"
}

# script TEXT: a job script in the run's directory; $out, $words and $rc.
script()
{
	rc=0
	out=$(bash -c "$1" 2>"$TEST_TMP/words") || rc=$?
	words=$(<"$TEST_TMP/words")
}

# A checkpoint of no known format, later than those before.
put() { mkdir -p "$1" && echo "state $2" >"$1/state-$2.dat"; }

EVAL="eval \"\$($CTL env --glob='$GLOB' || echo exit \$?)\""
SHOW='echo "$CKPT_RESUME_MODE $CKPT_ATTEMPT ${CKPT_RESUME_PATH##*/}"'

wrap__env_over_two_attempts_of_a_job()
{
	attempt 0 script "$EVAL; $SHOW"
	equal "$out" "fresh 0 "
	contains "$words" "attempt 0 (first-start): starting fresh"
	[[ -f checkpoints/.ckpt-resume/run.json ]] || fail "no mark"
	put checkpoints 5
	attempt 1 script "$EVAL; $SHOW; echo \"\$CKPT_JOB \$CKPT_DIR\""
	equal "$out" "resume 1 state-5.dat"$'\n'"4711 $WORK/checkpoints"
	equal "$(jq -r '[.event, .attempt, .mode] | join(" ")' checkpoints/.ckpt-resume/ledger.jsonl)" \
		"decision 0 fresh"$'\n'"decision 1 resume" "the ledger"
}

wrap__env_counts_attempts_outside_of_slurm()
{
	script "$EVAL; $SHOW; echo \"\$CKPT_RESUME_REASON\""
	equal "$out" "fresh 0 "$'\n'first-start
	put checkpoints 1
	script "$EVAL; $SHOW; echo \"job \$CKPT_JOB\""
	equal "$out" "resume 1 state-1.dat"$'\n'"job 0"
	script "$EVAL; $SHOW"
	equal "$out" "resume 2 state-1.dat"
	script "$CTL env --glob='$GLOB' --attempt=0 >vars; . ./vars; $SHOW"
	equal "$out" "resume 0 state-1.dat" "the number that was given"
	# what the count says can be said, and then a missing mark is a lost mount
	put unmarked 1
	script "$CTL env --dir=unmarked --glob='$GLOB' --attempt=1"
	equal "$rc" 3 "exit code where there is no mark"
	equal "$out" "(exit 75)"
}

# The decision that the environment has is another attempt's than the one that is named.
wrap__another_attempt_than_the_carried_one()
{
	put elsewhere 9
	script "eval \"\$($CTL env --mode=$WORK/elsewhere/state-9.dat)\"; $CTL exec --attempt=1 -- sh -c '$SHOW'"
	equal "$out" "fresh 1 "
	lacks "$words" "nothing was saved since it began"
}

wrap__env_refusals_end_the_script()
{
	local text
	put checkpoints 1
	mkdir -p checkpoints/.ckpt-resume
	echo torn >checkpoints/.ckpt-resume/run.json
	for text in "eval \"\$($CTL env)\" || exit; echo went on" "set -e; eval \"\$($CTL env)\"; echo went on"; do
		attempt 1 script "$text"
		equal "$rc/$out" "75/" "$text"
		contains "$words" "cannot be read"
	done
	attempt 1 script "eval \"\$($CTL env || echo exit \$?)\"; echo went on"
	equal "$rc/$out" "3/" "with || echo exit"
	script "eval \"\$(/no/such/ckptctl env || echo exit \$?)\"; echo went on"
	equal "$rc/$out" "127/" "where ckptctl is not there"
	attempt 0 script "$CTL env --mode=step:77"
	equal "$rc/$out" "1/(exit 65)" "a pin that is not there"
	attempt 0 script "$CTL env --json --mode=step:77"
	equal "$rc/$(jq -r .mode <<<"$out")" "1/refused" "the same as JSON"
	attempt 0 script "$CTL env --mode=nonsense"
	equal "$rc/$out" "2/" "a bad option"
}

# Whole checkpoints that the configuration turns away: its mistake, and nothing is begun anew.
wrap__a_configuration_that_takes_nothing()
{
	attempt 0 script "$CTL env --glob='$GLOB'"
	put checkpoints 1
	echo '{"validation": {"min_size_bytes": 1000000000}}' >checkpoints/ckpt-config.json
	attempt 1 script "$CTL env --glob='$GLOB'"
	equal "$rc/$out" "2/(exit 64)"
	contains "$words" "min_size_bytes"
}

# A first start says so, whatever the number of the attempt was taken from.
wrap__a_first_start_says_so()
{
	local first='echo "$CKPT_RESUME_REASON"'
	attempt 0 script "$EVAL; $first"
	equal "$out" first-start
	rm -rf checkpoints
	script "eval \"\$($CTL env --glob='$GLOB' --attempt=0)\"; $first"
	equal "$out" first-start "by --attempt=0"
}

# Whatever stands in a path, the shell must read back the same bytes and run none of them.
wrap__env_quotes_hostile_paths()
{
	local shell name
	for name in "a b" "it's" '$(touch owned)' '`touch owned`' '"; touch owned; "' $'tab\tin' '\\n' 'a&b|c>d' \
		'~' '*' $'\xff\xfe' '-n' '!x' '%%41' "''"; do
		mkdir -p "./$name"
		put "./$name" 3
		for shell in bash dash; do
			rm -rf "./$name/.ckpt-resume"
			cat >script.sh <<-EOF
			eval "\$($CTL env --dir="\$1" --glob='$GLOB' || echo exit \$?)"
			[ "\$CKPT_DIR" = "\$2" ] && [ "\$CKPT_RESUME_PATH" = "\$2/state-3.dat" ] || { echo "\$CKPT_DIR"; exit 9; }
			EOF
			"$shell" script.sh "./$name" "$WORK/${name//%%/%}" 2>words.log || {
				# names that no decision may carry are refused, not mangled
				[[ $name == *$'\t'* ]] && grep -q "cannot be read" words.log && continue
				[[ $name == '%%41' ]] && continue
				fail "$shell, $name: $(tail -n 1 words.log)"
			}
		done
		[[ ! -e owned ]] || fail "$name was run"
	done
}

wrap__exec_makes_arguments()
{
	attempt 0 script "$CTL exec --glob='$GLOB' --append='--resume {path}' --fresh-append='--new --at={start_epoch}' \
		-- printf '[%s]' -- -x 'a b'"
	equal "$out" "[--][-x][a b][--new][--at=0]"
	mkdir -p "with space"
	attempt 0 script "$CTL exec --dir='with space' -- true"
	put "with space" 4
	attempt 1 script "$CTL exec --dir='with space' --glob='$GLOB' --append='--resume {path} {root}/{tag} {{x}' -- printf '[%s]' a"
	equal "$out" "[a][--resume][$WORK/with space/state-4.dat][$WORK/with space/state-4.dat][{x}]"
	attempt 1 script "$CTL exec --dir='with space' --glob='$GLOB' -- sh -c '$SHOW; exit 7'"
	equal "$rc/$out" "7/resume 1 state-4.dat" "variables and exit code"
	attempt 1 script "$CTL exec --dir='with space' --glob='$GLOB' --append='--step {step}' -- touch started"
	equal "$rc" 2 "exit code without a value"
	contains "$words" "{step} has no value"
	attempt 0 script "$CTL exec --append='{paths}' -- touch started"
	equal "$rc" 2 "exit code of an unknown placeholder"
	contains "$words" "'{paths}' is no placeholder"
	attempt 0 script "$CTL exec --append='{path' -- touch started"
	equal "$rc" 2 "exit code of an open brace"
	attempt 0 script "$CTL exec"
	equal "$rc" 2 "exit code without a command"
	attempt 0 script "$CTL exec -- /no/such/program"
	equal "$rc" 127
	attempt 0 script "$CTL exec -- /etc/passwd"
	equal "$rc" 126
	attempt 0 script "$CTL exec --mode=step:9 -- touch started"
	equal "$rc" 65 "exit code of a pin that is not there"
	[[ ! -e started ]] || fail "it was started"
}

# until ckptctl exec ...; do :; done inside one attempt: each round goes on from what the one before has saved.
# What the plugin left for steps without an environment says the new decision; where nothing was left, nothing is made.
wrap__exec_renews_what_steps_get()
{
	local show='echo "${SLURM_SPANK_CKPT_D_RESUME_MODE-none} ${SLURM_SPANK_CKPT_D_RESUME_PATH-none}"'
	put checkpoints 1
	attempt 0 script "$CTL exec --glob='$GLOB' -- sh -c '$show'"
	equal "$out" "none none"
	attempt 0 script "$EVAL; $show"
	equal "$out" "none none" "env"
	SLURM_SPANK_CKPT_D_RESUME_MODE=fresh attempt 0 script "$CTL exec --glob='$GLOB' -- sh -c '$show'"
	equal "$out" "resume $WORK/checkpoints/state-1.dat"
}

wrap__exec_in_a_loop_goes_on()
{
	local round='n=$(ls checkpoints | wc -l); echo "$CKPT_ATTEMPT:$CKPT_RESUME_MODE:${CKPT_RESUME_PATH##*/}"; \
		sleep 0.02; echo s >checkpoints/state-$n.dat; [ $n -ge 3 ]'
	attempt 0 script "$EVAL; until $CTL exec --glob='$GLOB' -- sh -c '$round'; do :; done"
	equal "$out" "0:fresh:"$'\n'"0:resume:state-0.dat"$'\n'"0:resume:state-1.dat"$'\n'"0:resume:state-2.dat"
	# the same from attempt 1 on, where nothing but the run directory tells
	attempt 1 script "until $CTL exec --glob='$GLOB' -- sh -c '${round/ge 3/ge 5}'; do :; done"
	equal "$out" "1:resume:state-3.dat"$'\n'"1:resume:state-4.dat"
	attempt 2 script "$EVAL; $SHOW"
	equal "$out" "resume 2 state-5.dat"
}

# A start pinned by its user, elsewhere: without anything of its own the second round begins there again.
wrap__exec_never_begins_anew_where_the_attempt_resumed()
{
	put elsewhere 9
	attempt 0 script "eval \"\$($CTL env --mode=$WORK/elsewhere/state-9.dat)\"; $SHOW; $CTL exec -- sh -c '$SHOW'"
	equal "$out" "finetune 0 state-9.dat"$'\n'"finetune 0 state-9.dat"
	contains "$words" "nothing was saved since it began: again from"
	attempt 0 script "eval \"\$($CTL env --mode=$WORK/elsewhere/state-9.dat)\"; rm elsewhere/state-9.dat; $CTL exec -- touch started"
	equal "$rc" 75 "exit code where it is gone"
	[[ ! -e started ]] || fail "it was started"
}

wrap__exec_of_a_damaged_newest_one_falls_back()
{
	local runs=$TEST_SRC/tests/data/make_runs.py damage text
	damage="/usr/bin/python3 $runs damage checkpoints/ckpt-3.pt one-bit"
	# that it was decided before is told by the variables, or by the run directory alone
	for text in "$EVAL; $damage" "$CTL exec -- $damage"; do
		rm -rf checkpoints
		attempt 0 script "$CTL env"
		/usr/bin/python3 "$runs" write checkpoints zip 3 || skip_case "python3-torch is not installed"
		attempt 1 script "$text; $CTL exec --append='{path}' -- echo"
		equal "$out" "$WORK/checkpoints/ckpt-2.pt"
		contains "$words" "1 newer rejected: ckpt-3.pt"
		[[ -f checkpoints/ckpt-3.pt ]] || fail "moved while its writer may be alive"
	done
	attempt 2 script "$EVAL; $SHOW"
	equal "$out" "resume 2 ckpt-2.pt"
	[[ -f checkpoints/ckpt-3.pt.corrupted ]] || fail "the start of an attempt puts it in quarantine"
	# a new run of a job with that number: what was decided for the old one's attempt 1 is not for its own
	attempt 2 script "$CTL done"
	attempt 0 script "$CTL env"
	${damage/ckpt-3/ckpt-2}
	attempt 1 script "$EVAL; $SHOW"
	equal "$out" "resume 1 ckpt-1.pt" "attempt 1 of the new run"
	[[ -f checkpoints/ckpt-2.pt.corrupted ]] || fail "the new run's attempt 1 is a start too"
}

# What the attempt's decision was about is what later commands of the same job are about: all its directories, the
# place of its state, the job's own options.
wrap__the_decision_says_where()
{
	attempt 0 script "eval \"\$($CTL env --dir=a:b --state=st --glob='$GLOB')\"; mkdir -p b; echo s >b/state-7.dat; \
		$CTL exec --glob='$GLOB' -- sh -c '$SHOW'; $CTL done"
	equal "$out" "resume 0 state-7.dat"$'\n'"$WORK/st: the run of job 4711 is done" "two directories, and a state"
	[[ ! -e a/.ckpt-resume/done.json && -f st/.ckpt-resume/done.json ]] || fail "the state lies elsewhere"
	# where none was named the work directory is searched too, then as before
	attempt 0 script "eval \"\$($CTL env --glob='$GLOB')\"; echo s >state-6.dat; $CTL exec --glob='$GLOB' -- sh -c '$SHOW'; rm state-6.dat"
	equal "$out" "resume 0 state-6.dat" "no directory named"
	# a directory of its own is not that run
	attempt 0 script "eval \"\$($CTL env --dir=a:b --glob='$GLOB')\"; $CTL exec --dir=c --glob='$GLOB' -- sh -c '$SHOW'"
	equal "$out" "fresh 0 " "another directory"
	# without the decision's file the variables tell, as far as they can
	attempt 0 script "eval \"\$($CTL env --dir=e%%1 --glob='$GLOB')\"; echo s >e%1/state-2.dat; unset CKPT_DECISION; \
		$CTL exec --glob='$GLOB' -- sh -c '$SHOW; echo \$CKPT_DIR'"
	equal "$out" "resume 0 state-2.dat"$'\n'"$WORK/e%1" "a directory with a letter of its own"
	# the file of another attempt does not
	attempt 0 script "eval \"\$($CTL env --dir=f --glob='$GLOB')\"; echo s >f/state-3.dat; \
		CKPT_DECISION=$WORK/a/.ckpt-resume/decision-test-4711-9.json; \
		sed 's/\"attempt\":[^,]*/\"attempt\": 9/' a/.ckpt-resume/decision-test-4711-0.json >\$CKPT_DECISION; \
		$CTL exec --glob='$GLOB' -- sh -c '$SHOW; echo \$CKPT_DIR'"
	equal "$out" "resume 0 state-3.dat"$'\n'"$WORK/f" "with another attempt's file"
	attempt 0 script "eval \"\$($CTL env --dir=g)\"; echo s >g/state-4.dat; \
		SLURM_SPANK_CKPT_RESUME=auto SLURM_SPANK_CKPT_GLOB='$GLOB' $CTL exec -- sh -c '$SHOW'"
	equal "$out" "resume 0 state-4.dat" "the pattern of the job's options"
}

# task STEP RANK COMMAND...: as that task of a step of three.
task()
{
	SLURM_STEP_ID=$1 SLURM_STEP_NUM_TASKS=${TASKS:-3} SLURM_PROCID=$2 SLURM_STEP_LAUNCHER_PORT=${PORT:-4000} "${@:3}"
}

EXEC="$CTL exec --glob='$GLOB' -- sh -c"

# However late a task comes, and whatever the others have saved by then: it begins where they began.
wrap__tasks_of_a_step_decide_once()
{
	local rank
	attempt 0 script "$CTL env --glob='$GLOB' >/dev/null"
	put checkpoints 5
	attempt 1 task 0 0 script "$EXEC '$SHOW; echo 6 >checkpoints/state-6.dat'"
	equal "$out" "resume 1 state-5.dat"
	contains "$words" "ckpt-resume: attempt 1"
	for rank in 1 2; do
		attempt 1 task 0 "$rank" script "$EXEC '$SHOW'"
		equal "$out/$words" "resume 1 state-5.dat/" "task $rank of the first step"
	done
	for rank in 2 0 1; do
		attempt 1 task 1 "$rank" script "$EXEC '$SHOW; echo 7 >checkpoints/state-7.dat'"
		equal "$out" "resume 1 state-6.dat" "task $rank of the next step"
	done
	attempt 1 task 1 0 script "$EXEC '$SHOW; echo 8 >checkpoints/state-8.dat'"
	equal "$out" "resume 1 state-7.dat" "a loop inside of a step"
	attempt 1 task 1 2 script "eval \"\$($CTL env --glob='$GLOB')\"; $SHOW"
	equal "$out" "resume 1 state-8.dat" "another task's loop, by env: by what is there then"
	attempt 1 task 3 0 script "$CTL exec --glob=state-5.dat -- sh -c '$SHOW'"
	equal "$out" "resume 1 state-5.dat" "the first of two that ask for different ones"
	attempt 1 task 3 1 script "$CTL exec --glob=state-6.dat -- sh -c '$SHOW'"
	equal "$out" "resume 1 state-6.dat" "the second"
	PORT=4001 attempt 1 task 1 2 script "$EXEC '$SHOW'"
	equal "$out" "resume 1 state-8.dat" "another job's step of that number"
	TASKS=1 attempt 1 task 0 0 script "$EXEC '$SHOW'"
	equal "$out" "resume 1 state-8.dat" "a step of one task"
	attempt 1 task 4294967291 0 script "$EXEC '$SHOW'"
	equal "$out" "resume 1 state-8.dat" "the batch script"
	attempt 2 task 1 0 script "$EXEC '$SHOW'"
	equal "$out" "resume 2 state-8.dat" "the next attempt"
}

# The very first decision of a run makes the directory that the others find it in; all at once, and one that is killed.
wrap__tasks_of_a_first_step()
{
	local rank pids=()
	for rank in 0 1 2 3 4 5 6 7; do
		(TASKS=8 attempt 0 task 0 "$rank" bash -c "$EXEC '$SHOW; echo $rank >checkpoints/state-1$rank.dat'" \
			>"out-$rank" 2>"words-$rank") &
		pids+=($!)
		((rank != 3)) || sleep 0.3
	done
	wait "${pids[@]}"
	equal "$(sort -u out-*)" "fresh 0 " "what the tasks began with"
	cat >slow.py <<-'PYTHON'
	import fcntl, struct, time
	f = open("checkpoints/.ckpt-resume/step.lock", "w")
	fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
	print("locked", flush=True)
	time.sleep(60)
	PYTHON
	python3 slow.py >locked &
	pids=($!)
	for ((rank = 0; rank < 600; rank++)); do [[ ! -s locked ]] || break; sleep 0.1; done
	(attempt 0 task 1 1 bash -c "$EXEC '$SHOW'" >out-1 2>words-1) &
	sleep 1.5
	[[ ! -s out-1 ]] || fail "it decided beside the one that has the lock"
	kill -KILL "${pids[0]}"
	wait "${pids[0]}" 2>/dev/null || true
	wait $!
	equal "$(<out-1)" "resume 0 state-17.dat" "after one that was killed"
	touch -d '-2 days' checkpoints/.ckpt-resume/step-4711-0-0-4000*
	attempt 0 task 2 0 script "$EXEC '$SHOW'"
	equal "$(cd checkpoints/.ckpt-resume && printf '%s\n' step-4711-0-* | sed 's/-[0-9a-f]\{16\}//' | xargs)" \
		"$(echo step-4711-0-{1,2}-4000.{asked,json})" "what is left of the steps"
}

# All are refused alike, whatever has come meanwhile; JSON is of the same decision.
wrap__tasks_are_refused_together()
{
	local rank
	attempt 0 script "$CTL env --glob='$GLOB' >/dev/null"
	put checkpoints 5
	for rank in 0 1; do
		attempt 0 task 0 "$rank" script "$CTL exec --glob='$GLOB' --mode=name:state-6.dat -- touch started"
		equal "$rc" 65 "exit code of task $rank"
		put checkpoints 6
	done
	attempt 0 task 1 0 script "$CTL exec --glob='$GLOB' --mode=name:state-6.dat -- true"
	equal "$rc" 0 "exit code of the next step"
	[[ ! -e started ]] || fail "one of them began"
	attempt 1 task 3 1 script "$CTL env --json --glob='$GLOB'"
	equal "$(jq -r .mode <<<"$out")" resume "JSON of the one that decides"
	attempt 1 task 3 2 script "$CTL env --json --glob='$GLOB'"
	equal "$(jq -r '.mode, .path' <<<"$out" | paste -sd' ')" "resume $WORK/checkpoints/state-6.dat" "JSON of another"
}

wrap__variables_of_others_do_not_count()
{
	attempt 0 script "$EVAL; put_() { echo s >checkpoints/state-1.dat; }; put_; SLURM_JOB_ID=4712 $CTL env --glob='$GLOB' >o; . ./o; $SHOW"
	equal "$out" "resume 0 state-1.dat" # continues the other job's run, at its own attempt 0
	contains "$words" "those of another job"
	attempt 0 script "$EVAL; mkdir other; $CTL env --dir=other >o; . ./o; echo \"\$CKPT_RESUME_MODE \$CKPT_DIR\""
	equal "$out" "fresh $WORK/other" "another directory in the same job"
}

wrap__done_ends_the_run()
{
	attempt 0 script "$CTL done"
	equal "$rc" 1 "exit code where no run began"
	put checkpoints 1
	attempt 0 script "$EVAL; $CTL done; $CTL done --json"
	equal "$rc" 0
	contains "$out" "the run of job 4711 is done"
	attempt 1 script "$EVAL; $SHOW"
	equal "$out" "done 1 "
	contains "$words" "declared done"
	attempt 1 script "$CTL exec -- touch started"
	equal "$rc" 0 "exit code of exec"
	[[ ! -e started ]] || fail "a done run was started"
	# a torn marker: the ledger knows
	echo '{"run"' >checkpoints/.ckpt-resume/done.json
	attempt 2 script "$EVAL; $SHOW"
	equal "$out" "done 2 " "with a torn marker"
	attempt 2 script "$CTL done --undo checkpoints && $EVAL; $SHOW"
	equal "${out##*$'\n'}" "resume 2 state-1.dat"
	equal "$(jq -r .event checkpoints/.ckpt-resume/ledger.jsonl | grep "done" | xargs)" "done done undone"
	attempt 2 script "$CTL done --undo --json"
	equal "$rc/$(jq -c '[.done, .job_id]' <<<"$out")" "0/[false,4711]"
	attempt 2 script "$CTL done --json"
	equal "$rc/$(jq -c '[.done, .job_id]' <<<"$out")" "0/[true,4711]"
	# another job, and one with the number of that job, are new runs
	attempt 0 script "$EVAL; $SHOW"
	equal "$out" "resume 0 state-1.dat"
	attempt 1 script "$EVAL; $SHOW"
	equal "$out" "resume 1 state-1.dat" "attempt 1 of the new run with the old number"
	attempt 1 script "$CTL done"
	SLURM_JOB_ID=4712 SLURM_CLUSTER_NAME=test script "$EVAL; $SHOW"
	equal "$out" "resume 0 state-1.dat"
}

# A directory in which another run has begun meanwhile is not this one's to declare.
wrap__done_leaves_other_runs()
{
	attempt 0 script "own=\$($CTL env --dir=a:b); SLURM_JOB_ID=5 $CTL env --dir=b >/dev/null; eval \"\$own\"; $CTL done"
	equal "$rc" 0
	[[ -f a/.ckpt-resume/done.json && -f b/.ckpt-resume/run.json ]] || fail "$out$words"
	[[ ! -e b/.ckpt-resume/done.json ]] || fail "the other run was declared done"
}

# The agent, as the plugin starts it, comes to the same.
wrap__done_is_what_the_plugin_sees()
{
	attempt 0 script "$CTL env; $CTL done checkpoints"
	env -i CKPT_REQUEST_JOB_ID=4711 CKPT_REQUEST_CLUSTER=test CKPT_REQUEST_WORK_DIR="$WORK" CKPT_REQUEST_ATTEMPT=1 \
		"$TEST_BUILD/ckpt-agent" resolve 3>frame 2>words.log
	grep -qa "mode=done" frame || fail "$(cat words.log) $(strings frame)"
}

lease_is() { [[ $(jq -r '"\(.job_id) \(.state)"' checkpoints/.ckpt-resume/lease.json 2>/dev/null) == "$1" ]]; }

# Nobody waits for another job here, so that it is told of: by each decision, and by the companion once it sees it live.
wrap__another_job_in_the_run_directory()
{
	local rival="warning: job 12 (attempt 0 on n1) has the lease of '$WORK/checkpoints'"
	touch hold
	SLURM_JOB_ID=12 SLURM_CLUSTER_NAME=test SLURMD_NODENAME=n1 \
		bash -c "$EVAL; $CTL companion; while [[ -e hold ]]; do sleep 0.1; done" 2>other &
	soon lease_is "12 held" || fail "the other job has no lease: $(<other)"
	attempt 0 script "$EVAL; $SHOW"
	equal "$rc/$out" "0/fresh 0 " "env beside it"
	contains "$words" "$rival"
	contains "$words" "squeue -j 12"
	equal "$(grep -c warning <<<"$words")" 1 "warnings of env"
	attempt 0 script "$CTL exec --glob='$GLOB' -- sh -c '$SHOW; exit 7'"
	equal "$rc/$out" "7/fresh 0 " "exec beside it"
	contains "$words" "$rival"
	attempt 0 script "$CTL exec --glob='$GLOB' --mode=step:77 -- touch started"
	lacks "$words" "$rival"
	attempt 0 script "$EVAL; SLURM_SPANK_CKPT_RESUME=auto SLURM_SPANK_CKPT_SHARE=yes $CTL exec -- sh -c '$SHOW'"
	equal "$out" "fresh 0 " "with --ckpt-share=yes"
	equal "$(grep -c warning <<<"$words")" 1 "warnings, of env alone"
	attempt 0 script "$EVAL; $CTL companion; for ((i = 0; i < 200; i++)); do
		! grep -q 'attempt 0 of job 12 on n1 has the lease' $TEST_TMP/words || exit 0; sleep 0.1; done; exit 1"
	equal "$rc" 0 "whether the companion tells: $words"
	equal "$(grep -c warning other || true)" 0 "warnings of the one that has it"
	rm hold
	wait $!
	soon lease_is "12 released" || fail "it did not let go"
	attempt 0 script "$EVAL; $SHOW"
	equal "$rc/$out" "0/fresh 0 "
	lacks "$words" "warning"
}

wrap__beat_touches()
{
	local beat=checkpoints/.ckpt-resume/heartbeat
	script "$CTL beat"
	equal "$rc" 3 "exit code without a run directory"
	[[ ! -e checkpoints ]] || fail "a beat made a run directory"
	attempt 0 script "$EVAL; $CTL beat"
	equal "$rc/$out$(stat -c %s $beat)" 0/0
	touch -d '2001-01-01' $beat
	attempt 0 script "$EVAL; cd /; $CTL beat"
	(($(date +%s) - $(stat -c %Y $beat) < 60)) || fail "the time did not change"
	CKPT_HEARTBEAT=$WORK/mine script "$CTL beat"
	[[ -f mine && $rc == 0 ]] || fail "CKPT_HEARTBEAT was not touched"
	rm mine
	touch -d '2001-01-01' $beat
	CKPT_HEARTBEAT=$WORK/mine script "$CTL beat checkpoints"
	(($(date +%s) - $(stat -c %Y $beat) < 60)) || fail "a directory that is named outweighs"
	touch -d '2001-01-01' $beat
	CKPT_HEARTBEAT='' script "$CTL beat"
	(($(date +%s) - $(stat -c %Y $beat) < 60)) || fail "an empty name is none: $words"
	[[ ! -e mine ]] || fail "CKPT_HEARTBEAT was touched although a directory was named"
	ln -s /etc/passwd link
	CKPT_HEARTBEAT=$WORK/link script "$CTL beat"
	equal "$rc" 3 "exit code of a link"
}

for case in env_over_two_attempts_of_a_job env_counts_attempts_outside_of_slurm another_attempt_than_the_carried_one \
	env_refusals_end_the_script \
	a_configuration_that_takes_nothing a_first_start_says_so env_quotes_hostile_paths exec_makes_arguments exec_renews_what_steps_get exec_in_a_loop_goes_on \
	the_decision_says_where exec_never_begins_anew_where_the_attempt_resumed exec_of_a_damaged_newest_one_falls_back \
	tasks_of_a_step_decide_once tasks_of_a_first_step tasks_are_refused_together \
	variables_of_others_do_not_count done_ends_the_run done_leaves_other_runs done_is_what_the_plugin_sees \
	another_job_in_the_run_directory beat_touches; do
	rm -rf "$WORK" && mkdir "$WORK" && cd "$WORK"
	run_case "wrap__$case"
done
test_end
