/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The one place that knows a processor: system call numbers and argument registers (x86-64). */
#ifndef PICKET_REGISTERS_H
#define PICKET_REGISTERS_H

#include "maps.h"

/* x86-64 numbers: arch/x86/entry/syscalls/syscall_64.tbl */
enum {
	SYSCALL_OPEN = 2, SYSCALL_EXECVE = 59, SYSCALL_RMDIR = 84, SYSCALL_CREAT = 85, SYSCALL_UNLINK = 87,
	SYSCALL_OPENAT = 257, SYSCALL_UNLINKAT = 263, SYSCALL_OPEN_BY_HANDLE_AT = 304, SYSCALL_EXECVEAT = 322,
	SYSCALL_OPENAT2 = 437,
	SYSCALL_OTHER = 511,
};

/* A 32-bit program's call: other numbers, other registers. */
static __always_inline bool registers__compat(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_info.status) & 2; /* TS_COMPAT, arch/x86/include/asm/thread_info.h */
}

/* The call's x86-64 number, also for a 32-bit program (syscall_32.tbl) as far as a hook here cares. */
static __always_inline __u32 registers__number(struct task_struct *task, __u32 number)
{
	if (!registers__compat(task))
		return number < SYSCALL_OTHER ? number : SYSCALL_OTHER;
	switch (number) {
	case 5: return SYSCALL_OPEN;
	case 8: return SYSCALL_CREAT;
	case 10: return SYSCALL_UNLINK;
	case 40: return SYSCALL_RMDIR;
	case 295: return SYSCALL_OPENAT;
	case 301: return SYSCALL_UNLINKAT;
	case 342: return SYSCALL_OPEN_BY_HANDLE_AT;
	case 437: return SYSCALL_OPENAT2;
	default: return SYSCALL_OTHER;
	}
}

/* Address of argv of the execve or execveat under way; 0: not known (32-bit pointers are not read). */
static __always_inline __u64 registers__exec_argv(struct task_struct *task, struct pt_regs *regs)
{
	__u64 number;

	if (registers__compat(task))
		return 0;
	number = BPF_CORE_READ(regs, orig_ax);
	return number == SYSCALL_EXECVE ? BPF_CORE_READ(regs, si) : number == SYSCALL_EXECVEAT ? BPF_CORE_READ(regs, dx) : 0;
}

/* The first three arguments of the call under way. */
static __always_inline void registers__arguments(struct task_struct *task, struct pt_regs *regs, __u64 *arguments)
{
	if (registers__compat(task)) { /* ebx, ecx, edx */
		arguments[0] = (__u32)BPF_CORE_READ(regs, bx);
		arguments[1] = (__u32)BPF_CORE_READ(regs, cx);
		arguments[2] = (__u32)BPF_CORE_READ(regs, dx);
		return;
	}
	arguments[0] = BPF_CORE_READ(regs, di);
	arguments[1] = BPF_CORE_READ(regs, si);
	arguments[2] = BPF_CORE_READ(regs, dx);
}

#endif
