/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plain-read [--direct] [--drop] THREADS FILE...: reads the files and does nothing with the bytes:
 * what any program that checks them has to pay. Threads share the files by pieces. --direct goes
 * past the page cache; --drop asks the kernel to forget the files' pages, and reads nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER ((size_t)256 * 1024) /* fits a core's L2 cache: larger ones are slower */
/* A huge page, where there are any: the fastest way past the page cache. */
#define BUFFER_DIRECT ((size_t)2 * 1024 * 1024)
#define PIECE ((off_t)4 * 1024 * 1024)
#define THREADS_MAX 64

static int fd;
static bool direct;
static _Atomic off_t next_piece;

static void die(const char *what)
{
	fprintf(stderr, "plain-read: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *reader(void *arg)
{
	size_t size = direct ? BUFFER_DIRECT : BUFFER;
	void *buf = aligned_alloc(size, size);
	ssize_t n = 1;

	if (!buf)
		die("memory");
	if (direct)
		madvise(buf, size, MADV_HUGEPAGE);
	while (n > 0) {
		off_t at = next_piece++ * PIECE, end = at + PIECE;

		for (n = 1; n > 0 && at < end; at += n) {
			n = pread(fd, buf, size, at);
			if (n < 0)
				die("read");
		}
	}
	free(buf);
	return arg;
}

static void read_file(int threads)
{
	pthread_t thread[THREADS_MAX];

	next_piece = 0;
	for (int i = 1; i < threads; i++)
		if (pthread_create(&thread[i], NULL, reader, NULL) != 0)
			die("thread");
	reader(NULL);
	for (int i = 1; i < threads; i++)
		pthread_join(thread[i], NULL);
}

/* Takes the options off the front of @argv. Returns how many, or -1. */
static int options(char **argv, bool *ret_drop)
{
	int n = 1;

	for (; argv[n] && argv[n][0] == '-'; n++) {
		if (strcmp(argv[n], "--direct") == 0)
			direct = true;
		else if (strcmp(argv[n], "--drop") == 0)
			*ret_drop = true;
		else
			return -1;
	}
	return n;
}

int main(int argc, char **argv)
{
	bool drop = false;
	int first = options(argv, &drop);
	int threads = first > 0 && first < argc ? (int)strtol(argv[first], NULL, 10) : 0;

	if (threads < 1 || threads > THREADS_MAX) {
		fprintf(stderr, "Usage: plain-read [--direct] [--drop] THREADS FILE...\n");
		return 2;
	}
	for (char **file = argv + first + 1; *file; file++) {
		fd = open(*file, O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
		if (fd < 0)
			die(*file);
		if (!drop)
			read_file(threads);
		else if (fdatasync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
			die(*file);
		close(fd);
	}
	return 0;
}
