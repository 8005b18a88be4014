#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command line's contract: every command and option, exit codes, the JSON's shape, what goes to stdout and
# what to stderr, terminals, names that nobody should print raw, places that may not be read.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
RUNS=$TEST_SRC/tests/data/make_runs.py
PYTHON=/usr/bin/python3
WHOLE=$TEST_TMP/whole
COMMANDS=(list info validate resolve why seal quarantine release epoch-info env "done" exec stage)
ESCAPE=$'\033'
NOBODY=65534

# ctl ARGUMENTS...: stdout in $out, stderr in $words, the exit code in $rc.
ctl()
{
	rc=0
	out=$("$CTL" "$@" 2>"$TEST_TMP/words") || rc=$?
	words=$(<"$TEST_TMP/words")
}

# answers CODE ARGUMENTS...: ctl, and it ends with that code.
answers()
{
	local want=$1
	shift
	ctl "$@"
	[[ $rc == "$want" ]] || fail "exit code $rc, expected $want: ckptctl $* ($words)"
}

# json EXPRESSION: of Python, over `v`, the parsed $out; prints its value.
json() { "$PYTHON" -c 'import json,sys; v = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$out" "$1"; }

# A fresh copy of the run: ckpt-1.pt .. ckpt-3.pt.
fresh_run()
{
	run=$TEST_TMP/run
	rm -rf "$run"
	cp -a "$WHOLE" "$run"
}

damage() { "$PYTHON" "$RUNS" damage "$1" "$2"; }

# on_terminal COMMAND...: its output as a terminal gets it. Stdout and stderr are both that terminal.
on_terminal() { script -qec "$(printf '%q ' "$@")" /dev/null </dev/null; }

# as_user COMMAND...: as somebody who is not root.
as_user()
{
	if ((EUID == 0)); then
		setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups "$@"
	else
		"$@"
	fi
}

# What is wrong with an option is said of the option that was typed, not of sbatch's.
cli__wrong_options_by_their_names_here()
{
	answers 2 resolve --mode=newest
	contains "$words" "--mode='newest' is no mode; allowed: auto"
	answers 2 why --level=ful
	contains "$words" "--level='ful' is no level"
	answers 2 resolve --metric=loss
	contains "$words" "--metric='loss' has no KEY"
	lacks "$words" --ckpt-
}

cli__help_of_every_command()
{
	local command
	answers 0 --help
	equal "$words" "" "stderr of --help"
	for command in "${COMMANDS[@]}"; do
		contains "$out" "  $command "
	done
	for command in "${COMMANDS[@]}"; do
		answers 0 "$command" --help
		equal "$words" "" "stderr of $command --help"
		contains "$out" "Usage: ckptctl $command "
		[[ $command == exec ]] || contains "$out" "--json" # its answer is COMMAND's
		lacks "$out" "Mandatory or optional"
		contains "$out" "Exit: 0"
		answers 0 help "$command"
		contains "$out" "Usage: ckptctl $command "
	done
	answers 0 --version
	[[ $out =~ ^ckptctl\ [0-9]+\.[0-9]+ ]] || fail "version: $out"
}

cli__usage_errors_are_2()
{
	local command
	fresh_run
	answers 2
	contains "$words" "Usage: ckptctl"
	answers 2 nonsense
	contains "$words" "'nonsense'"
	answers 2 help nonsense
	answers 2 $'bad\e[31m'
	lacks "$words" "$ESCAPE"
	for command in "${COMMANDS[@]}"; do
		answers 2 "$command" --no-such-option
		equal "$out" "" "stdout of a usage error"
	done
	for command in info validate seal quarantine release; do
		answers 2 "$command"
	done
	answers 2 info "$run/ckpt-1.pt" "$run/ckpt-2.pt"
	for command in env resolve; do
		answers 2 "$command" too-much
	done
	for command in beat "done" history "report -o x.html" watch; do
		# shellcheck disable=SC2086
		answers 2 $command "$run" --dir "$run"
		# shellcheck disable=SC2086
		answers 2 $command --dir "$run" --dir="$run"
		lacks "$words" "PROGRAM ERROR"
	done
	answers 2 validate --level=deep "$run/ckpt-1.pt"
	answers 2 info --level=deep "$run/ckpt-1.pt"
	answers 2 list --level=deep "$run"
	answers 2 list --level=finite "$run"
	answers 2 list -o "$(printf 'name,%.0s' {1..100})name" "$run"
	answers 2 list -o name,nonsense "$run"
	contains "$words" "'nonsense'"
	equal "$out" "" "stdout beside a bad column"
	answers 2 list -o "" "$run"
	answers 2 resolve --dir "$run" --mode nonsense
	contains "$words" "nonsense"
	answers 2 resolve --dir "$run" --level nonsense
	answers 2 resolve --dir "$run" --epoch nonsense
	answers 2 resolve --dir "$run" --metric nonsense
	answers 2 resolve "$run"
	answers 2 why --dir "$run" one.json two.json
	answers 2 epoch-info --dir "$run" mend
	answers 2 resolve --dir "$(printf 'a%.0s' {1..20000})"
	answers 2 validate "/$(printf 'a/%.0s' {1..3000})"
}

# The keys of the contract, in the order in which they stand; the last three are additions.
KEYS="['path', 'verdict', 'evidence', 'format', 'layout', 'role', 'contents', 'epoch', 'step', 'loss', \
'epoch_meaning', 'keys', 'size_bytes', 'bytes_read', 'seconds', 'problem', 'note', 'framework']"
PROBLEM_KEYS="['code', 'file', 'offset', 'member', 'detail']"

cli__json_of_a_verdict()
{
	fresh_run
	damage "$run/ckpt-3.pt" one-bit
	answers 0 validate --json "$run/ckpt-2.pt"
	equal "$(json 'list(v)')" "$KEYS" "keys of a valid one"
	equal "$(json '[v["path"], v["verdict"], v["evidence"], v["format"], v["role"], v["contents"]]')" \
		"['$run/ckpt-2.pt', 'valid', 'checksum', 'torch-zip', 'numbered', 'full']"
	equal "$(json '[v["epoch"], v["step"], v["loss"], v["problem"]]')" "[2, 200, 0.5, None]"
	equal "$(json 'v["size_bytes"]')" "$(stat -c %s "$run/ckpt-2.pt")" "size_bytes"
	equal "$(json '"model_state_dict" in v["keys"] and v["bytes_read"] > 100000 and v["seconds"] > 0')" True

	answers 1 validate --json "$run/ckpt-3.pt"
	equal "$(json 'list(v)')" "$KEYS" "keys of a corrupt one"
	equal "$(json 'list(v["problem"])')" "$PROBLEM_KEYS" "keys of a problem"
	equal "$(json '[v["verdict"], v["evidence"], v["problem"]["code"], v["problem"]["file"]]')" \
		"['corrupt', None, 'checksum', 'ckpt-3.pt']"
	equal "$(json 'type(v["problem"]["offset"]).__name__, "data/" in v["problem"]["member"]')" "('int', True)"

	answers 1 validate --json "$run/nothing.pt"
	equal "$(json 'list(v)')" "$KEYS" "keys of a missing one"
	equal "$(json '[v["path"], v["verdict"], v["size_bytes"], v["problem"]]')" \
		"['$run/nothing.pt', 'missing', None, None]"
	contains "$words" "no such checkpoint"

	answers 0 info --json "$run/ckpt-1.pt"
	equal "$(json 'list(v)')" "${KEYS%]}, 'findings']" "keys of info"
	equal "$(json 'v["evidence"]')" structure "evidence of info"
	answers 0 list --json --level none "$run"
	equal "$(json '[list(o) for o in v]')" "[$KEYS, $KEYS, $KEYS]" "keys of an unchecked list"
	equal "$(json '{o["verdict"] for o in v}')" "{None}"
}

cli__json_one_object_several_an_array()
{
	fresh_run
	answers 0 validate --json "$run/ckpt-1.pt"
	equal "$(json 'type(v).__name__')" dict
	answers 1 validate --json "$run/ckpt-1.pt" "$run/nothing.pt" "$run/ckpt-2.pt"
	equal "$(json '[o["verdict"] for o in v]')" "['valid', 'missing', 'valid']"
	answers 1 quarantine --json "$run/ckpt-1.pt"
	equal "$(json 'list(v), v["result"]')" "(['path', 'result', 'detail'], 'refused')"
	answers 1 release --json "$run/ckpt-1.pt" "$run/ckpt-2.pt"
	equal "$(json '[o["result"] for o in v]')" "['refused', 'refused']"
	answers 1 seal --json "$run/nothing.pt"
	equal "$(json 'v["verdict"], v["sealed"]')" "('missing', False)"
	answers 0 list --json "$run"
	equal "$(json '[o["step"] for o in v]')" "[300, 200, 100]"
	answers 0 resolve --json --dir "$run"
	equal "$(json '[v["mode"], v["path"], v["root"], v["tag"]]')" \
		"['resume', '$run/ckpt-3.pt', '$run', 'ckpt-3.pt']"
	answers 0 why --json --dir "$run"
	equal "$(json '[(e["fate"], list(e["checkpoint"]) == '"$KEYS"') for e in v["trail"]]')" \
		"[('chosen', True), ('passed-over', True), ('passed-over', True)]"
}

cli__validate()
{
	fresh_run
	damage "$run/ckpt-3.pt" cut-10
	answers 0 validate "$run/ckpt-1.pt" "$run/ckpt-2.pt"
	equal "$out" "$run/ckpt-1.pt: valid by checksum"$'\n'"$run/ckpt-2.pt: valid by checksum"
	equal "$words" "" "stderr of validate"
	answers 0 validate "$run/ckpt-1.pt" --level=structure
	equal "$out" "$run/ckpt-1.pt: valid by structure"
	answers 1 validate "$run/ckpt-1.pt" "$run/ckpt-3.pt"
	contains "$out" "ckpt-3.pt: incomplete (truncated)"
	answers 1 validate -q "$run/ckpt-3.pt" "$run/nothing.pt"
	equal "$out$words" "" "output of --quiet"
	cd "$run"
	answers 0 validate ckpt-1.pt ./ckpt-1.pt "$run//ckpt-1.pt" "../run/ckpt-1.pt"
	cp ckpt-1.pt ./-odd.pt
	answers 0 validate -q -- -odd.pt
	answers 0 validate ckpt-1.pt -q ckpt-2.pt
}

cli__info()
{
	local line
	fresh_run
	answers 0 info "$run/ckpt-2.pt"
	equal "$words" "" "stderr of info"
	for line in "Path        $run/ckpt-2.pt" "Verdict     valid by structure" \
		"Position    epoch 2, step 200" "Loss        0.5 (loss)" "Contents    full" "Keys        epoch "; do
		contains "$out" "$line"
	done
	lacks "$(grep ^Keys <<<"$out")" "..."
	contains "$out" "Written     $(date -r "$run/ckpt-2.pt" '+%F %T %z')"
	contains "$out" "Role        numbered"
	grep -qE '^Tensors     [1-9]' <<<"$out" || fail "no number of tensors: $out"
	"$PYTHON" -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr("archive/data.pkl", b"\x80\x02}.")
    z.writestr("archive/version", "3\n")' "$run/model-step-8.pt"
	answers 0 info "$run/model-step-8.pt"
	contains "$out" "Position    step 8 from name"
	lacks "$out" Tensors
	rm "$run/model-step-8.pt"
	head -c 100 "$run/ckpt-2.pt" >"$run/ckpt-cut.pt"
	answers 1 info "$run/ckpt-cut.pt"
	contains "$out" "Position    unknown"
	rm "$run/ckpt-cut.pt"
	answers 0 info --level full "$run/ckpt-2.pt"
	contains "$out" "valid by checksum"
	damage "$run/ckpt-2.pt" all-zeros
	answers 1 info "$run/ckpt-2.pt"
	answers 1 info "$run/nothing"
	equal "$out" "" "stdout of info about nothing"
}

cli__resolve_prints_the_path_alone()
{
	fresh_run
	answers 0 resolve --dir "$run"
	equal "$out" "$run/ckpt-3.pt"
	contains "$words" "resuming from $run/ckpt-3.pt"
	damage "$run/ckpt-3.pt" cut-10
	answers 0 resolve --dir "$run"
	equal "$out" "$run/ckpt-2.pt"
	contains "$words" "ckpt-3.pt truncated"
	answers 0 resolve --dir "$run" --mode step:100
	equal "$out" "$run/ckpt-1.pt"
	answers 0 resolve --dir "$run" --mode "$run/ckpt-1.pt"
	equal "$out" "$run/ckpt-1.pt"
	answers 0 resolve --dir "$run" --mode name:ckpt-1.pt
	equal "$out" "$run/ckpt-1.pt"
	answers 1 resolve --dir "$run" --mode step:300
	equal "$out" "" "stdout of a pinned one that is damaged"
	answers 1 resolve --dir "$run" --mode fresh
	equal "$out" "" "stdout of fresh"
	mkdir "$TEST_TMP/none"
	answers 1 resolve --dir "$TEST_TMP/none"
	equal "$out" "" "stdout with nothing there"
	[[ -n $words ]] || fail "nothing is said about an empty directory"
	cd "$TEST_TMP"
	mkdir work
	mv run work/checkpoints
	cd work
	answers 0 resolve
	equal "$out" "$TEST_TMP/work/checkpoints/ckpt-2.pt" "the default directory"
	[[ ! -e checkpoints/.ckpt-resume ]] || fail "resolve wrote into the run directory"
}

cli__resolve_options()
{
	fresh_run
	mkdir "$TEST_TMP/second"
	mv "$run/ckpt-3.pt" "$TEST_TMP/second/oddly_named_9.bin"
	answers 0 resolve --dir "$run" --dir "$TEST_TMP/second"
	equal "$out" "$run/ckpt-2.pt"
	answers 0 resolve --dir "$TEST_TMP/second" --glob 'oddly_*'
	equal "$out" "$TEST_TMP/second/oddly_named_9.bin"
	answers 0 resolve --json --dir "$run" --epoch completed
	equal "$(json '[v["start_epoch"], v["resume_epoch"]]')" "['3', '2']"
	answers 0 resolve --json --dir "$run" --epoch next
	equal "$(json '[v["start_epoch"], v["resume_epoch"]]')" "['2', '1']"
	answers 0 resolve --json --dir "$run" --level structure
	equal "$(json 'v["evidence"]')" structure
	echo '{"training": {"no_restore": true}}' >"$TEST_TMP/config.json"
	answers 1 resolve --dir "$run" --config "$TEST_TMP/config.json"
}

cli__list_table()
{
	fresh_run
	damage "$run/ckpt-1.pt" cut-10
	answers 0 list "$run"
	equal "$words" "" "stderr of list"
	equal "$(awk 'NR == 1 { $1 = $1; print }' <<<"$out")" \
		"NAME ROLE EPOCH STEP LOSS SIZE AGE VERDICT EVIDENCE"
	equal "$(awk 'NR == 2 { print $1, $2, $3, $4, $5, $6, $7, $9, $10 }' <<<"$out")" \
		"ckpt-3.pt numbered 3 300 0.3333 116.5 KB valid structure"
	equal "$(awk 'NR == 4 { print $1, $(NF - 1), $NF }' <<<"$out")" "ckpt-1.pt incomplete -"
	answers 0 list -h -o name,step "$run"
	equal "$(awk '{ print $1 "=" $2 }' <<<"$out" | xargs)" "ckpt-3.pt=300 ckpt-2.pt=200 ckpt-1.pt=-"
	answers 0 list -p -o NAME,Verdict,problem,dir "$run"
	equal "$out" "NAME|VERDICT|PROBLEM|DIR
ckpt-3.pt|valid|-|$run
ckpt-2.pt|valid|-|$run
ckpt-1.pt|incomplete|truncated|$run"
	answers 0 list --noheader --parsable --format=name,evidence --level=full "$run"
	equal "$out" "ckpt-3.pt|checksum
ckpt-2.pt|checksum
ckpt-1.pt|-"
	answers 0 list -hp -o verdict,size --level none "$run"
	equal "$(head -n 1 <<<"$out")" "-|116.5 KB"
	equal "$words" "" "stderr of a list that was to check nothing"
	touch -d '3 days ago' "$run/ckpt-1.pt"
	for level in none structure; do
		answers 0 list -hp -o name,age --level $level "$run"
		contains "$out" "ckpt-1.pt|3d"
	done
	answers 0 list -hp -o format,why "$run"
	equal "$(sed -n '1p;3s/[:;(].*//p' <<<"$out")" "torch-zip|valid by structure
torch-zip|incomplete "
}

# What a text advises has to work.
cli__formats_of_ones_own()
{
	fresh_run
	mkdir -p "$run/own/checkpoint_000007"
	mv "$run/ckpt-1.pt" "$run/own/checkpoint_000007/model.pt"
	answers 3 resolve --dir "$run/own"
	answers 3 validate "$run/own/checkpoint_000007"
	contains "$out$words" "or pin the one to resume from: --ckpt-resume=/PATH"
	contains "$out$words" "--ckpt-glob=NAME has each file in it checked"
	answers 0 resolve --dir "$run/own" --glob='checkpoint_*'
	equal "$out" "$run/own/checkpoint_000007"
	answers 0 resolve --dir "$run/own" --mode="$run/own/checkpoint_000007/model.pt"
	equal "$out" "$run/own/checkpoint_000007/model.pt"
	head -c 5000 /dev/urandom >"$run/own/ckpt-9.pt"
	answers 1 validate "$run/own/ckpt-9.pt"
	contains "$out$words" "needs another name, which --ckpt-glob takes"
	mkdir "$run/other"
	mv "$run/own/ckpt-9.pt" "$run/other/mine-9.pt"
	answers 0 resolve --dir "$run/other" --glob='mine-*.pt'
	equal "$out" "$run/other/mine-9.pt"
}

# Directories of one's own layout, whatever it is: what their user names, and no torn one.
cli__directories_of_ones_own()
{
	local own n
	fresh_run
	own=$run/own
	for n in 1 2 3; do
		mkdir -p "$own/save-$n/state"
		cp "$run/ckpt-$n.pt" "$own/save-$n/model.pt"
		cp "$run/ckpt-$n.pt" "$own/save-$n/state/optimizer-$n.pt"
		echo "n: $n" >"$own/save-$n/config.yaml"
	done
	answers 3 validate "$own/save-3"
	for n in validate "info --level=full" "seal -q"; do
		answers 0 $n --glob='save-*' "$own/save-3"
	done
	answers 0 list -hp -o name,verdict,evidence --glob='save-*' "$own"
	equal "$out" "save-3|valid|seal-unchanged
save-2|valid|opaque
save-1|valid|opaque"
	rm "$own/save-3.metadata.json" "$own/save-3/state/optimizer-3.pt"
	answers 0 resolve --dir "$own" --glob='save-*'
	equal "$out" "$own/save-2"
	answers 0 why --dir "$own" --glob='save-*'
	contains "$out" "incomplete (member-missing) in state/optimizer-2.pt: it is missing: save-2 before it has one"
	answers 1 resolve --mode="$own/save-3"
	answers 0 resolve --mode="$own/save-1" # the first has none before it
	answers 3 resolve --dir "$own" --glob='*'
	for n in --shard=0/2 --shard=1/2 --merge=2; do
		answers 0 validate --glob='save-*' $n "$own/save-2"
	done
	contains "$out$words" "valid by opaque"
}

# As with `resolve --dir`, where the directory is the argument.
cli__directory_as_an_option()
{
	fresh_run
	cp -a "$run" "$TEST_TMP/by-option-2"
	cp -a "$run" "$TEST_TMP/by-option-3"
	answers 0 list -h -o name --dir "$run" -d "$TEST_TMP/by-option-2" "$TEST_TMP/by-option-3"
	equal "$(grep -c ckpt-3.pt <<<"$out")" 3
	answers 1 "done" --dir="$run"
	contains "$words" "'$run'"
	answers 2 "done" --dir="$run" "$run"
	answers 0 beat -d "$run"
	[[ -e $run/.ckpt-resume/heartbeat ]] || fail "no heartbeat"
	answers 1 history --dir="$TEST_TMP/nowhere"
	answers 2 watch --dir="$run" "$run"
	answers 1 report --dir="$TEST_TMP/nowhere" -o "$TEST_TMP/page.html"
}

# "BEST | Epoch 2 | Step 1000 | (Loss: 0.3542) | [487.3 MB]"
cli__list_labels()
{
	local line='^BEST \| Epoch 2 \| Step 200 \| \(Loss: 0\.5000\) \| \[116\.5 KB\]$'
	fresh_run
	cp "$run/ckpt-2.pt" "$run/model_best.pt"
	cp "$run/ckpt-3.pt" "$run/model_last.pt"
	answers 0 list -h -o label "$run"
	grep -qE "$line" <<<"$out" || fail "no such label: $out"
	contains "$out" "LAST | Epoch 3 | Step 300 | (Loss: 0.3333) | [116.5 KB]"
	contains "$out" $'\n'"Epoch 1 | Step 100 | (Loss: 1.0000) | [116.5 KB]"
	answers 0 list --long "$run"
	contains "$out" "BEST | Epoch 2 | Step 200 | (Loss: 0.5000) | [116.5 KB] model_best.pt"
}

cli__list_several_runs()
{
	local base=$TEST_TMP/several
	fresh_run
	mkdir -p "$base/training/old" "$base/training/new"
	mv "$run/ckpt-3.pt" "$base/training/old/"
	touch -d '1 hour ago' "$base/training/old/ckpt-3.pt"
	mv "$run/ckpt-1.pt" "$base/training/new/"
	answers 0 list -h -o name "$base"
	equal "$out" "ckpt-1.pt" "the newest run"
	contains "$words" "1 more in older run folders (--all-runs)"
	answers 0 list -h -p -o name,dir --all-runs "$base"
	equal "$out" "ckpt-1.pt|$base/training/new
ckpt-3.pt|$base/training/old"
	equal "$words" "" "stderr of --all-runs"
	answers 0 list -h -o name "$base" "$run"
	equal "$(sort <<<"$out" | xargs)" "ckpt-1.pt ckpt-2.pt" "the newest run of each directory"
	answers 1 list -h -o name "$TEST_TMP/nowhere" "$run"
	equal "$out" "ckpt-2.pt" "what is there beside a missing directory"
	contains "$words" "nowhere"
}

cli__list_of_nothing_says_what_to_do()
{
	mkdir -p "$TEST_TMP/bare/checkpoints"
	cd "$TEST_TMP/bare"
	answers 1 list
	equal "$out" "" "stdout of an empty list"
	contains "$words" "no checkpoints in 'checkpoints'"
	contains "$words" "--ckpt-dir"
	answers 1 list --json
	equal "$out" "[]" "an empty list as JSON"
	answers 1 list "$TEST_TMP/nowhere"
	contains "$words" "no such directory"
	echo x >checkpoints/results.csv
	answers 1 list
}

cli__list_of_a_directory_checkpoint()
{
	fresh_run
	mkdir "$run/checkpoint-400"
	cp "$run/ckpt-1.pt" "$run/checkpoint-400/optimizer.pt"
	cp "$run/ckpt-1.pt" "$run/checkpoint-400/scheduler.pt"
	cp "$run/ckpt-1.pt" "$run/checkpoint-400/pytorch_model.bin"
	echo '{"global_step": 400, "epoch": 4.0, "log_history": []}' >"$run/checkpoint-400/trainer_state.json"
	answers 0 list -hp -o name,epoch,step,size,verdict "$run"
	contains "$out" "checkpoint-400|4|400|349.4 KB|valid"
	answers 0 list -hp -o name,size --level none "$run"
	contains "$out" "checkpoint-400|349.4 KB"
}

cli__names_are_printed_safely()
{
	local odd=$'ckpt-7\n\e[31mred.pt' before
	fresh_run
	cp "$run/ckpt-1.pt" "$run/$odd"
	cp "$run/ckpt-1.pt" "$run/é-step-8.pt"
	cp "$run/ckpt-1.pt" "$run/a|b-step-9.pt"
	cp "$run/ckpt-1.pt" "$run/a\\b-step-10.pt"
	before=$(ls -b "$run")
	answers 0 list "$run"
	lacks "$out$words" "$ESCAPE"
	contains "$words" 'ckpt-7\x0a\x1b[31mred.pt'
	answers 0 list -hp -o name "$run"
	contains "$out" "é-step-8.pt"
	contains "$out" 'a\x7cb-step-9.pt'
	contains "$out" 'a\x5cb-step-10.pt'
	answers 0 list --json "$run"
	equal "$(json 'any(o["path"].endswith("/é-step-8.pt") for o in v)')" True
	answers 0 why --dir "$run"
	lacks "$out$words" "$ESCAPE"
	answers 0 validate "$run/é-step-8.pt"
	contains "$out" "é-step-8.pt: valid"
	for command in validate info quarantine; do
		answers 3 "$command" "$run/$odd"
		lacks "$out$words" "$ESCAPE"
	done
	answers 1 release "$run/$odd"
	lacks "$out$words" "$ESCAPE"
	answers 3 list "$run/"$'\e[31m'
	lacks "$out$words" "$ESCAPE"
	printf '{"line": "\\u001b[31m", "trail": [{"fate": "\\u001b", "why": "\\n\\u009b"}]}' >"$TEST_TMP/odd.json"
	answers 0 why "$TEST_TMP/odd.json"
	lacks "$out$words" "$ESCAPE"
	equal "$(ls -b "$run")" "$before" "the directory"
}

cli__unreadable_is_not_a_no()
{
	local closed=$TEST_TMP/closed run code command
	fresh_run
	mkdir "$closed"
	cp "$run/ckpt-1.pt" "$closed/"
	chmod 700 "$closed"
	((EUID == 0)) || chmod 000 "$closed"
	for command in "list $closed" "resolve --dir $closed" "why --dir $closed" "validate $closed/ckpt-1.pt" \
		"info $closed/ckpt-1.pt" "quarantine $closed/ckpt-1.pt" "release $closed/ckpt-1.pt" \
		"epoch-info --dir $closed" "why --last --dir $closed"; do
		code=0
		# shellcheck disable=SC2086  # its words
		as_user "$CTL" $command >"$TEST_TMP/out" 2>"$TEST_TMP/words" || code=$?
		equal "$code" 3 "exit code of $command"
		[[ $command == why* ]] || equal "$(<"$TEST_TMP/out")" "" "stdout of $command"
		[[ -s $TEST_TMP/words || -s $TEST_TMP/out ]] || fail "$command says nothing"
	done
	code=0
	out=$(as_user "$CTL" validate --json "$closed/ckpt-1.pt" 2>/dev/null) || code=$?
	equal "$code" 3
	equal "$(json '[list(v), v["verdict"], v["problem"]["code"]]')" "[$KEYS, 'unreadable', 'io']"
	chmod 755 "$closed"
	chmod 000 "$closed/ckpt-1.pt"
	exits 3 as_user "$CTL" validate "$closed/ckpt-1.pt"
	out=$(as_user "$CTL" quarantine --json "$closed/ckpt-1.pt" 2>/dev/null) && code=0 || code=$?
	equal "$code, $(json 'v["result"]')" "3, unknown" "quarantine of what cannot be read"
	exits 3 as_user "$CTL" resolve --dir "$closed"
	out=$(as_user "$CTL" list -hp -o name,verdict,step,size "$closed")
	equal "$out" "ckpt-1.pt|unreadable|-|116.5 KB" "a row without a verdict"
}

cli__things_that_are_no_files()
{
	fresh_run
	mkfifo "$run/ckpt-8.pt"
	ln -s nowhere "$run/ckpt-9.pt"
	answers 0 resolve --dir "$run"
	equal "$out" "$run/ckpt-3.pt"
	answers 0 list "$run"
	exits 3 timeout 10 "$CTL" validate "$run/ckpt-8.pt"
	ctl validate "$run/ckpt-9.pt"
	((rc == 1 || rc == 3)) || fail "a dangling link: exit code $rc"
	ctl validate /dev/null
	((rc == 1 || rc == 3)) || fail "a device: exit code $rc"
}

cli__why()
{
	fresh_run
	damage "$run/ckpt-3.pt" one-bit
	answers 0 why --dir "$run"
	contains "$(head -n 1 <<<"$out")" "resuming from $run/ckpt-2.pt"
	grep -qE '^  rejected +ckpt-3\.pt +corrupt \(checksum\)' <<<"$out" || fail "no rejection: $out"
	grep -qE '^  chosen +ckpt-2\.pt +valid by checksum' <<<"$out" || fail "no choice: $out"
	touch "$run/ckpt-4.pt.tmp"
	answers 0 why --dir "$run"
	grep -qE '^  skipped +ckpt-4\.pt\.tmp ' <<<"$out" || fail "no skipped name: $out"
	answers 1 why --dir "$run" --mode fresh
}

cli__why_of_a_recorded_decision()
{
	fresh_run
	answers 1 why --last --dir "$run"
	contains "$words" "no decision is recorded"
	mkdir "$run/.ckpt-resume"
	answers 0 why --json --dir "$run"
	echo "$out" >"$run/.ckpt-resume/decision-c-7-1.json"
	answers 0 why --json --dir "$run" --mode step:100
	echo "$out" >"$run/.ckpt-resume/decision-c-7-0.json"
	touch -d '1 hour ago' "$run/.ckpt-resume/decision-c-7-0.json"
	echo '{"line": "half' >"$run/.ckpt-resume/decision-c-7-1.json.tmp"
	rm "$run/ckpt-3.pt"
	answers 0 why --last --dir "$TEST_TMP/nowhere" --dir "$run"
	contains "$out" "resuming from $run/ckpt-3.pt"
	answers 0 why --last --json --dir "$run"
	equal "$(json 'v["tag"]')" ckpt-3.pt
	answers 0 why "$run/.ckpt-resume/decision-c-7-0.json"
	contains "$out" "resuming from $run/ckpt-1.pt"
	lacks "$out" not-looked-at
	echo '{"line": "x", "trail": [], "not_looked_at": 3}' >"$TEST_TMP/cut.json"
	answers 0 why "$TEST_TMP/cut.json"
	contains "$out" "not-looked-at 3 more"
	answers 1 why "$run/nothing.json"
	echo '{"line": "torn' >"$TEST_TMP/torn.json"
	answers 3 why "$TEST_TMP/torn.json"
	mkdir "$TEST_TMP/state"
	mv "$run/.ckpt-resume" "$TEST_TMP/state/"
	answers 0 why --last --dir "$run" --state "$TEST_TMP/state"
	contains "$out" "resuming from $run/ckpt-3.pt"
}

cli__quarantine_and_release()
{
	local before
	fresh_run
	answers 1 quarantine "$run/ckpt-3.pt"
	contains "$words" "only what is proved corrupt is moved"
	[[ ! -e $run/.ckpt-resume ]] || fail "a refusal left its trace"
	answers 1 release "$run/ckpt-3.pt"
	[[ ! -e $run/.ckpt-resume ]] || fail "a release of nothing left its trace"
	damage "$run/ckpt-3.pt" one-bit
	damage "$run/ckpt-2.pt" cut-10
	before=$(cd "$run" && sha256sum ckpt-?.pt)
	answers 1 quarantine "$run/ckpt-3.pt" "$run/ckpt-2.pt"
	equal "$out" "$run/ckpt-3.pt: in quarantine"
	contains "$words" "ckpt-2.pt' stays where it is: it is incomplete"
	[[ -e $run/ckpt-3.pt.corrupted && ! -e $run/ckpt-3.pt ]] || fail "it was not renamed: $(ls "$run")"
	answers 0 list -h -o name "$run"
	lacks "$out" ckpt-3
	answers 0 release --json "$run/ckpt-3.pt"
	equal "$(json '[v["path"], v["result"], v["detail"]]')" "['$run/ckpt-3.pt', 'released', None]"
	equal "$(cd "$run" && sha256sum ckpt-?.pt)" "$before" "the files after the round trip"
	answers 1 quarantine "$run/ckpt-2.pt" "$run/ckpt-3.pt" # one refusal outweighs, wherever it stands
	answers 0 release "$run/ckpt-3.pt.corrupted"
	[[ -e $run/ckpt-3.pt ]] || fail "it did not come back under its renamed name"
	answers 0 quarantine "$run/ckpt-3.pt"
	cp "$run/ckpt-1.pt" "$run/ckpt-3.pt"
	answers 1 release "$run/ckpt-3.pt"
	answers 0 validate "$run/ckpt-3.pt"
	answers 1 quarantine "$run/nothing.pt"
}

# Wherever the bad one stands.
cli__seal_of_several()
{
	local order
	fresh_run
	damage "$run/ckpt-2.pt" one-bit
	for order in "2 3" "3 2"; do
		# shellcheck disable=SC2086  # two words
		set -- $order
		answers 1 seal --json "$run/ckpt-$1.pt" "$run/ckpt-$2.pt"
		equal "$(json '{e["path"][-4]: e["sealed"] for e in v} == {"2": False, "3": True}')" True "sealed, of $order"
	done
	[[ ! -e $run/ckpt-2.pt.metadata.json ]] || fail "a damaged one was sealed"
}

cli__epoch_info()
{
	fresh_run
	answers 1 epoch-info --dir "$run" --epoch completed
	contains "$out" "absent"
	answers 1 epoch-info repair --dir "$run"
	contains "$words" "--epoch=completed|next"
	[[ ! -e $run/epoch_info.json ]] || fail "a repair that knows nothing wrote something"
	answers 0 epoch-info repair --dir "$run" --epoch completed
	contains "$out" "last_completed_epoch 3"
	answers 0 epoch-info show --dir "$run" --epoch completed
	answers 0 epoch-info --dir "$run" --epoch completed
	answers 0 epoch-info --json --dir "$run" --epoch completed
	equal "$(json 'v')" "{'last_completed_epoch': 3, 'checkpoint': '$run/ckpt-3.pt', 'checkpoint_epoch': 3, \
'agree': True}"
}

cli__epoch_info_ahead_and_torn()
{
	fresh_run
	echo '{"last_completed_epoch": 7, "mine": "kept"}' >"$run/epoch_info.json"
	answers 1 epoch-info --json --dir "$run" --epoch completed
	equal "$(json '[v["last_completed_epoch"], v["checkpoint_epoch"], v["agree"]]')" "[7, 3, False]"
	answers 0 epoch-info repair --json --dir "$run" --epoch completed
	equal "$(json '[v["last_completed_epoch"], v["agree"]]')" "[3, True]"
	file_has "$run/epoch_info.json" '"kept"'
	grep -rqF '"last_completed_epoch": 7' "$run"/.ckpt-resume/epoch_info.json.* || fail "the former content is not kept"
	echo '{"last_completed_ep' >"$run/epoch_info.json"
	answers 1 epoch-info --dir "$run" --epoch completed
	contains "$words" "epoch_info.json"
	answers 0 epoch-info repair --dir "$run" --epoch completed
	contains "$out" "last_completed_epoch 3"
	ls "$run"/epoch_info.json.torn* >/dev/null || fail "the torn file is not kept"
}

cli__colour_only_on_a_terminal()
{
	fresh_run
	damage "$run/ckpt-3.pt" cut-10
	answers 0 list "$run"
	lacks "$out" "$ESCAPE"
	command -v script >/dev/null || skip_case "script(1) is not installed"
	out=$(TERM=xterm NO_COLOR='' on_terminal "$CTL" list "$run")
	contains "$out" "${ESCAPE}[32mvalid"
	contains "$out" "${ESCAPE}[31mincomplete"
	out=$(TERM=xterm NO_COLOR=1 on_terminal "$CTL" list "$run")
	lacks "$out" "$ESCAPE"
	contains "$out" "incomplete"
	out=$(TERM=xterm NO_COLOR='' on_terminal "$CTL" list --json "$run")
	lacks "$out" "$ESCAPE"
}

cli__a_full_disk_is_said()
{
	local command
	fresh_run
	for command in "list $run" "validate $run/ckpt-1.pt" "info $run/ckpt-1.pt" "resolve --dir $run" --help; do
		# shellcheck disable=SC2086  # its words
		rc=0 && "$CTL" $command >/dev/full 2>"$TEST_TMP/words" || rc=$?
		equal "$rc" 3 "exit code of $command"
		file_has "$TEST_TMP/words" "No space left"
	done
}

# The other cases once more with the sanitizers, where that build is there.
cli__the_same_under_asan()
{
	[[ -x $TEST_ASAN/ckptctl ]] || skip_case "no ASan build"
	local rc=0
	TEST_ONLY="" TEST_BUILD=$TEST_ASAN bash "$TEST_SRC/tests/cli/commands.sh" >"$TEST_TMP/asan" 2>&1 || rc=$?
	! grep -aE '^not ok' "$TEST_TMP/asan" || fail "under ASan: $(grep -am1 '^not ok' "$TEST_TMP/asan")"
	[[ $rc == 0 ]] || fail "under ASan it ended with $rc: $(tail -n 1 "$TEST_TMP/asan")"
	grep -aq '^ok ' "$TEST_TMP/asan" || fail "nothing ran under ASan"
}

if "$PYTHON" "$RUNS" write "$WHOLE" zip 3; then
	for name in $(declare -F | sed -n 's/.* \(cli__\)/\1/p'); do
		[[ $name != cli__the_same_under_asan || $TEST_BUILD != "$TEST_ASAN" ]] || continue
		run_case "$name"
	done
else
	echo "skip commands: python3-torch is not installed"
fi
test_end
