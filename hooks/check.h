/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-hook --check: what an admin runs before including the snippets.
 */
#ifndef CKPT_HOOKS_CHECK_H
#define CKPT_HOOKS_CHECK_H

/*
 * Checks the configuration @file (NULL: the one that the hooks would read) and prints every key
 * with the value in force, and warnings about programs that are missing or could be changed or
 * traced by others. Returns the exit code: 0 good, 1 the file is wrong.
 */
int ckpt_check_site(const char *file);

#endif
