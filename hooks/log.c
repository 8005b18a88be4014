/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See log.h. A message is one digit, the priority, and the text. Lines are counted on both sides: a
 * worker that runs wild fills neither slurmd's log nor the pipe behind the supervisor's stderr,
 * which nobody may be reading.
 */
#include "hooks/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/text.h"

static struct {
	const char *hook;
	long long job_id;
	int sock; /* -1 in the supervisor */
	int lines;
	bool opened; /* openlog(3) was called */
} state = { .hook = "hook", .sock = -1 };

void ckpt_log_begin(const char *hook, int64_t job_id)
{
	state.hook = hook;
	state.job_id = job_id;
}

void ckpt_log_to_socket(int sock)
{
	state.sock = sock;
	state.lines = 0;
}

/* The supervisor's own output. */
static void say(int priority, char *text)
{
	char line[CKPT_LOG_LINE + 64];
	int len;

	if (state.lines++ >= CKPT_LOG_LINES)
		return;
	ckpt_text_clean(text);
	len = snprintf(line, sizeof(line), "ckpt-hook: %s: job %lld: %s\n", state.hook,
		       state.job_id, text);
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		len = 0; /* nobody reads slurmd's side; syslog has it */
	if (!state.opened) {
		openlog("ckpt-hook", LOG_PID, LOG_DAEMON);
		state.opened = true;
	}
	syslog(priority, "%s: job %lld: %s", state.hook, state.job_id, text);
}

void ckpt_log(int priority, const char *fmt, ...)
{
	char message[1 + CKPT_LOG_LINE];
	va_list ap;

	message[0] = (char)('0' + (priority & LOG_PRIMASK));
	va_start(ap, fmt);
	vsnprintf(message + 1, CKPT_LOG_LINE, fmt, ap);
	va_end(ap);
	if (state.sock < 0)
		say(priority, message + 1);
	else if (state.lines++ < CKPT_LOG_LINES)
		send(state.sock, message, strlen(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

int ckpt_log_relay(int sock)
{
	char message[1 + CKPT_LOG_LINE];

	for (;;) {
		ssize_t len = recv(sock, message, sizeof(message) - 1, MSG_DONTWAIT);

		if (len < 0)
			return 1;
		if (len == 0)
			return 0;
		message[len] = '\0';
		if (message[0] >= '0' && message[0] <= '7')
			say(message[0] - '0', message + 1);
	}
}
