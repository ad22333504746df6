/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Opens. */
#ifndef PICKET_HOOK_OPEN_H
#define PICKET_HOOK_OPEN_H

#include "access.h"
#include "pending.h"
#include "preset.h"
#include "registers.h"
#include "written.h"

enum {
	OPEN_TRUNCATES = 01000,        /* O_TRUNC */
	OPEN_FOR_EXEC = 0x20,          /* __FMODE_EXEC in f_flags: set by the kernel alone */
	MODE_WRITE = 0x2,              /* FMODE_WRITE */
	MODE_PATH = 0x4000,            /* FMODE_PATH: O_PATH opens nothing */
	MODE_CREATED = 0x100000,       /* FMODE_CREATED: made by this open, and judged when it was made */
	MODE_NO_ACCOUNT = 0x20000000,  /* FMODE_NOACCOUNT: a stacked file system opens its backing file */
};

/* What a judgement needs of a file. */
struct open_file {
	__u32 flags; /* f_flags */
	__u32 mode;  /* f_mode */
	__u32 owner; /* as owner.h tells it */
};

/* Is there anything to judge, be it a preset? Fills `j`. */
static __always_inline bool open__begin(struct judgement *j, struct task_struct *task, struct picket_task *record,
					const struct open_file *file)
{
	struct picket_workload *workload;

	if (record->flags & PICKET_TASK_ENTRY) {
		/* The runtime at work; only the program that it is about to start is looked at. */
		if (!(file->flags & OPEN_FOR_EXEC))
			return false;
		workload = bpf_map_lookup_elem(&picket_workloads, &record->slot);
		if (!workload || !task__starts_workload(task, record, workload))
			return false;
	}
	return judge__in_force(j, record, PICKET_CATEGORY_FILE) && (judge__has_rules(j) || preset__protects(j->head));
}

static __always_inline __u32 open__change(const struct open_file *file)
{
	if (file->mode & MODE_CREATED)
		return PICKET_ACCESS_CHANGE | JUDGE_NO_WRITE;
	return file->mode & MODE_WRITE || file->flags & OPEN_TRUNCATES ? PICKET_ACCESS_CHANGE : 0;
}

/* What the rules say of the file whose path was walked. */
static __always_inline __u32 open__judge(struct judgement *j, struct scratch *s, int walked, const struct open_file *file)
{
	if (walked == WALK_INTERNAL || !judge__has_rules(j))
		return PICKET_VERDICT_PASS;
	count(PICKET_COUNT_OPEN_JUDGED);
	return judge__file(j, s, walked, file->owner, open__change(file), file->flags & OPEN_FOR_EXEC);
}

/* The truncation that an open is about to do is the same access: hook_name.h asks for this mark. */
static __always_inline __u64 open__truncation(__u64 mount, __u64 dentry, __u64 stamp)
{
	return (mount * 0x9e3779b97f4a7c15ULL ^ dentry) * 0xc2b2ae3d27d4eb4fULL ^ stamp;
}

SEC("lsm/file_open")
int BPF_PROG(picket_file_open, struct file *file, int ret)
{
	__u32 index, verdict = PICKET_VERDICT_PASS;
	struct open_file opened;
	struct picket_task *record;
	struct task_struct *task;
	struct judgement j = {};
	struct scratch *s;
	__u64 names = 0;
	int walked;

	opened.mode = file->f_mode;
	if (ret || opened.mode & (MODE_NO_ACCOUNT | MODE_PATH))
		return ret;
	task = bpf_get_current_task_btf();
	record = task__record(task);
	if (!record)
		return 0;
	opened.flags = file->f_flags;
	if (record->pending)
		pending__opened(record, file->f_path.dentry, opened.mode & MODE_CREATED);
	if (!open__begin(&j, task, record, &opened))
		return 0;
	opened.owner = owner__of_file(file);
	record->truncates = 0;
	s = scratch__claim(&index);
	if (opened.mode & MODE_CREATED) {
		if (s) {
			written__begin(s, record, judge__stamp(&j));
			written__store(s, file);
			scratch__release(s);
		}
		return 0;
	}
	if (opened.mode & MODE_WRITE)
		names = written__names();
	judge__sources(&j, s, task, record);
	walked = s ? path__walk_direct(s, file->f_path.mnt, file->f_path.dentry) :
		     path__unwalked((__u64)BPF_CORE_READ(file, f_path.mnt));
	if (s) {
		/* Through memory: a typed pointer is no number to the verifier. */
		*(volatile __u64 *)&s->names[0].mount = (__u64)file->f_path.mnt;
		*(volatile __u64 *)&s->names[0].dentry = (__u64)file->f_path.dentry;
		s->walked = walked;
		if (preset__protects(j.head) && file->f_inode->i_sb->s_magic == PROC_SUPER_MAGIC &&
		    preset__opened(&j, s, task, record)) {
			ret = -FILE_EACCES;
			goto out;
		}
	}
	if (!s && !judge__has_rules(&j)) { /* nobody gets past the presets by using up the memory */
		if (file->f_inode->i_sb->s_magic == PROC_SUPER_MAGIC && judge__decide(&j, NULL, false) == PICKET_VERDICT_DENY)
			ret = -FILE_EACCES;
		goto out;
	}
	verdict = open__judge(&j, s, walked, &opened);
	if (access__conclude(&j, s, verdict, task, record, PICKET_OPERATION_OPEN)) {
		ret = -FILE_EACCES;
	} else if (s) {
		if (opened.flags & OPEN_TRUNCATES) {
			record->truncates = open__truncation(*(volatile __u64 *)&s->names[0].mount,
							     *(volatile __u64 *)&s->names[0].dentry, judge__stamp(&j));
		}
		if (!(opened.mode & MODE_WRITE))
			goto out;
		written__begin(s, record, judge__stamp(&j));
		if (!j.audited) /* what is passed only because nothing is to be refused is asked again */
			written__pass(&s->open_file, record, judge__stamp(&j), names,
				      PICKET_ACCESS_CHANGE | task__access(task, opened.owner));
		written__store(s, file);
	}
out:
	if (s)
		scratch__release(s);
	return ret;
}

#endif
