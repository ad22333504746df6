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
	SEC("fexit/" ENTRY_POINT)                                                                                        \
	int BPF_PROG(picket_gate_end_##kind, const struct pt_regs *regs, long ret)                                       \
	{                                                                                                                \
		if (task__record(bpf_get_current_task_btf()))                                                            \
			bpf_tail_call(ctx, &picket_end_##kind, 0);                                                      \
		return 0;                                                                                                \
	}                                                                                                                \
                                                                                                                         \
	SEC("fentry/" ENTRY_POINT)                                                                                       \
	int BPF_PROG(picket_gate_begin_##kind, const struct pt_regs *regs)                                               \
	{                                                                                                                \
		if (task__record(bpf_get_current_task_btf()))                                                            \
			bpf_tail_call(ctx, &picket_begin_##kind, 0);                                                    \
		return 0;                                                                                                \
	}                                                                                                                \
                                                                                                                         \
	SEC("fexit/" ENTRY_POINT)                                                                                        \
	int BPF_PROG(picket_at_end_##kind, const struct pt_regs *regs, long ret)                                            \
	{                                                                                                                \
		call__end(bpf_get_attach_cookie(ctx), regs, ret);                                                        \
		return 0;                                                                                                \
	}                                                                                                                \
                                                                                                                         \
	SEC("fentry/" ENTRY_POINT)                                                                                       \
	int BPF_PROG(picket_at_begin_##kind, const struct pt_regs *regs)                                                    \
	{                                                                                                                \
		call__begin(bpf_get_attach_cookie(ctx), regs);                                                           \
		return 0;                                                                                                \
	}

GATED(a)
GATED(b)

SEC("tp_btf/sys_exit")
int BPF_PROG(picket_all_end, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task__record(task))
		call__end(registers__number(task, registers__given(regs)), regs, ret);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(picket_all_begin, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task__record(task))
		call__begin(registers__number(task, registers__given(regs)), regs);
	return 0;
}

/* The call under way, seen from a hook below it. */
static __always_inline bool call__under_way(struct call *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct pt_regs *regs;

	if (!task__record(task))
		return false;
	regs = (const struct pt_regs *)bpf_task_pt_regs(task);
	return call__open(call, registers__number(task, registers__given(regs)), regs);
}

enum { CALL_ANY_NAME = -1 };

/* Is the string at `name` one that the caller gave? (mount copies its source before: that one is at 0.) */
static __always_inline bool call__asked(const struct call *call, struct scratch *s, __u64 name)
{
	if (name == (__u64)CALL_ANY_NAME || (!name && call->shape & PICKET_CALL_MOUNTS))
		return true;
	for (int i = 0; i < REGISTERS_ARGUMENTS; i++)
		if (call->shape & PICKET_CALL_PATH << i && s->look.arguments[i] == name)
			return true;
	return false;
}

/*
 * A hook below a call that rules name, which has got a path from the string at `name`: memory for the search, which call__found gives
 * back; NULL: nothing to look at. Two functions of their own, because their stack is not needed while the search runs.
 */
static __noinline struct scratch *call__find(__u64 name)
{
	struct call_state *state;
	struct call call = {};
	struct scratch *s;
	__u32 index;

	if (!call__under_way(&call) || !(call.shape & 63 * PICKET_CALL_PATH))
		return NULL; /* io_uring_enter, say, carries out other calls */
	state = call__state(&call);
	s = state ? scratch__claim(&index) : NULL;
	if (!s)
		return NULL;
	call__search(&call, s, state);
	if (call__asked(&call, s, name))
		return s;
	scratch__release(s);
	return NULL;
}

/* The path was looked at; `best`: it is the best so far, and its text goes ahead. */
static __noinline int call__found(struct scratch *s, bool best)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *state = bpf_task_storage_get(&picket_calls, task, 0, 0);
	struct picket_task *record = task__record(task);

	if (best && record)
		call__send_path(s, task, record);
	if (state) {
		state->best = s->call;
		state->paths++;
	}
	return 0;
}

/* A path that the kernel has resolved for a call that rules name; `name`: address of the string that it was resolved from. */
static __always_inline void call__path(const struct vfsmount *mnt, const struct dentry *dentry, __u64 name)
{
	struct scratch *s = call__find(name);
	__u64 mount;

	if (!s)
		return;
	mount = call__address(s, mnt);
	call__found(s, call__consider(s, mount, call__address(s, dentry)));
	scratch__release(s);
}

SEC("fentry/security_path_unlink")
int BPF_PROG(picket_path_unlink, const struct path *dir, struct dentry *dentry)
{
	call__path(dir->mnt, dentry, CALL_ANY_NAME);
	return 0;
}

SEC("fentry/security_path_rmdir")
int BPF_PROG(picket_path_rmdir, const struct path *dir, struct dentry *dentry)
{
	call__path(dir->mnt, dentry, CALL_ANY_NAME);
	return 0;
}

SEC("fentry/security_path_mkdir")
int BPF_PROG(picket_path_mkdir, const struct path *dir, struct dentry *dentry)
{
	call__path(dir->mnt, dentry, CALL_ANY_NAME);
	return 0;
}

SEC("fentry/security_path_mknod")
int BPF_PROG(picket_path_mknod, const struct path *dir, struct dentry *dentry)
{
	call__path(dir->mnt, dentry, CALL_ANY_NAME);
	return 0;
}

SEC("fentry/security_path_symlink")
int BPF_PROG(picket_path_symlink, const struct path *dir, struct dentry *dentry)
{
	call__path(dir->mnt, dentry, CALL_ANY_NAME);
	return 0;
}

/* The new name; the old one was looked up before. */
SEC("fentry/security_path_link")
int BPF_PROG(picket_path_link, struct dentry *old, const struct path *dir, struct dentry *dentry)
{
	call__path(dir->mnt, dentry, CALL_ANY_NAME);
	return 0;
}

SEC("fentry/security_path_rename")
int BPF_PROG(picket_path_rename, const struct path *from, struct dentry *old, const struct path *to, struct dentry *dentry)
{
	call__path(from->mnt, old, CALL_ANY_NAME);
	call__path(to->mnt, dentry, CALL_ANY_NAME);
	return 0;
}

/* Every other path argument. The kernel looks up more than the caller asked for; the address of the name tells. */
SEC("fexit/filename_lookup")
int BPF_PROG(picket_lookup, int dfd, struct filename *name, unsigned int flags, struct path *path, struct path *root, int ret)
{
	if (!ret)
		call__path(path->mnt, path->dentry, (__u64)BPF_CORE_READ(name, uptr));
	return 0;
}

enum { OPEN_FOR_EXEC = 0x20 /* __FMODE_EXEC in f_flags */ };

/* Is the file that is opened, with this result, the one that the call is about, and will not be seen at its end? */
static __noinline int call__opens(bool for_exec, int ret)
{
	struct call_state *state;
	struct call call = {};

	if (!call__under_way(&call) || !(call.shape & PICKET_CALL_FILE))
		return 0;
	if (call.shape & PICKET_CALL_OPENS && !ret)
		return 0;
	if (call.shape & PICKET_CALL_EXECUTES && !for_exec)
		return 0;
	state = call__state(&call);
	return state && !state->paths;
}

/*
 * A file that is opened: one that was refused, or that the kernel opens for itself. An exec opens the program, then its interpreter and
 * loader; the first is the one that was asked for. What open returns is looked at in the end.
 */
SEC("fexit/security_file_open")
int BPF_PROG(picket_file, struct file *file, int ret)
{
	if (call__opens(file->f_flags & OPEN_FOR_EXEC, ret))
		call__path(file->f_path.mnt, file->f_path.dentry, CALL_ANY_NAME);
	return 0;
}

/* An execve has succeeded: what its begin and its opens have told is all there is of the caller. */
static __noinline struct scratch *call__succeeded(struct call_state *state)
{
	struct call call = {};
	struct scratch *s;
	__u32 index;

	/* The registers tell an execve by now, whatever it was. */
	if (state->number == CALL_NONE || !state->time_ns || !call__open(&call, state->number, NULL))
		return NULL;
	s = scratch__claim(&index);
	if (!s)
		return NULL;
	count(PICKET_COUNT_SYSCALL_JUDGED);
	call__search(&call, s, state);
	s->sources = state->sources;
	return s;
}

/* A script is not what is executed: its path is told as the caller gave it. */
static __always_inline void call__alert_executed(struct scratch *s, const struct call_state *state, const char *script)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	__u32 length = s->call.length;
	struct judgement j = {};
	long read;

	if (!record)
		return;
	j.set = s->search.set;
	j.generation = s->look.generation;
	j.category = PICKET_CATEGORY_SYSCALL;
	j.outcome = s->call.outcome;
	j.hash = s->call.hash;
	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, &j, PICKET_OPERATION_SYSCALL);
	s->event.flags &= ~PICKET_EVENT_PATH_UNRESOLVED;
	s->event.syscall = s->look.number;
	s->event.time_ns = state->time_ns;
	s->event.exe_hash = state->exe_hash;
	if (script) {
		read = bpf_probe_read_kernel_str(s->strings, CALL_NAME + 1, script);
		length = read > 0 ? (read - 1) & CALL_NAME : 0;
		s->event.flags |= PICKET_EVENT_PATH_LATE;
	}
	s->event.path_length = length;
	s->event.cwd_length = event__cwd(s, task, length);
	length += s->event.cwd_length;
	if (script) {
		s->event.base_length = call__base(s, s->strings[0] == '/', CALL_AT_CURRENT, length);
		length += s->event.base_length;
	}
	count(PICKET_COUNT_ALERTED);
	event__send(s, length, false);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(picket_executed, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct call_state *state = bpf_task_storage_get(&picket_calls, task, 0, 0);
	struct scratch *s = state ? call__succeeded(state) : NULL;
	const char *script = NULL;
	__u64 mount;

	if (!s)
		return 0;
	if (!state->paths) { /* tracepoint backend */
		if (bprm->interp != bprm->filename) {
			script = bprm->filename;
		} else {
			mount = call__address(s, bprm->file->f_path.mnt);
			call__consider(s, mount, call__address(s, bprm->file->f_path.dentry));
		}
	}
	if (!s->call.objects)
		call__consider_nothing(s);
	if (script || s->call.outcome != PICKET_OUTCOME_NONE)
		call__alert_executed(s, state, script);
	scratch__release(s);
	state->number = CALL_NONE;
	return 0;
}
