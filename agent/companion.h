/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of ckpt-companion. Four processes, so that nothing that a file or a file system does can
 * hold the one that has to end with the job: the first one has the lifeline and touches no file of
 * the user; the keeper holds the lease; the watcher looks at the run directories; and for each
 * checkpoint that is due a child of it reads, seals and records. Each dies with the one before it.
 */
#ifndef CKPT_AGENT_COMPANION_H
#define CKPT_AGENT_COMPANION_H

#include <sys/types.h>

#include "core/watch/look.h"
#include "core/watch/pace.h"
#include "core/watch/stall.h"
#include "wire/request.h"

/* What the watcher tells the first process, in one packet, every few seconds while it sees. */
struct ckpt_companion_news {
	uint64_t checkpoints;  /* seen new or changed */
	uint64_t output, beat; /* as struct ckpt_signs has them */
	int64_t cadence_ns;
	uint64_t hurried; /* the number of the last haste that was heard before a look */
	uint64_t stirs;	  /* words of the kernel that something happened */
	/* Checkpoints after the mark: begun since and whole; begun since or written then, and not
	 * at rest yet. */
	uint64_t saved, unsettled;
};

/* What the first process tells the watcher: that the job is about to end. It looks at once, and
 * rests no more. */
struct ckpt_companion_haste {
	uint64_t number; /* which it echoes once it has looked */
	bool mark;	 /* what it sees then was there before, and what comes later counts */
};

/* One companion; all that its processes begin with. */
struct ckpt_companion {
	struct ckpt_request req; /* checked */
	char run[40];		 /* of the decision; may be empty */
	pid_t task;		 /* the batch task, 0 where not known */
	int64_t stall_ns;	 /* --ckpt-stall: CKPT_STALL_AUTO for auto; -1 not asked for */
	int64_t before_ns;	 /* --ckpt-before-limit; -1 not asked for */
	int watcher_fd;		 /* the first process' end of their socket */
	int news_fd;		 /* the watcher's end */
};

/* The keeper of the lease: does not return. Releases it when the batch task has ended. */
__attribute__((noreturn)) void ckpt_companion_keep(const struct ckpt_companion *c);

/* The watcher: does not return. */
__attribute__((noreturn)) void ckpt_companion_watch(const struct ckpt_companion *c);

/* The first process' look at the job: a stall, the time limit. */
struct ckpt_companion_monitor {
	const struct ckpt_companion *c;
	struct ckpt_stall stall;
	struct ckpt_companion_news news;
	int64_t heard_ns; /* when the watcher was heard last */
	int64_t end_ns;	  /* when the time limit is reached; 0: not known */
	int64_t limit_ns; /* the whole of it; 0: not known */
	bool warned;	  /* that it has too little room */
	int64_t ask_ns;	  /* when to ask for that */
	bool over;	  /* the job is requeued: nothing more is done in this attempt */
	int64_t spoke_ns; /* when we wrote to the job's output last; 0: not yet */
	struct ckpt_retry stall_again, limit_again;
	uint64_t hastes; /* told to the watcher */
	int guard;	 /* of the stopped script: ckpt_companion_guard(); 0: none */
};

/* Begins it. */
void ckpt_companion_monitor_init(struct ckpt_companion_monitor *m, const struct ckpt_companion *c);

/* How long until it wants to look again. */
int ckpt_companion_monitor_wait_ms(const struct ckpt_companion_monitor *m);

/* Looks, and does what is to be done; may take minutes then, and ends with the batch task. */
void ckpt_companion_monitor_look(struct ckpt_companion_monitor *m);

/* Takes what the watcher has told. */
void ckpt_companion_monitor_hear(struct ckpt_companion_monitor *m);

/* Why a job is signalled and requeued, and how. */
struct ckpt_companion_cause {
	const char *event; /* "stall", "limit": of the ledger */
	const char *why;   /* "stall", "time-limit": of the requeue */
	char words[160];   /* for the user */
	int signal;
	int64_t save_ns; /* how long it may take to save */
};

/* What came of it. */
enum ckpt_companion_outcome {
	CKPT_COMPANION_REQUEUED,
	CKPT_COMPANION_FAILED, /* the ledger or slurmctld did not take it; another time they may */
	CKPT_COMPANION_UNWANTED, /* the user's list does not have it, or the job cannot be requeued
				  */
};

/*
 * Notes in the ledger what is seen of the job, signals its programs, waits for a checkpoint, and
 * requeues it. What else comes of it is said. Ends the process when the batch task ends.
 */
enum ckpt_companion_outcome ckpt_companion_act(struct ckpt_companion_monitor *m,
					       const struct ckpt_companion_cause *cause);

/* True once the batch task has ended and 2 s have passed since this process saw that: whatever is
 * still waited for is given up, and nothing is begun. To be called in loops that wait. */
bool ckpt_companion_is_late(void);

/*
 * Writes an event into the ledgers of the run: "stall" and "limit" with what /proc and the output
 * show, "requeue" with @why. To be called in a process of its own: it opens files of the user. 0,
 * or an errno where no ledger took it.
 */
int ckpt_companion_note(const struct ckpt_companion *c, const char *event, const char *why);

/* The same from a process of its own, which may hang with a dead file system for 15 s, or until
 * ckpt_companion_is_late(), and is killed then. True once the event is in a ledger. */
bool ckpt_companion_tell_ledger(const struct ckpt_companion *c, const char *event, const char *why);

/* Runs "ckpt-jobinfo VERB JOB" for at most 30 s, and until ckpt_companion_is_late(). Its exit code,
 * or an errno (-ETIMEDOUT); what it printed, cut to @size bytes, in @buf. */
int ckpt_companion_ask(const struct ckpt_companion *c, const char *verb, char *buf, size_t size);

/* The same with @more (may be NULL) behind the job. */
int ckpt_companion_ask_more(const struct ckpt_companion *c, const char *verb, const char *more,
			    char *buf, size_t size);

/*
 * Signals the programs of the job, says so, and waits until what they save is whole: until they
 * have ended, or save nothing more, or @cause's time is over. The script is stopped meanwhile where
 * *@ret_stopped. True if a checkpoint was begun after the signal and is whole, and none is not.
 */
bool ckpt_companion_save(struct ckpt_companion_monitor *m, const struct ckpt_companion_cause *cause,
			 bool *ret_stopped);

/*
 * Starts a process that continues the batch script once the calling one is gone, whatever ended it,
 * or has closed the descriptor that this returns (-1: none could be started). To be called before
 * the script is stopped. It is no more likely to be killed than the job where memory is short, and
 * ends with the script.
 */
int ckpt_companion_guard(const struct ckpt_companion *c);

/*
 * Looks into @set: whether anybody writes it, its structure, then all of it; seals it, unless its
 * program would take the seal for a checkpoint (listed.h), and records what was found. @last: a
 * rejection is recorded too. Reads by two threads.
 */
enum ckpt_watch_outcome ckpt_companion_check(const struct ckpt_request *req, struct ckpt_set *set,
					     bool last);

/* To be the first to be killed where memory is short, and the last to run. */
void ckpt_companion_stand_back(void);

/* Has the calling process killed when its parent, which was @parent, ends. */
void ckpt_companion_die_with(int parent);

#endif
