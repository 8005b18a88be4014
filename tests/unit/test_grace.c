/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether slurm.conf rules a grace time out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hooks/grace.h"

#define PRIO "PreemptType=preempt/partition_prio\n"

static bool possible(const char *text, size_t len)
{
	char path[] = "/tmp/ckpt-grace-XXXXXX";
	int fd = mkstemp(path);
	bool found;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
	found = ckpt_grace_is_possible(path);
	unlink(path);
	return found;
}

static void test_grace__lines(void **state)
{
	static const struct {
		const char *text;
		bool possible;
	} rows[] = {
		{ "", false },
		{ "PreemptType=preempt/none\nPartitionName=a GraceTime=20\n", false },
		{ "PartitionName=a GraceTime=20\n", false },
		{ PRIO "PartitionName=a\n", false },
		{ PRIO "PartitionName=a GraceTime=0\n", false },
		{ PRIO "PartitionName=a GraceTime=00 Nodes=x", false },
		{ PRIO "PartitionName=a GraceTime=20\n", true },
		{ PRIO "PartitionName=a GraceTime=0\nPartitionName=b gracetime = 5\n", true },
		{ PRIO "PartitionName=a GraceTime=0 GraceTime=5\n", true },
		{ PRIO "PartitionName=a GraceTime=5\nPartitionName=b GraceTime=0\n", true },
		{ PRIO "PartitionName=DEFAULT GraceTime=05", true },
		{ PRIO "# PartitionName=a GraceTime=20\n", false },
		{ PRIO "Nodes=x # GraceTime=20\n", false },
		{ "#" PRIO "PartitionName=a GraceTime=20\n", false },
		{ "preempttype = PREEMPT/Partition_Prio\nPartitionName=a GraceTime=1\n", true },
		{ "PreemptType=preempt/qos\n", true },
		{ "PreemptType=preempt/new\n", true },
		{ "include other.conf\n", true },
		{ "  Include\tother.conf\n", true },
		{ "#include other.conf\n", false },
		{ "PrologFlags=Alloc,Contain\n", false },
		{ "PrologFlags=RunInJob\n", true },
		{ PRIO "prologflags = alloc,runinjob\nPartitionName=a GraceTime=0\n", true },
		{ "#PrologFlags=RunInJob\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (possible(rows[i].text, strlen(rows[i].text)) != rows[i].possible)
			fail_msg("row %zu: %s", i, rows[i].text);
}

/* What cannot be read rules nothing out. */
static void test_grace__unreadable(void **state)
{
	static char line[9000];

	(void)state;
	assert_true(ckpt_grace_is_possible(NULL));
	assert_true(ckpt_grace_is_possible("/nowhere/slurm.conf"));
	assert_true(ckpt_grace_is_possible("/"));
	memset(line, 'x', sizeof(line));
	assert_true(possible(line, sizeof(line)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grace__lines),
		cmocka_unit_test(test_grace__unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
