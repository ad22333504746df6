/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Building one ring record: identity of the task, strings, sequence number, reserve failures counted. */
#ifndef PICKET_EVENT_H
#define PICKET_EVENT_H

#include "judge.h"
#include "task.h"

enum { PF_EXITING_TASK = 0x4 };

/* Read as a number, for the verifier lets no variable be added to a pointer whose type it knows. */
static __always_inline struct pid *event__pid(struct task_struct *task, bool direct)
{
	struct pid *pid = 0;

	if (direct)
		bpf_core_read(&pid, sizeof(pid), &task->group_leader->thread_pid);
	else
		pid = BPF_CORE_READ(task, group_leader, thread_pid);
	return pid;
}

/* The number of a process in the pid namespace of a level. How far apart the entries lie is the kernel's matter: struct upid is not whole here. */
static __always_inline __u32 event__number(const struct pid *pid, __u32 level)
{
	const char *first = (const char *)__builtin_preserve_access_index(&pid->numbers[0].nr);
	__u32 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), first + level * bpf_core_type_size(struct upid));
	return number;
}

/* `direct`: loads where the verifier knows the types, several times as fast, and several times as long to check. */
static __always_inline void event__describe(struct scratch *s, struct task_struct *task, const struct picket_task *record,
					    enum picket_event_kind kind, bool direct)
{
	struct picket_event *e = &s->event;
	struct task_struct *parent = task->real_parent;
	struct pid *pid = event__pid(task, direct), *parent_pid = event__pid(parent, direct);
	struct tty_struct *tty = task->signal->tty;
	__u32 level = direct ? task->group_leader->thread_pid->level : BPF_CORE_READ(pid, level);
	__u32 parent_level = direct ? parent->group_leader->thread_pid->level : BPF_CORE_READ(parent_pid, level);

	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = bpf_ktime_get_boot_ns();
	e->kind = kind;
	e->workload = record->workload;
	e->start_ns = task__start(task);
	e->parent_start_ns = task__start(parent);
	e->root_start_ns = record->root_start_ns;
	e->root_pid = record->root_pid;
	e->exec_session = record->exec_session;
	e->task_flags = record->flags;
	e->exe_hash = record->exe_hash;
	e->pid = task->tgid;
	e->tid = task->pid;
	e->ppid = parent->tgid;
	e->uid = task->cred->uid.val;
	e->vpid = event__number(pid, level);
	if (parent_level >= level) /* else the parent is outside the pid namespace: 0 */
		e->vppid = event__number(parent_pid, level);
	if (tty)
		bpf_probe_read_kernel_str(e->tty, sizeof(e->tty), tty->name);
	if (record->flags & PICKET_TASK_ENTRY)
		e->flags |= PICKET_EVENT_ENTRY;
	e->backend = picket_backend;
}

/* A function of its own: what it needs of the stack is not needed of every hook, whose call chains share 512 bytes. */
static __noinline int event__begin(struct scratch *s, struct task_struct *task, const struct picket_task *record,
				   enum picket_event_kind kind)
{
	event__describe(s, task, record, kind, false);
	return 0;
}

/* The same for process life, of which there is most. */
static __noinline __attribute__((unused)) int event__begin_life(struct scratch *s, struct task_struct *task,
								 const struct picket_task *record, enum picket_event_kind kind)
{
	event__describe(s, task, record, kind, true);
	return 0;
}

static __always_inline void event__judgement(struct scratch *s, const struct judgement *j, __u32 operation)
{
	struct picket_event *e = &s->event;

	e->path_hash = j->hash;
	e->set = j->set;
	e->generation = j->generation;
	e->outcome = j->outcome;
	e->category = j->category & 0xff;
	e->preset = j->preset;
	e->operation = operation;
	if (!j->hash)
		e->flags |= PICKET_EVENT_PATH_UNRESOLVED;
	if (j->audited)
		e->flags |= PICKET_EVENT_AUDITED;
}

/* Appends the working directory. Uses the walk buffers: append the object's path first. */
static __noinline __u32 event__cwd(struct scratch *s, struct task_struct *task, __u32 offset)
{
	struct vfsmount *mnt = BPF_CORE_READ(task, fs, pwd.mnt);
	struct dentry *dentry = BPF_CORE_READ(task, fs, pwd.dentry);

	if (!dentry || path__walk(s, (__u64)mnt, (__u64)dentry))
		return 0;
	return path__text(s, offset);
}

/* Sends `size` bytes of a record: denials and process life on one ring, the rest on the other. */
static __noinline int event__output(struct picket_event *event, __u64 size, bool first_class)
{
	__u32 ring = first_class ? 0 : 1;
	__u64 *sequence = bpf_map_lookup_elem(&picket_sequence, &ring);
	long failed;

	if (sequence)
		event->seq = __sync_fetch_and_add(sequence, 1) + 1;
	asm volatile("" : "+r"(size)); /* 6.1 has lost what the caller checked */
	if (size > sizeof(*event) + SCRATCH_STRINGS)
		return 0;
	/* No wake-ups: the agent drains on a timer; one per record costs the traced task microseconds. */
	if (first_class)
		failed = bpf_ringbuf_output(&picket_ring_deny, event, size, BPF_RB_NO_WAKEUP);
	else
		failed = bpf_ringbuf_output(&picket_ring_audit, event, size, BPF_RB_NO_WAKEUP);
	if (failed)
		count(first_class ? PICKET_COUNT_RING_DENY_LOST : PICKET_COUNT_RING_AUDIT_LOST);
	return 0;
}

/* Sends s->event with `length` bytes of strings. */
static __always_inline void event__send(struct scratch *s, __u32 length, bool first_class)
{
	__u64 size = sizeof(struct picket_event) + length;

	if (size > sizeof(struct picket_event) + SCRATCH_STRINGS)
		size = sizeof(struct picket_event) + SCRATCH_STRINGS;
	event__output(&s->event, size, first_class);
}

/* Tells of an object without a path; call it before an alert about the same access, which uses the walk's memory. */
static __always_inline void event__unresolved(struct scratch *s, struct task_struct *task, const struct picket_task *record,
					      const struct judgement *j, __u32 operation)
{
	if (!s || !j->unresolved)
		return;
	event__begin(s, task, record, PICKET_EVENT_UNRESOLVED);
	event__judgement(s, j, operation);
	s->event.details[0] = j->unresolved;
	s->event.path_length = path__text(s, 0);
	event__send(s, s->event.path_length, false);
}

#endif
