/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See priv.h. The order matters: groups need root, so they go first; the kernel forgets the
 * parent-death signal when the ids change, so that is set after them.
 */
#include "hooks/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/cleanup.h"

#define GROUPS_MAX 4096 /* of one user; a user with more keeps the first */

/* The agent is the first to go when memory runs short, ahead of any job. */
static void offer_to_oom_killer(void)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1000", 4) != 4)
		errno = 0; /* a convenience for others; not worth the agent */
}

/* The user's groups, or the job's own where the user database does not answer. */
static int set_groups(const struct ckpt_priv *priv)
{
	static gid_t groups[GROUPS_MAX];
	static char text[65536];
	struct passwd entry, *found = NULL;
	int n = GROUPS_MAX;

	if (getpwuid_r(priv->uid, &entry, text, sizeof(text), &found) != 0 || !found)
		n = 0;
	else if (getgrouplist(found->pw_name, priv->gid, groups, &n) < 0)
		n = GROUPS_MAX;
	if (n == 0)
		groups[n++] = priv->gid;
	return setgroups((size_t)n, groups) < 0 ? -errno : 0;
}

/* True if neither an id nor a capability of root is left, and none can be had. */
static bool root_is_gone(const struct ckpt_priv *priv)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	uid_t uid[3];
	gid_t gid[3];

	if (setresuid(0, 0, 0) == 0 || setuid(0) == 0 || seteuid(0) == 0)
		return false;
	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (uid[i] != priv->uid || gid[i] != priv->gid)
			return false;
	if (syscall(SYS_capget, &header, caps) < 0)
		return false;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (caps[i].effective || caps[i].permitted)
			return false;
	return true;
}

static int change_ids(const struct ckpt_priv *priv)
{
	int r;

	if (priv->uid == 0)
		return -EPERM;
	if (geteuid() != 0)
		return geteuid() == priv->uid && getuid() == priv->uid ? 0 : -EPERM;
	r = set_groups(priv);
	if (r < 0)
		return r;
	if (setresgid(priv->gid, priv->gid, priv->gid) < 0 ||
	    setresuid(priv->uid, priv->uid, priv->uid) < 0)
		return -errno;
	return root_is_gone(priv) ? 0 : -EPERM;
}

static int set_limits(const struct ckpt_priv *priv)
{
	const struct {
		int resource;
		rlim_t most;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_AS, (rlim_t)1 << 30 },
		{ RLIMIT_CPU, (rlim_t)priv->cpu_seconds },
		{ RLIMIT_NOFILE, 256 },
		{ RLIMIT_FSIZE, (rlim_t)64 << 20 },
		{ RLIMIT_MEMLOCK, 0 },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit now;

		if (getrlimit(limits[i].resource, &now) < 0)
			return -errno;
		if (now.rlim_max > limits[i].most)
			now.rlim_max = limits[i].most;
		now.rlim_cur = now.rlim_max;
		if (setrlimit(limits[i].resource, &now) < 0)
			return -errno;
	}
	return 0;
}

static void step_back(void)
{
	setpriority(PRIO_PROCESS, 0, 19);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

int ckpt_priv_drop(void *arg)
{
	const struct ckpt_priv *priv = arg;
	int r;

	offer_to_oom_killer();
	if (priv->behind)
		step_back();
	umask(077);
	r = change_ids(priv);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != priv->parent)
		return -ESRCH;
	return set_limits(priv);
}
