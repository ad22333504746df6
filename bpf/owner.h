/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Whose a file is: its uid as its mount shows it (policy.md 8.1). What an idmapped mount translates by has changed twice: a
 * user namespace up to 6.1, one inside a struct mnt_idmap up to 6.7, since then the map alone.
 */
#ifndef PICKET_OWNER_H
#define PICKET_OWNER_H

#include "maps.h"

enum {
	OWNER_NOBODY = -1,           /* INVALID_UID: the mount shows no owner, so nobody is */
	OWNER_FEW_EXTENTS = 5,       /* UID_GID_MAP_MAX_BASE_EXTENTS: more are kept outside the map */
	OWNER_MAX_EXTENTS = 340,     /* UID_GID_MAP_MAX_EXTENTS */
};

struct owner_search {
	const struct uid_gid_extent *extents;
	__u32 uid;
	__u32 found;
	bool up;
};

static long owner__extent(__u32 index, struct owner_search *c)
{
	const struct uid_gid_extent *extent = &c->extents[index];
	__u32 first = BPF_CORE_READ(extent, first), lower = BPF_CORE_READ(extent, lower_first);
	__u32 offset = c->uid - (c->up ? lower : first);

	if (offset >= BPF_CORE_READ(extent, count))
		return 0;
	c->found = (c->up ? first : lower) + offset;
	return 1;
}

/* The uid that a map makes of another (`up`: the way back); OWNER_NOBODY: it knows none. An empty map changes nothing. */
static __always_inline __u32 owner__translate(const struct uid_gid_map *map, __u32 uid, bool up)
{
	struct owner_search c = { .uid = uid, .found = OWNER_NOBODY, .up = up };
	__u32 count = BPF_CORE_READ(map, nr_extents);

	if (!count)
		return uid;
	c.extents = count > OWNER_FEW_EXTENTS ? BPF_CORE_READ(map, forward) : &map->extent[0];
	bpf_loop(count < OWNER_MAX_EXTENTS ? count : OWNER_MAX_EXTENTS, owner__extent, &c, 0);
	return c.found;
}

/* The owner that the mount shows of an object whose inode says `uid` (make_vfsuid() in fs/mnt_idmapping.c). */
__noinline __u32 owner__shown(__u64 vfsmount, __u32 uid)
{
	const struct vfsmount *mnt = (void *)vfsmount;
	const struct user_namespace *of_files = BPF_CORE_READ(mnt, mnt_sb, s_user_ns), *of_mount = NULL;
	const struct uid_gid_map *map = NULL;
	const struct mnt_idmap *idmap;

	if (bpf_core_field_exists(mnt->mnt_idmap)) {
		idmap = BPF_CORE_READ(mnt, mnt_idmap);
		if (bpf_core_field_exists(idmap->uid_map))
			map = &idmap->uid_map;
		else
			of_mount = BPF_CORE_READ((const struct mnt_idmap___owner *)idmap, owner);
	} else {
		of_mount = BPF_CORE_READ(mnt, mnt_userns);
	}
	if (of_mount) {
		if (!BPF_CORE_READ(of_mount, level) || of_mount == of_files)
			return uid; /* the initial one: not idmapped */
		map = &of_mount->uid_map;
	}
	if (!map || !BPF_CORE_READ(map, nr_extents))
		return uid;
	if (BPF_CORE_READ(of_files, level))
		uid = owner__translate(&of_files->uid_map, uid, true);
	return uid == (__u32)OWNER_NOBODY ? uid : owner__translate(map, uid, false);
}

/* Is the mount idmapped? For hot paths, where the verifier knows its type. */
static __always_inline bool owner__is_mapped(const struct vfsmount *mnt)
{
	if (!bpf_core_field_exists(mnt->mnt_idmap))
		return mnt->mnt_userns->level;
	if (bpf_core_field_exists(mnt->mnt_idmap->uid_map))
		return mnt->mnt_idmap->uid_map.nr_extents;
	return ((const struct mnt_idmap___owner *)mnt->mnt_idmap)->owner->level;
}

/* Owner of an open file. */
static __always_inline __u32 owner__of_file(const struct file *file)
{
	__u32 uid = file->f_inode->i_uid.val;

	return owner__is_mapped(file->f_path.mnt) ? owner__shown((__u64)BPF_CORE_READ(file, f_path.mnt), uid) : uid;
}

/* Owner of an entry; of one that does not exist yet: of its directory. */
static __always_inline __u32 owner__of_entry(__u64 vfsmount, __u64 entry)
{
	const struct dentry *dentry = (void *)entry;
	const struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	if (!inode)
		inode = BPF_CORE_READ(dentry, d_parent, d_inode);
	return owner__shown(vfsmount, BPF_CORE_READ(inode, i_uid.val));
}

#endif
