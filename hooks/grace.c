/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See grace.h. Of slurm.conf's grammar it knows what it needs: keys and values in any case, '='
 * with blanks around it, '#' comments. What it takes for a key by mistake only costs a question.
 */
#include "hooks/grace.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wire/cleanup.h"

#define LINE_SIZE 4096

/* What the lines so far have shown. */
struct view {
	bool preempts;	 /* PreemptType names a plugin */
	bool by_unknown; /* ... other than the one by partition */
	bool graced;	 /* a GraceTime that is not 0 */
	bool in_job;	 /* PrologFlags: RunInJob */
	bool more;	 /* another file belongs to it */
};

/* The value behind each @key in @line, at and after *@ret_at; NULL where there is none. */
static const char *next_value(const char *line, const char *key, const char **at)
{
	for (const char *p = *at ? *at : line; (p = strcasestr(p, key)) != NULL; p += strlen(key)) {
		const char *value = p + strlen(key);

		value += strspn(value, " \t");
		if (*value != '=')
			continue;
		value += 1 + strspn(value + 1, " \t");
		*at = value;
		return value;
	}
	return NULL;
}

static void look_at(const char *line, struct view *view)
{
	static const char none[] = "preempt/none", partition[] = "preempt/partition_prio";
	const char *at = NULL, *value;

	while ((value = next_value(line, "GraceTime", &at)) != NULL)
		view->graced |= strspn(value, "0") != strcspn(value, " \t\r\n");
	at = NULL;
	while ((value = next_value(line, "PreemptType", &at)) != NULL) {
		view->preempts |= strncasecmp(value, none, strlen(none)) != 0;
		view->by_unknown |= strncasecmp(value, none, strlen(none)) != 0 &&
				    strncasecmp(value, partition, strlen(partition)) != 0;
	}
	view->in_job |= strcasestr(line, "RunInJob") != NULL;
	line += strspn(line, " \t");
	view->more |= strncasecmp(line, "include", strlen("include")) == 0;
}

bool ckpt_grace_is_possible(const char *path)
{
	_cleanup_fclose_ FILE *file = path ? fopen(path, "re") : NULL;
	struct view view = { 0 };
	char line[LINE_SIZE];

	if (!file)
		return true;
	while (fgets(line, sizeof(line), file)) {
		view.more |=
			!strchr(line, '\n') && !feof(file); /* cut: its rest is not looked at */
		line[strcspn(line, "#")] = '\0';
		look_at(line, &view);
	}
	if (ferror(file) || view.more)
		return true;
	return view.in_job || (view.preempts && (view.by_unknown || view.graced));
}
