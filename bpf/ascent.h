/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The walk above the file's own mount: mount points, and the names between them. Addresses are numbers here, what they lead to
 * is copied.
 */
#ifndef PICKET_ASCENT_H
#define PICKET_ASCENT_H

#include "walk.h"

/* Weak: a kernel without CONFIG_KALLSYMS_ALL does not tell where it is; a mount under way goes unnoticed there. */
extern const void mount_lock __ksym __weak;

static __always_inline __u32 lock__sequence(const void *lock)
{
	__u32 sequence = 0;

	if (lock)
		bpf_probe_read_kernel(&sequence, sizeof(sequence), lock);
	return sequence;
}

static __always_inline struct mount *mount__of(__u64 vfsmount)
{
	return (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
}

static __always_inline bool walk__mount(struct scratch *s)
{
	const struct mount *copy = (void *)s->mount_copy;
	__u32 bytes = bpf_core_field_offset(struct mount, mnt.mnt_root) + 8;
	struct ascent *c = &s->ascent;

	if (bytes > MOUNT_COPY || bpf_probe_read_kernel(s->mount_copy, bytes, (void *)c->mount))
		return false;
	c->parent = (__u64)copy->mnt_parent;
	c->mountpoint = (__u64)copy->mnt_mountpoint;
	c->root = (__u64)copy->mnt.mnt_root;
	return true;
}

/* A mount outside every namespace, or in an anonymous one, has no path (6.3). */
static __always_inline __u32 walk__top(struct scratch *s, struct mount *mount)
{
	struct mnt_namespace *namespace = BPF_CORE_READ(mount, mnt_ns);

	s->namespace = 0;
	if (!namespace)
		return WALK_UNRESOLVED;
	if ((__u64)namespace == MOUNT_INTERNAL)
		return WALK_INTERNAL;
	s->namespace = BPF_CORE_READ(namespace, ns.inum);
	return s->namespace ? WALK_RESOLVED : WALK_UNRESOLVED;
}

static long walk__ascend(__u32 index, struct scratch **context)
{
	__u32 bytes = SHORT_NAME_OFFSET + SHORT_NAME + 4, count;
	struct scratch *s = *context;
	struct ascent *c = &s->ascent;
	__u64 parent;

	if (c->dentry == c->root) {
		if (c->parent == c->mount) {
			c->result = walk__top(s, (struct mount *)c->mount);
			return 1;
		}
		c->dentry = c->mountpoint;
		c->mount = c->parent;
		return walk__mount(s) ? 0 : 1;
	}
	count = s->count;
	if (count >= PICKET_MAX_COMPONENTS || bytes > DENTRY_COPY ||
	    bpf_probe_read_kernel(s->dentry_copy, bytes, (void *)c->dentry))
		return 1;
	parent = (__u64)walk__level(s, scratch__step(s, count), (void *)s->dentry_copy, c->dentry);
	if (!parent || parent == c->dentry) { /* the root of a tree that is not mounted here; memory files have such dentries */
		if (walk__top(s, (struct mount *)c->mount) == WALK_INTERNAL)
			c->result = WALK_INTERNAL;
		return 1;
	}
	s->count = count + 1;
	c->dentry = parent;
	return 0;
}

static long walk__ascend_again(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;

	if (!walk__read_and_torn(scratch__step(s, s->ascent.first + index)))
		return 0;
	s->ascent.result = WALK_TORN;
	return 1;
}

/* Walks from s->dentry (0: its root) in s->mount to the root of the namespace, behind the s->count names that are there. */
__noinline int walk__above(struct scratch *s)
{
	__u32 mounts = lock__sequence(&mount_lock);
	struct ascent *c;

	if (!s)
		return WALK_UNRESOLVED;
	c = &s->ascent;
	c->result = WALK_UNRESOLVED;
	c->first = s->count;
	c->dentry = s->dentry;
	c->mount = (__u64)mount__of(s->mount);
	if (!walk__mount(s))
		return WALK_UNRESOLVED;
	if (!c->dentry)
		c->dentry = c->root;
	bpf_loop(2 * PICKET_MAX_COMPONENTS, walk__ascend, &s, 0);
	if (s->count > c->first)
		bpf_loop(s->count - c->first, walk__ascend_again, &s, 0);
	s->mounts = mounts;
	if (mounts & 1 || mounts != lock__sequence(&mount_lock))
		return WALK_TORN;
	return c->result;
}

/*
 * Appends the way from s->mount to the root. It is remembered: a mount that is in place holds its mount point and all
 * above it in memory, so as long as the number of all mounts and those of the few dentries are the same, it is the same way.
 */
__noinline int walk__prefix(struct scratch *s)
{
	__u32 first, count, mounts;
	struct prefix *prefix;
	int result;

	if (!s)
		return WALK_UNRESOLVED;
	first = count = s->count;
	prefix = &s->prefixes[s->mount * 0x9e3779b97f4a7c15ULL >> 60 & (PREFIXES - 1)];
	mounts = lock__sequence(&mount_lock);
	if (prefix->mount != s->mount || prefix->sequence != mounts)
		goto walk;
	for (int i = 0; i < PREFIX_STEPS && i < prefix->count; i++) {
		if (count >= PICKET_MAX_COMPONENTS || walk__read_and_torn(&prefix->steps[i]))
			goto walk;
		*scratch__step(s, count) = prefix->steps[i];
		count++;
	}
	s->count = count;
	s->namespace = prefix->namespace;
	return WALK_RESOLVED;
walk:
	s->dentry = 0;
	prefix->mount = 0;
	result = walk__above(s);
	count = s->count;
	if (result != WALK_RESOLVED || !&mount_lock || count - first > PREFIX_STEPS)
		return result;
	for (int i = 0; i < PREFIX_STEPS && first + i < count; i++)
		prefix->steps[i] = *scratch__step(s, first + i);
	prefix->count = count - first;
	prefix->namespace = s->namespace;
	prefix->sequence = s->mounts;
	prefix->mount = s->mount;
	return WALK_RESOLVED;
}

#endif
