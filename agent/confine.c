/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's seccomp filter: everything is allowed that reading and writing files needs; the rows
 * below are what a taken-over parser would want next.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#include "agent/agent.h"
#include "wire/error.h"

static const int refused[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(bpf),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(setsid),
	SCMP_SYS(setpgid),
};

/* With s390's clone(2) the stack comes first. */
#ifdef __s390__
#define CLONE_FLAGS_ARG 1
#else
#define CLONE_FLAGS_ARG 0
#endif

/* Calls of which a part is needed. Threads are, processes are not: libc's fork() is a clone(2). */
static const struct part {
	int call, error;
	unsigned int n; /* 0: all of it */
	struct scmp_arg_cmp arg;
} parts[] = {
	{ SCMP_SYS(clone), EPERM, 1, { CLONE_FLAGS_ARG, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0 } },
	/* Its flags lie in memory, where no filter sees them; so libc takes clone(2). */
	{ SCMP_SYS(clone3), ENOSYS, 0, { 0 } },
	/* It dies with the hook. */
	{ SCMP_SYS(prctl), EPERM, 1, { 0, SCMP_CMP_EQ, PR_SET_PDEATHSIG, 0 } },
};

static int add_rules(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(refused) / sizeof(*refused); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	for (const struct part *p = parts; r == 0 && p < parts + sizeof(parts) / sizeof(*p); p++)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((uint32_t)p->error), p->call,
					   p->n, &p->arg);
	return r;
}

int ckpt_confine(struct ckpt_error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? add_rules(filter) : -ENOMEM;

	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r < 0)
		return ckpt_fail(err, r, "cannot confine the agent: %s", strerror(-r));
	return 0;
}
