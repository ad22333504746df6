/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The path of an object: the walk to the root, and what was walked as a hash and as text. */
#ifndef PICKET_PATH_H
#define PICKET_PATH_H

#include "ascent.h"

/*
 * Walks the path of `dentry` in the mount `vfsmount`. WALK_RESOLVED: s->steps and s->count are filled. Otherwise they hold
 * what could be read; WALK_TORN: it changed each time. Global, with addresses as plain numbers: the verifier looks at it once for all callers.
 */
__noinline int path__walk(struct scratch *s, __u64 vfsmount, __u64 dentry)
{
	int result = WALK_TORN;

	if (!s)
		return WALK_UNRESOLVED;
	s->leaf = dentry;
	for (int attempt = 0; attempt < WALK_ATTEMPTS; attempt++) {
		s->count = 0;
		s->mount = vfsmount;
		s->dentry = dentry;
		result = walk__above(s);
		if (result != WALK_TORN)
			return result;
	}
	return WALK_TORN;
}

/* The same where the verifier knows the types, several times as fast. */
static __always_inline int path__walk_direct(struct scratch *s, struct vfsmount *mnt, struct dentry *dentry)
{
	const struct dentry *root, *at = dentry, *parent;
	int result;

	if (!s)
		return WALK_UNRESOLVED;
	root = mnt->mnt_root;
	/* Through memory: a typed pointer is no number to the verifier. */
	s->mount = (__u64)mnt;
	s->dentry = s->leaf = (__u64)dentry;
	for (int i = 0; i < WALK_DIRECT; i++) {
		if (at == root) {
			s->count = i;
			result = walk__prefix(s);
			if (result == WALK_TORN)
				goto again;
			at = dentry;
			for (int j = 0; j < WALK_DIRECT; j++) {
				if (at == root)
					return result;
				if (walk__torn(&s->steps[j], *(volatile const __u32 *)&at->d_seq.seqcount.sequence))
					goto again;
				at = at->d_parent;
			}
			goto again;
		}
		parent = walk__level(s, &s->steps[i], at, (__u64)at);
		if (!parent || parent == at)
			break;
		at = parent;
	}
again:
	s->dentry = (__u64)dentry;
	return path__walk(s, *(volatile __u64 *)&s->mount, *(volatile __u64 *)&s->dentry);
}

static __noinline __attribute__((unused)) int path__walk_typed(struct scratch *s, struct vfsmount *mnt, struct dentry *dentry)
{
	return path__walk_direct(s, mnt, dentry);
}

/* What can be said of an object without memory for a walk. */
static __always_inline int path__unwalked(__u64 vfsmount)
{
	return (__u64)BPF_CORE_READ(mount__of(vfsmount), mnt_ns) == MOUNT_INTERNAL ? WALK_INTERNAL : WALK_UNRESOLVED;
}

/* The path of an open file; `s` NULL: what can be said without memory for a walk. */
static __always_inline int path__walk_file(struct scratch *s, const struct file *file)
{
	__u64 mnt = (__u64)BPF_CORE_READ(file, f_path.mnt);

	return s ? path__walk(s, mnt, (__u64)BPF_CORE_READ(file, f_path.dentry)) : path__unwalked(mnt);
}

struct hash_context {
	struct scratch *s;
	__u64 hash;
};

static long path__hash_step(__u32 index, struct hash_context *context)
{
	struct scratch *s = context->s;

	context->hash = hash__step(context->hash, picket_hash_path, scratch__step(s, s->count - 1 - index)->hash);
	return 0;
}

/* Hash of the path last walked. */
__noinline __u64 path__hash(struct scratch *s)
{
	struct hash_context context = { .s = s, .hash = 1 };

	if (!s)
		return 0;
	bpf_loop(s->count, path__hash_step, &context, 0);
	return hash__canonical(context.hash);
}

struct text_context {
	struct scratch *s;
	__u32 offset;
	__u32 end;
};

static long path__text_step(__u32 index, struct text_context *context)
{
	struct scratch *s = context->s;
	__u32 offset = context->offset;
	const unsigned char *name;
	struct dentry *dentry;
	long length;

	if (offset + 1 >= context->end)
		return 1;
	dentry = (struct dentry *)scratch__step(s, s->count - 1 - index)->dentry;
	name = BPF_CORE_READ(dentry, d_name.name);
	asm volatile("" : "+r"(offset)); /* the bound holds for the register that is checked */
	if (offset >= SCRATCH_STRINGS - PICKET_MAX_NAME - 2)
		return 1;
	s->strings[offset++] = '/';
	length = bpf_probe_read_kernel_str(&s->strings[offset], PICKET_MAX_NAME + 1, name);
	if (length > 0)
		offset += length - 1;
	context->offset = offset < context->end ? offset : context->end;
	return 0;
}

/* Writes the path last walked to s->strings at `offset`; returns its length, at most PICKET_MAX_PATH. */
__noinline __u32 path__text(struct scratch *s, __u32 offset)
{
	struct text_context context = { .s = s, .offset = offset, .end = offset + PICKET_MAX_PATH };

	if (!s || offset >= SCRATCH_STRINGS - PICKET_MAX_NAME - 2)
		return 0;
	bpf_loop(s->count, path__text_step, &context, 0);
	if (context.offset == offset) {
		s->strings[offset] = '/';
		return 1;
	}
	return context.offset - offset;
}

#endif
