/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hook says: to syslog and, through its stderr, to slurmd's log, with the job id in front.
 * The worker has neither: it hands each line to the supervisor over a socket, one message a line,
 * without ever waiting for it.
 */
#ifndef CKPT_HOOKS_LOG_H
#define CKPT_HOOKS_LOG_H

#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#define CKPT_LOG_LINE 640 /* bytes of one line with its NUL; longer ones are cut */
#define CKPT_LOG_LINES 20 /* lines of one call; what comes after is dropped */
#define CKPT_LOG_USER 200 /* bytes of one quoted user text, quotes and NUL included */

/* Quotes user text for a line: no control characters, at most CKPT_LOG_USER bytes. */
#define CKPT_LOG_QUOTE(s) ckpt_text_quote((char[CKPT_LOG_USER]) { 0 }, CKPT_LOG_USER, (s))

/* Which hook this is ("prolog", "epilog") and for which job (0 = not known); both open every line.
 */
void ckpt_log_begin(const char *hook, int64_t job_id);

/* From now on lines go to @sock as messages, not to syslog and stderr: the worker's side. */
void ckpt_log_to_socket(int sock);

/* One line at syslog level @priority (LOG_INFO, ...). Quote user text with CKPT_LOG_QUOTE(). */
void ckpt_log(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reads the lines that wait in @sock and says them: the supervisor's side. 1 while the worker may
 * send more, 0 when it has closed its end. */
int ckpt_log_relay(int sock);

#endif
