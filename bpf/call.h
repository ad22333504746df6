/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * System call rules (audit only), reported when the call returns success, EPERM or EACCES.
 *
 *   path hooks   below the call know the path that the kernel resolved: they judge it, and send its text ahead
 *   the end      looks at the descriptors among the arguments, and sends the alert of the best rule for any of the objects
 *   the begin    for calls that do not return, or close their object
 *
 * The objects of a call are all judged, each by the rules with a path and those without; the most specific rule over all of them
 * decides. Which arguments are objects is told by picket_call_shapes.
 */
#ifndef PICKET_CALL_H
#define PICKET_CALL_H

#include "late.h"

enum {
	CALL_EPERM = 1,
	CALL_EACCES = 13,
	CALL_MAP_ANONYMOUS = 0x20,
	CALL_NONE = ~0U,
};

/* Of a 32-bit program: the calls behind socketcall and ipc, by the first argument. Set by the agent. */
const volatile __u16 picket_multiplexed[2][32] = {};

/* What is known of a call under way, from its begin or its first path to its end. */
struct call_state {
	__u64 stamp;    /* rule set and generation that judged */
	__u64 time_ns;  /* at the begin, of a call that replaces the program */
	__u64 exe_hash; /* likewise: the program that calls */
	__u32 number;   /* CALL_NONE: no call */
	__u32 paths;    /* seen */
	struct call_search best;
	struct picket_sources sources; /* of a call that replaces the program */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call_state);
} picket_calls SEC(".maps");

/* A call that rules name, with who makes it. Small: it lies on the stack below the search, which needs most of its 512 bytes. */
struct call {
	struct judgement j;
	struct task_struct *task;
	struct picket_task *record;
	const struct pt_regs *regs; /* NULL: the arguments are not known any more */
	__u32 number;
	__u32 shape;
	__u32 multiplexed; /* 0, or the number by which several calls go */
};

static __always_inline bool call__named(const struct judgement *j, __u32 number)
{
	return number < SYSCALL_OTHER && j->head->syscalls[(number >> 6) & 7] & (1ULL << (number & 63));
}

static __always_inline bool call__reported(long ret)
{
	return ret >= 0 || ret == -CALL_EPERM || ret == -CALL_EACCES;
}

/* Fills `call`; false: no rule names it. */
static __always_inline bool call__open(struct call *call, __u64 number, const struct pt_regs *regs)
{
	call->task = bpf_get_current_task_btf();
	call->record = task__record(call->task);
	if (!call->record || call->record->flags & PICKET_TASK_ENTRY)
		return false;
	if (number & PICKET_CALL_MULTIPLEXED && regs) {
		call->multiplexed = number;
		number = picket_multiplexed[number & 1][registers__first(call->task, regs) & 31];
	}
	call->regs = regs;
	call->number = number;
	if (number >= SYSCALL_OTHER)
		return false;
	call->shape = picket_call_shapes[number & (PICKET_MAX_SYSCALLS - 1)];
	return judge__begin(&call->j, call->record, PICKET_CATEGORY_SYSCALL | (__u32)number << PICKET_KEY_DETAIL) &&
	       call__named(&call->j, number);
}

/* Reads the arguments of the call; those of several calls in one are behind the number of the call. */
static __always_inline void call__arguments(const struct call *call, __u64 *args)
{
	__u32 words[REGISTERS_ARGUMENTS] = {};

	if (!call->regs) {
		__builtin_memset(args, 0, REGISTERS_ARGUMENTS * 8);
		return;
	}
	registers__arguments(call->task, call->regs, args);
	if (!call->multiplexed)
		return;
	if (call->multiplexed & 1) { /* ipc */
		for (int i = 0; i < REGISTERS_ARGUMENTS - 1; i++)
			args[i] = args[i + 1];
		args[REGISTERS_ARGUMENTS - 1] = 0;
	} else {
		bpf_probe_read_user(words, sizeof(words), (void *)args[1]);
		for (int i = 0; i < REGISTERS_ARGUMENTS; i++)
			args[i] = words[i];
	}
}

static __always_inline __u64 call__stamp(const struct judgement *j)
{
	return (__u64)j->generation << 32 | j->set;
}

static __always_inline void call__forget(struct call_state *state)
{
	__builtin_memset(state, 0, sizeof(*state));
	state->number = CALL_NONE;
	state->best.outcome = PICKET_OUTCOME_NONE;
}

/* What is known of this call so far; NULL: no memory. A state of another call, whose end was not seen, is of no use. */
static __always_inline struct call_state *call__state(const struct call *call)
{
	struct call_state *state = bpf_task_storage_get(&picket_calls, call->task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!state)
		return NULL;
	if (state->number == call->number && state->stamp == call__stamp(&call->j))
		return state;
	call__forget(state);
	state->number = call->number;
	state->stamp = call__stamp(&call->j);
	return state;
}

/* Begins the search, with what a state of the call has found. */
static __always_inline void call__search(struct call *call, struct scratch *s, const struct call_state *state)
{
	judge__sources(&call->j, s, call->task, call->record);
	judge__search(&call->j, s, PICKET_DEPTHS_SYSCALL, 0, 0);
	if (state)
		s->call = state->best;
	else
		__builtin_memset(&s->call, 0, sizeof(s->call));
	if (!state)
		s->call.outcome = PICKET_OUTCOME_NONE;
	s->call.length = 0;
	call__arguments(call, s->look.arguments);
	s->look.generation = call->j.generation;
	s->look.number = call->number;
	s->look.shape = call->shape;
	s->look.object = CALL_NO_OBJECT;
	s->look.late = 0;
	s->look.result = 0;
}

/* Is what was found for one object better than the best so far? Equals: the object that came first. */
static __always_inline bool call__better(struct scratch *s)
{
	struct judge_search *c = &s->search;
	struct call_search *best = &s->call;

	if (c->outcome == PICKET_OUTCOME_NONE)
		return false;
	if (best->outcome != PICKET_OUTCOME_NONE) {
		if (c->rank != best->rank ? c->rank > best->rank : c->kind != best->kind ? c->kind < best->kind : c->outcome >= best->outcome)
			return false;
	}
	best->outcome = c->outcome;
	best->rank = c->rank;
	best->kind = c->kind;
	return true;
}

static __always_inline void call__restart(struct judge_search *c)
{
	c->outcome = PICKET_OUTCOME_NONE;
	c->rank = ~0U;
	c->kind = JUDGE_ANY;
}

/* One object of the call; 1: it is the best so far, and s->strings begins with its path. */
__noinline int call__consider(struct scratch *s, __u64 mnt, __u64 dentry)
{
	struct call_search *best;
	int walked;

	if (!s)
		return 0;
	best = &s->call;
	walked = path__walk(s, mnt, dentry);
	/* A pipe, a socket: it has no path. Of some not even the root of their file system is above them. */
	if (walked == WALK_INTERNAL || (walked == WALK_UNRESOLVED && path__unwalked(mnt) == WALK_INTERNAL))
		return 0;
	best->objects++;
	call__restart(&s->search);
	if (walked == WALK_RESOLVED)
		judge__path(s);
	else
		count(PICKET_COUNT_PATH_UNRESOLVED);
	judge__look_up_object(s, 0, JUDGE_ANY);
	if (!call__better(s))
		return 0;
	best->unresolved = walked != WALK_RESOLVED;
	best->hash = walked == WALK_RESOLVED ? path__hash(s) : 0;
	best->length = path__text(s, 0);
	return 1;
}

/* Rules that name no path, for a call without one. */
static __always_inline void call__consider_nothing(struct scratch *s)
{
	call__restart(&s->search);
	judge__look_up_object(s, 0, JUDGE_ANY);
	call__better(s);
}

/* A typed pointer is no number to the verifier, unless it comes out of memory. */
static __always_inline __u64 call__address(struct scratch *s, const void *pointer)
{
	*(const void *volatile *)&s->dentry = pointer;
	return *(volatile __u64 *)&s->dentry;
}

static __always_inline void call__consider_at(struct scratch *s, __s32 fd)
{
	if (call__locate(s, fd))
		call__consider(s, s->look.mount, s->look.dentry);
}

/* The descriptors among the arguments. */
static __always_inline void call__consider_descriptors(struct scratch *s, __u32 shape)
{
	if (shape & PICKET_CALL_MAPS && s->look.arguments[3] & CALL_MAP_ANONYMOUS)
		return;
	for (int i = 0; i < REGISTERS_ARGUMENTS; i++)
		if (shape & PICKET_CALL_DESCRIPTOR << i)
			call__consider_at(s, (__s32)s->look.arguments[i]);
}

/* The alert of the best rule. A function of its own, as the search has one: neither needs the other's stack. */
static __noinline int call__alert(struct scratch *s)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	__u32 length, shape = s->look.shape;
	struct judgement j = {};

	if (!record)
		return 0;
	j.set = s->search.set;
	j.generation = s->look.generation;
	j.category = PICKET_CATEGORY_SYSCALL;
	j.outcome = s->call.outcome;
	j.hash = s->call.hash;
	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, &j, PICKET_OPERATION_SYSCALL);
	s->event.syscall = s->look.number;
	s->event.result = s->look.result;
	for (int i = 0, at = 0; i < REGISTERS_ARGUMENTS; i++)
		if (!(shape & PICKET_CALL_PATH << i) && at < 4)
			s->event.details[at++ & 3] = s->look.arguments[i];
	s->event.flags &= ~PICKET_EVENT_PATH_UNRESOLVED;
	if (s->call.unresolved)
		s->event.flags |= PICKET_EVENT_PATH_UNRESOLVED;
	if (s->look.late) {
		s->event.flags |= PICKET_EVENT_PATH_LATE;
		/* In the LSM backend the walk itself was refused: there is no path but this (policy.md 11). */
		if (picket_backend == PICKET_BACKEND_LSM)
			s->event.flags |= PICKET_EVENT_PATH_UNRESOLVED;
		length = call__late(s, shape);
	} else {
		s->event.path_length = length = s->call.length;
		s->event.cwd_length = event__cwd(s, task, length);
		length += s->event.cwd_length;
	}
	count(PICKET_COUNT_ALERTED);
	event__send(s, length, false);
	return 0;
}

/* The first path may be empty: then the call is about the directory's descriptor itself. CALL_NO_OBJECT: it is not. */
__noinline int call__empty(struct scratch *s, __u32 shape)
{
	if (!s)
		return CALL_NO_OBJECT;
	for (int i = 1; i < REGISTERS_ARGUMENTS; i++)
		if (shape & PICKET_CALL_PATH << i && shape & PICKET_CALL_AT << (i - 1))
			return s->look.arguments[i] && call__string(s, s->look.arguments[i], 0) ? CALL_NO_OBJECT : (__s32)s->look.arguments[i - 1];
	return CALL_NO_OBJECT;
}

/*
 * The end of a call that rules name and that is to be reported: what has to be looked at yet, in s->look; NULL: nothing is to be
 * done. `number` as a gate or the registers tell it.
 */
static __noinline struct scratch *call__ended(__u64 number, const struct pt_regs *regs, long ret)
{
	struct call_state *state;
	struct call call = {};
	struct scratch *s;
	__u32 index, shape;

	if (!call__open(&call, number, regs))
		return NULL;
	shape = call.shape;
	state = bpf_task_storage_get(&picket_calls, call.task, 0, 0);
	if (state && (state->number != call.number || state->stamp != call__stamp(&call.j))) {
		state->number = CALL_NONE;
		state = NULL;
	}
	/* An exec that has succeeded was reported then. */
	if (!call__reported(ret) || (shape & PICKET_CALL_EXECUTES && ret >= 0))
		s = NULL;
	else
		s = scratch__claim(&index);
	if (s) {
		count(PICKET_COUNT_SYSCALL_JUDGED);
		call__search(&call, s, state);
		s->look.result = ret < 0 ? ret : 0;
		if (shape & PICKET_CALL_OPENS && ret >= 0)
			s->look.object = ret;
		else if (shape & (PICKET_CALL_ENTERS | PICKET_CALL_CONFINES) && !ret)
			s->look.object = shape & PICKET_CALL_ENTERS ? CALL_PWD : CALL_ROOT;
		else if (shape & 63 * PICKET_CALL_PATH && !(state && state->paths))
			s->look.late = 1;
	}
	if (state)
		state->number = CALL_NONE;
	return s;
}

static __always_inline void call__end(__u64 number, const struct pt_regs *regs, long ret)
{
	struct scratch *s = call__ended(number, regs, ret);

	if (!s)
		return;
	if (s->look.late) {
		s->look.object = call__empty(s, s->look.shape);
		if (s->look.object != CALL_NO_OBJECT)
			s->look.late = 0;
	}
	if (s->look.object != CALL_NO_OBJECT)
		call__consider_at(s, s->look.object);
	if (!(s->look.shape & PICKET_CALL_CLOSES))
		call__consider_descriptors(s, s->look.shape);
	if (!s->call.objects)
		call__consider_nothing(s);
	if (s->look.late || s->call.outcome != PICKET_OUTCOME_NONE)
		call__alert(s);
	scratch__release(s);
}

/* The text of a path goes ahead: when the call ends, its hash is all that is left of it. */
static __always_inline void call__send_path(struct scratch *s, struct task_struct *task, struct picket_task *record)
{
	event__begin(s, task, record, PICKET_EVENT_PATH);
	s->event.path_hash = s->call.hash;
	s->event.path_length = s->call.length;
	event__send(s, s->call.length, false);
}

/* The begin of a call that does not return, or after which its object cannot be seen any more; as call__ended. */
static __noinline struct scratch *call__begun(__u64 number, const struct pt_regs *regs)
{
	struct call_state *state;
	struct call call = {};
	struct scratch *s;
	__u32 index;

	if (!call__open(&call, number, regs) ||
	    !(call.shape & (PICKET_CALL_CLOSES | PICKET_CALL_ENDS | PICKET_CALL_EXECUTES)))
		return NULL;
	state = call__state(&call);
	if (!state)
		return NULL;
	call__forget(state); /* an earlier one whose end was not seen */
	state->number = call.number;
	state->stamp = call__stamp(&call.j);
	s = scratch__claim(&index);
	if (!s)
		return NULL;
	call__search(&call, s, state);
	if (call.shape & PICKET_CALL_EXECUTES) {
		state->time_ns = bpf_ktime_get_boot_ns();
		state->exe_hash = call.record->exe_hash;
		state->sources = s->sources;
	}
	return s;
}

/* The descriptors were looked at: what was found is kept for the end. */
static __noinline int call__keep(struct scratch *s)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *state = bpf_task_storage_get(&picket_calls, task, 0, 0);
	struct picket_task *record = task__record(task);

	if (s->call.length && record)
		call__send_path(s, task, record);
	if (state)
		state->best = s->call;
	return 0;
}

static __always_inline void call__begin(__u64 number, const struct pt_regs *regs)
{
	struct scratch *s = call__begun(number, regs);

	if (!s)
		return;
	if (s->look.shape & PICKET_CALL_ENDS) {
		count(PICKET_COUNT_SYSCALL_JUDGED);
		call__consider_nothing(s);
		if (s->call.outcome != PICKET_OUTCOME_NONE)
			call__alert(s);
	} else if (s->look.shape & PICKET_CALL_CLOSES) {
		call__consider_descriptors(s, s->look.shape);
		call__keep(s);
	}
	scratch__release(s);
}

#endif
