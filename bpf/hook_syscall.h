/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * System call rules (audit only), reported when the call returns success, EPERM or EACCES.
 *
 * LSM backend: the path hook below the call knows the path the kernel resolved; it judges and sends the path ahead, and
 * the end of the call sends the alert. Attached to single calls, so others pay nothing.
 * Tracepoint backend: one hook at the end of every call, which also judges opens. The path of a name operation is the
 * caller's own string there; the agent resolves it (PICKET_EVENT_PATH_LATE).
 */
#ifndef PICKET_HOOK_SYSCALL_H
#define PICKET_HOOK_SYSCALL_H

#include "hook_open.h"

enum { SYSCALL_EPERM = 1, SYSCALL_EACCES = 13, AT_CURRENT = -100, NAME_IN_CALL = 4095 };

static __always_inline bool syscall__named(const struct judgement *j, __u32 number)
{
	return number < 512 && j->head->syscalls[(number >> 6) & 7] & (1ULL << (number & 63));
}

static __always_inline bool syscall__reported(long ret)
{
	return ret >= 0 || ret == -SYSCALL_EPERM || ret == -SYSCALL_EACCES;
}

/* What the rules for a call say: of the path that was walked, or those that name none. */
static __always_inline __u32 syscall__judge(const struct judgement *j, struct scratch *s, bool walked)
{
	judge__search(j, s, PICKET_DEPTHS_SYSCALL, 0, 0);
	if (walked)
		judge__path(s);
	judge__look_up_object(s, 0, JUDGE_ANY);
	return s->search.outcome;
}

/* The path hook of a name operation: number is the call that a rule may name. */
static __always_inline void syscall__path(const struct path *dir, struct dentry *dentry)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	__u32 number, index, length;
	struct judgement j = {};
	struct scratch *s;

	if (!record || record->flags & PICKET_TASK_ENTRY)
		return;
	number = registers__number(task, BPF_CORE_READ((struct pt_regs *)bpf_task_pt_regs(task), orig_ax));
	record->call_hash = 0;
	record->call_outcome = PICKET_OUTCOME_NONE;
	record->call_flags = 0;
	if (!judge__begin(&j, record, PICKET_CATEGORY_SYSCALL | number << 8) || !syscall__named(&j, number))
		return;
	s = scratch__claim(&index);
	if (!s)
		return;
	judge__sources(&j, s, task, record);
	/* Through memory: a typed pointer is no number to the verifier. */
	*(volatile __u64 *)&s->dentry = (__u64)dentry;
	if (path__walk(s, (__u64)BPF_CORE_READ(dir, mnt), *(volatile __u64 *)&s->dentry) == WALK_RESOLVED) {
		record->call_outcome = syscall__judge(&j, s, true);
		record->call_hash = path__hash(s);
		if (record->call_outcome != PICKET_OUTCOME_NONE) {
			event__begin(s, task, record, PICKET_EVENT_PATH);
			s->event.path_hash = record->call_hash;
			s->event.path_length = length = path__text(s, 0);
			event__send(s, length, false);
			record->call_flags = PICKET_CALL_PATH_SENT;
		}
	}
	scratch__release(s);
}

SEC("fexit/security_path_unlink")
int BPF_PROG(picket_path_unlink, const struct path *dir, struct dentry *dentry)
{
	syscall__path(dir, dentry);
	return 0;
}

SEC("fexit/security_path_rmdir")
int BPF_PROG(picket_path_rmdir, const struct path *dir, struct dentry *dentry)
{
	syscall__path(dir, dentry);
	return 0;
}

/* The directory that a name is relative to: an absolute one to the task's root, which a chroot may have moved. */
static __always_inline __u32 syscall__base(struct scratch *s, struct task_struct *task, bool absolute, __s32 fd,
					   __u32 offset)
{
	struct file **table, *file = NULL;

	if (absolute) {
		if (path__walk(s, (__u64)BPF_CORE_READ(task, fs, root.mnt), (__u64)BPF_CORE_READ(task, fs, root.dentry)))
			return 0;
		return path__text(s, offset);
	}
	if (fd == AT_CURRENT)
		return event__cwd(s, task, offset);
	table = BPF_CORE_READ(task, files, fdt, fd);
	if (fd < 0 || (__u32)fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), table + (__u32)fd);
	if (!file || path__walk(s, (__u64)BPF_CORE_READ(file, f_path.mnt), (__u64)BPF_CORE_READ(file, f_path.dentry)))
		return 0;
	return path__text(s, offset);
}

/* The end of an unlink, unlinkat or rmdir. */
static __always_inline void syscall__end(struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	__u32 number, index, length = 0, outcome;
	struct judgement j = {};
	bool late;
	struct scratch *s;
	__u64 name, fd;
	long read;

	if (!record || record->flags & PICKET_TASK_ENTRY)
		return;
	number = registers__number(task, BPF_CORE_READ(regs, orig_ax));
	outcome = record->call_outcome;
	j.hash = record->call_hash;
	record->call_hash = 0;
	record->call_outcome = PICKET_OUTCOME_NONE;
	record->call_flags = 0;
	if (!syscall__reported(ret) || !judge__begin(&j, record, PICKET_CATEGORY_SYSCALL | number << 8) ||
	    !syscall__named(&j, number))
		return;
	count(PICKET_COUNT_SYSCALL_JUDGED);
	late = !j.hash;
	/* Without a resolved path the agent compares it with the rules that name one: always sent. */
	if (outcome == PICKET_OUTCOME_NONE && !late)
		return;
	s = scratch__claim(&index);
	if (!s)
		return;
	if (late) {
		judge__sources(&j, s, task, record);
		outcome = syscall__judge(&j, s, false);
	}
	j.outcome = outcome;
	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, &j, PICKET_OPERATION_SYSCALL);
	s->event.syscall = number;
	s->event.result = ret < 0 ? ret : 0;
	registers__arguments(task, regs, s->event.details);
	if (late) {
		bool at = number == SYSCALL_UNLINKAT, absolute;

		fd = at ? s->event.details[0] : (__u64)AT_CURRENT;
		name = at ? s->event.details[1] : s->event.details[0];
		/* In the LSM backend the walk itself was refused: there is no path but this (policy.md 11). */
		s->event.flags &= ~PICKET_EVENT_PATH_UNRESOLVED;
		s->event.flags |= PICKET_EVENT_PATH_LATE;
		if (picket_backend == PICKET_BACKEND_LSM)
			s->event.flags |= PICKET_EVENT_PATH_UNRESOLVED;
		read = bpf_probe_read_user_str(s->strings, NAME_IN_CALL + 1, (void *)name);
		length = read > 0 ? (read - 1) & NAME_IN_CALL : 0;
		absolute = length > 0 && s->strings[0] == '/';
		s->event.path_length = length;
		s->event.cwd_length = event__cwd(s, task, length);
		length += s->event.cwd_length;
		s->event.base_length = syscall__base(s, task, absolute, (__s32)fd, length);
		length += s->event.base_length;
	} else {
		s->event.cwd_length = length = event__cwd(s, task, 0);
	}
	count(PICKET_COUNT_ALERTED);
	event__send(s, length, false);
	scratch__release(s);
}

SEC("fexit/__x64_sys_unlink")
int BPF_PROG(picket_sys_unlink, struct pt_regs *regs, long ret)
{
	syscall__end(regs, ret);
	return 0;
}

SEC("fexit/__x64_sys_unlinkat")
int BPF_PROG(picket_sys_unlinkat, struct pt_regs *regs, long ret)
{
	syscall__end(regs, ret);
	return 0;
}

SEC("fexit/__x64_sys_rmdir")
int BPF_PROG(picket_sys_rmdir, struct pt_regs *regs, long ret)
{
	syscall__end(regs, ret);
	return 0;
}

/* The 32-bit entry points of the same calls. */
SEC("fexit/__ia32_sys_unlink")
int BPF_PROG(picket_ia32_unlink, struct pt_regs *regs, long ret)
{
	syscall__end(regs, ret);
	return 0;
}

SEC("fexit/__ia32_sys_unlinkat")
int BPF_PROG(picket_ia32_unlinkat, struct pt_regs *regs, long ret)
{
	syscall__end(regs, ret);
	return 0;
}

SEC("fexit/__ia32_sys_rmdir")
int BPF_PROG(picket_ia32_rmdir, struct pt_regs *regs, long ret)
{
	syscall__end(regs, ret);
	return 0;
}

/* Tracepoint backend: the file behind the descriptor that an open has just returned. */
static __always_inline void syscall__opened(struct task_struct *task, struct picket_task *record, long fd)
{
	struct file **table = BPF_CORE_READ(task, files, fdt, fd), *file = NULL;
	struct open_file opened;
	struct judgement j = {};
	struct scratch *s;
	__u32 index;
	__u64 mnt;
	int walked;

	if (fd < 0 || fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return;
	bpf_probe_read_kernel(&file, sizeof(file), table + (__u32)fd);
	if (!file)
		return;
	opened.flags = BPF_CORE_READ(file, f_flags);
	opened.mode = BPF_CORE_READ(file, f_mode);
	if (!open__begin(&j, task, record, &opened))
		return;
	opened.owner = BPF_CORE_READ(file, f_inode, i_uid.val);
	s = scratch__claim(&index);
	judge__sources(&j, s, task, record);
	mnt = (__u64)BPF_CORE_READ(file, f_path.mnt);
	walked = s ? path__walk(s, mnt, (__u64)BPF_CORE_READ(file, f_path.dentry)) : path__unwalked(mnt);
	if (open__judge(&j, s, walked, task, record, &opened, PICKET_EVENT_KILLED))
		bpf_send_signal(SIGNAL_KILL);
	if (s)
		scratch__release(s);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(picket_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);

	if (!record)
		return 0;
	switch (registers__number(task, BPF_CORE_READ(regs, orig_ax))) {
	case SYSCALL_OPEN:
	case SYSCALL_CREAT:
	case SYSCALL_OPENAT:
	case SYSCALL_OPENAT2:
	case SYSCALL_OPEN_BY_HANDLE_AT:
		syscall__opened(task, record, ret);
		break;
	case SYSCALL_UNLINK:
	case SYSCALL_UNLINKAT:
	case SYSCALL_RMDIR:
		syscall__end(regs, ret);
		break;
	}
	return 0;
}

#endif
