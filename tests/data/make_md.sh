#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make_md.sh gromacs|lammps: runs a small simulation in the current directory with the real program, for
# its checkpoints: run.cpt with run.log, run.xtc, run.edr; or lj.restart.50, single.rst, multi.*.rst,
# set.restart.*.125, set.restart.*.150, turn.restart.a (of 200 steps), turn.restart.b (of 180).
# Fails where the program is not installed.
set -eu

write_argon()
{
	cat >w.top <<-'TOP'
	[ defaults ]
	1 2 yes 0.5 0.5
	[ atomtypes ]
	AR 39.948 0.0 A 0.00622127 9.69576e-06
	[ moleculetype ]
	AR 1
	[ atoms ]
	1 AR 1 AR AR 1 0
	[ system ]
	argon
	[ molecules ]
	AR 200
	TOP
	cat >md.mdp <<-'MDP'
	integrator = md
	nsteps = 200
	dt = 0.001
	cutoff-scheme = Verlet
	nstxout-compressed = 20
	nstenergy = 20
	rvdw = 0.9
	rcoulomb = 0.9
	rlist = 0.9
	gen_vel = yes
	gen_temp = 100
	MDP
	{
		printf 'argon\n 200\n'
		for ((i = 0; i < 200; i++)); do
			printf '%5d%-5s%5s%5d%8.3f%8.3f%8.3f\n' $((i + 1)) AR AR $((i + 1)) \
				"$((i / 36 * 4 + 1))e-1" "$((i / 6 % 6 * 4 + 1))e-1" "$((i % 6 * 4 + 1))e-1"
		done
		printf '%10.5f%10.5f%10.5f\n' 2.4 2.4 2.4
	} >conf.gro
}

run_gromacs()
{
	write_argon
	gmx grompp -f md.mdp -c conf.gro -p w.top -o t.tpr -maxwarn 5
	gmx mdrun -s t.tpr -deffnm run -nt 1 -cpt 0
}

run_lammps()
{
	cat >in.lj <<-'LJ'
	units lj
	lattice fcc 0.8442
	region box block 0 4 0 4 0 4
	create_box 1 box
	create_atoms 1 box
	mass 1 1.0
	velocity all create 3.0 87287
	pair_style lj/cut 2.5
	pair_coeff 1 1 1.0 1.0 2.5
	fix 1 all nve
	restart 50 lj.restart.*
	run 100
	write_restart single.rst
	write_restart multi.%.rst
	restart 25 set.restart.%.*
	run 50
	restart 20 turn.restart.a turn.restart.b
	run 50
	LJ
	OMP_NUM_THREADS=1 lmp -in in.lj
}

"run_$1" >make_md.log 2>&1
