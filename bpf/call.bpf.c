// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The programs behind rules on system calls: a second object, loaded when the first such rule appears, which uses the maps of
 * picket.bpf.c. The agent attaches what the rules in force need and nothing else (agent/kernel/calls.ts), so that a call which no
 * rule names costs nothing.
 *
 * Single calls: each gets a gate of its own, a few instructions that are loaded for its function in the kernel; through a tail call
 * all of them lead to one program. The attach cookie tells which call it is. Many calls, and the tracepoint backend: one program
 * at the end (and the begin) of every call.
 */
#define __VMLINUX_H__
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define JUDGE_WITHOUT_GLOBS
#include "call.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * A kernel lets programs tail-call each other only when their functions have one prototype, and the entry points of system calls have
 * two that differ in the name of a parameter: everything is there twice. Targets are set by the agent.
 */
#define GATED(kind)                                                                                                      \
	struct {                                                                                                         \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                                   \
		__uint(max_entries, 1);                                                                                  \
		__uint(key_size, 4);                                                                                     \
		__uint(value_size, 4);                                                                                   \
	} picket_end_##kind SEC(".maps"), picket_begin_##kind SEC(".maps");                                            \
                                                                                                                         \
	SEC("fexit/__x64_sys_read")                                                                                      \
	int BPF_PROG(picket_gate_end_##kind, const struct pt_regs *regs, long ret)                                       \
	{                                                                                                                \
		if (task__record(bpf_get_current_task_btf()))                                                            \
			bpf_tail_call(ctx, &picket_end_##kind, 0);                                                      \
		return 0;                                                                                                \
	}                                                                                                                \
                                                                                                                         \
	SEC("fentry/__x64_sys_read")                                                                                     \
	int BPF_PROG(picket_gate_begin_##kind, const struct pt_regs *regs)                                               \
	{                                                                                                                \
		if (task__record(bpf_get_current_task_btf()))                                                            \
			bpf_tail_call(ctx, &picket_begin_##kind, 0);                                                    \
		return 0;                                                                                                \
	}                                                                                                                \
                                                                                                                         \
	SEC("fexit/__x64_sys_read")                                                                                      \
	int BPF_PROG(picket_at_end_##kind, const struct pt_regs *regs, long ret)                                            \
	{                                                                                                                \
		struct call call = {};                                                                                   \
                                                                                                                         \
		if (call__open(&call, bpf_get_attach_cookie(ctx), regs))                                                 \
			call__end(&call, ret);                                                                           \
		return 0;                                                                                                \
	}                                                                                                                \
                                                                                                                         \
	SEC("fentry/__x64_sys_read")                                                                                     \
	int BPF_PROG(picket_at_begin_##kind, const struct pt_regs *regs)                                                    \
	{                                                                                                                \
		struct call call = {};                                                                                   \
                                                                                                                         \
		if (call__open(&call, bpf_get_attach_cookie(ctx), regs))                                                 \
			call__begin(&call);                                                                              \
		return 0;                                                                                                \
	}

GATED(a)
GATED(b)

SEC("tp_btf/sys_exit")
int BPF_PROG(picket_all_end, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call call = {};

	if (task__record(task) && call__open(&call, registers__number(task, regs->orig_ax), regs))
		call__end(&call, ret);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(picket_all_begin, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call call = {};

	if (task__record(task) && call__open(&call, registers__number(task, regs->orig_ax), regs) &&
	    call.shape & (PICKET_CALL_CLOSES | PICKET_CALL_ENDS | PICKET_CALL_EXECUTES))
		call__begin(&call);
	return 0;
}

/* The call under way, seen from a hook below it. */
static __always_inline bool call__under_way(struct call *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;

	if (!task__record(task))
		return false;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	return call__open(call, registers__number(task, regs->orig_ax), regs);
}

/* A path that the kernel has resolved for a call that rules name. */
static __always_inline void call__path(struct call *call, struct vfsmount *mnt, struct dentry *dentry)
{
	struct call_state *state;
	struct scratch *s;
	__u64 mount;
	__u32 index;

	if (!(call->shape & 63 * PICKET_CALL_PATH))
		return; /* io_uring_enter, say, which carries out other calls */
	state = call__state(call);
	if (!state)
		return;
	s = scratch__claim(&index);
	if (!s)
		return;
	call__search(call, s, state);
	mount = call__address(s, mnt);
	if (call__consider(s, mount, call__address(s, dentry)))
		call__send_path(call, s);
	state->best = s->call;
	state->paths++;
	scratch__release(s);
}

SEC("fentry/security_path_unlink")
int BPF_PROG(picket_path_unlink, const struct path *dir, struct dentry *dentry)
{
	struct call call = {};

	if (call__under_way(&call))
		call__path(&call, dir->mnt, dentry);
	return 0;
}

SEC("fentry/security_path_rmdir")
int BPF_PROG(picket_path_rmdir, const struct path *dir, struct dentry *dentry)
{
	struct call call = {};

	if (call__under_way(&call))
		call__path(&call, dir->mnt, dentry);
	return 0;
}

SEC("fentry/security_path_mkdir")
int BPF_PROG(picket_path_mkdir, const struct path *dir, struct dentry *dentry)
{
	struct call call = {};

	if (call__under_way(&call))
		call__path(&call, dir->mnt, dentry);
	return 0;
}

SEC("fentry/security_path_mknod")
int BPF_PROG(picket_path_mknod, const struct path *dir, struct dentry *dentry)
{
	struct call call = {};

	if (call__under_way(&call))
		call__path(&call, dir->mnt, dentry);
	return 0;
}

SEC("fentry/security_path_symlink")
int BPF_PROG(picket_path_symlink, const struct path *dir, struct dentry *dentry)
{
	struct call call = {};

	if (call__under_way(&call))
		call__path(&call, dir->mnt, dentry);
	return 0;
}

/* The new name; the old one was looked up before. */
SEC("fentry/security_path_link")
int BPF_PROG(picket_path_link, struct dentry *old, const struct path *dir, struct dentry *dentry)
{
	struct call call = {};

	if (call__under_way(&call))
		call__path(&call, dir->mnt, dentry);
	return 0;
}

SEC("fentry/security_path_rename")
int BPF_PROG(picket_path_rename, const struct path *from, struct dentry *old, const struct path *to, struct dentry *dentry)
{
	struct call call = {};

	if (!call__under_way(&call))
		return 0;
	call__path(&call, from->mnt, old);
	call__path(&call, to->mnt, dentry);
	return 0;
}

/*
 * Every other path argument. The kernel looks up more than the caller asked for; the address of the name tells. (mount copies its
 * source before, so that has none.)
 */
SEC("fexit/filename_lookup")
int BPF_PROG(picket_lookup, int dfd, struct filename *name, unsigned int flags, struct path *path, struct path *root, int ret)
{
	struct call call = {};
	bool asked = false;
	__u64 address;

	if (ret || !call__under_way(&call))
		return 0;
	address = (__u64)BPF_CORE_READ(name, uptr);
	for (int i = 0; i < REGISTERS_ARGUMENTS; i++)
		if (call.shape & PICKET_CALL_PATH << i && call.args[i] == address)
			asked = true;
	if (asked || (!address && call.shape & PICKET_CALL_MOUNTS))
		call__path(&call, path->mnt, path->dentry);
	return 0;
}

enum { OPEN_FOR_EXEC = 0x20 /* __FMODE_EXEC in f_flags */ };

/*
 * A file that is opened: one that was refused, or that the kernel opens for itself. An exec opens the program, then its interpreter and
 * loader; the first is the one that was asked for. What open returns is looked at in the end.
 */
SEC("fexit/security_file_open")
int BPF_PROG(picket_file, struct file *file, int ret)
{
	struct call_state *state;
	struct call call = {};

	if (!call__under_way(&call) || !(call.shape & PICKET_CALL_FILE))
		return 0;
	if (call.shape & PICKET_CALL_OPENS && !ret)
		return 0;
	if (call.shape & PICKET_CALL_EXECUTES && !(file->f_flags & OPEN_FOR_EXEC))
		return 0;
	state = call__state(&call);
	if (state && !state->paths)
		call__path(&call, file->f_path.mnt, file->f_path.dentry);
	return 0;
}

/*
 * An execve has succeeded: what its begin and its opens have told is all there is of the caller. Tracepoint backend: the path is that of
 * the program, unless it is a script.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(picket_executed, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct call_state *state;
	struct call call = {};
	struct scratch *s;
	__u32 index, length = 0;
	bool script;

	if (!call__under_way(&call))
		return 0;
	state = bpf_task_storage_get(&picket_calls, call.task, 0, 0);
	if (!state || state->number != call.number || !state->time_ns)
		return 0;
	count(PICKET_COUNT_SYSCALL_JUDGED);
	s = scratch__claim(&index);
	if (!s)
		return 0;
	judge__search(&call.j, s, PICKET_DEPTHS_SYSCALL, 0, 0);
	s->sources = state->sources;
	s->call = state->best;
	s->call.length = 0;
	script = bprm->interp != bprm->filename;
	if (!state->paths && !script)
		call__consider(s, call__address(s, bprm->file->f_path.mnt), (__u64)BPF_CORE_READ(bprm, file, f_path.dentry));
	if (!s->call.objects)
		call__consider_nothing(s);
	if (s->call.outcome != PICKET_OUTCOME_NONE || (!state->paths && script)) {
		call.j.outcome = s->call.outcome;
		call.j.hash = s->call.hash;
		event__begin(s, call.task, call.record, PICKET_EVENT_ALERT);
		event__judgement(s, &call.j, PICKET_OPERATION_SYSCALL);
		s->event.flags &= ~PICKET_EVENT_PATH_UNRESOLVED;
		s->event.syscall = call.number;
		s->event.time_ns = state->time_ns;
		s->event.exe_hash = state->exe_hash;
		length = s->call.length;
		if (!state->paths && script) {
			length = bpf_probe_read_kernel_str(s->strings, CALL_NAME + 1, bprm->filename);
			length = (__s32)length > 0 ? (length - 1) & CALL_NAME : 0;
			s->event.flags |= PICKET_EVENT_PATH_LATE;
		}
		s->event.path_length = length;
		s->event.cwd_length = event__cwd(s, call.task, length);
		length += s->event.cwd_length;
		if (!state->paths && script) {
			s->event.base_length = call__base(s, s->strings[0] == '/', CALL_AT_CURRENT, length);
			length += s->event.base_length;
		}
		count(PICKET_COUNT_ALERTED);
		event__send(s, length, false);
	}
	scratch__release(s);
	state->number = CALL_NONE;
	return 0;
}
