/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The one place that knows processors, beside pages.h: system call numbers and argument registers. Inside Picket a call is known by
 * its x86-64 number (agent/policy/syscall.ts) everywhere.
 */
#ifndef PICKET_REGISTERS_H
#define PICKET_REGISTERS_H

#include "maps.h"

/* x86-64 numbers: arch/x86/entry/syscalls/syscall_64.tbl */
enum {
	SYSCALL_OPEN = 2, SYSCALL_EXECVE = 59, SYSCALL_CREAT = 85, SYSCALL_OPENAT = 257, SYSCALL_OPEN_BY_HANDLE_AT = 304,
	SYSCALL_EXECVEAT = 322, SYSCALL_IO_URING_SETUP = 425, SYSCALL_IO_URING_ENTER = 426, SYSCALL_OPENAT2 = 437,
	/* names and attributes */
	SYSCALL_TRUNCATE = 76, SYSCALL_FTRUNCATE = 77, SYSCALL_RENAME = 82, SYSCALL_MKDIR = 83, SYSCALL_RMDIR = 84, SYSCALL_LINK = 86,
	SYSCALL_UNLINK = 87, SYSCALL_SYMLINK = 88, SYSCALL_CHMOD = 90, SYSCALL_FCHMOD = 91, SYSCALL_CHOWN = 92, SYSCALL_FCHOWN = 93,
	SYSCALL_LCHOWN = 94, SYSCALL_MKNOD = 133, SYSCALL_MKDIRAT = 258, SYSCALL_MKNODAT = 259, SYSCALL_FCHOWNAT = 260,
	SYSCALL_UNLINKAT = 263, SYSCALL_RENAMEAT = 264, SYSCALL_LINKAT = 265, SYSCALL_SYMLINKAT = 266, SYSCALL_FCHMODAT = 268,
	SYSCALL_RENAMEAT2 = 316, SYSCALL_FCHMODAT2 = 452,
	SYSCALL_OTHER = PICKET_MAX_SYSCALLS - 1,
};

enum { REGISTERS_ARGUMENTS = 6 };

#ifdef __TARGET_ARCH_x86

#define ENTRY_POINT "__x64_sys_read"

/* By the number that a 32-bit program gives: the call's own, or which table of several calls in one; set by the agent. */
const volatile __u16 picket_compat_numbers[PICKET_MAX_SYSCALLS] = {};

/* A 32-bit program's call: other numbers, other registers. */
static __always_inline bool registers__compat(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_info.status) & 2; /* TS_COMPAT, arch/x86/include/asm/thread_info.h */
}

/* Number of a call, as the caller gave it. */
static __always_inline __u64 registers__given(const struct pt_regs *regs)
{
	return regs->orig_ax;
}

/* The same of the call under way. */
static __always_inline __u32 registers__raw_number(struct task_struct *task)
{
	return BPF_CORE_READ((struct pt_regs *)bpf_task_pt_regs(task), orig_ax);
}

/* The call's number, also for a 32-bit program; one with PICKET_CALL_MULTIPLEXED stands for several. */
static __always_inline __u32 registers__number(struct task_struct *task, __u64 number)
{
	if (number >= SYSCALL_OTHER)
		return SYSCALL_OTHER;
	return registers__compat(task) ? picket_compat_numbers[number & (PICKET_MAX_SYSCALLS - 1)] : number;
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

static __always_inline __u64 registers__first(struct task_struct *task, const struct pt_regs *regs)
{
	return registers__compat(task) ? (__u32)regs->bx : regs->di;
}

/* The arguments of the call under way. */
static __always_inline void registers__arguments(struct task_struct *task, const struct pt_regs *regs, __u64 *arguments)
{
	if (registers__compat(task)) {
		arguments[0] = (__u32)regs->bx;
		arguments[1] = (__u32)regs->cx;
		arguments[2] = (__u32)regs->dx;
		arguments[3] = (__u32)regs->si;
		arguments[4] = (__u32)regs->di;
		arguments[5] = (__u32)regs->bp;
		return;
	}
	arguments[0] = regs->di;
	arguments[1] = regs->si;
	arguments[2] = regs->dx;
	arguments[3] = regs->r10;
	arguments[4] = regs->r8;
	arguments[5] = regs->r9;
}

#elif defined(__TARGET_ARCH_arm64) /* built, not run yet */

#define ENTRY_POINT "__arm64_sys_read"

enum { THREAD_32BIT = 1 << 22 }; /* TIF_32BIT, arch/arm64/include/asm/thread_info.h */

/* By arm64's number: the call's x86-64 number; set by the agent. */
const volatile __u16 picket_arm64_numbers[PICKET_MAX_SYSCALLS] = {};

/* A 32-bit program's call: other numbers, other registers. */
static __always_inline bool registers__compat(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_info.flags) & THREAD_32BIT;
}

static __always_inline __u32 registers__of_arm64(__s32 number)
{
	return number < 0 || number >= SYSCALL_OTHER ? SYSCALL_OTHER : picket_arm64_numbers[number & (PICKET_MAX_SYSCALLS - 1)];
}

/* Number of a call, as the caller gave it. */
static __always_inline __u64 registers__given(const struct pt_regs *regs)
{
	return regs->syscallno;
}

/* The same of the call under way. */
static __always_inline __u32 registers__raw_number(struct task_struct *task)
{
	return registers__of_arm64(BPF_CORE_READ((struct pt_regs *)bpf_task_pt_regs(task), syscallno));
}

/* The call's number; those of 32-bit programs are not told apart. */
static __always_inline __u32 registers__number(struct task_struct *task, __u64 number)
{
	return registers__compat(task) ? SYSCALL_OTHER : registers__of_arm64(number);
}

/* Address of argv of the execve or execveat under way; 0: not known (32-bit pointers are not read). */
static __always_inline __u64 registers__exec_argv(struct task_struct *task, struct pt_regs *regs)
{
	__u32 number;

	if (registers__compat(task))
		return 0;
	number = registers__of_arm64(BPF_CORE_READ(regs, syscallno));
	return number == SYSCALL_EXECVE	  ? BPF_CORE_READ(regs, regs[1]) :
	       number == SYSCALL_EXECVEAT ? BPF_CORE_READ(regs, regs[2]) : 0;
}

/* The first argument's register holds the result in the end. */
static __always_inline __u64 registers__first(struct task_struct *task, const struct pt_regs *regs)
{
	return registers__compat(task) ? (__u32)regs->orig_x0 : regs->orig_x0;
}

/* The arguments of the call under way. */
static __always_inline void registers__arguments(struct task_struct *task, const struct pt_regs *regs, __u64 *arguments)
{
	__u64 mask = registers__compat(task) ? (__u32)-1 : -1ULL;

	arguments[0] = regs->orig_x0 & mask;
	arguments[1] = regs->regs[1] & mask;
	arguments[2] = regs->regs[2] & mask;
	arguments[3] = regs->regs[3] & mask;
	arguments[4] = regs->regs[4] & mask;
	arguments[5] = regs->regs[5] & mask;
}

#else
#error "registers.h knows no such processor"
#endif

#endif
