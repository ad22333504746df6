/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Accesses to an object without a path: a kind of socket, a capability. */
#ifndef PICKET_OBJECT_H
#define PICKET_OBJECT_H

#include "event.h"

enum { OBJECT_NAMES = 3 };

/* One access: what it is about, and after object__judge what the rules say. Small: it lies on the stack. */
struct object_access {
	__u16 category;
	__u16 operation;
	__u8 names[OBJECT_NAMES]; /* hashes as in struct picket_rule_key, the most specific last; 0: none */
	__u8 pad;
	__u64 details[4];         /* as in struct picket_event */
	__u32 set;
	__u32 generation;
	__u32 outcome;
	__u32 audited;
};

/* Is there something to judge? 0: no. Without memory for it the answer is whether to refuse. */
static __noinline __u32 object__ruled(const struct picket_task *record, __u32 category, bool memory)
{
	struct judgement j = {};

	if (!judge__begin(&j, record, category))
		return 0;
	return memory ? 1 : judge__decide(&j, NULL, false) == PICKET_VERDICT_DENY;
}

/* Not inline: what it needs of the stack is not needed by the search for sources, which goes deeper. */
static __noinline __u32 object__decide(struct judgement *j, struct scratch *s, struct object_access *access)
{
	__u32 verdict;

	if (s) {
		judge__search(j, s, PICKET_DEPTHS, bpf_get_current_task_btf()->signal->tty ? PICKET_ACCESS_TERMINAL : 0, 0);
#pragma unroll
		for (__u32 i = 0; i < OBJECT_NAMES; i++)
			if (access->names[i])
				judge__look_up_object(s, access->names[i], JUDGE_EXACT + i);
	}
	verdict = judge__decide(j, s, false);
	access->set = j->set;
	access->generation = j->generation;
	access->outcome = j->outcome;
	access->audited = j->audited;
	return verdict;
}

/*
 * The verdict on an access of the current task, which `record` is about. PICKET_VERDICT_PASS also when there is nothing to
 * judge. Global: the verifier looks at it once for all hooks.
 */
__noinline int object__judge(struct picket_task *record, struct object_access *access)
{
	struct judgement j = {};
	struct scratch *s;
	__u32 index, verdict;

	if (!record || !access || !judge__begin(&j, record, access->category))
		return PICKET_VERDICT_PASS;
	s = scratch__claim(&index);
	judge__sources(&j, s, bpf_get_current_task_btf(), record);
	verdict = object__decide(&j, s, access);
	if (s)
		scratch__release(s);
	return verdict;
}

/* Sends the alert about an access that was judged. `result`: 0 or a negative errno. */
__noinline int object__alert(struct picket_task *record, struct object_access *access, int result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct judgement j = {};
	struct scratch *s;
	__u32 index;

	if (!record || !access)
		return 0;
	count(result ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
	s = scratch__claim(&index);
	if (!s)
		return 0;
	j.set = access->set;
	j.generation = access->generation;
	j.category = access->category;
	j.outcome = access->outcome;
	j.audited = access->audited;
	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, &j, access->operation);
	s->event.flags &= ~PICKET_EVENT_PATH_UNRESOLVED; /* there is none */
	s->event.result = result;
	__builtin_memcpy(s->event.details, access->details, sizeof(access->details));
	s->event.cwd_length = event__cwd(s, task, 0);
	event__send(s, s->event.cwd_length, result != 0);
	scratch__release(s);
	return 0;
}

#endif
