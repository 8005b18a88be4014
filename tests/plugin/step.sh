#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The plugin in slurmstepd: who decides, what the task gets, with what it ends.
. "$(dirname "$0")/../lib/plugin.sh"

RESUME=(mode=resume path=/s/c-2 root=/s tag=c-2 evidence=checksum attempt=1 job_id=7 reason=preempted 'line=from the spool')

case_without_option()
{
	agent 'answer "${resume[@]}"'
	rm -rf "$SPOOL"
	batch env=CKPT_MINE=1
	has 'task started'
	quiet && runs 0
	has_not '^env CKPT_RESUME'
	[[ ! -e $SPOOL ]] || fail "it made a spool"
}

case_first_start()
{
	agent 'answer "${resume[@]}" env_names=MY_A,MY_B'
	batch "$ASKED" env=SLURM_JOB_NAME=tr$'\n'ain env=SLURM_SPANK_CKPT_DIR=/r late=SLURM_JOB_USER=ann
	runs 1
	equal "$(cat "$TEST_TMP/runs")" resolve "the agent's arguments"
	has 'task started'
	says 'ckpt-resume: resuming from ckpt-3'
	equal "$(wc -l <"$ERR")" 1 lines
	has 'env CKPT_RESUME_MODE=resume' && has 'env CKPT_RESUME_PATH=/r/ckpt-3' && has 'env CKPT_JOB=7'
	has 'env CKPT_ATTEMPT=0' && has 'env CKPT_START_EPOCH=4' && has 'env CKPT_RESUME_STEP='
	has 'env MY_A=/r/ckpt-3' && has 'env MY_B=/r/ckpt-3'
	has 'env SLURM_SPANK_CKPT_D_RESUME_PATH=/r/ckpt-3' && has 'env SLURM_SPANK_CKPT_D_JOB=7'
	for line in RESUME=auto DIR=/r JOB_ID=7 ATTEMPT=0 REASON=first-start NODE= CLUSTER=c1 USER=ann \
		'JOB_NAME=tr?ain' ARRAY_TASK=-1 ARRAY_JOB=0 IN_HOOK=0 HOOKS=0 VERIFY=full QUARANTINE=rename BUDGET_MS=120000 \
		"WORK_DIR=$PWD"; do
		file_has "$TEST_TMP/agent.env" "CKPT_REQUEST_$line"
	done
	file_lacks "$TEST_TMP/agent.env" SLURM_
}

# companion: one that notes what it was given, beside the agent.
companion()
{
	cat >"$TEST_TMP/ckpt-companion" <<-END
	#!/bin/bash
	{ env; ls /proc/\$\$/fd | tr '\n' ' '; echo; cut -d' ' -f4 /proc/\$\$/stat; } >"$TEST_TMP/companion.new"
	mv "$TEST_TMP/companion.new" "$TEST_TMP/companion"
	END
	chmod 755 "$TEST_TMP/ckpt-companion"
	rm -f "$TEST_TMP/companion"
	chmod 777 "$TEST_TMP"
}

# companion_came TRIES: of 50 ms.
companion_came()
{
	local n
	for ((n = 0; n < $1; n++)); do
		[[ ! -e $TEST_TMP/companion ]] || return 0
		sleep 0.05
	done
	return 1
}

case_companion()
{
	companion
	site Companion=yes
	agent 'answer "${resume[@]}" run=0123456789abcdef0123456789abcdef'
	batch "$ASKED" late=SLURM_RESTART_COUNT=3 env=LD_PRELOAD=
	companion_came 1200 || fail "it was not started: $(cat "$ERR")"
	for line in RESUME=auto JOB_ID=7 ATTEMPT=3 CLUSTER=c1 "WORK_DIR=$PWD"; do
		file_has "$TEST_TMP/companion" "CKPT_REQUEST_$line"
	done
	file_has "$TEST_TMP/companion" CKPT_COMPANION_RUN=0123456789abcdef0123456789abcdef
	file_has "$TEST_TMP/companion" CKPT_COMPANION_TASK=
	file_has "$TEST_TMP/companion" PATH=/usr/bin:/bin
	file_lacks "$TEST_TMP/companion" SLURM_RESTART_COUNT
	equal "$(wc -l <"$ERR")" 1 lines
}

# None where no script starts, where the site wants none, and a word where it is not installed.
case_companion_none()
{
	companion
	site Companion=yes
	agent 'answer mode=done line=finished'
	ends 0 "$ASKED"
	site Companion=no
	agent 'answer "${resume[@]}"'
	batch "$ASKED"
	! companion_came 100 || fail "it was started"
	site Companion=yes
	rm "$TEST_TMP/ckpt-companion"
	batch "$ASKED"
	has 'task started'
	says "warning: no companion"
}

# Slurm calls back in the step too, once or twice; what counts there is the job's environment.
case_remote_callbacks()
{
	agent 'answer "${resume[@]}"'
	batch "$ASKED" option=ckpt-resume=stp:5 option=ckpt-resume= option=ckpt-resume=
	has 'option ckpt-resume=0' && has 'task started'
	equal "$(wc -l <"$ERR")" 1 lines
	batch option=ckpt-resume=auto
	runs 1
}

case_array_takes_no_spool()
{
	agent 'answer mode=fresh line=f'
	spool 1 "${RESUME[@]}"
	batch "$ASKED" array=70_3 late=SLURM_RESTART_COUNT=1
	equal "$(cat "$TEST_TMP/runs")" resolve "the agent's arguments"
	has 'env CKPT_RESUME_MODE=fresh'
}

# MaxRestarts is root's word, and no matter of directories.
case_array_takes_roots_refusal()
{
	agent 'answer mode=fresh line=f'
	spool 5 mode=refused refusal=64 attempt=5 job_id=7 "line=MaxRestarts=4 reached"
	ends 64 "$ASKED" array=70_3 late=SLURM_RESTART_COUNT=5
	says 'MaxRestarts=4 reached'
	runs 0
}

case_array()
{
	agent 'answer mode=fresh line=f'
	batch "$ASKED" array=70_0 env=SLURM_ARRAY_TASK_ID=9
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_ARRAY_TASK=0
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_ARRAY_JOB=70
}

case_attempt_from_slurm()
{
	agent 'answer "${resume[@]}"'
	batch "$ASKED" late=SLURM_RESTART_COUNT=3
	has 'env CKPT_ATTEMPT=3'
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_ATTEMPT=3
	grep -qx CKPT_REQUEST_REASON= "$TEST_TMP/agent.env" || fail "the agent is told a reason that the ledger should tell"
}

# A count of the user's own, or of a job around this one: Slurm sets the true one later, and none at first.
case_attempt_is_not_the_users()
{
	agent 'answer "${resume[@]}"'
	spool 0
	batch "$ASKED" env=SLURM_RESTART_COUNT=77 status=256
	has 'env CKPT_ATTEMPT=0'
	has_not RESTART_COUNT
	status_is '' 256
	spool 2
	batch "$ASKED" env=SLURM_RESTART_COUNT=77 late=SLURM_RESTART_COUNT=2 status=256
	status_is 2 256
	batch env=SLURM_RESTART_COUNT=77 # not ours: left alone
	has 'env SLURM_RESTART_COUNT=77'
}

case_warning_line()
{
	agent 'answer "${resume[@]}" "warning=loss is not finite"'
	batch "$ASKED"
	says 'ckpt-resume: warning: loss is not finite'
}

case_spool_decision()
{
	agent 'answer "${resume[@]}"'
	spool 1 "${RESUME[@]}"
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	runs 0
	says 'ckpt-resume: from the spool'
	has 'env CKPT_RESUME_PATH=/s/c-2' && has 'env CKPT_RESUME_REASON=preempted' && has 'env CKPT_ATTEMPT=1'
}

# Between the prolog and the step another job may have begun in the same directory: then it is decided anew.
case_spool_decision_claims()
{
	site Companion=yes
	agent '[[ $1 != claim ]] || { answer mode=fresh line=taken; exit; }; answer "${resume[@]}"'
	spool 1 "${RESUME[@]}"
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	equal "$(cat "$TEST_TMP/runs")" claim "the agent's arguments"
	has 'env CKPT_RESUME_PATH=/s/c-2'
	spool 1 "${RESUME[@]}" settle=1
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	equal "$(xargs <"$TEST_TMP/runs")" "claim claim settle" "the agent's arguments"
	agent '[[ $1 != claim ]] || exit 1; answer "${resume[@]}"'
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	equal "$(xargs <"$TEST_TMP/runs")" "claim resolve" "the agent's arguments"
	has 'env CKPT_RESUME_PATH=/r/ckpt-3'
	spool 1 mode=refused refusal=3 job_id=7 attempt=1 line=no
	agent 'answer "${resume[@]}"'
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	! grep -q claim "$TEST_TMP/runs" || fail "claimed for a job that does not start"
}

case_spool_settle()
{
	agent 'answer mode=fresh "line=x" "warning=pointer is read-only"'
	spool 1 "${RESUME[@]}" settle=1
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	equal "$(cat "$TEST_TMP/runs")" settle "the agent's arguments"
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_DECIDED=/s/c-2
	has 'env CKPT_RESUME_PATH=/s/c-2'
	says 'warning: pointer is read-only'
	spool 1 "${RESUME[@]}" settle=1 'warning=pointer is read-only'
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	equal "$(grep -c 'pointer is read-only' "$ERR")" 1 "times the same is said"
	agent 'exit 1'
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	has 'task started'
	has 'env CKPT_RESUME_PATH=/s/c-2'
	says 'ckpt-resume: warning: '
	agent 'kill -TERM $$' # law 11
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	has_not 'task started'
}

# What the spool says is believed for this boot, this attempt, this job.
case_spool_not_believed()
{
	agent 'answer "${resume[@]}"'
	BOOT=0-0 spool 1 "${RESUME[@]}"
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	runs 1 && has 'env CKPT_RESUME_PATH=/r/ckpt-3'
	BOOT=0-0 spool 9 && : >"$TEST_TMP/runs"
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	runs 1 && has 'env CKPT_ATTEMPT=1'
	spool 1 "${RESUME[@]}"
	batch "$ASKED" late=SLURM_RESTART_COUNT=2
	runs 2 && has 'env CKPT_RESUME_PATH=/r/ckpt-3' && has 'env CKPT_ATTEMPT=2'
	spool 1 "${RESUME[@]/job_id=7/job_id=8}"
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	runs 3 && has 'env CKPT_RESUME_PATH=/r/ckpt-3'
	spool 1 "${RESUME[@]}"
	chmod 777 "$(spool_dir)"
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	runs 4 && has 'env CKPT_RESUME_PATH=/r/ckpt-3'
	spool 1 garbage
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	runs 5 && has 'task started'
}

# The prolog's number holds where the task's environment has lost it.
case_spool_attempt()
{
	agent 'answer "${resume[@]}"'
	spool 2
	batch "$ASKED"
	has 'env CKPT_ATTEMPT=2'
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_HOOKS=1
	[[ -e $(spool_dir)/started ]] || fail "the epilog cannot see that the step was there"
	batch "$ASKED" late=SLURM_RESTART_COUNT=3 # no prolog of this attempt
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_ATTEMPT=3
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_HOOKS=0
}

case_hostile_names()
{
	agent 'answer mode=fresh line=f'
	spool 1 "${RESUME[@]}"
	for name in ../c1 .. '' $'c1\n' 'c1/../c1'; do
		host batch "$ASKED" "env=SLURM_CLUSTER_NAME=$name" late=SLURM_RESTART_COUNT=1
		has 'task started'
		has 'env CKPT_RESUME_MODE=fresh'
	done
}

# ends CODE WORDS... : the task ends with the code before the program starts.
ends()
{
	local code=$1
	shift
	batch "$@"
	has "task exit=$code"
	has_not '^env'
}

case_refused()
{
	agent 'answer mode=refused refusal=65 "line=pinned step 5 is truncated"'
	ends 65 env=SLURM_SPANK_CKPT_RESUME=step:5
	says 'ckpt-resume: pinned step 5 is truncated'
}

case_done()
{
	agent 'answer mode=done "line=already done"'
	ends 0 "$ASKED"
	says 'ckpt-resume: already done'
}

# Could not find out is never a fresh start.
case_unknown()
{
	local body
	for body in 'exit 1' 'answer mode=banana' 'answer mode=resume path=/a' 'printf nonsense >&3' \
		'answer mode=fresh path=/x' 'exec 3>&-; sleep 9' ': | cat; exit 0'; do
		agent "$body"
		ends 75 "$ASKED"
		says 'could not find out what to resume from'
		ends 75 "$ASKED" late=SLURM_RESTART_COUNT=1
		ends 75 env=SLURM_SPANK_CKPT_RESUME=fresh late=SLURM_RESTART_COUNT=1
	done
	rm "$TEST_TMP/agent"
	ends 75 "$ASKED"
	says 'could not be started'
}

case_unknown_but_fresh()
{
	agent 'exit 1'
	batch env=SLURM_SPANK_CKPT_RESUME=fresh env=SLURM_SPANK_CKPT_ENV=MY_PATH
	has 'task started'
	has 'env CKPT_RESUME_MODE=fresh' && has 'env CKPT_RESUME_PATH=' && has 'env MY_PATH='
	says 'warning: '
}

# Interrupted is not done, and not failed.
case_interrupted()
{
	local pair
	for pair in TERM:15 KILL:9 USR1:10 SEGV:11; do
		agent "kill -${pair%:*} \$\$"
		batch "$ASKED"
		has "task signal=${pair#*:}"
		says 'interrupted by signal'
		batch env=SLURM_SPANK_CKPT_RESUME=fresh
		has "task signal=${pair#*:}"
	done
}

case_forged_options()
{
	agent 'answer "${resume[@]}"'
	ends 64 env=SLURM_SPANK_CKPT_RESUME=stp:5
	says '--ckpt-resume'
	ends 64 "$ASKED" env=SLURM_SPANK_CKPT_ENV=LD_PRELOAD
	ends 64 "$ASKED" "env=SLURM_SPANK_CKPT_DIR=$(printf 'a%.0s' {1..40000})"
	ends 64 "$ASKED" env=SLURM_SPANK_CKPT_GLOB=$'a\e[31m'
	lacks "$(cat "$ERR")" $'\e'
	runs 0
	batch "$ASKED" env=SLURM_SPANK_CKPT_IN_HOOK=1 env=SLURM_SPANK_CKPT_RUN_DIRS=/ env=CKPT_REQUEST_IN_HOOK=1
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_IN_HOOK=0
	equal "$(grep -c '^CKPT_REQUEST_RUN_DIRS=$' "$TEST_TMP/agent.env")" 1 "empty RunDirs"
}

case_foreign_variables()
{
	agent 'answer mode=fresh line=f'
	batch env=CKPT_JOB=5 env=CKPT_RESUME_PATH=/old env=CKPT_MINE=1
	quiet
	has_not /old && has_not CKPT_JOB && has 'env CKPT_MINE=1'
	batch env=CKPT_JOB=junk env=CKPT_RESUME_PATH=/old
	has_not /old
	# a job from inside, sent by a host without the plugin: its options are the other job's
	batch "$ASKED" env=SLURM_SPANK_CKPT_D_JOB=5 env=SLURM_SPANK_CKPT_D_RESUME_PATH=/old env=CKPT_JOB=5 \
		env=SLURM_SPANK__SLURM_SPANK_OPTION_ckpt_ckpt_resume=auto
	runs 0
	has_not OPTION_ckpt
	has 'task started' && has_not /old && says inherited && has_not SPANK_CKPT_ # nor can a step take them up
	host step env=CKPT_JOB=5 env=SLURM_SPANK_CKPT_D_JOB=5 env=SLURM_SPANK_CKPT_D_RESUME_MODE=fresh env=CKPT_RESUME_PATH=/old
	has_not CKPT_ && quiet
}

CARRIERS=(env=SLURM_SPANK_CKPT_D_RESUME_MODE=resume env=SLURM_SPANK_CKPT_D_RESUME_PATH=/r/c
	env=SLURM_SPANK_CKPT_D_RESUME_ROOT=/r env=SLURM_SPANK_CKPT_D_RESUME_TAG=c env=SLURM_SPANK_CKPT_D_RESUME_EVIDENCE=seal
	env=SLURM_SPANK_CKPT_D_JOB=7 env=SLURM_SPANK_CKPT_D_ATTEMPT=2 env=SLURM_SPANK_CKPT_D_ENV_NAMES=MY_PATH)

case_srun_task()
{
	agent 'answer mode=fresh line=f'
	host step "$ASKED" "${CARRIERS[@]}"
	has 'task started'
	has 'env CKPT_RESUME_PATH=/r/c' && has 'env CKPT_ATTEMPT=2' && has 'env MY_PATH=/r/c'
	quiet
	host step "$ASKED" "${CARRIERS[@]}" env=CKPT_JOB=7 env=CKPT_RESUME_PATH=/changed/by/the/script
	has 'env CKPT_RESUME_PATH=/changed/by/the/script'
	host step "$ASKED" # no decision anywhere: none is made
	has_not '^env CKPT_'
	host step "${CARRIERS[@]}" env=SLURM_SPANK_CKPT_D_RESUME_PATH=/x/c
	has_not '^env CKPT_' # they contradict each other
	runs 0
}

case_srun_stop()
{
	host step env=SLURM_SPANK_CKPT_STOP=65
	has 'task exit=65'
	host step env=SLURM_SPANK_CKPT_STOP=0
	has 'task exit=0'
	host step env=SLURM_SPANK_CKPT_STOP=junk
	has 'task started'
}

# status_is ATTEMPT RAW [REFUSED]
status_is()
{
	local file
	file=$(spool_dir)/status
	[[ -f $file ]] || fail "no status"
	equal "$(sed -n 's/^attempt=//p' "$file")" "$1" attempt
	equal "$(sed -n 's/^status=//p' "$file")" "$2" status
	equal "$(sed -n 's/^refused=//p' "$file")" "${3:-}" refused
}

case_status()
{
	agent 'answer "${resume[@]}"'
	spool 2
	batch "$ASKED" late=SLURM_RESTART_COUNT=2 status=15
	status_is 2 15
	agent 'answer mode=refused refusal=75 "line=no mark"'
	spool 1
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	status_is 1 $((75 * 256)) 1
	agent 'answer "${resume[@]}"'
	spool 1
	batch "$ASKED" late=SLURM_RESTART_COUNT=1 status=$((75 * 256)) # the program's own 75
	status_is 1 $((75 * 256))
	spool 1 # of an attempt before: its prolog did not run
	batch "$ASKED" late=SLURM_RESTART_COUNT=2 status=256
	status_is 2 256
	rm -rf "$SPOOL" # no hooks at all
	batch "$ASKED"
	[[ ! -e $SPOOL ]] || fail "it made a spool that nobody removes"
	spool 1
	host step "$ASKED" env=SLURM_CLUSTER_NAME=c1 status=15
	[[ ! -e $(spool_dir)/status ]] || fail "a step's status was stored"
}

# What the task decided reaches the epilog's spool: it needs the run directories.
case_run_directories_for_the_epilog()
{
	agent 'answer "${resume[@]}" dirs=/r:/s%%t'
	spool 0
	batch "$ASKED" status=15
	file_has "$(spool_dir)/decision" 'dirs=/r:/s%%t'
	file_has "$(spool_dir)/decision" 'path=/r/ckpt-3'
	agent 'answer "${resume[@]}"' # none told: nothing stored
	spool 0
	batch "$ASKED" status=15
	[[ ! -e $(spool_dir)/decision ]] || fail "a decision without directories was stored"
	agent 'answer mode=refused refusal=73 holder=12 dirs=/r "line=job 12 is at work there"'
	spool 0
	batch "$ASKED" # who is at work there decides what the epilog does with this job
	file_has "$(spool_dir)/decision" refusal=73
	file_has "$(spool_dir)/decision" holder=12
	agent 'answer mode=refused refusal=65 dirs=/r "line=pinned and missing"'
	spool 0
	batch "$ASKED"
	[[ ! -e $(spool_dir)/decision ]] || fail "another refusal was stored"
}

case_kill_switch()
{
	agent 'answer "${resume[@]}"'
	spool 1 "${RESUME[@]}"
	: >"$SITE/off"
	batch "$ASKED" late=SLURM_RESTART_COUNT=1
	rm "$SITE/off"
	runs 0
	has 'task started' && has_not '^env CKPT_' && says 'switched off'
	[[ ! -e $(spool_dir)/status ]] || fail "a status was stored"
}

case_site()
{
	agent 'answer "${resume[@]}"'
	mkdir -p "$TEST_TMP/other" && sed 's/^Agent=.*/Agent=\/nonexistent/' "$SITE/ckpt-resume.conf" >"$TEST_TMP/other/x.conf"
	batch "$ASKED" arg=config="$TEST_TMP/other/x.conf"
	has 'task exit=75'
	site StepBudget=7 RunDirs=/r Verify=structure
	batch "$ASKED"
	for line in BUDGET_MS=7000 RUN_DIRS=/r VERIFY=structure; do
		file_has "$TEST_TMP/agent.env" "CKPT_REQUEST_$line"
	done
	batch "$ASKED" env=SLURM_SPANK_CKPT_VERIFY=full
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_VERIFY=full
	site Wrong=1
	batch "$ASKED"
	says "error: ckpt-resume: '$SITE/ckpt-resume.conf' line 4: unknown key"
	site
}

# A job whose work directory is gone is started by Slurm in /tmp.
case_work_directory_gone()
{
	agent 'answer mode=fresh line=f'
	cd /tmp
	ends 75 "$ASKED" env=SLURM_SUBMIT_DIR=/nonexistent/project
	says 'work directory is not there'
	ends 75 "$ASKED" env=SLURM_SUBMIT_DIR=/ late=SLURM_RESTART_COUNT=1
	batch "$ASKED" env=SLURM_SUBMIT_DIR=/
	has 'task started'
	batch "$ASKED" env=SLURM_SUBMIT_DIR=/ env=SLURM_SPANK_CKPT_DIR=/r:/s late=SLURM_RESTART_COUNT=1
	has 'task started'
	ends 75 "$ASKED" env=SLURM_SUBMIT_DIR=/ env=SLURM_SPANK_CKPT_DIR=/r:s late=SLURM_RESTART_COUNT=1
	ends 75 "$ASKED" env=SLURM_SUBMIT_DIR=/ env=SLURM_SPANK_CKPT_DIR=/r env=SLURM_SPANK_CKPT_STATE=s late=SLURM_RESTART_COUNT=1
	batch "$ASKED" env=SLURM_SUBMIT_DIR=/ env=SLURM_SPANK_CKPT_DIR=/r env=SLURM_SPANK_CKPT_STATE=/s late=SLURM_RESTART_COUNT=1
	has 'task started'
	batch "$ASKED" env=SLURM_SUBMIT_DIR=/tmp late=SLURM_RESTART_COUNT=1
	has 'task started'
	mkdir "$TEST_TMP/gone" && cd "$TEST_TMP/gone" && rmdir "$TEST_TMP/gone"
	ends 75 "$ASKED"
}

# The task is the user, the agent is the task's child.
case_as_user()
{
	[[ $(id -u) == 0 ]] || skip_case "needs root"
	agent 'answer mode=fresh "line=uid $(id -u) $(id -ru)"'
	spool 0
	batch "$ASKED" user=65534
	says 'uid 65534 65534'
	status_is '' $((42 * 256)) # a zero is not written
}

case_stdout_is_silent()
{
	agent 'answer "${resume[@]}" warning=w'
	batch "$ASKED"
	! grep -vE '^(init|init_post_opt|task_init|task_exit|exit)=0$|^env |^task ' "$OUT" || fail "something on standard output"
}

run_cases
