/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* An access of the current task to a file that has been judged: counted and told. */
#ifndef PICKET_ACCESS_H
#define PICKET_ACCESS_H

#include "event.h"
#include "owner.h"

enum { FILE_EACCES = 13 };

/* Makes the alert about the path last walked; access__send sends it. */
static __always_inline void access__describe(struct scratch *s, struct task_struct *task, const struct picket_task *record,
					     const struct judgement *j, __u32 operation, bool refused)
{
	__u32 length;

	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, j, operation);
	if (refused) {
		s->event.result = -FILE_EACCES;
		s->event.flags |= picket_backend == PICKET_BACKEND_TRACEPOINT ? PICKET_EVENT_KILLED : 0;
	}
	s->event.path_length = length = path__text(s, 0);
	s->event.cwd_length = event__cwd(s, task, length);
}

static __always_inline void access__send(struct scratch *s)
{
	event__send(s, s->event.path_length + s->event.cwd_length, s->event.result != 0);
}

/* Counts a verdict and sends its alert; true: refuse. The walk's memory is used up afterwards. */
static __always_inline bool access__conclude(struct judgement *j, struct scratch *s, __u32 verdict, struct task_struct *task,
					     const struct picket_task *record, __u32 operation)
{
	bool refuse = verdict == PICKET_VERDICT_DENY;

	event__unresolved(s, task, record, j, operation);
	if (verdict < PICKET_VERDICT_ALERT)
		return false;
	count(refuse ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
	if (s) {
		access__describe(s, task, record, j, operation, refuse);
		access__send(s);
	}
	return refuse;
}

#endif
