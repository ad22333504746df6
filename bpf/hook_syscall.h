/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Tracepoint backend: opens, and changes of names and attributes, seen at the end of the call. (Rules on system calls: call.bpf.c.)
 */
#ifndef PICKET_HOOK_SYSCALL_H
#define PICKET_HOOK_SYSCALL_H

#include "hook_open.h"
#include "late.h"

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
	bool created;
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
	created = opened.mode & MODE_CREATED; /* a change of the directory, whose owner counts */
	opened.owner = owner__shown(mnt, created ? BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode, i_uid.val) :
						    BPF_CORE_READ(file, f_inode, i_uid.val));
	s = scratch__claim(&index);
	judge__sources(&j, s, task, record);
	walked = path__walk_file(s, file);
	verdict = open__judge(&j, s, walked, &opened);
	if (access__conclude(&j, s, verdict, task, record, created ? PICKET_OPERATION_MKNOD : PICKET_OPERATION_OPEN))
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

enum {
	SYSCALL_REMOVES_DIRECTORY = 0x200, /* AT_REMOVEDIR */
	SYSCALL_SAME = ~0U,                /* of a uid: it stays */
};

/* What a call does to names or attributes: enum picket_operation; 0: nothing. */
static __always_inline __u32 syscall__change(__u32 number)
{
	switch (number) {
	case SYSCALL_UNLINK:
	case SYSCALL_UNLINKAT:
		return PICKET_OPERATION_UNLINK;
	case SYSCALL_RMDIR:
		return PICKET_OPERATION_RMDIR;
	case SYSCALL_RENAME:
	case SYSCALL_RENAMEAT:
	case SYSCALL_RENAMEAT2:
		return PICKET_OPERATION_RENAME;
	case SYSCALL_MKDIR:
	case SYSCALL_MKDIRAT:
		return PICKET_OPERATION_MKDIR;
	case SYSCALL_MKNOD:
	case SYSCALL_MKNODAT:
		return PICKET_OPERATION_MKNOD;
	case SYSCALL_SYMLINK:
	case SYSCALL_SYMLINKAT:
		return PICKET_OPERATION_SYMLINK;
	case SYSCALL_LINK:
	case SYSCALL_LINKAT:
		return PICKET_OPERATION_LINK;
	case SYSCALL_CHMOD:
	case SYSCALL_FCHMOD:
	case SYSCALL_FCHMODAT:
	case SYSCALL_FCHMODAT2:
		return PICKET_OPERATION_CHMOD;
	case SYSCALL_CHOWN:
	case SYSCALL_LCHOWN:
	case SYSCALL_FCHOWN:
	case SYSCALL_FCHOWNAT:
		return PICKET_OPERATION_CHOWN;
	case SYSCALL_TRUNCATE:
	case SYSCALL_FTRUNCATE:
		return PICKET_OPERATION_TRUNCATE;
	}
	return 0;
}

/* A change of an open file: judged here, and whoever made it is ended. */
static __always_inline bool syscall__changed_file(struct judgement *j, struct scratch *s, struct task_struct *task,
						  struct picket_task *record, __u32 operation)
{
	__u64 mount, dentry;
	__u32 owner, verdict;
	int walked;

	if (!call__locate(s, (__s32)s->look.arguments[0]))
		return false;
	mount = s->look.mount;
	dentry = s->look.dentry;
	owner = owner__of_entry(mount, dentry);
	/* Whose it was before cannot be told any more: as of an owner, of whom no qualifier complains. */
	if (operation == PICKET_OPERATION_CHOWN && (__u32)s->look.arguments[1] != SYSCALL_SAME)
		owner = task->cred->fsuid.val;
	judge__sources(j, s, task, record);
	walked = path__walk(s, mount, dentry);
	if (walked == WALK_INTERNAL)
		return false;
	verdict = judge__file(j, s, walked, owner, PICKET_ACCESS_CHANGE | JUDGE_NO_WRITE, false);
	return access__conclude(j, s, verdict, task, record, operation);
}

/* A change of names: nothing here knows what they led to, so the agent judges it, and ends whoever made it. */
static __always_inline void syscall__changed_names(struct judgement *j, struct scratch *s, struct task_struct *task,
						   const struct picket_task *record, __u32 operation, __u32 number, __u32 shape)
{
	__u32 flags = j->head->flags;

	event__begin(s, task, record, PICKET_EVENT_CHANGE);
	j->outcome = (__u32)PICKET_VERDICT_DENY << PICKET_OUTCOME_SHIFT;
	judge__verdict(j); /* would a refusal be one? */
	j->outcome = flags & (PICKET_SET_ALLOW_LIST << PICKET_CATEGORY_FILE) ? judge__posture(flags, PICKET_CATEGORY_FILE) : JUDGE_PASS;
	event__judgement(s, j, operation);
	s->event.flags &= ~PICKET_EVENT_PATH_UNRESOLVED;
	s->event.flags |= PICKET_EVENT_PATH_LATE;
	s->event.syscall = number;
	for (int i = 0, at = 0; i < REGISTERS_ARGUMENTS; i++)
		if (!(shape & PICKET_CALL_PATH << i) && at < 4)
			s->event.details[at++ & 3] = s->look.arguments[i];
	event__send(s, call__late(s, shape), false);
}

/* Names or attributes were changed. */
static __always_inline void syscall__changed(struct task_struct *task, struct picket_task *record, struct pt_regs *regs,
					     __u32 number, __u32 operation)
{
	__u32 index, shape = picket_call_shapes[number & (PICKET_MAX_SYSCALLS - 1)];
	struct judgement j = {};
	struct scratch *s;

	if (record->flags & PICKET_TASK_ENTRY || !judge__begin(&j, record, PICKET_CATEGORY_FILE))
		return;
	count(PICKET_COUNT_NAME_JUDGED);
	s = scratch__claim(&index);
	if (!s) { /* nobody gets past the rules by using up the memory */
		if (judge__decide(&j, NULL, false) == PICKET_VERDICT_DENY)
			bpf_send_signal(SIGNAL_KILL);
		return;
	}
	registers__arguments(task, regs, s->look.arguments);
	if (operation == PICKET_OPERATION_UNLINK && number == SYSCALL_UNLINKAT && s->look.arguments[2] & SYSCALL_REMOVES_DIRECTORY)
		operation = PICKET_OPERATION_RMDIR;
	if (!(shape & 63 * PICKET_CALL_PATH)) {
		if (syscall__changed_file(&j, s, task, record, operation))
			bpf_send_signal(SIGNAL_KILL);
	} else {
		syscall__changed_names(&j, s, task, record, operation, number, shape);
	}
	scratch__release(s);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(picket_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	__u32 number, operation;

	if (!record)
		return 0;
	number = registers__number(task, registers__given(regs));
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
	default:
		operation = ret ? 0 : syscall__change(number);
		if (operation)
			syscall__changed(task, record, regs, number, operation);
	}
	return 0;
}

#endif
