/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * From an object to its canonical path (policy.md 6.1): names are collected from the leaf to the root of the mount
 * namespace, each hashed on the way.
 *
 * A walk is two passes. The first reads the names and remembers each dentry's sequence number, which every rename of it
 * changes; the second finds the numbers unchanged: between the two the path was as read. Renames elsewhere do not matter,
 * so nobody can make walks fail by renaming files of his own. All mounts have one number together.
 *
 * Where the verifier knows a pointer's type, fields are loaded directly: one instruction or seven, where a read by helper
 * takes 80. That is so below the file's own mount point; above it copies are read, and what they told is remembered.
 */
#ifndef PICKET_WALK_H
#define PICKET_WALK_H

#include "hash.h"

enum walk_result {
	WALK_RESOLVED = 0,
	WALK_UNRESOLVED, /* no path in any mount namespace (6.3) */
	WALK_TORN,       /* a rename or a mount was under way */
	WALK_INTERNAL,   /* an object of the kernel's own: no access of the workload */
};
enum {
	WALK_ATTEMPTS = 32, /* a workload may rename the directories above its own files all the time */
	WALK_DIRECT = 24,   /* levels that are climbed by direct loads; a deeper file takes the slow way */
};
#define MOUNT_INTERNAL ((__u64)-22) /* MNT_NS_INTERNAL: copy-up, merged readdir, memfd, pipes, anonymous inodes */

/*
 * One level: keeps the name of `dentry`, returns the parent. `fields` is the dentry itself where its fields can be loaded, else
 * the copy of its first bytes.
 */
static __always_inline const struct dentry *walk__level(struct scratch *s, struct step *step, const struct dentry *fields,
							__u64 dentry)
{
	__u32 length;

	step->sequence = *(volatile const __u32 *)&fields->d_seq.seqcount.sequence;
	asm volatile("" ::: "memory"); /* the number first */
	step->dentry = dentry;
	length = fields->d_name.len;
	if (HAS_SHORT_NAMES && length - 1 < SHORT_NAME) {
		step->hash = hash__short_name((void *)fields + SHORT_NAME_OFFSET, length);
	} else {
		length &= PICKET_MAX_NAME; /* the verifier needs the mask; no name is longer */
		if (length == 0 || bpf_probe_read_kernel(s->name, length, fields->d_name.name))
			return NULL;
		step->hash = hash__name(s, length);
	}
	return fields->d_parent;
}

static __always_inline bool walk__torn(const struct step *step, __u32 sequence)
{
	return sequence & 1 || sequence != step->sequence; /* odd: a writer is at work */
}

static __always_inline bool walk__read_and_torn(const struct step *step)
{
	__u32 sequence = 1;

	bpf_probe_read_kernel(&sequence, sizeof(sequence),
			      (void *)step->dentry + bpf_core_field_offset(struct dentry, d_seq.seqcount.sequence));
	return walk__torn(step, sequence);
}

#endif
