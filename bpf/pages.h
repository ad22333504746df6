/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Where a page of another address space lies in the kernel's own. The other place that knows a processor. */
#ifndef PICKET_PAGES_H
#define PICKET_PAGES_H

#include "maps.h"

enum { PAGE_BITS = 12, PAGE_BYTES = 1 << PAGE_BITS };

#ifdef __TARGET_ARCH_x86

/* Weak: a kernel without CONFIG_KALLSYMS_ALL or with a fixed layout has none, then no page is found. */
extern const void page_offset_base __ksym __weak;
/* With memory encryption one of the address bits means something else. */
extern const void physical_mask __ksym __weak;

enum { PAGE_PRESENT = 1, PAGE_LARGE = 0x80, TABLE_BITS = 9, TABLES = 5 };
#define PAGE_ADDRESS 0x000ffffffffff000ULL
#define FOUR_LEVELS_FROM 0xffff888000000000ULL /* where all memory is mapped; with five levels it begins lower */

/*
 * Address of the page that holds `address` of the address space `mm`; 0: it is not there. New programs have small pages alone
 * (vma_is_temporary_stack()).
 */
__noinline __u64 pages__find(__u64 mm, __u64 address)
{
	__u64 base = 0, mask = ~0ULL, entry, table;
	int shift;

	if (!&page_offset_base || bpf_probe_read_kernel(&base, sizeof(base), &page_offset_base))
		return 0;
	if (&physical_mask)
		bpf_probe_read_kernel(&mask, sizeof(mask), &physical_mask);
	mask &= PAGE_ADDRESS;
	table = (__u64)BPF_CORE_READ((struct mm_struct *)mm, pgd);
	shift = PAGE_BITS + TABLE_BITS * (base < FOUR_LEVELS_FROM ? 4 : 3);
	for (int level = 0; level < TABLES && shift >= PAGE_BITS; level++, shift -= TABLE_BITS) {
		if (bpf_probe_read_kernel(&entry, sizeof(entry), (void *)(table + (address >> shift & 511) * 8)))
			return 0;
		if (!(entry & PAGE_PRESENT) || (shift > PAGE_BITS && entry & PAGE_LARGE))
			return 0;
		table = base + (entry & mask);
	}
	return table;
}

#else

/* Not written yet: no argument can be read, so none stands in a list. */
static __always_inline __u64 pages__find(__u64 mm, __u64 address)
{
	return 0;
}

#endif
#endif
