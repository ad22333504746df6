/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is remembered of files that are open for writing (maps.h): their writes cost little and are not reported twice. */
#ifndef PICKET_WRITTEN_H
#define PICKET_WRITTEN_H

#include "judge.h"

/* Weak, as mount_lock is: without it no verdict is remembered, every write walks. */
extern const void rename_lock __ksym __weak;

/*
 * Numbers that every rename and every mount of the machine changes; 0: one is under way, or they cannot be read. Read them before
 * the walk whose result they are to vouch for.
 */
static __always_inline __u64 written__names(void)
{
	__u32 renames, mounts;

	if (!&rename_lock || !&mount_lock)
		return 0;
	renames = lock__sequence(&rename_lock);
	mounts = lock__sequence(&mount_lock);
	return (renames | mounts) & 1 ? 0 : (__u64)renames << 32 | mounts;
}

/* May the program write without being asked again? */
static __always_inline bool written__passes(const struct open_file_state *known, const struct picket_task *record, __u64 stamp,
					    __u64 names, __u32 access)
{
	return known->exe == record->exe_hash && known->stamp == stamp && known->workload == record->workload &&
	       known->access == access && known->names == names && names && known->exe;
}

static __always_inline bool written__judged(const struct open_file_state *known, const struct picket_task *record, __u64 stamp)
{
	return known->judged_exe == record->exe_hash && known->judged_stamp == stamp && known->judged_exe;
}

/* The program may write from now on, as long as `names` are what they are. */
static __always_inline void written__pass(struct open_file_state *state, const struct picket_task *record, __u64 stamp,
					  __u64 names, __u32 access)
{
	state->exe = record->exe_hash;
	state->stamp = stamp;
	state->workload = record->workload;
	state->names = names;
	state->access = access;
}

/* The open of `file` was judged; nothing may pass yet. The caller says what may, and stores it. */
static __always_inline void written__begin(struct scratch *s, const struct picket_task *record, __u64 stamp)
{
	__builtin_memset(&s->open_file, 0, sizeof(s->open_file));
	s->open_file.judged_exe = record->exe_hash;
	s->open_file.judged_stamp = stamp;
}

/* Through memory: a typed pointer is no number to the verifier. */
static __always_inline void written__identify(struct open_file_key *key, const struct file *file)
{
	*(volatile __u64 *)&key->file = (__u64)file;
	*(volatile __u64 *)&key->dentry = (__u64)file->f_path.dentry;
	key->inode = file->f_inode->i_ino;
	key->inode_generation = file->f_inode->i_generation;
	key->name_hash = file->f_path.dentry->d_name.hash;
}

static __always_inline void written__store(struct scratch *s, const struct file *file)
{
	written__identify(&s->open_file_key, file);
	bpf_map_update_elem(&picket_open_files, &s->open_file_key, &s->open_file, BPF_ANY);
}

#endif
