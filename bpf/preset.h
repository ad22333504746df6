/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Presets (policy.md 12): what each is about. They are judged before the rules, and a refusal of theirs stands. */
#ifndef PICKET_PRESET_H
#define PICKET_PRESET_H

#include "access.h"

enum { PROC_SUPER_MAGIC = 0x9fa0, PROC_LEVELS = 16, MAP_IS_ANONYMOUS = 0x20, PROTECT_EXEC = 4 };

static __always_inline bool preset__is_set(const struct picket_set *head, __u32 preset)
{
	return head->presets[preset] != PICKET_OUTCOME_NONE;
}

/* Is there one about files of other processes? */
static __always_inline bool preset__protects(const struct picket_set *head)
{
	return (head->presets[PICKET_PRESET_PROTECT_ENV] & head->presets[PICKET_PRESET_PROTECT_PROC]) != PICKET_OUTCOME_NONE;
}

/* Begins a judgement by a preset; returns the verdict. `hash`: of the path that was walked. */
static __always_inline __u32 preset__judge(struct judgement *j, __u32 preset, __u64 hash)
{
	j->outcome = j->head->presets[preset];
	j->preset = preset + 1;
	j->hash = hash;
	j->audited = 0;
	return judge__verdict(j);
}

/* Leaves nothing behind: what the verifier finds there it would follow through all the rules. */
static __always_inline void preset__end(struct judgement *j)
{
	j->outcome = 0;
	j->preset = 0;
	j->hash = 0;
	j->audited = 0;
}

enum preset_process_file {
	PROCESS_FILE_NONE = 0,    /* not of a process, or of the caller's own */
	PROCESS_FILE_OTHER,       /* below /proc/PID of another thread group */
	PROCESS_FILE_ENVIRONMENT, /* its environ, or the one of a thread of it */
};

/*
 * What an entry of a proc file system is about. It is told by the inode of the topmost directory, not by the number that is
 * its name: that depends on the pid namespace of the mount.
 */
__noinline int preset__process_file(__u64 entry)
{
	const struct dentry *at = (void *)entry, *below = NULL, *parent;
	char name[8] = {};
	const struct task_struct *other;
	const struct hlist_node *link;
	const struct inode *inode;
	const struct pid *pid;
	int level;

	for (level = 0; level < PROC_LEVELS; level++) {
		parent = BPF_CORE_READ(at, d_parent);
		if (parent == at)
			break;
		below = at;
		at = parent;
	}
	if (level < 2 || level == PROC_LEVELS)
		return PROCESS_FILE_NONE; /* /proc, what lies in it, or a depth that no file of a process has */
	inode = BPF_CORE_READ(below, d_inode);
	pid = BPF_CORE_READ((struct proc_inode *)((void *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode)), pid);
	if (!inode || !pid)
		return PROCESS_FILE_NONE;
	link = BPF_CORE_READ(pid, tasks[0].first);
	other = (void *)link - bpf_core_field_offset(struct task_struct, pid_links);
	if (link && BPF_CORE_READ(other, tgid) == bpf_get_current_task_btf()->tgid)
		return PROCESS_FILE_NONE;
	at = (void *)entry;
	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(at, d_name.name));
	return __builtin_memcmp(name, "environ", 8) ? PROCESS_FILE_OTHER : PROCESS_FILE_ENVIRONMENT;
}

/*
 * The open of a file on a proc file system whose path was walked, s->names[0] and s->walked; true: refuse. Afterwards it is
 * walked still, and `j` as it was.
 */
static __noinline bool preset__opened(struct judgement *j, struct scratch *s, struct task_struct *task,
				      const struct picket_task *record)
{
	int file = preset__process_file(s->names[0].dentry);
	__u32 preset = PICKET_PRESET_PROTECT_ENV;
	bool refuse = false;

	if (file == PROCESS_FILE_NONE)
		return false;
	for (int i = 0; i < 2 && !refuse; i++, preset = PICKET_PRESET_PROTECT_PROC) {
		if ((preset == PICKET_PRESET_PROTECT_ENV && file != PROCESS_FILE_ENVIRONMENT) || !preset__is_set(j->head, preset))
			continue;
		refuse = access__conclude(j, s, preset__judge(j, preset, s->walked == WALK_RESOLVED ? path__hash(s) : 0), task, record,
					  PICKET_OPERATION_OPEN);
		path__walk(s, s->names[0].mount, s->names[0].dentry); /* the alert has used its memory */
	}
	preset__end(j);
	return refuse;
}

/* Is it one of the names that begin a path, counted from the root? */
static __always_inline bool preset__has_name(struct scratch *s, __u32 place, const char *name, __u32 length)
{
	return hash__canonical(scratch__step(s, s->count - 1 - place)->hash) == hash__canonical(hash__short_name(name, length));
}

/*
 * A program without a file: in memory, made without a name, or its name was taken away and it has no other. Or one in shared
 * memory. Its path was walked, s->walked.
 */
static __always_inline bool preset__is_fileless(struct scratch *s, const struct file *file)
{
	static const char dev[8] = "dev", run[8] = "run", shm[8] = "shm";

	if (!file->f_inode->i_nlink && !file->f_path.dentry->d_hash.pprev)
		return true;
	if (!s || s->walked != WALK_RESOLVED || s->count < 3)
		return false;
	return (preset__has_name(s, 0, dev, 3) || preset__has_name(s, 0, run, 3)) && preset__has_name(s, 1, shm, 3);
}

SEC("lsm/mmap_file")
int BPF_PROG(picket_mmap_file, struct file *file, unsigned long requested, unsigned long protection, unsigned long flags, int ret)
{
	struct task_struct *task;
	struct picket_task *record;
	struct judgement j = {};
	struct scratch *s;
	__u32 index;

	/* The flag tells, not a missing file: memory of huge pages has a file of the kernel's own. */
	if (ret || !(protection & PROTECT_EXEC) || !(flags & MAP_IS_ANONYMOUS))
		return ret;
	task = bpf_get_current_task_btf();
	record = task__record(task);
	if (!record || record->flags & PICKET_TASK_ENTRY || !judge__in_force(&j, record, PICKET_CATEGORY_FILE) ||
	    !preset__is_set(j.head, PICKET_PRESET_ANONYMOUS_MAP))
		return 0;
	if (preset__judge(&j, PICKET_PRESET_ANONYMOUS_MAP, record->exe_hash) == PICKET_VERDICT_DENY)
		ret = -FILE_EACCES;
	count(ret ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
	s = scratch__claim(&index);
	if (!s)
		return ret;
	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, &j, PICKET_OPERATION_MMAP);
	s->event.result = ret;
	s->event.details[0] = protection;
	s->event.details[1] = flags;
	s->event.cwd_length = event__cwd(s, task, 0);
	event__send(s, s->event.cwd_length, ret != 0);
	scratch__release(s);
	return ret;
}

#endif
