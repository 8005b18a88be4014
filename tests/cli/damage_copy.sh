#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `ckptctl damage`: does what it says to a copy that it made, the same for the same seed, and refuses to
# touch anything else.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
HERE=$TEST_TMP/d

# A file and a second save of it, a directory of three, a bundle's files, a set with % in its name.
fresh()
{
	rm -rf "$HERE"
	mkdir -p "$HERE/dir/sub" "$HERE/dir/empty" "$HERE/older/sub"
	cd "$HERE"
	for name in one.pt two.pt dir/part_0 dir/part_1 dir/sub/rng older/part_0 older/part_1 older/sub/rng \
		ckpt-7.index ckpt-7.data-00000-of-00001 re.base.rst re.0.rst re.1.rst; do
		head -c 40960 /dev/urandom >"$name"
	done
	ln -s /etc/hostname dir/outside
	: >dir/sub/mark
}

# differing A B: how many bytes differ.
differing() { cmp -l "$1" "$2" 2>/dev/null | wc -l; }

damage() { "$CTL" damage "$@" >"$TEST_TMP/said"; }

damage_copy__bytes()
{
	fresh
	damage one.pt --to=c.pt
	cmp one.pt c.pt
	equal "$(stat -c %Y one.pt)" "$(stat -c %Y c.pt)" "the copy's time"
	damage c.pt --how=bit --offset=777
	equal "$(differing one.pt c.pt)" 1 "bytes of a flipped bit"
	equal "$(cmp -l one.pt c.pt | awk '{ print $1 }')" 778 "place of the bit"
	damage one.pt --to=z.pt --how=zero-page --offset=8192
	equal "$(tail -c +8193 z.pt | head -c 4096 | tr -d '\0' | wc -c)" 0 "bytes left in the page"
	((4000 < $(differing one.pt z.pt) && $(differing one.pt z.pt) <= 4096)) || fail "more than one page"
	damage one.pt --to=t.pt --how=truncate --offset=4097
	equal "$(stat -c %s t.pt)" 4097
	damage one.pt --to=j.pt --how=trailing --length=9
	equal "$(stat -c %s j.pt)" 40969
	cmp -n 40960 one.pt j.pt
	damage one.pt --to=i.pt --how=insert-block --offset=4096
	equal "$(stat -c %s i.pt)" 45056
	cmp -n 8192 one.pt i.pt
	cmp -i 4096:8192 one.pt i.pt
	damage one.pt --to=s.pt --how=swap-pages
	((4096 < $(differing one.pt s.pt) && $(differing one.pt s.pt) <= 8192)) || fail "not two pages swapped"
	damage one.pt --to=n.pt --how=zero-tail --offset=40000
	cmp -n 40000 one.pt n.pt
	equal "$(tail -c 960 n.pt | tr -d '\0' | wc -c)/$(stat -c %s n.pt)" 0/40960
	damage one.pt --to=u.pt --how=duplicate-block --offset=4096
	cmp -i 4096:8192 -n 4096 one.pt u.pt
	damage one.pt --to=h.pt --how=hole --offset=4096
	equal "$(tail -c +4097 h.pt | head -c 4096 | tr -d '\0' | wc -c)" 0 "bytes left in the hole"
	damage one.pt --to=m.pt --how=mixed --from=two.pt --offset=5000
	cmp -n 5000 two.pt m.pt
	cmp -i 5000 one.pt m.pt
	damage one.pt --to=k.pt --how=clock
	cmp one.pt k.pt
	[[ $(stat -c %Y k.pt) != $(stat -c %Y one.pt) ]] || fail "the clock did not move"
	file_has "$TEST_TMP/said" "nothing differs"
}

damage_copy__same_seed_same_damage()
{
	local how
	fresh
	for how in truncate bit zero-page swap-pages duplicate-block insert-block trailing zero-tail mixed; do
		damage one.pt --to=a-$how --how=$how --seed=42 --from=two.pt
		damage one.pt --to=b-$how --how=$how --seed=42 --from=two.pt
		damage one.pt --to=c-$how --how=$how --seed=43 --from=two.pt
		cmp a-$how b-$how
		! cmp -s a-$how c-$how || fail "$how: another seed did the same"
		! cmp -s a-$how one.pt || fail "$how: did nothing"
	done
}

damage_copy__sets()
{
	fresh
	damage dir --to=c
	diff -r --no-dereference -x outside dir c
	[[ -d c/empty ]]
	[[ ! -L c/outside ]]
	cmp c/outside /etc/hostname
	damage dir --to=gone --how=missing-member --member=sub/rng
	[[ ! -e gone/sub/rng ]]
	damage dir --to=half --how=rename --member=part_1
	[[ -e half/part_1.tmp && ! -e half/part_1 ]]
	damage dir --to=more --how=extra-member --member=part_0
	cmp more/part_0 more/part_2
	damage dir --to=old --how=stale-member --from=older --member=part_1
	cmp old/part_1 older/part_1
	damage dir --to=mix --how=mixed --from=older --member=sub/rng
	cmp mix/sub/rng older/sub/rng
	damage ckpt-7 --to=ckpt-8
	cmp ckpt-7.index ckpt-8.index
	damage ckpt-8 --how=missing-member --member=.index
	[[ ! -e ckpt-8.index && -e ckpt-8.data-00000-of-00001 && -e ckpt-7.index ]]
	damage re.%.rst --to=cp.%.rst
	cmp re.1.rst cp.1.rst
	cmp re.base.rst cp.base.rst
}

# refuses EXIT-CODE WORDS ARGUMENT...: nothing below HERE changes.
refuses()
{
	local code=$1 words=$2 before
	shift 2
	before=$(find "$HERE" -type f -exec md5sum {} + | sort)
	exits "$code" "$CTL" damage "$@" 2>"$TEST_TMP/words"
	file_has "$TEST_TMP/words" "$words"
	equal "$(find "$HERE" -type f -exec md5sum {} + | sort)" "$before" "what is there"
}

damage_copy__touches_nothing_but_its_copies()
{
	fresh
	refuses 1 "no copy that" one.pt --how=bit
	refuses 1 "no copy that" dir --how=bit
	refuses 1 "no copy that" ckpt-7 --how=bit
	damage one.pt --to=c.pt
	damage dir --to=c
	refuses 1 "there already" two.pt --to=c.pt
	refuses 3 "inside" dir --to=dir/copy
	refuses 3 "inside" dir --to=dir/sub/copy
	cp two.pt other
	mv other c.pt
	refuses 1 "was not made by" c.pt --how=bit
	cp two.pt c/added
	refuses 1 "was not made by" c --how=bit
	rm c/added
	ln -s ../two.pt c/added
	refuses 1 "no member" c --how=bit --member=added
	ln -s one.pt link.pt
	cp .c.pt.damage-copy .link.pt.damage-copy
	refuses 1 "symbolic link" link.pt --how=bit
	damage one.pt --to=hard.pt
	ln hard.pt somebody.pt
	refuses 1 "was not made by" hard.pt --how=bit
	damage one.pt --to=list.pt
	mv .list.pt.damage-copy elsewhere
	ln -s elsewhere .list.pt.damage-copy
	refuses 1 "no copy that" list.pt --how=bit
	rm .list.pt.damage-copy
	mkfifo .list.pt.damage-copy
	refuses 1 "no copy that" list.pt --how=bit
	rm .list.pt.damage-copy
	mv elsewhere .list.pt.damage-copy
	damage list.pt --how=bit
	if [ "$(id -u)" = 0 ]; then
		chown 1 .list.pt.damage-copy # somebody else's word
		refuses 1 "no copy that" list.pt --how=bit
	fi
}

# The next try under the name of one that was removed; a file that only has the list's name stays.
damage_copy__a_name_is_free_again()
{
	local name
	fresh
	for name in c.pt c.dir; do
		damage "$([[ $name == c.pt ]] && echo one.pt || echo dir)" --to=$name --how=bit
		[[ -e .$name.damage-copy ]] || fail "no list"
		rm -r $name
		damage two.pt --to=$name --how=truncate --offset=100
		equal "$(stat -c %s $name)" 100
		exits 1 "$CTL" damage one.pt --to=$name --how=bit
		equal "$(stat -c %s $name)" 100
	done
	echo mine >.m.pt.damage-copy
	exits 1 "$CTL" damage one.pt --to=m.pt --how=bit
	equal "$(<.m.pt.damage-copy)" mine
	[[ ! -e m.pt ]] || fail "a copy was made"
}

damage_copy__usage()
{
	fresh
	refuses 2 "no such kind" one.pt --to=x --how=melt
	refuses 2 "--from" one.pt --to=x --how=mixed
	refuses 2 "which checkpoint" --how=bit
	refuses 2 "is needed" one.pt
	refuses 2 "no number" one.pt --to=x --how=bit --offset=-1
	refuses 1 "No such file" none.pt --to=x --how=bit
	damage one.pt --to=c.pt --how=bit --seed=7 --json
	equal "$(jq -r '[.how, .seed, .bytes, .changed, .size_before] | join(" ")' "$TEST_TMP/said")" "bit 7 1 true 40960"
	exits 1 "$CTL" damage c.pt --how=missing-member 2>/dev/null
	exits 1 "$CTL" damage c.pt --how=bit --offset=99999 2>/dev/null
}

# A copy of the same name takes its seal along: damage that the format cannot show is found by it.
damage_copy__seal_goes_along()
{
	fresh
	mkdir copy
	"$CTL" seal -q one.pt
	damage one.pt --to=copy/one.pt
	exits 0 "$CTL" validate -q copy/one.pt
	damage copy/one.pt --how=bit
	exits 1 "$CTL" validate -q copy/one.pt
	# what a program wrote later is not what was sealed, and is said to be so
	rm -r copy
	mkdir copy
	damage one.pt --to=copy/one.pt --how=bit --touch
	exits 1 "$CTL" validate copy/one.pt >words
	contains "$(<words)" "it was written after that: damaged, or saved anew"
}

for name in $(declare -F | sed -n 's/.* \(damage_copy__\)/\1/p'); do
	run_case "$name"
done
test_end
