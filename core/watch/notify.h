/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Being told by the kernel that something happened in the run directories, so that they need not be
 * looked at all the time. Blind on file systems that other hosts write to; there, and where the
 * kernel has no watch left, somebody has to look more often.
 */
#ifndef CKPT_CORE_WATCH_NOTIFY_H
#define CKPT_CORE_WATCH_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/catalog/catalog.h"

#define CKPT_NOTIFY_MAX 512 /* directories that are watched; users have 8,192 watches at least */

struct ckpt_notify {
	int fd; /* readable: something happened; -1: the kernel has none for us */
	struct ckpt_notified {
		int wd;
		char *dir; /* owned */
	} * v;
	size_t n, cap;
	bool blind; /* at least one directory is not watched, or not seen whole */
};

/* Opens it. Never fails: without the kernel's help it is blind. */
void ckpt_notify_init(struct ckpt_notify *notify);

/* Watches @dir too, where it is not watched. What cannot be watched makes it blind. */
void ckpt_notify_add(struct ckpt_notify *notify, const char *dir);

/* Watches the directories that checkpoints of @cat lie in, and those that are checkpoints. */
void ckpt_notify_follow(struct ckpt_notify *notify, const struct ckpt_catalog *cat);

/* Takes what happened; folders that were made are watched from now on. True if anything did. */
bool ckpt_notify_drain(struct ckpt_notify *notify);

/* True if files in @fd's directory may be changed by other hosts without a word to this one. */
bool ckpt_notify_is_shared(int fd);

/* Closes it. */
void ckpt_notify_done(struct ckpt_notify *notify);

#endif
