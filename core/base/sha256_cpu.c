/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/sha256_cpu.h"

#ifdef __x86_64__
#include <cpuid.h>

/* Registers that the kernel keeps, by bits of XCR0. */
#define XCR0_AVX 0x6u	/* 1, 2 */
#define XCR0_WIDE 0xe6u /* these, 5, 6, 7 */

static bool has_registers(unsigned int wanted)
{
	unsigned int a, d;

	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & wanted) == wanted;
}

/* Not by __builtin_cpu_supports(): its set-up would be a part of every program's start, 0.1 ms in a
 * virtual machine, where each CPUID leads outside. */
struct ckpt_sha256_cpu ckpt_sha256_cpu(void)
{
	const unsigned int wide = bit_AVX512F | bit_AVX512BW;
	unsigned int a, b, c, d, flags;
	struct ckpt_sha256_cpu cpu = { 0 };

	if (!__get_cpuid(0, &a, &b, &c, &d))
		return cpu;
	cpu.amd = b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx;
	if (!__get_cpuid(1, &a, &b, &flags, &d) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return cpu;
	if (!(flags & bit_OSXSAVE))
		return cpu;
	cpu.quad = (b & bit_SHA) && (flags & bit_AVX) && has_registers(XCR0_AVX);
	cpu.wide = (b & wide) == wide && has_registers(XCR0_WIDE);
	return cpu;
}
#else
struct ckpt_sha256_cpu ckpt_sha256_cpu(void)
{
	return (struct ckpt_sha256_cpu) { 0 };
}
#endif
