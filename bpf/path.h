/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * From an object to its canonical path (policy.md 6.1): names are collected from the leaf to the root of the mount
 * namespace, each hashed on the way; the root-to-leaf pass over the hashes (judge.h) then knows every directory prefix.
 *
 * The hash is a polynomial over the prime p = 2^61 - 1 at a secret point, so nobody who can choose file names can find
 * two with the same hash: two different paths collide with probability < (length / 7) / 2^60.
 *
 *   component(b):   h = length + 1;  for each 7 bytes, little endian, zero-padded:  h = h * picket_hash_name + chunk
 *   path:           H("/") = 1;  H(parent/name) = H(parent) * picket_hash_path + component(name)
 *
 * agent/policy/hash.ts computes the same; a test compares the two.
 */
#ifndef PICKET_PATH_H
#define PICKET_PATH_H

#include "maps.h"

/* Weak: a kernel without CONFIG_KALLSYMS_ALL does not tell where they are, and torn walks go unnoticed there. */
extern const void rename_lock __ksym __weak;
extern const void mount_lock __ksym __weak;

enum { HASH_PRIME_BITS = 61 };
#define HASH_PRIME ((1ULL << HASH_PRIME_BITS) - 1)

/* a * b + c mod p, for a, b < p and c < 2^61. eBPF has no 128-bit product: four 32-bit ones. */
static __always_inline __u64 hash__step(__u64 a, __u64 b, __u64 c)
{
	__u64 a1 = a >> 32, a0 = (__u32)a, b1 = b >> 32, b0 = (__u32)b;
	__u64 mid = a1 * b0 + a0 * b1; /* < 2^62 */
	__u64 low = a0 * b0;
	__u64 sum;

	/* 2^64 = 8 and 2^61 = 1 modulo p; every term is below 2^61, the sum below 2^64 */
	sum = (a1 * b1 << 3) + (mid >> 29) + ((mid & ((1ULL << 29) - 1)) << 32) + (low & HASH_PRIME) + (low >> HASH_PRIME_BITS) + c;
	sum = (sum & HASH_PRIME) + (sum >> HASH_PRIME_BITS);
	return sum >= HASH_PRIME ? sum - HASH_PRIME : sum;
}

/* Hash of s->name[0..length). Global: the verifier looks at its loop once, not once per component. */
__noinline __u64 path__component(struct scratch *s, __u32 length)
{
	__u64 h = length + 1;

	if (!s)
		return 0;
	for (__u32 i = 0; i < (PICKET_MAX_NAME + 6) / 7; i++) {
		__u32 at = i * 7;
		__u64 chunk;

		if (at >= length)
			break;
		chunk = *(__u64 *)&s->name[at] & ((1ULL << 56) - 1);
		if (length - at < 7)
			chunk &= (1ULL << (8 * (length - at))) - 1;
		h = hash__step(h, picket_hash_name, chunk);
	}
	return h;
}

/* The part of a dentry that the walk needs; one read instead of three where the fields are neighbours. */
struct dentry_view {
	struct dentry *parent;
	__u32 hash;
	__u32 length;
	const unsigned char *name;
};

static __always_inline int dentry__view(struct dentry *dentry, struct dentry_view *view)
{
	if (bpf_core_field_offset(struct dentry, d_name.len) == bpf_core_field_offset(struct dentry, d_parent) + 12 &&
	    bpf_core_field_offset(struct dentry, d_name.name) == bpf_core_field_offset(struct dentry, d_parent) + 16)
		return bpf_probe_read_kernel(view, sizeof(*view), (void *)dentry + bpf_core_field_offset(struct dentry, d_parent));
	view->parent = BPF_CORE_READ(dentry, d_parent);
	view->length = BPF_CORE_READ(dentry, d_name.len);
	view->name = BPF_CORE_READ(dentry, d_name.name);
	return 0;
}

static __always_inline __u32 lock__sequence(const void *lock)
{
	__u32 sequence = 0;

	if (lock)
		bpf_probe_read_kernel(&sequence, sizeof(sequence), lock);
	return sequence;
}

static __always_inline struct mount *mount__of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

struct walk_context {
	struct scratch *s;
	struct dentry *dentry;
	struct mount *mount;
	struct dentry *mount_root;
	__u32 count;
	__s32 result; /* 1: under way, 0: resolved, -1: not */
};

static long path__walk_step(__u32 index, struct walk_context *c)
{
	struct dentry *dentry = c->dentry;
	__u32 step = index & (PICKET_MAX_COMPONENTS - 1), length;
	struct dentry_view view = {};
	struct scratch *s = c->s;

	c->count = index;
	if (dentry == c->mount_root) {
		struct mount *mount = c->mount, *parent = BPF_CORE_READ(mount, mnt_parent);
		struct mnt_namespace *namespace;

		if (parent == mount) {
			/* A mount outside every namespace, or in an anonymous one, has no path (6.3). */
			namespace = BPF_CORE_READ(mount, mnt_ns);
			c->result = namespace && BPF_CORE_READ(namespace, ns.inum) ? 0 : -1;
			return 1;
		}
		c->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		c->mount = parent;
		c->mount_root = BPF_CORE_READ(parent, mnt.mnt_root);
		s->hashes[step] = 0;
		return 0;
	}
	c->result = -1;
	if (dentry__view(dentry, &view) || view.parent == dentry)
		return 1; /* the root of a tree that is not mounted here */
	length = view.length & PICKET_MAX_NAME; /* the verifier needs the mask; no name is longer */
	if (length == 0 || bpf_probe_read_kernel(s->name, length, view.name))
		return 1;
	s->hashes[step] = path__component(s, length);
	s->dentries[step] = (__u64)dentry;
	c->dentry = view.parent;
	c->result = 1;
	return 0;
}

/*
 * Walks from `dentry` in `vfsmount` to the root. 0: resolved, and not torn by a rename or a mount under way (retried
 * once); s->hashes, s->dentries and s->count are filled. Otherwise they hold what could be read.
 * Global, with addresses as plain numbers: the verifier looks at it once for all callers.
 */
__noinline int path__walk(struct scratch *s, __u64 vfsmount, __u64 dentry)
{
	struct walk_context c = {};

	if (!s)
		return -1;
	for (int attempt = 0; attempt < 2; attempt++) {
		__u32 renames = lock__sequence(&rename_lock), mounts = lock__sequence(&mount_lock);

		c.s = s;
		c.dentry = (struct dentry *)dentry;
		c.mount = mount__of((struct vfsmount *)vfsmount);
		c.mount_root = BPF_CORE_READ((struct vfsmount *)vfsmount, mnt_root);
		c.result = 1;
		c.count = 0;
		bpf_loop(PICKET_MAX_COMPONENTS, path__walk_step, &c, 0);
		s->count = c.result > 0 ? PICKET_MAX_COMPONENTS : c.count;
		/* an odd sequence: a writer is at work */
		if (!((renames | mounts) & 1) && renames == lock__sequence(&rename_lock) && mounts == lock__sequence(&mount_lock))
			return c.result ? -1 : 0;
	}
	return -1;
}

struct hash_context {
	struct scratch *s;
	__u64 hash;
};

static long path__hash_step(__u32 index, struct hash_context *context)
{
	struct scratch *s = context->s;
	__u32 step = (s->count - 1 - index) & (PICKET_MAX_COMPONENTS - 1);
	__u64 component = s->hashes[step];

	if (component)
		context->hash = hash__step(context->hash, picket_hash_path, component);
	return 0;
}

/* Hash of the path last walked. */
__noinline __u64 path__hash(struct scratch *s)
{
	struct hash_context context = { .s = s, .hash = 1 };

	if (!s)
		return 0;
	bpf_loop(s->count, path__hash_step, &context, 0);
	return context.hash;
}

struct text_context {
	struct scratch *s;
	__u32 offset;
	__u32 end;
};

static long path__text_step(__u32 index, struct text_context *context)
{
	struct scratch *s = context->s;
	__u32 step = (s->count - 1 - index) & (PICKET_MAX_COMPONENTS - 1);
	__u32 offset = context->offset;
	const unsigned char *name;
	struct dentry *dentry;
	long length;

	if (!s->hashes[step])
		return 0;
	if (offset + 1 >= context->end || offset >= SCRATCH_STRINGS - PICKET_MAX_NAME - 2)
		return 1;
	dentry = (struct dentry *)s->dentries[step];
	name = BPF_CORE_READ(dentry, d_name.name);
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
