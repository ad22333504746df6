/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Writes through open descriptors, judged again on use: the rules may have changed since the open, the file may have been renamed,
 * or the descriptor may be another program's. This hook runs at every read and write of the machine: what it does first, it does
 * for all of them.
 */
#ifndef PICKET_HOOK_WRITE_H
#define PICKET_HOOK_WRITE_H

#include "hook_open.h"

enum {
	MASK_WRITE = 2,          /* MAY_WRITE */
	SUPER_NO_USER = 1U << 31, /* SB_NOUSER: pipes, sockets, anonymous inodes, memory files */
	MODE_FORMAT = 0170000, MODE_CHARACTER = 0020000,
};

/* Terminals by their device number (Documentation/admin-guide/devices.txt): once open they are not judged again. */
static __always_inline bool write__is_terminal(const struct inode *inode)
{
	__u32 major;

	if ((inode->i_mode & MODE_FORMAT) != MODE_CHARACTER)
		return false;
	major = inode->i_rdev >> 20;
	switch (major) {
	case 4:   /* consoles, serial */
	case 5:   /* /dev/tty, /dev/console, /dev/ptmx */
	case 166: /* USB modems */
	case 188: /* USB serial */
	case 204: /* low-density serial */
	case 229: /* hypervisor consoles */
		return true;
	}
	return major >= 136 && major <= 143; /* /dev/pts */
}

/*
 * A file of the node, in the hands of a workload that has a mount namespace of its own: the runtime gave it the descriptor (standard
 * input and output). Only its writes pass; it cannot be opened from inside.
 */
static __always_inline bool write__was_handed_in(const struct scratch *s, const struct picket_task *record)
{
	__u32 key = 0;
	struct picket_control *control = bpf_map_lookup_elem(&picket_control, &key);
	struct picket_workload *workload = bpf_map_lookup_elem(&picket_workloads, &record->slot);

	return control && workload && workload->id == record->workload && control->host_namespace &&
	       s->namespace == control->host_namespace && !(workload->flags & PICKET_WORKLOAD_HOST_MOUNTS) &&
	       workload->mount_namespace && workload->mount_namespace != control->host_namespace;
}

SEC("lsm/file_permission")
int BPF_PROG(picket_file_permission, struct file *file, int mask, int ret)
{
	struct open_file_state *known;
	struct open_file_key key;
	struct picket_task *record;
	__u32 index, owner, access, verdict;
	struct task_struct *task;
	struct judgement j = {};
	struct scratch *s;
	__u64 stamp, names;
	bool judged = false;
	int walked;

	if (!(mask & MASK_WRITE) || ret)
		return ret;
	task = bpf_get_current_task_btf();
	record = task__record(task);
	if (!record || record->flags & PICKET_TASK_ENTRY || file->f_mode & MODE_NO_ACCOUNT ||
	    file->f_path.mnt->mnt_sb->s_flags & SUPER_NO_USER || !judge__begin(&j, record, PICKET_CATEGORY_FILE) ||
	    write__is_terminal(file->f_inode))
		return 0;
	record->truncates = 0;
	stamp = judge__stamp(&j);
	owner = owner__of_file(file);
	access = PICKET_ACCESS_CHANGE | task__access(task, owner);
	names = written__names();
	written__identify(&key, file);
	known = bpf_map_lookup_elem(&picket_open_files, &key);
	if (known) {
		if (written__passes(known, record, stamp, names, access))
			return 0;
		judged = written__judged(known, record, stamp);
	}
	s = scratch__claim(&index);
	judge__sources(&j, s, task, record);
	walked = path__walk_file(s, file);
	if (walked == WALK_INTERNAL)
		goto out; /* a stacked file system copies a file up */
	count(PICKET_COUNT_WRITE_JUDGED);
	verdict = judge__file(&j, s, walked, owner, PICKET_ACCESS_CHANGE, false);
	if (s && verdict >= PICKET_VERDICT_ALERT && walked == WALK_RESOLVED && write__was_handed_in(s, record))
		verdict = PICKET_VERDICT_PASS;
	if (verdict == PICKET_VERDICT_ALERT && judged && !j.audited)
		verdict = PICKET_VERDICT_PASS; /* the open was reported */
	if (s && verdict == PICKET_VERDICT_PASS) {
		if (known)
			s->open_file = *known;
		else
			__builtin_memset(&s->open_file, 0, sizeof(s->open_file));
		written__pass(&s->open_file, record, stamp, names, access);
		written__store(s, file);
	}
	if (verdict == PICKET_VERDICT_ALERT && judged)
		goto out;
	if (access__conclude(&j, s, verdict, task, record, PICKET_OPERATION_PERMISSION))
		ret = -FILE_EACCES;
out:
	if (s)
		scratch__release(s);
	return ret;
}

#endif
