/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Programs: judged before they start, remembered when they have. */
#ifndef PICKET_HOOK_EXEC_H
#define PICKET_HOOK_EXEC_H

#include "event.h"
#include "registers.h"

enum { MAX_ARGUMENTS = PICKET_MAX_ARGS + 1 /* each takes a byte at least */, MAX_ARGUMENT = 4096, EXEC_EACCES = 13, SIGNAL_KILL = 9 };

struct argument_context {
	struct scratch *s;
	__u64 argv;
	__u32 offset;
	__u32 end;
	__u32 truncated;
	__u32 failed;
};

static long exec__argument(__u32 index, struct argument_context *c)
{
	__u32 offset = c->offset;
	__u64 pointer = 0;
	long length;

	if (bpf_probe_read_user(&pointer, sizeof(pointer), (void *)(c->argv + 8ULL * index))) {
		c->failed = 1;
		return 1;
	}
	if (!pointer)
		return 1;
	if (offset >= c->end || offset >= SCRATCH_STRINGS - MAX_ARGUMENT) {
		c->truncated = 1;
		return 1;
	}
	length = bpf_probe_read_user_str(&c->s->strings[offset], MAX_ARGUMENT, (void *)pointer);
	if (length <= 0) {
		c->failed = 1;
		return 1;
	}
	if (length == MAX_ARGUMENT)
		c->truncated = 1;
	c->offset = offset + length;
	return 0;
}

/*
 * Arguments of an exec that has not happened yet, from the caller's own memory, for display only: the kernel has just
 * copied them, so the pages are there; another thread may change them meanwhile.
 */
static __noinline __u32 exec__caller_arguments(struct scratch *s, struct task_struct *task, __u32 offset)
{
	struct argument_context c = { .s = s, .offset = offset, .end = offset + PICKET_MAX_ARGS };
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	c.argv = registers__exec_argv(task, regs);
	if (!c.argv) {
		s->event.flags |= PICKET_EVENT_NO_ARGS;
		return 0;
	}
	bpf_loop(MAX_ARGUMENTS, exec__argument, &c, 0);
	if (c.failed)
		s->event.flags |= PICKET_EVENT_NO_ARGS;
	if (c.truncated)
		s->event.flags |= PICKET_EVENT_ARGS_TRUNCATED;
	return c.offset < c.end ? c.offset - offset : PICKET_MAX_ARGS;
}

/*
 * Arguments of a program that has just been set up: the strings lie one after the other in its new memory, from `start` to
 * `end`. Global: the verifier looks at its bounds once, and they are not lost among the callers' registers.
 */
__noinline __u32 exec__new_arguments(struct scratch *s, __u64 start, __u64 end, __u32 offset)
{
	__u64 length = end - start;

	if (!s)
		return 0;
	if (end <= start || offset >= SCRATCH_STRINGS - PICKET_MAX_ARGS - 1) {
		s->event.flags |= PICKET_EVENT_NO_ARGS;
		return 0;
	}
	if (length > PICKET_MAX_ARGS) {
		length = PICKET_MAX_ARGS;
		s->event.flags |= PICKET_EVENT_ARGS_TRUNCATED;
	}
	if (bpf_probe_read_user(&s->strings[offset], length & PICKET_MAX_ARGS, (void *)start)) {
		s->event.flags |= PICKET_EVENT_NO_ARGS;
		return 0;
	}
	return length & PICKET_MAX_ARGS;
}

static __always_inline __u32 exec__own_arguments(struct scratch *s, struct task_struct *task, __u32 offset)
{
	return exec__new_arguments(s, BPF_CORE_READ(task, mm, arg_start), BPF_CORE_READ(task, mm, arg_end), offset);
}

/* Sends the alert about the program last walked. `own`: it has been set up already. */
static __always_inline void exec__alert(struct scratch *s, struct task_struct *task, const struct picket_task *record,
					const struct judgement *j, __u32 flags, __s32 result, bool own)
{
	bool denied = j->outcome >> PICKET_OUTCOME_SHIFT == PICKET_VERDICT_DENY && !j->audited;
	__u32 length;

	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, j, PICKET_OPERATION_EXEC);
	s->event.flags |= flags;
	s->event.result = result;
	s->event.path_length = length = path__text(s, 0);
	s->event.args_length = own ? exec__own_arguments(s, task, length) : exec__caller_arguments(s, task, length);
	length += s->event.args_length;
	s->event.cwd_length = event__cwd(s, task, length);
	event__send(s, length + s->event.cwd_length, denied);
}

/* Who starts the program: its parent. */
static __always_inline void exec__sources(const struct judgement *j, struct scratch *s, struct task_struct *task,
					  const struct picket_task *record)
{
	if (!s)
		return;
	s->sources.count = 0;
	if (j->head->flags & (PICKET_SET_SOURCES << PICKET_CATEGORY_PROCESS))
		source__of_parent(s, j->head->depths[PICKET_DEPTHS_SOURCE], j->set, task, record);
}

/* Judges the start of the program whose path was walked, by its path and by its name. */
static __always_inline __u32 exec__judge(struct judgement *j, struct scratch *s, int walked, __u32 owner)
{
	__u32 verdict;

	if (s) {
		judge__search(j, s, PICKET_DEPTHS_PROCESS, JUDGE_OBJECT, owner);
		if (walked == WALK_RESOLVED)
			walked = judge__path(s);
		if (walked == WALK_RESOLVED) {
			if (j->head->flags & PICKET_SET_EXECNAMES && s->count) {
				s->search.key_category = PICKET_KEY_EXECNAME;
				judge__look_up_object(s, hash__canonical(scratch__step(s, 0)->hash), JUDGE_NAME);
			}
		} else {
			judge__unresolved(j, walked);
		}
	}
	verdict = judge__decide(j, s, false);
	if (s && verdict >= PICKET_VERDICT_ALERT && walked == WALK_RESOLVED)
		j->hash = path__hash(s);
	return verdict;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(picket_bprm_check, struct linux_binprm *bprm, int ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	struct picket_workload *workload;
	struct judgement j = {};
	struct scratch *s;
	__u32 verdict, index;
	struct file *file;

	if (ret || !record)
		return ret;
	if (record->flags & PICKET_TASK_ENTRY) {
		workload = bpf_map_lookup_elem(&picket_workloads, &record->slot);
		if (!workload || !task__starts_workload(task, record, workload))
			return 0;
	}
	if (!judge__begin(&j, record, PICKET_CATEGORY_PROCESS))
		return 0;
	count(PICKET_COUNT_EXEC_JUDGED);
	file = bprm->file;
	s = scratch__claim(&index);
	exec__sources(&j, s, task, record);
	verdict = exec__judge(&j, s, path__walk_typed(s, file->f_path.mnt, file->f_path.dentry), file->f_inode->i_uid.val);
	event__unresolved(s, task, record, &j, PICKET_OPERATION_EXEC);
	if (verdict >= PICKET_VERDICT_ALERT) {
		ret = verdict == PICKET_VERDICT_DENY ? -EXEC_EACCES : 0;
		count(ret ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
		if (s)
			exec__alert(s, task, record, &j, 0, ret, false);
	}
	if (s)
		scratch__release(s);
	return ret;
}

/* An alert has used the walk's memory for the working directory. */
static __always_inline int exec__walk_again(struct scratch *s, struct file *file)
{
	return path__walk(s, (__u64)BPF_CORE_READ(file, f_path.mnt), (__u64)BPF_CORE_READ(file, f_path.dentry));
}

/*
 * Tracepoint backend: the open of the program, as file rules see it: the task had its old program then, of which the
 * record still tells.
 */
static __always_inline __u32 exec__opened(struct judgement *j, struct scratch *s, struct file *file, int *walked, __u32 owner,
					  struct task_struct *task, struct picket_task *record)
{
	if (!judge__begin(j, record, PICKET_CATEGORY_FILE))
		return PICKET_VERDICT_PASS;
	judge__sources(j, s, task, record);
	*walked = exec__walk_again(s, file);
	return judge__file(j, s, *walked, owner, 0, true);
}

/*
 * A program has been set up and has not run an instruction yet. Remembers it, tells the agent, and in the tracepoint
 * backend judges it: SIGKILL here ends the process before it starts.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(picket_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct picket_task *record = task__record(task);
	__u32 verdict, index, length, owner;
	struct picket_workload *workload;
	struct judgement j = {};
	struct scratch *s;
	struct file *file;
	bool entry;
	int walked;

	if (!record)
		return 0;
	workload = bpf_map_lookup_elem(&picket_workloads, &record->slot);
	entry = record->flags & PICKET_TASK_ENTRY;
	if (entry && (!workload || workload->id != record->workload || !task__starts_workload(task, record, workload)))
		return 0; /* the runtime at work; or the workload was removed, and its slot may be another's by now */
	file = bprm->file;
	s = scratch__claim(&index);
	walked = path__walk_direct(s, file->f_path.mnt, file->f_path.dentry);

	if (entry && workload) {
		record->root_start_ns = task__start(task);
		record->root_pid = task->tgid;
		if (workload->flags & PICKET_WORKLOAD_STARTED)
			record->exec_session = bpf_ktime_get_boot_ns();
	}
	if (picket_backend == PICKET_BACKEND_TRACEPOINT) {
		owner = file->f_inode->i_uid.val;
		/* The kernel opened the program first: a file rule that blocks it acts on it (8.2). */
		verdict = exec__opened(&j, s, file, &walked, owner, task, record);
		if (verdict >= PICKET_VERDICT_ALERT) {
			count(verdict == PICKET_VERDICT_DENY ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
			if (s) {
				event__begin(s, task, record, PICKET_EVENT_ALERT);
				event__judgement(s, &j, PICKET_OPERATION_OPEN);
				s->event.flags |= verdict == PICKET_VERDICT_DENY ? PICKET_EVENT_KILLED : 0;
				s->event.result = verdict == PICKET_VERDICT_DENY ? -EXEC_EACCES : 0;
				s->event.path_length = length = path__text(s, 0);
				s->event.cwd_length = event__cwd(s, task, length);
				event__send(s, length + s->event.cwd_length, verdict == PICKET_VERDICT_DENY);
			}
			walked = exec__walk_again(s, file);
		}
		if (verdict == PICKET_VERDICT_DENY) {
			bpf_send_signal(SIGNAL_KILL); /* and its alert is the only one */
		} else {
			__builtin_memset(&j, 0, sizeof(j));
			if (judge__begin(&j, record, PICKET_CATEGORY_PROCESS)) {
				count(PICKET_COUNT_EXEC_JUDGED);
				exec__sources(&j, s, task, record);
				walked = exec__walk_again(s, file);
				verdict = exec__judge(&j, s, walked, owner);
				if (verdict == PICKET_VERDICT_DENY)
					bpf_send_signal(SIGNAL_KILL);
				if (verdict >= PICKET_VERDICT_ALERT) {
					count(verdict == PICKET_VERDICT_DENY ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
					if (s)
						exec__alert(s, task, record, &j, verdict == PICKET_VERDICT_DENY ? PICKET_EVENT_KILLED : 0,
							    verdict == PICKET_VERDICT_DENY ? -EXEC_EACCES : 0, true);
					walked = exec__walk_again(s, file);
				}
			}
		}
	}
	if (entry && workload) {
		record->flags &= ~PICKET_TASK_ENTRY;
		if (!(workload->flags & PICKET_WORKLOAD_STARTED)) {
			workload->mount_namespace = task__mount_namespace(task);
			__sync_fetch_and_or(&workload->flags, PICKET_WORKLOAD_STARTED);
		}
	}
	source__remember(s, record, walked == WALK_RESOLVED);
	if (!s)
		return 0;
	event__begin(s, task, record, PICKET_EVENT_EXEC);
	s->event.path_hash = record->exe_hash;
	if (!record->exe_hash)
		s->event.flags |= PICKET_EVENT_PATH_UNRESOLVED;
	s->event.path_length = length = path__text(s, 0);
	s->event.args_length = exec__own_arguments(s, task, length);
	length += s->event.args_length;
	s->event.cwd_length = event__cwd(s, task, length);
	event__send(s, length + s->event.cwd_length, true);
	scratch__release(s);
	return 0;
}

#endif
