/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Opens. */
#ifndef PICKET_HOOK_OPEN_H
#define PICKET_HOOK_OPEN_H

#include "event.h"
#include "registers.h"

enum {
	OPEN_EACCES = 13,
	OPEN_TRUNCATES = 01000,        /* O_TRUNC */
	OPEN_FOR_EXEC = 0x20,          /* __FMODE_EXEC in f_flags: set by the kernel alone */
	MODE_WRITE = 0x2,              /* FMODE_WRITE */
	MODE_PATH = 0x4000,            /* FMODE_PATH: O_PATH opens nothing */
	MODE_NO_ACCOUNT = 0x20000000,  /* FMODE_NOACCOUNT: a stacked file system opens its backing file */
};
#define MOUNT_INTERNAL ((__u64)-22) /* MNT_NS_INTERNAL: copy-up, merged readdir, memfd, pipes, anonymous inodes */

static __always_inline void open__alert(struct scratch *s, struct task_struct *task, const struct picket_task *record,
					const struct judgement *j, __u32 flags, __s32 result)
{
	__u32 length;

	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, j, PICKET_OPERATION_OPEN);
	s->event.flags |= flags;
	s->event.result = result;
	s->event.path_length = length = path__text(s, 0);
	s->event.cwd_length = event__cwd(s, task, length);
	event__send(s, length + s->event.cwd_length, result != 0);
}

/* Judges an open of `file`; true: refuse. */
static __always_inline bool open__judge(struct task_struct *task, struct picket_task *record, struct file *file, __u32 flags)
{
	struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
	__u32 f_flags = BPF_CORE_READ(file, f_flags), mode = BPF_CORE_READ(file, f_mode), access, verdict, index;
	bool exec_open = f_flags & OPEN_FOR_EXEC, refuse;
	struct picket_workload *workload;
	struct judgement j = {};
	struct scratch *s;

	if (mode & (MODE_NO_ACCOUNT | MODE_PATH))
		return false;
	if (record->flags & PICKET_TASK_ENTRY) {
		/* The runtime at work; only the program that it is about to start is looked at. */
		if (!exec_open)
			return false;
		workload = bpf_map_lookup_elem(&picket_workloads, &record->slot);
		if (!workload || !task__starts_workload(task, record, workload))
			return false;
	}
	if (!judge__begin(&j, record, PICKET_CATEGORY_FILE))
		return false;
	if ((__u64)BPF_CORE_READ(mount__of(mnt), mnt_ns) == MOUNT_INTERNAL)
		return false;
	count(PICKET_COUNT_OPEN_JUDGED);
	access = task__access(task, BPF_CORE_READ(file, f_inode));
	if (mode & MODE_WRITE || f_flags & OPEN_TRUNCATES)
		access |= PICKET_ACCESS_CHANGE;
	s = scratch__claim(&index);
	verdict = judge__object(&j, s, mnt, BPF_CORE_READ(file, f_path.dentry), access, exec_open);
	refuse = verdict == PICKET_VERDICT_DENY;
	if (verdict >= PICKET_VERDICT_ALERT) {
		count(refuse ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
		if (s)
			open__alert(s, task, record, &j, refuse ? flags : 0, refuse ? -OPEN_EACCES : 0);
	}
	if (s)
		scratch__release(s);
	return refuse;
}

SEC("lsm/file_open")
int BPF_PROG(picket_file_open, struct file *file, int ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);

	if (ret || !record)
		return ret;
	return open__judge(task, record, file, 0) ? -OPEN_EACCES : 0;
}

#endif
