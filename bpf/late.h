/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Paths that only the caller's own strings tell, read when the call is over; the agent resolves them. */
#ifndef PICKET_LATE_H
#define PICKET_LATE_H

#include "event.h"
#include "registers.h"

enum {
	CALL_AT_CURRENT = -100, /* AT_FDCWD */
	CALL_NAME = 4095,       /* bytes of a path argument: PATH_MAX less the closing zero */
};

/* Objects of a call that can be asked for beside its descriptors. */
enum { CALL_PWD = CALL_AT_CURRENT, CALL_ROOT = -1000, CALL_NO_OBJECT = -1001 };

/* By the number of the call: enum picket_call_shape. Set by the agent. */
const volatile __u32 picket_call_shapes[PICKET_MAX_SYSCALLS] = {};

/* Finds the file behind a descriptor of the current task, or its working or root directory: s->look; 0: there is none. */
__noinline int call__locate(struct scratch *s, __s32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file **table, *file = NULL;

	if (!s)
		return 0;
	if (fd == CALL_PWD || fd == CALL_ROOT) {
		const struct path *path = fd == CALL_PWD ? &task->fs->pwd : &task->fs->root;

		s->look.mount = (__u64)BPF_CORE_READ(path, mnt);
		s->look.dentry = (__u64)BPF_CORE_READ(path, dentry);
		return 1;
	}
	if (fd < 0 || (__u32)fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return 0;
	table = BPF_CORE_READ(task, files, fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), table + (__u32)fd);
	if (!file)
		return 0;
	s->look.mount = (__u64)BPF_CORE_READ(file, f_path.mnt);
	s->look.dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
	return 1;
}

/* A string of the caller's, at `offset`; its length. A page that is not there yet gives nothing. */
__noinline __u32 call__string(struct scratch *s, __u64 address, __u32 offset)
{
	long read;

	if (!s || !address || offset >= SCRATCH_STRINGS - CALL_NAME - 1)
		return 0;
	read = bpf_probe_read_user_str(&s->strings[offset], CALL_NAME + 1, (void *)address);
	return read > 0 ? (read - 1) & CALL_NAME : 0;
}

/* The directory that a name is relative to: an absolute one to the task's root, which a chroot may have moved. */
static __always_inline __u32 call__base(struct scratch *s, bool absolute, __s32 fd, __u32 offset)
{
	if (!call__locate(s, absolute ? CALL_ROOT : fd) || path__walk(s, s->look.mount, s->look.dentry))
		return 0;
	return path__text(s, offset);
}

static __always_inline bool call__absolute(struct scratch *s, __u32 offset)
{
	return offset < SCRATCH_STRINGS && s->strings[offset] == '/';
}

static __always_inline void call__end_string(struct scratch *s, __u32 offset)
{
	if (offset < SCRATCH_STRINGS)
		s->strings[offset] = 0;
}

/*
 * The paths of a call that no path hook has seen, as the caller gave them; the agent joins or resolves them. The strings of the
 * event: path, args (of a second path: the path and its directory), cwd, base. Returns the length of all.
 */
__noinline __u32 call__late(struct scratch *s, __u32 shape)
{
	__u32 length = 0, second;
	int found = 0;
	__s32 fd = CALL_AT_CURRENT;
	bool absolute = false;

	if (!s)
		return 0;
	for (int i = 0; i < REGISTERS_ARGUMENTS; i++) {
		__s32 directory = CALL_AT_CURRENT;

		if (!(shape & PICKET_CALL_PATH << i))
			continue;
		if (i > 0 && shape & PICKET_CALL_AT << (i - 1))
			directory = s->look.arguments[i - 1];
		if (!found++) {
			fd = directory;
			s->event.path_length = length = call__string(s, s->look.arguments[i], 0);
			absolute = length && s->strings[0] == '/';
			continue;
		}
		second = call__string(s, s->look.arguments[i], length);
		if (!second)
			break;
		call__end_string(s, length + second);
		s->event.args_length = second + 1;
		second = call__base(s, call__absolute(s, length), directory, length + second + 1);
		call__end_string(s, length + s->event.args_length + second);
		s->event.args_length += second + 1;
		length += s->event.args_length;
		break;
	}
	s->event.cwd_length = event__cwd(s, bpf_get_current_task_btf(), length);
	length += s->event.cwd_length;
	s->event.base_length = call__base(s, absolute, fd, length);
	return length + s->event.base_length;
}

#endif
