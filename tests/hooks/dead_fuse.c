/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-dead-fuse DIR: mounts a file system on DIR whose server takes every request and answers
 * none, as a hung user-space file system does; whoever asks sleeps where no signal reaches. One
 * line on stdout for each request. Ends, and with it the waiting, when it is killed or its parent
 * ends; the mount is the caller's to remove. Exit 77: no FUSE here. Spoken by hand: the library has
 * no way to stay silent.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

static _Alignas(8) char request[256 * 1024];

static int answer_init(int fd, const struct fuse_in_header *in)
{
	struct {
		struct fuse_out_header header;
		struct fuse_init_out init;
	} out = {
		.header = { .len = sizeof(out), .unique = in->unique },
		.init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 },
	};

	return write(fd, &out, sizeof(out)) == (ssize_t)sizeof(out) ? 0 : -errno;
}

int main(int argc, char **argv)
{
	const struct fuse_in_header *in = (const struct fuse_in_header *)request;
	char options[128];
	int fd;

	if (argc != 2)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 77;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 fd);
	if (mount("ckpt-dead-fuse", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return 77;
	for (;;) {
		ssize_t n = read(fd, request, sizeof(request));

		if (n < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (n < (ssize_t)sizeof(*in))
			return 0;
		if (in->opcode == FUSE_INIT && answer_init(fd, in) < 0)
			return 1;
		printf("%s %u of pid %u\n", in->opcode == FUSE_INIT ? "answered" : "kept",
		       in->opcode, in->pid);
	}
}
