/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Changes of names and attributes: create, mkdir, symlink, link, unlink, rmdir, rename, chmod, chown, truncate. Each is a change
 * of one name, or of two (policy.md 8.1).
 */
#ifndef PICKET_HOOK_NAME_H
#define PICKET_HOOK_NAME_H

#include "hook_open.h"

/* Of the two names of one access the stronger verdict counts: it is one decision, and makes one alert. */
static __always_inline __u32 name__strength(const struct judgement *j, __u32 verdict)
{
	return verdict < PICKET_VERDICT_ALERT ? 0 : verdict == PICKET_VERDICT_DENY ? 3 : j->audited ? 2 : 1;
}

/*
 * Judges the change of s->names; returns what the hook returns. Global: the verifier looks at it once for all hooks. The record
 * is the current task's; `set` and `generation` are those in force when the hook began.
 */
__noinline int name__judge(struct scratch *s, struct picket_task *record, __u32 operation, __u32 set, __u32 generation)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct judgement j = { .set = set, .generation = generation, .category = PICKET_CATEGORY_FILE };
	__u32 strongest = 0, strength, verdict;
	__u64 mount, dentry;
	int walked;

	if (!s || !record)
		return 0;
	j.head = bpf_map_lookup_elem(&picket_sets, &set);
	if (!j.head)
		return 0;
	mount = s->names[0].mount;
	dentry = s->names[0].dentry;
	if (operation == PICKET_OPERATION_TRUNCATE && record->truncates == open__truncation(mount, dentry, judge__stamp(&j))) {
		record->truncates = 0;
		return 0;
	}
	record->truncates = 0;
	count(PICKET_COUNT_NAME_JUDGED);
	judge__sources(&j, s, task, record);
	for (int i = 0; i < 2; i++) {
		mount = s->names[i].mount;
		dentry = s->names[i].dentry;
		if (!mount)
			break;
		walked = path__walk(s, mount, dentry);
		if (walked == WALK_INTERNAL)
			continue;
		j.audited = 0;
		j.unresolved = 0;
		j.hash = 0;
		verdict = judge__file(&j, s, walked, owner__of_entry(mount, dentry), PICKET_ACCESS_CHANGE | JUDGE_NO_WRITE, false);
		if (!strongest) /* it would take the place of the alert that waits */
			event__unresolved(s, task, record, &j, operation);
		strength = name__strength(&j, verdict);
		if (strength <= strongest)
			continue;
		strongest = strength;
		access__describe(s, task, record, &j, operation, verdict == PICKET_VERDICT_DENY);
		if (verdict == PICKET_VERDICT_DENY)
			break;
	}
	if (!strongest)
		return 0;
	if (operation == PICKET_OPERATION_MKNOD && pending__is_looked_up((struct dentry *)s->names[0].dentry)) {
		s->waits = 1;
	} else {
		count(s->event.result ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
		access__send(s);
	}
	return s->event.result ? -FILE_EACCES : 0;
}

/* `second` NULL: one name alone. */
static __always_inline int name__change(const struct vfsmount *first, const struct dentry *first_entry,
					const struct vfsmount *second, const struct dentry *second_entry, __u32 operation)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	struct judgement j = {};
	struct scratch *s;
	__u32 index;
	int ret;

	if (!record || record->flags & PICKET_TASK_ENTRY || !judge__begin(&j, record, PICKET_CATEGORY_FILE))
		return 0;
	s = scratch__claim(&index);
	if (!s) /* nobody gets past the rules by using up the memory */
		return judge__decide(&j, NULL, false) == PICKET_VERDICT_DENY ? -FILE_EACCES : 0;
	/* Through memory: a typed pointer is no number to the verifier. */
	*(volatile __u64 *)&s->names[0].mount = (__u64)first;
	*(volatile __u64 *)&s->names[0].dentry = (__u64)first_entry;
	*(volatile __u64 *)&s->names[1].mount = (__u64)second;
	*(volatile __u64 *)&s->names[1].dentry = (__u64)second_entry;
	s->waits = 0;
	ret = name__judge(s, record, operation, j.set, j.generation) ? -FILE_EACCES : 0; /* the verifier knows no range of its own */
	if (operation == PICKET_OPERATION_MKNOD && s->waits && !pending__keep(s, record)) {
		count(ret ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
		access__send(s);
	}
	scratch__release(s);
	return ret;
}

#define NAME_CHANGE(mnt, entry, operation) name__change(mnt, entry, NULL, NULL, PICKET_OPERATION_##operation)

/* Also the local sockets that bind(2) makes, and the first half of an open that creates. */
SEC("lsm/path_mknod")
int BPF_PROG(picket_path_mknod, const struct path *dir, struct dentry *dentry, umode_t mode, unsigned int device, int ret)
{
	return ret ? ret : NAME_CHANGE(dir->mnt, dentry, MKNOD);
}

SEC("lsm/path_mkdir")
int BPF_PROG(picket_path_mkdir, const struct path *dir, struct dentry *dentry, umode_t mode, int ret)
{
	return ret ? ret : NAME_CHANGE(dir->mnt, dentry, MKDIR);
}

SEC("lsm/path_symlink")
int BPF_PROG(picket_path_symlink, const struct path *dir, struct dentry *dentry, const char *target, int ret)
{
	return ret ? ret : NAME_CHANGE(dir->mnt, dentry, SYMLINK);
}

SEC("lsm/path_unlink")
int BPF_PROG(picket_judge_unlink, const struct path *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : NAME_CHANGE(dir->mnt, dentry, UNLINK);
}

SEC("lsm/path_rmdir")
int BPF_PROG(picket_judge_rmdir, const struct path *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : NAME_CHANGE(dir->mnt, dentry, RMDIR);
}

/* The existing file has no path of its own here; a link cannot leave the mount. */
SEC("lsm/path_link")
int BPF_PROG(picket_path_link, struct dentry *existing, const struct path *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : name__change(dir->mnt, existing, dir->mnt, dentry, PICKET_OPERATION_LINK);
}

/* Once for all flags: an exchange changes the same two names, and the device that a whiteout leaves is no access of its own. */
SEC("lsm/path_rename")
int BPF_PROG(picket_path_rename, const struct path *old_dir, struct dentry *old_dentry, const struct path *new_dir,
	     struct dentry *new_dentry, unsigned int flags, int ret)
{
	return ret ? ret : name__change(old_dir->mnt, old_dentry, new_dir->mnt, new_dentry, PICKET_OPERATION_RENAME);
}

SEC("lsm/path_chmod")
int BPF_PROG(picket_path_chmod, const struct path *path, umode_t mode, int ret)
{
	return ret ? ret : NAME_CHANGE(path->mnt, path->dentry, CHMOD);
}

SEC("lsm/path_chown")
int BPF_PROG(picket_path_chown, const struct path *path, __u64 uid, __u64 gid, int ret)
{
	return ret ? ret : NAME_CHANGE(path->mnt, path->dentry, CHOWN);
}

/* truncate(2); before 6.2 every truncation. */
SEC("lsm/path_truncate")
int BPF_PROG(picket_path_truncate, const struct path *path, int ret)
{
	return ret ? ret : NAME_CHANGE(path->mnt, path->dentry, TRUNCATE);
}

/* From 6.2 on: truncations of an open file, and those that an open does. */
SEC("lsm/file_truncate")
int BPF_PROG(picket_file_truncate, struct file *file, int ret)
{
	return ret ? ret : NAME_CHANGE(file->f_path.mnt, file->f_path.dentry, TRUNCATE);
}

#endif
