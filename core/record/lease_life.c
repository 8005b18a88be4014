/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See lease.h. Whether the holder of a lease lives: by its process, by its boot, by watching.
 */
#include "core/record/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PID_NAMESPACE "/proc/self/ns/pid"

/* Of /proc/PID/stat. */
struct process {
	char state;
	int64_t started; /* field 22: ticks after the boot */
};

/* False where it cannot be read. */
static bool look_at(int64_t pid, struct process *ret)
{
	char path[48], text[512];
	unsigned long long started;
	_cleanup_close_ int fd = -1;
	const char *rest;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	rest = strrchr(text, ')'); /* the name before it may hold anything */
	if (!rest || sscanf(rest + 1,
			    " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			    "%*d %*d %llu",
			    &ret->state, &started) != 2)
		return false;
	ret->started = (int64_t)started;
	return true;
}

void ckpt_lease_sign(struct ckpt_lease *lease)
{
	_cleanup_close_ int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, lease->boot, sizeof(lease->boot) - 1);
	struct process self = { 0 };
	struct stat st;

	lease->boot[n > 0 ? n : 0] = '\0';
	lease->boot[strcspn(lease->boot, "\n")] = '\0';
	lease->pid_namespace = stat(PID_NAMESPACE, &st) < 0 ? 0 : (int64_t)st.st_ino;
	lease->pid = getpid();
	lease->started = look_at(lease->pid, &self) ? self.started : 0;
}

enum presence { ELSEWHERE, GONE, HIDDEN, HERE };

/* What is known of the process of @other on this machine. */
static enum presence presence_of(const struct ckpt_lease *ours, const struct ckpt_lease *other)
{
	struct process p;

	if (!ours->boot[0] || strcmp(ours->boot, other->boot) != 0 || !ours->pid_namespace ||
	    ours->pid_namespace != other->pid_namespace || other->pid < 1 || other->pid > INT32_MAX)
		return ELSEWHERE;
	if (kill((pid_t)other->pid, 0) < 0 && errno == ESRCH)
		return GONE;
	if (!look_at(other->pid, &p))
		return HIDDEN;
	return p.started == other->started && !strchr("ZXx", p.state) ? HERE : GONE;
}

/* The node of @other has been booted since. */
static bool was_booted(const struct ckpt_lease *ours, const struct ckpt_lease *other)
{
	return ours->host[0] && strcmp(ours->host, other->host) == 0 &&
	       strcmp(ours->cluster, other->cluster) == 0 && ours->boot[0] && other->boot[0] &&
	       strcmp(ours->boot, other->boot) != 0;
}

bool ckpt_lease_is_over(const struct ckpt_lease *ours, const struct ckpt_lease *other)
{
	return other->released || presence_of(ours, other) == GONE || was_booted(ours, other);
}

bool ckpt_lease_is_here(const struct ckpt_lease *ours, const struct ckpt_lease *other)
{
	return !other->released && presence_of(ours, other) == HERE;
}

enum ckpt_lease_life ckpt_lease_watch(struct ckpt_lease_sight *sight,
				      const struct ckpt_lease *lease, int64_t now_ns)
{
	bool same = sight->begun && sight->counter == lease->counter &&
		    sight->job_id == lease->job_id && sight->attempt == lease->attempt &&
		    sight->pid == lease->pid;
	int64_t pause = now_ns - sight->looked_ns;

	sight->looked_ns = now_ns;
	if (same) {
		sight->silent_ns += pause < CKPT_LEASE_RENEW_NS ? pause : CKPT_LEASE_RENEW_NS;
		if (sight->silent_ns >= CKPT_LEASE_DEAD_NS)
			return CKPT_LEASE_DEAD;
		return sight->moved ? CKPT_LEASE_ALIVE : CKPT_LEASE_UNKNOWN;
	}
	sight->moved = sight->begun;
	sight->begun = true;
	sight->counter = lease->counter;
	sight->job_id = lease->job_id;
	sight->attempt = lease->attempt;
	sight->pid = lease->pid;
	sight->silent_ns = 0;
	return sight->moved ? CKPT_LEASE_ALIVE : CKPT_LEASE_UNKNOWN;
}
