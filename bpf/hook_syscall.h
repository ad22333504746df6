/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Tracepoint backend: what becomes of opens, seen at the end of the call. (Rules on system calls: call.bpf.c.)
 */
#ifndef PICKET_HOOK_SYSCALL_H
#define PICKET_HOOK_SYSCALL_H

#include "hook_open.h"

/* O_TRUNC of an open that has returned: the kernel takes it out of the file's flags once it is done. */
static __always_inline __u32 syscall__truncates(struct task_struct *task, struct pt_regs *regs, __u32 number)
{
	__u64 arguments[6], flags = 0; /* creat: opens for writing anyway */

	registers__arguments(task, regs, arguments);
	if (number == SYSCALL_OPEN)
		flags = arguments[1];
	else if (number == SYSCALL_OPENAT || number == SYSCALL_OPEN_BY_HANDLE_AT)
		flags = arguments[2];
	else if (number == SYSCALL_OPENAT2)
		bpf_probe_read_user(&flags, sizeof(flags), (void *)arguments[2]);
	return flags & OPEN_TRUNCATES;
}

/* The file behind the descriptor that an open has just returned. */
static __always_inline void syscall__opened(struct task_struct *task, struct picket_task *record, struct pt_regs *regs,
					    __u32 number, long fd)
{
	struct file **table = BPF_CORE_READ(task, files, fdt, fd), *file = NULL;
	struct open_file opened;
	struct judgement j = {};
	__u32 index, verdict;
	struct scratch *s;
	__u64 mnt;
	int walked;

	if (fd < 0 || fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return;
	bpf_probe_read_kernel(&file, sizeof(file), table + (__u32)fd);
	if (!file)
		return;
	opened.flags = BPF_CORE_READ(file, f_flags);
	opened.mode = BPF_CORE_READ(file, f_mode);
	if (opened.mode & MODE_PATH || !open__begin(&j, task, record, &opened))
		return;
	opened.flags |= syscall__truncates(task, regs, number);
	mnt = (__u64)BPF_CORE_READ(file, f_path.mnt);
	opened.owner = owner__shown(mnt, BPF_CORE_READ(file, f_inode, i_uid.val));
	s = scratch__claim(&index);
	judge__sources(&j, s, task, record);
	walked = path__walk_file(s, file);
	verdict = open__judge(&j, s, walked, &opened);
	if (access__conclude(&j, s, verdict, task, record, PICKET_OPERATION_OPEN))
		bpf_send_signal(SIGNAL_KILL);
	if (s)
		scratch__release(s);
}

/*
 * What is done through an io_uring is seen by no hook of this backend. A workload under file or network rules that sets one up is
 * told of once; by the setting ioUring: deny whoever does is ended, each time.
 */
static __always_inline void syscall__io_uring(struct task_struct *task, struct picket_task *record, const struct pt_regs *regs)
{
	struct picket_workload *workload;
	struct picket_control *control;
	struct judgement j = {};
	__u32 index, key = 0;
	struct scratch *s;
	bool deny;

	if (record->flags & PICKET_TASK_ENTRY ||
	    (!judge__begin(&j, record, PICKET_CATEGORY_FILE) && !judge__begin(&j, record, PICKET_CATEGORY_NETWORK) &&
	     !judge__begin(&j, record, PICKET_CATEGORY_DNS)))
		return;
	workload = bpf_map_lookup_elem(&picket_workloads, &record->slot);
	control = bpf_map_lookup_elem(&picket_control, &key);
	if (!workload || !control)
		return;
	deny = *(volatile __u32 *)&control->flags & PICKET_CONTROL_NO_IO_URING && !control->audit &&
	       !(j.head->flags & PICKET_SET_AUDITED);
	if (deny)
		bpf_send_signal(SIGNAL_KILL);
	else if (workload->flags & PICKET_WORKLOAD_IO_URING)
		return;
	__sync_fetch_and_or(&workload->flags, PICKET_WORKLOAD_IO_URING);
	count(deny ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
	s = scratch__claim(&index);
	if (!s)
		return;
	event__begin(s, task, record, PICKET_EVENT_NOT_COVERED);
	event__judgement(s, &j, PICKET_OPERATION_SYSCALL);
	s->event.flags &= ~PICKET_EVENT_PATH_UNRESOLVED;
	s->event.syscall = SYSCALL_IO_URING_SETUP;
	s->event.details[0] = registers__first(task, regs);
	if (deny) {
		s->event.flags |= PICKET_EVENT_KILLED;
		s->event.result = -FILE_EACCES;
	}
	s->event.cwd_length = event__cwd(s, task, 0);
	event__send(s, s->event.cwd_length, deny);
	scratch__release(s);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(picket_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	__u32 number;

	if (!record)
		return 0;
	number = registers__number(task, regs->orig_ax);
	switch (number) {
	case SYSCALL_OPEN:
	case SYSCALL_CREAT:
	case SYSCALL_OPENAT:
	case SYSCALL_OPENAT2:
	case SYSCALL_OPEN_BY_HANDLE_AT:
		syscall__opened(task, record, regs, number, ret);
		break;
	case SYSCALL_IO_URING_SETUP:
		if (ret >= 0)
			syscall__io_uring(task, record, regs);
		break;
	}
	return 0;
}

#endif
