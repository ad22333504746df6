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

/* What a judgement needs of a file. */
struct open_file {
	__u32 flags; /* f_flags */
	__u32 mode;  /* f_mode */
	__u32 owner; /* i_uid */
};

/* Is there anything to judge? Fills `j`. */
static __always_inline bool open__begin(struct judgement *j, struct task_struct *task, struct picket_task *record,
					const struct open_file *file)
{
	struct picket_workload *workload;

	if (file->mode & (MODE_NO_ACCOUNT | MODE_PATH))
		return false;
	if (record->flags & PICKET_TASK_ENTRY) {
		/* The runtime at work; only the program that it is about to start is looked at. */
		if (!(file->flags & OPEN_FOR_EXEC))
			return false;
		workload = bpf_map_lookup_elem(&picket_workloads, &record->slot);
		if (!workload || !task__starts_workload(task, record, workload))
			return false;
	}
	return judge__begin(j, record, PICKET_CATEGORY_FILE);
}

/* Judges the open of the file whose path was walked; true: refuse. */
static __always_inline bool open__judge(struct judgement *j, struct scratch *s, int walked, struct task_struct *task,
					struct picket_task *record, const struct open_file *file, __u32 flags)
{
	__u32 change = 0, verdict;
	bool refuse;

	if (walked == WALK_INTERNAL)
		return false;
	count(PICKET_COUNT_OPEN_JUDGED);
	if (file->mode & MODE_WRITE || file->flags & OPEN_TRUNCATES)
		change = PICKET_ACCESS_CHANGE;
	verdict = judge__file(j, s, walked, file->owner, change, file->flags & OPEN_FOR_EXEC);
	event__unresolved(s, task, record, j, PICKET_OPERATION_OPEN);
	if (verdict < PICKET_VERDICT_ALERT)
		return false;
	refuse = verdict == PICKET_VERDICT_DENY;
	count(refuse ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
	if (s)
		open__alert(s, task, record, j, refuse ? flags : 0, refuse ? -OPEN_EACCES : 0);
	return refuse;
}

SEC("lsm/file_open")
int BPF_PROG(picket_file_open, struct file *file, int ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	struct open_file opened;
	struct judgement j = {};
	struct scratch *s;
	__u32 index;
	int walked;

	if (ret || !record)
		return ret;
	opened.flags = file->f_flags;
	opened.mode = file->f_mode;
	if (!open__begin(&j, task, record, &opened))
		return 0;
	opened.owner = file->f_inode->i_uid.val;
	s = scratch__claim(&index);
	judge__sources(&j, s, task, record);
	walked = s ? path__walk_direct(s, file->f_path.mnt, file->f_path.dentry) :
		     path__unwalked((__u64)BPF_CORE_READ(file, f_path.mnt));
	if (open__judge(&j, s, walked, task, record, &opened, 0))
		ret = -OPEN_EACCES;
	if (s)
		scratch__release(s);
	return ret;
}

#endif
