/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease.json of a run directory: which attempt of which job is at work there. No lock, no clock
 * that two nodes would have to share: who is newer is said by the attempt's number, and a holder
 * lives as long as its counter is seen to move. A holder that was stopped (a suspended job on
 * another node) looks dead.
 *
 * However long somebody stalls between a look and what he does upon it, he takes nothing but what
 * he has looked at. The name is given by link(2), which replaces nothing. What makes way is first
 * moved to a name of one's own and read again there: if it is not what was judged, it goes back. A
 * holder writes into the very file that he has read as his own, so that a late write goes into a
 * file that has the name no more; and a start writes and looks once more at its end, so that either
 * it sees that it was taken for dead, or the other that it is not. A crash on the way leaves the
 * old lease, the new one or none, which a holder that lives makes again.
 *
 * What is left: between the two looks at what is moved, a lease that came into its place is away
 * for two system calls; a third job that begins just then is told by the lease that comes back,
 * unless its whole start fits between the two. A start that stands still for CKPT_LEASE_DEAD_NS
 * after its last look, before its companion is there, may be taken for dead. Without link(2) and
 * without RENAME_NOREPLACE (some FUSE file systems) an absent lease is made by a look and a rename.
 * What a look sees over NFS is as old as the attributes of the directory that the client holds.
 */
#ifndef CKPT_CORE_RECORD_LEASE_H
#define CKPT_CORE_RECORD_LEASE_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/base/file.h"
#include "core/record/state.h"

#define CKPT_LEASE "lease.json"
#define CKPT_LEASE_MAX 4096			  /* bytes that are read of it; ours have 1024 */
#define CKPT_LEASE_RENEW_NS ((int64_t)3000000000) /* between two moves of the counter */
#define CKPT_LEASE_DEAD_NS ((int64_t)15000000000) /* watched for so long without a move: dead */

struct ckpt_lease {
	char run[40]; /* may be empty */
	char cluster[64];
	int64_t job_id, attempt;
	char host[256]; /* the node, as Slurm names it */
	/* The holder's process: of this boot of a machine, in this process namespace. */
	char boot[40]; /* empty: not known */
	int64_t pid_namespace;
	int64_t pid, started; /* 0: none yet; when it started, in ticks after the boot */
	int64_t counter;
	bool released; /* its holder has ended in order */
	uid_t owner;   /* of the file; set by reading and taking it */
};

/* Sets boot, pid_namespace, pid and started to the calling process'. */
void ckpt_lease_sign(struct ckpt_lease *lease);

/*
 * Reads lease.json without following a link or waiting for anything. 0; CKPT_STATE_ABSENT;
 * CKPT_STATE_TORN (no regular file, too large, no whole lease of this version); or an errno.
 */
int ckpt_lease_load(int statefd, struct ckpt_lease *ret, struct ckpt_error *err);

/* What the lease of another is to ours. */
enum ckpt_lease_relation {
	CKPT_LEASE_SAME,    /* of the same attempt */
	CKPT_LEASE_EARLIER, /* of an earlier attempt of the same job: ours to take */
	CKPT_LEASE_LATER,   /* of a later one: ours is lost */
	CKPT_LEASE_FOREIGN, /* of another job, or of another run with the same number */
};

enum ckpt_lease_relation ckpt_lease_relation(const struct ckpt_lease *ours,
					     const struct ckpt_lease *other);

enum ckpt_lease_result {
	CKPT_LEASE_CHANGED = 1, /* the file is another's now */
};

/*
 * Makes @mine the lease, provided that what ckpt_lease_load() has answered is still so: @found is
 * its result (0, CKPT_STATE_ABSENT or CKPT_STATE_TORN), @seen the lease where that is 0. Whether it
 * may be taken is the caller's to judge. One of the same attempt is written over in place, which
 * needs no room on the disk; what is a directory never makes way. 0: it is what lies there, with
 * its owner in @mine; CKPT_LEASE_CHANGED: look again; or an errno, with what was seen left or gone.
 * Not synced: after a crash of the node it would be void anyway.
 */
int ckpt_lease_take(int statefd, int found, const struct ckpt_lease *seen, struct ckpt_lease *mine);

/*
 * Writes @lease, by the calling process, into the file in place, if that is still @lease's of the
 * same process: needs no room on the disk and no new file. 0; CKPT_LEASE_CHANGED; or an errno,
 * with nothing changed or the old counter left.
 */
int ckpt_lease_renew(int statefd, const struct ckpt_lease *lease, struct ckpt_error *err);

/* Marks the lease as released, if it is of the attempt of @lease. As ckpt_lease_renew(). */
int ckpt_lease_release(int statefd, const struct ckpt_lease *lease, struct ckpt_error *err);

/*
 * True if the holder of @other is known to be gone without watching: released, or by its process
 * where it ran on this machine, or its node was booted since. @ours was signed here and has cluster
 * and host.
 */
bool ckpt_lease_is_over(const struct ckpt_lease *ours, const struct ckpt_lease *other);

/* True if the holder of @other ran on this machine and its process is still there: alive, however
 * still its counter stands. */
bool ckpt_lease_is_here(const struct ckpt_lease *ours, const struct ckpt_lease *other);

/* The watching of one lease; zero-initialised. */
struct ckpt_lease_sight {
	bool begun, moved;
	int64_t counter, job_id, attempt, pid;
	int64_t looked_ns;
	int64_t silent_ns; /* watched without a move */
};

enum ckpt_lease_life { CKPT_LEASE_UNKNOWN, CKPT_LEASE_ALIVE, CKPT_LEASE_DEAD };

/*
 * Takes what was read of the lease at @now_ns (CLOCK_MONOTONIC of this node). ALIVE once it was
 * seen to move; DEAD after CKPT_LEASE_DEAD_NS without a move. A pause between two looks counts no
 * more than CKPT_LEASE_RENEW_NS: a file system that held us has held the holder too.
 */
enum ckpt_lease_life ckpt_lease_watch(struct ckpt_lease_sight *sight,
				      const struct ckpt_lease *lease, int64_t now_ns);

#endif
