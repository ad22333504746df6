/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Programs: judged before they start, remembered when they have. */
#ifndef PICKET_HOOK_EXEC_H
#define PICKET_HOOK_EXEC_H

#include "arguments.h"
#include "preset.h"
#include "registers.h"

enum { MAX_ARGUMENTS = PICKET_MAX_ARGS + 1 /* each takes a byte at least */, MAX_ARGUMENT = 4096, SIGNAL_KILL = 9 };

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
	return exec__new_arguments(s, task->mm->arg_start, task->mm->arg_end, offset);
}

/*
 * Writes the path of the program last walked, s->names[0], to the beginning of s->strings. One in memory is spelt by its name:
 * memfd:NAME.
 */
static __always_inline __u32 exec__text(struct scratch *s, int walked)
{
	const struct dentry *program = (void *)s->names[0].dentry;
	long length;

	if (walked != WALK_INTERNAL)
		return path__text(s, 0);
	length = bpf_probe_read_kernel_str(s->strings, PICKET_MAX_NAME + 1, BPF_CORE_READ(program, d_name.name));
	return length > 0 ? (length - 1) & PICKET_MAX_NAME : 0;
}

/*
 * Sends the alert about the program last walked, with s->walked. In the tracepoint backend it has been set up already, and is killed
 * when it is refused.
 */
static __noinline int exec__alert(struct scratch *s, struct task_struct *task, const struct picket_task *record,
				  const struct judgement *j)
{
	bool own = picket_backend == PICKET_BACKEND_TRACEPOINT;
	bool denied = j->outcome >> PICKET_OUTCOME_SHIFT == PICKET_VERDICT_DENY && !j->audited;
	int walked = s->walked;
	__u32 length;

	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, j, PICKET_OPERATION_EXEC);
	if (walked == WALK_INTERNAL)
		s->event.flags &= ~PICKET_EVENT_PATH_UNRESOLVED;
	if (denied) {
		s->event.flags |= own ? PICKET_EVENT_KILLED : 0;
		s->event.result = -FILE_EACCES;
	}
	s->event.path_length = length = exec__text(s, walked);
	s->event.args_length = own ? exec__own_arguments(s, task, length) : exec__caller_arguments(s, task, length);
	length += s->event.args_length;
	s->event.cwd_length = event__cwd(s, task, length);
	event__send(s, length + s->event.cwd_length, denied);
	return 0;
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

/* Rules with lists of arguments, for the program under this key. */
static __always_inline void exec__judge_arguments(struct scratch *s, __u64 hash, __u32 kind)
{
	if (s->search.parts)
		arguments__judge(s, hash, kind);
	s->search.parts = 0;
}

/* Judges the start of the program whose path was walked, by its path and by its name. s->given tells what it is given. */
static __noinline __u32 exec__judge(struct judgement *j, struct scratch *s, int walked, __u32 owner)
{
	__u32 verdict;
	__u64 hash;

	if (s) {
		judge__search(j, s, PICKET_DEPTHS_PROCESS, JUDGE_OBJECT, owner);
		if (walked == WALK_RESOLVED)
			walked = judge__path(s);
		if (walked == WALK_RESOLVED) {
			exec__judge_arguments(s, path__hash(s), JUDGE_EXACT);
			if (j->head->flags & PICKET_SET_EXECNAMES && s->count) {
				s->search.key_category = PICKET_KEY_EXECNAME;
				hash = hash__canonical(scratch__step(s, 0)->hash);
				judge__look_up_object(s, hash, JUDGE_NAME);
				exec__judge_arguments(s, hash, JUDGE_NAME);
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

/* Counts a verdict and sends its alert; true: refuse. As access__conclude, about a program. */
static __always_inline bool exec__conclude(struct judgement *j, struct scratch *s, __u32 verdict, struct task_struct *task,
					   const struct picket_task *record)
{
	bool refuse = verdict == PICKET_VERDICT_DENY;

	event__unresolved(s, task, record, j, PICKET_OPERATION_EXEC);
	if (verdict < PICKET_VERDICT_ALERT)
		return false;
	count(refuse ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
	if (s)
		exec__alert(s, task, record, j);
	return refuse;
}

/* An alert has used the walk's memory for the working directory. */
static __always_inline int exec__walk_again(struct scratch *s, struct file *file)
{
	return path__walk(s, (__u64)BPF_CORE_READ(file, f_path.mnt), (__u64)BPF_CORE_READ(file, f_path.dentry));
}

static __always_inline bool exec__has_presets(const struct picket_set *head)
{
	return (head->presets[PICKET_PRESET_FILELESS] & head->presets[PICKET_PRESET_EXEC]) != PICKET_OUTCOME_NONE;
}

/* Is the program one of an exec session with a terminal? `started`: the workload's own first program has run. */
static __always_inline bool exec__is_session(struct task_struct *task, const struct picket_task *record, bool started)
{
	if (record->flags & PICKET_TASK_ENTRY) /* its first program */
		return started && task->signal->tty;
	return record->exec_session && record->flags & PICKET_TASK_TERMINAL;
}

/* The presets about programs; true: refuse. Afterwards the path of `file` is walked still, and `j` as it was. */
static __noinline bool exec__presets(struct judgement *j, struct scratch *s, struct task_struct *task,
				     const struct picket_task *record, struct file *file)
{
	struct picket_workload *workload = bpf_map_lookup_elem(&picket_workloads, &record->slot);
	bool session = exec__is_session(task, record, workload && workload->flags & PICKET_WORKLOAD_STARTED), refuse = false;
	__u32 preset = PICKET_PRESET_FILELESS;

	for (int i = 0; i < 2 && !refuse; i++, preset = PICKET_PRESET_EXEC) {
		if (!preset__is_set(j->head, preset) || !(preset == PICKET_PRESET_EXEC ? session : preset__is_fileless(s, file)))
			continue;
		refuse = exec__conclude(j, s, preset__judge(j, preset, s && s->walked == WALK_RESOLVED ? path__hash(s) : 0), task,
					record);
		if (s)
			exec__walk_again(s, file);
	}
	preset__end(j);
	return refuse;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(picket_bprm_check, struct linux_binprm *bprm, int ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	struct picket_workload *workload;
	struct judgement j = {};
	struct scratch *s;
	__u32 index, owner;
	struct file *file;
	int walked;

	if (ret || !record)
		return ret;
	/* A script is judged first, its interpreter after it, with more strings in front of the same arguments. */
	if (bprm->interp == bprm->filename)
		record->exec_argc = bprm->argc;
	workload = bpf_map_lookup_elem(&picket_workloads, &record->slot);
	if (record->flags & PICKET_TASK_ENTRY && (!workload || !task__starts_workload(task, record, workload)))
		return 0;
	if (!judge__in_force(&j, record, PICKET_CATEGORY_PROCESS) || !(judge__has_rules(&j) || exec__has_presets(j.head)))
		return 0;
	count(PICKET_COUNT_EXEC_JUDGED);
	file = bprm->file;
	owner = owner__of_file(file);
	s = scratch__claim(&index);
	exec__sources(&j, s, task, record);
	walked = path__walk_typed(s, file->f_path.mnt, file->f_path.dentry);
	if (s) {
		s->walked = walked;
		/* Through memory: a typed pointer is no number to the verifier. */
		*(volatile __u64 *)&s->names[0].dentry = (__u64)file->f_path.dentry;
		*(volatile __u64 *)&s->given.mm = (__u64)bprm->mm;
		arguments__set(s, s->given.mm, bprm->p, bprm->argc, record->exec_argc);
	}
	if (exec__has_presets(j.head) && exec__presets(&j, s, task, record, file))
		ret = -FILE_EACCES;
	else if (judge__has_rules(&j) && exec__conclude(&j, s, exec__judge(&j, s, walked, owner), task, record))
		ret = -FILE_EACCES;
	if (s)
		scratch__release(s);
	return ret;
}

/*
 * Tracepoint backend: the open of the program, as file rules see it: the task had its old program then, of which the
 * record still tells.
 */
static __always_inline __u32 exec__opened(struct judgement *j, struct scratch *s, struct file *file, __u32 owner,
					  struct task_struct *task, struct picket_task *record)
{
	if (!judge__begin(j, record, PICKET_CATEGORY_FILE))
		return PICKET_VERDICT_PASS;
	judge__sources(j, s, task, record);
	return judge__file(j, s, exec__walk_again(s, file), owner, 0, true);
}

/* What the program is given; before a script's come the interpreter, its option if there is one, and the script. */
static __noinline int exec__own_strings(struct scratch *s, struct task_struct *task, struct linux_binprm *bprm)
{
	__u64 script, first = BPF_CORE_READ(task, mm, arg_start);
	__u32 count = bprm->argc;

	if (bprm->interp == bprm->filename) {
		arguments__set(s, ARGUMENTS_OF_TASK, first, count, count);
		return 0;
	}
	arguments__set(s, ARGUMENTS_OF_KERNEL, (__u64)BPF_CORE_READ(bprm, filename), count, count);
	s->given.at = s->given.first;
	arguments__next(s);
	script = s->given.hash;
	arguments__set(s, ARGUMENTS_OF_TASK, first, count, count);
	s->given.at = first;
	arguments__next(s);
	arguments__next(s);
	s->given.skip = script && s->given.hash == script ? 2 : 3;
	return 0;
}

/* Tracepoint backend: judges the program that has been set up; true: it is to be killed. Uses the walk's memory. */
static __always_inline bool exec__judge_late(struct scratch *s, struct task_struct *task, struct picket_task *record,
					     struct linux_binprm *bprm)
{
	struct file *file = bprm->file;
	__u32 owner = owner__of_file(file), verdict;
	struct judgement j = {};
	int walked;

	/* The kernel opened the program first: a file rule that blocks it acts on it (8.2). If it is killed, that is the one alert. */
	verdict = exec__opened(&j, s, file, owner, task, record);
	if (access__conclude(&j, s, verdict, task, record, PICKET_OPERATION_OPEN))
		return true;
	__builtin_memset(&j, 0, sizeof(j));
	if (!judge__in_force(&j, record, PICKET_CATEGORY_PROCESS) || !(judge__has_rules(&j) || exec__has_presets(j.head)))
		return false;
	count(PICKET_COUNT_EXEC_JUDGED);
	exec__sources(&j, s, task, record);
	walked = exec__walk_again(s, file);
	if (s)
		s->walked = walked;
	if (exec__has_presets(j.head) && exec__presets(&j, s, task, record, file))
		return true;
	if (!judge__has_rules(&j))
		return false;
	if (s)
		exec__own_strings(s, task, bprm);
	return exec__conclude(&j, s, exec__judge(&j, s, walked, owner), task, record);
}

/* As event__cwd, several times as fast. */
static __always_inline __u32 exec__cwd(struct scratch *s, struct task_struct *task, __u32 offset)
{
	if (path__walk_typed(s, task->fs->pwd.mnt, task->fs->pwd.dentry))
		return 0;
	return path__text(s, offset);
}

/*
 * A program has been set up and has not run an instruction yet. Remembers it, tells the agent, and in the tracepoint
 * backend judges it: SIGKILL here ends the process before it starts.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(picket_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct picket_task *record = task__record(task);
	struct picket_workload *workload;
	struct scratch *s;
	struct file *file;
	__u32 index, length;
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
	if (s)
		*(volatile __u64 *)&s->names[0].dentry = (__u64)file->f_path.dentry;

	if (entry && workload) {
		record->root_start_ns = task__start(task);
		record->root_pid = task->tgid;
		if (workload->flags & PICKET_WORKLOAD_STARTED) {
			record->exec_session = bpf_ktime_get_boot_ns();
			if (task->signal->tty)
				record->flags |= PICKET_TASK_TERMINAL;
		}
	}
	if (picket_backend == PICKET_BACKEND_TRACEPOINT) {
		if (exec__judge_late(s, task, record, bprm))
			bpf_send_signal(SIGNAL_KILL);
		walked = exec__walk_again(s, file);
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
	event__begin_life(s, task, record, PICKET_EVENT_EXEC);
	s->event.path_hash = record->exe_hash;
	if (!record->exe_hash)
		s->event.flags |= PICKET_EVENT_PATH_UNRESOLVED;
	s->event.path_length = length = exec__text(s, walked);
	s->event.args_length = exec__own_arguments(s, task, length);
	length += s->event.args_length;
	s->event.cwd_length = exec__cwd(s, task, length);
	event__send(s, length + s->event.cwd_length, true);
	scratch__release(s);
	return 0;
}

#endif
