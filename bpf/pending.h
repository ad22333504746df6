/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The alert about a creation that may turn out to be none. open(O_CREAT) asks whether it may create before it looks whether the file is
 * there already (lookup_open() in fs/namei.c), unless the name is in the cache; the answer counts only if it is not. The alert
 * therefore waits: it is sent when the name is still free when the directory is released, or when the open says that it has
 * created the file; an open of a file that was there is judged by itself, and is the one access.
 */
#ifndef PICKET_PENDING_H
#define PICKET_PENDING_H

#include "access.h"

enum { PENDING_ALERTS = 128, PENDING_STRINGS = 2 * (PICKET_MAX_PATH + 1) };

struct pending {
	struct picket_event event; /* details: addresses of the mount, the entry, its directory */
	char strings[PENDING_STRINGS];
};

/* By task; one that finds no room is told at once. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PENDING_ALERTS);
	__type(key, __u64);
	__type(value, struct pending);
} picket_pending SEC(".maps");

/* Is it not known yet whether there is a file of that name? */
static __always_inline bool pending__is_looked_up(const struct dentry *dentry)
{
	__u32 flag = bpf_core_enum_value_exists(enum dentry_flags, DCACHE_PAR_LOOKUP) ?
			     bpf_core_enum_value(enum dentry_flags, DCACHE_PAR_LOOKUP) : 1 << 28;

	return BPF_CORE_READ(dentry, d_flags) & flag;
}

/* Keeps the alert that s->event is, about s->names[0]; false: there is no room. */
static __always_inline bool pending__keep(struct scratch *s, struct picket_task *record)
{
	struct dentry *entry = (void *)s->names[0].dentry;
	__u64 task = bpf_get_current_pid_tgid();

	s->event.details[0] = s->names[0].mount;
	s->event.details[1] = s->names[0].dentry;
	s->event.details[2] = (__u64)BPF_CORE_READ(entry, d_parent);
	if (!bpf_map_update_elem(&picket_pending, &task, &s->event, BPF_ANY)) {
		record->pending = 1;
		return true;
	}
	for (int i = 0; i < 3; i++)
		s->event.details[i] = 0;
	return false;
}

static __always_inline void pending__send(struct pending *p)
{
	bool refused = p->event.result != 0;
	__u64 size = sizeof(p->event) + p->event.path_length + p->event.cwd_length;

	for (int i = 0; i < 3; i++)
		p->event.details[i] = 0;
	count(refused ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
	event__output(&p->event, size < sizeof(*p) ? size : sizeof(*p), refused);
}

/* The current task opens `entry`; `created`: it did not exist before. */
static __noinline int pending__opened(struct picket_task *record, const struct dentry *entry, bool created)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct pending *p = bpf_map_lookup_elem(&picket_pending, &task);

	if (!p)
		return 0;
	if (created && p->event.details[1] == (__u64)entry)
		pending__send(p);
	record->pending = 0;
	bpf_map_delete_elem(&picket_pending, &task);
	return 0;
}

/* Directories are released by this, among others by an open that could have created, once it has looked. */
SEC("fexit/mnt_drop_write")
int BPF_PROG(picket_drop_write, struct vfsmount *mnt)
{
	struct picket_task *record = task__record(bpf_get_current_task_btf());
	__u64 task = bpf_get_current_pid_tgid();
	const struct dentry *entry;
	struct pending *p;

	if (!record || !record->pending)
		return 0;
	p = bpf_map_lookup_elem(&picket_pending, &task);
	if (!p || p->event.details[0] != (__u64)mnt)
		return 0;
	entry = (void *)p->event.details[1];
	if (BPF_CORE_READ(entry, d_inode) && (__u64)BPF_CORE_READ(entry, d_parent) == p->event.details[2]) {
		if (!p->event.result)
			return 0; /* there is a file now: the open that follows tells whether it was there before */
	} else {
		pending__send(p);
	}
	record->pending = 0;
	bpf_map_delete_elem(&picket_pending, &task);
	return 0;
}

#endif
