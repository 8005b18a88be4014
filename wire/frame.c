/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See frame.h.
 */
#include "wire/frame.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEADER_LEN 8

static const char magic[4] = { 'C', 'K', 'W', '1' };

int64_t ckpt_frame_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

int ckpt_frame_write(int fd, const char *payload, size_t len)
{
	unsigned char header[HEADER_LEN];
	int r;

	if (len > CKPT_FRAME_MAX)
		return -E2BIG;
	memcpy(header, magic, sizeof(magic));
	for (int i = 0; i < 4; i++)
		header[4 + i] = (unsigned char)(len >> (8 * i));
	r = write_all(fd, (const char *)header, sizeof(header));
	return r < 0 ? r : write_all(fd, payload, len);
}

/* Milliseconds for poll(2) until @deadline_ns, rounded up; -1 = no limit. */
static int poll_ms(int64_t deadline_ns)
{
	int64_t left;

	if (deadline_ns == 0)
		return -1;
	left = deadline_ns - ckpt_frame_now_ns();
	if (left <= 0)
		return 0;
	left = (left - 1) / 1000000 + 1;
	return left > INT_MAX ? INT_MAX : (int)left;
}

static int wait_readable(int fd, int64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, poll_ms(deadline_ns));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* Reads exactly @len bytes. The deadline holds for the whole of it, however small the pieces. */
static int read_all(int fd, void *buf, size_t len, int64_t deadline_ns)
{
	char *at = buf;

	while (len > 0) {
		int r = wait_readable(fd, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = read(fd, at, len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPIPE;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

long ckpt_frame_read(int fd, char *buf, int64_t deadline_ns)
{
	unsigned char header[HEADER_LEN];
	uint32_t len = 0;
	int r;

	r = read_all(fd, header, sizeof(header), deadline_ns);
	if (r < 0)
		return r;
	if (memcmp(header, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	for (int i = 3; i >= 0; i--)
		len = len << 8 | header[4 + i];
	if (len > CKPT_FRAME_MAX)
		return -EBADMSG;
	r = read_all(fd, buf, len, deadline_ns);
	return r < 0 ? r : (long)len;
}
