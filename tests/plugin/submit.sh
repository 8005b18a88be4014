#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The plugin in sbatch, salloc and srun.
. "$(dirname "$0")/../lib/plugin.sh"

# accepts OPTION CONTROL: the option is taken and stored as CONTROL.
accepts()
{
	host sbatch option=ckpt-resume "option=$1"
	has "option ${1%%=*}=0"
	has "control $2"
	quiet
}

case_values()
{
	host sbatch option=ckpt-resume
	has "control CKPT_RESUME=auto"
	for bare in = =@NULL '=(null)' =auto; do accepts "ckpt-resume$bare" CKPT_RESUME=auto; done
	for mode in best fresh step:5 epoch:0 name:last.pt "$TEST_TMP" /; do
		accepts "ckpt-resume=$mode" "CKPT_RESUME=$mode"
	done
	accepts 'ckpt-dir=/a:%j/b c' 'CKPT_DIR=/a:%j/b c'
	accepts ckpt-env=A,B CKPT_ENV=A,B
	accepts ckpt-verify=structure CKPT_VERIFY=structure
	accepts ckpt-config=c.json CKPT_CONFIG=c.json
	accepts 'ckpt-glob=*.weights' 'CKPT_GLOB=*.weights'
	accepts ckpt-metric=loss:min CKPT_METRIC=loss:min
	accepts ckpt-epoch=next CKPT_EPOCH=next
	accepts ckpt-align=no CKPT_ALIGN=no
	accepts ckpt-state=/s CKPT_STATE=/s
	accepts ckpt-stall=auto CKPT_STALL=auto
	accepts ckpt-stall=30m CKPT_STALL=30m
	accepts ckpt-before-limit=10 CKPT_BEFORE_LIMIT=10
	accepts ckpt-signal=SIGUSR2 CKPT_SIGNAL=SIGUSR2
	accepts ckpt-share=requeue CKPT_SHARE=requeue
	accepts ckpt-share=yes CKPT_SHARE=yes
	accepts ckpt-requeue=preempt,exit:85,86 CKPT_REQUEUE=preempt,exit:85,86
	accepts ckpt-requeue=none CKPT_REQUEUE=none
	accepts ckpt-max-restarts=12 CKPT_OWN_MAX_RESTARTS=12
}

case_repin()
{
	for bare in '' = =@NULL '=(null)' =yes =1; do accepts "ckpt-repin$bare" CKPT_REPIN=1; done
	accepts ckpt-repin=no CKPT_REPIN=0
}

# refuses OPTION WORDS: one line, which names the option and what is allowed.
refuses()
{
	host sbatch "option=$1"
	has "option ${1%%=*}=-1"
	equal "$(wc -l <"$ERR")" 1 "lines about $1"
	says "error: ckpt-resume: --${1%%=*}"
	says "$2"
	has_not '^control'
}

case_bad_values()
{
	refuses ckpt-resume=stp:5 'allowed: auto, best, fresh, step:N'
	refuses ckpt-resume=step:x 'not a number'
	refuses ckpt-resume=rel/path 'allowed: '
	refuses ckpt-dir= 'needs a value'
	refuses ckpt-dir='(null)' 'needs a value'
	refuses ckpt-dir=a::b 'empty directory'
	refuses ckpt-dir=%q '%-letter'
	refuses ckpt-dir=1:2:3:4:5:6:7:8:9 'too many'
	refuses ckpt-env=PATH reserved
	refuses ckpt-env=LD_PRELOAD reserved
	refuses 'ckpt-env=A B' 'variable name'
	refuses ckpt-verify=fast 'structure, full, or sample'
	refuses ckpt-metric=loss 'KEY:min or KEY:max'
	refuses ckpt-epoch=last 'completed or next'
	refuses ckpt-align=1 'yes or no'
	refuses ckpt-stall=soon 'is no time'
	refuses ckpt-stall=0 'is no time'
	refuses ckpt-before-limit=auto 'is no time'
	refuses ckpt-before-limit=15s 'is too short to save'
	refuses ckpt-signal=KILL 'no signal'
	refuses ckpt-share=no 'none of wait'
	refuses ckpt-share= 'needs a value'
	refuses ckpt-signal=9 'no signal'
	refuses ckpt-repin=maybe "--ckpt-repin='maybe' is neither yes nor no"
	refuses ckpt-requeue=preemption 'unknown cause; allowed: preempt, time-limit'
	refuses ckpt-requeue=exit:0 '1 to 255'
	refuses ckpt-requeue= 'needs a value'
	refuses ckpt-max-restarts=-1 'not a number'
	refuses ckpt-max-restarts=many 'not a number'
	refuses ckpt-max-restarts=0 "--ckpt-max-restarts: '0' is not a number from 1 to"
	refuses ckpt-glob=$'a\nb' 'control characters'
	refuses "ckpt-state=$(printf 'a%.0s' {1..5000})" longer
}

case_last_wins()
{
	host sbatch option=ckpt-resume=best option=ckpt-resume=stp option=ckpt-resume=step:3
	has "option ckpt-resume=-1"
	has "control CKPT_RESUME=step:3"
}

case_pinned_path()
{
	mkdir -p "$TEST_TMP/run" && : >"$TEST_TMP/run/ckpt-3.index"
	accepts "ckpt-resume=$TEST_TMP/run/ckpt-3.index" "CKPT_RESUME=$TEST_TMP/run/ckpt-3.index"
	accepts "ckpt-resume=$TEST_TMP/run/ckpt-3" "CKPT_RESUME=$TEST_TMP/run/ckpt-3" # a bundle's prefix
	refuses "ckpt-resume=$TEST_TMP/run/ckpt-4" 'nothing at this path'
	refuses "ckpt-resume=$TEST_TMP/run/ckpt" 'nothing at this path'
	refuses "ckpt-resume=$TEST_TMP/run/ckpt-4///" 'nothing at this path'
	refuses ckpt-resume=/no-such-checkpoint 'nothing at this path'
	host sbatch "option=ckpt-resume=$TEST_TMP/run/ckpt-3.index/x" # no place that could be looked into
	has "option ckpt-resume=0"
	says 'cannot be looked at from here: Not a directory'
	host sbatch "option=ckpt-resume=$TEST_TMP/elsewhere/ckpt-4"
	has "option ckpt-resume=0"
	says 'log: ckpt-resume: warning: '
	has "control CKPT_RESUME=$TEST_TMP/elsewhere/ckpt-4"
}

case_without_option()
{
	agent 'exit 1'
	HOST_ENV=(SBATCH_NO_REQUEUE=1 SBATCH_OPEN_MODE=truncate SLURM_RESTART_COUNT=3 CKPT_DIR=/mine)
	for kind in sbatch srun slurmd; do
		host "$kind"
		quiet
		has_not '^control'
	done
	host slurmd option=ckpt-resume # where no job is
	has 'option ckpt-resume unknown'
	host sbatch
	has 'environ SLURM_RESTART_COUNT=3'
	has 'environ CKPT_DIR=/mine'
	runs 0
}

case_no_file_access()
{
	command -v strace >/dev/null || skip_case "no strace"
	for kind in sbatch srun batch step; do
		strace -f -e trace=%file,socket -o "$TEST_TMP/trace" env -i SLURM_CONF="$SITE/slurm.conf" \
			SLURMD_NODENAME=n1 "$FAKE_SPANK" "$PLUGIN" "$kind" >/dev/null ||
			skip_case "strace does not work here"
		file_lacks "$TEST_TMP/trace" ckpt-resume.conf
		file_lacks "$TEST_TMP/trace" "$SPOOL"
		file_lacks "$TEST_TMP/trace" checkpoints
	done
}

case_orphan()
{
	host sbatch option=ckpt-dir=/a
	says '--ckpt-dir has no effect without --ckpt-resume'
	has_not '^control'
}

case_warnings()
{
	HOST_ENV=(SBATCH_NO_REQUEUE=1 SBATCH_OPEN_MODE=truncate)
	host sbatch option=ckpt-resume
	says 'log: ckpt-resume: warning: SBATCH_NO_REQUEUE'
	says 'log: ckpt-resume: warning: SBATCH_OPEN_MODE=truncate'
	has 'control CKPT_RESUME=auto'
	HOST_ENV=(SBATCH_OPEN_MODE=append)
	host sbatch option=ckpt-resume
	quiet
}

# A job submitted from inside a job is one of its own.
case_nested()
{
	local owner
	for owner in CKPT_JOB=5 SLURM_SPANK_CKPT_D_JOB=5; do
		HOST_ENV=("$owner" CKPT_RESUME_PATH=/r/c CKPT_ATTEMPT=2 CKPT_MINE=keep CKPT_DIRECTORY=/mine SLURM_RESTART_COUNT=2
			SLURM_SPANK_CKPT_RESUME=auto SLURM_SPANK_CKPT_D_RESUME_PATH=/r/c
			SLURM_SPANK__SLURM_SPANK_OPTION_ckpt_ckpt_resume=auto
			SLURM_SPANK__SLURM_SPANK_OPTION_ckpt_ckpt_dir=/r
			SLURM_SPANK__SLURM_SPANK_OPTION_other_x=1 _SLURM_SPANK_OPTION_ckpt_ckpt_resume=auto
			SLURM_JOB_ID=5)
		host sbatch
		quiet
		has 'environ CKPT_MINE=keep'
		has 'environ CKPT_DIRECTORY=/mine' # CKPT_DIR is a name of ours
		has 'environ SLURM_JOB_ID=5'
		has 'environ SLURM_SPANK__SLURM_SPANK_OPTION_other_x=1'
		has_not 'SPANK_CKPT_' && has_not 'OPTION_ckpt' && has_not RESTART && has_not CKPT_RESUME
		has_not CKPT_ATTEMPT && has_not CKPT_JOB && has_not '^control'
		host sbatch option=ckpt-resume=best
		has 'control CKPT_RESUME=best'
	done
}

# The restart count of a surrounding job without a decision must not become ours.
case_nested_count()
{
	HOST_ENV=(SLURM_RESTART_COUNT=4)
	host sbatch option=ckpt-resume
	has_not RESTART_COUNT
}

# Steps inherit: srun drops nothing and decides nothing where the batch script did.
case_srun_in_job()
{
	HOST_ENV=(CKPT_JOB=7 SLURM_SPANK_CKPT_D_JOB=7 CKPT_RESUME_PATH=/r/c SLURM_RESTART_COUNT=2
		SLURM_SPANK_CKPT_RESUME=auto)
	agent 'answer "${resume[@]}"'
	host srun 'option=ckpt-resume=(null)'
	has 'environ CKPT_RESUME_PATH=/r/c'
	has 'environ SLURM_RESTART_COUNT=2'
	runs 0
	quiet
}

case_srun_decides()
{
	agent 'answer "${resume[@]}" env_names=MY_PATH'
	host srun option=ckpt-resume=step:3 option=ckpt-dir=/r job=9
	runs 1
	says 'ckpt-resume: resuming from ckpt-3'
	has 'environ CKPT_RESUME_PATH=/r/ckpt-3'
	has 'environ MY_PATH=/r/ckpt-3'
	has 'environ CKPT_JOB=9'
	has 'environ SLURM_SPANK_CKPT_D_RESUME_PATH=/r/ckpt-3'
	has 'control CKPT_RESUME=step:3'
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_RESUME=step:3
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_DIR=/r
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_JOB_ID=9
}

# In salloc's shell the option is in the environment alone.
case_srun_in_salloc()
{
	agent 'answer mode=fresh line=fresh'
	HOST_ENV=(SLURM_SPANK_CKPT_RESUME=auto)
	host srun
	runs 1
	has 'environ CKPT_RESUME_MODE=fresh'
	has 'environ CKPT_RESUME_PATH='
}

# The attempt of such a step is its job's.
case_srun_counts_the_job()
{
	agent 'answer mode=fresh line=fresh'
	HOST_ENV=(SLURM_SPANK_CKPT_RESUME=auto SLURM_RESTART_COUNT=3)
	host srun
	runs 1
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_ATTEMPT=3
}

# A decision that a surrounding job left is none for this one; nor are its options.
case_srun_of_another_job()
{
	agent 'answer mode=fresh line=fresh'
	HOST_ENV=(SLURM_SPANK_CKPT_D_JOB=5 SLURM_SPANK_CKPT_D_RESUME_PATH=/theirs SLURM_SPANK_CKPT_DIR=/theirs)
	host srun option=ckpt-resume job=9
	runs 1
	file_has "$TEST_TMP/agent.env" CKPT_REQUEST_JOB_ID=9
	file_lacks "$TEST_TMP/agent.env" /theirs
	has_not /theirs
}

case_srun_switched_off()
{
	agent 'answer mode=fresh line=fresh'
	: >"$SITE/off"
	host srun option=ckpt-resume
	rm "$SITE/off"
	runs 0
	says 'switched off'
	has_not '^environ CKPT_'
}

case_srun_stops()
{
	agent 'answer mode=refused refusal=65 "line=pinned and missing"'
	host srun option=ckpt-resume=step:3
	says 'ckpt-resume: pinned and missing'
	has 'environ SLURM_SPANK_CKPT_STOP=65'
	has_not CKPT_RESUME_MODE
	agent 'kill -TERM $$'
	host srun option=ckpt-resume
	has 'environ SLURM_SPANK_CKPT_STOP=143'
	agent 'answer mode=done line=done'
	host srun option=ckpt-resume
	has 'environ SLURM_SPANK_CKPT_STOP=0'
}

run_cases
