/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Capabilities (policy.md 10). The kernel asks its own rules first: what the task does not hold, this hook never sees.
 */
#ifndef PICKET_HOOK_CAPABLE_H
#define PICKET_HOOK_CAPABLE_H

#include "object.h"
#include "registers.h"

enum {
	CAPABLE_EPERM = 1,
	CAPABLE_NO_AUDIT = 2,  /* CAP_OPT_NOAUDIT */
	TASK_IO_WORKER = 0x10, /* PF_IO_WORKER: threads of io_uring, also the polling one */
};
#define CAPABLE_ALL ((1ULL << 41) - 1) /* up to CAP_CHECKPOINT_RESTORE */

static __always_inline bool capable__io_uring(struct task_struct *task)
{
	return task->flags & TASK_IO_WORKER || registers__raw_number(task) == SYSCALL_IO_URING_ENTER;
}

/*
 * Does the check concern the task's own credentials? A stacked file system works with its mounter's for a while, and other
 * code asks about other tasks. But io_uring may work with credentials that the workload has registered with it: these are
 * told by what they hold, which is no more than the task may have. Where a task may have everything (a privileged container,
 * a user namespace of its own) that tells nothing, and only io_uring is suspected.
 */
static __always_inline bool capable__own(struct task_struct *task, const struct cred *cred)
{
	__u64 held = 0, bound = 0;

	if (cred == task->real_cred)
		return true;
	if (cred != task->cred)
		return false;
	bpf_core_read(&held, sizeof(held), &task->cred->cap_effective);
	bpf_core_read(&bound, sizeof(bound), &task->real_cred->cap_bset);
	if (held & ~bound)
		return false;
	return (bound & CAPABLE_ALL) != CAPABLE_ALL || capable__io_uring(task);
}

SEC("lsm/capable")
int BPF_PROG(picket_capable, const struct cred *cred, struct user_namespace *ns, int capability, unsigned int options, int ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct picket_task *record = task__record(task);
	struct object_access access;
	int verdict;

	if (ret || !record || record->flags & PICKET_TASK_ENTRY || !capable__own(task, cred))
		return ret;
	__builtin_memset(&access, 0, sizeof(access));
	access.category = PICKET_CATEGORY_CAPABILITY;
	access.operation = PICKET_OPERATION_CAPABLE;
	access.names[0] = capability + 1;
	access.details[0] = capability;
	count(PICKET_COUNT_CAPABILITY_JUDGED);
	verdict = object__judge(record, &access);
	if (verdict < PICKET_VERDICT_ALERT)
		return 0;
	ret = verdict == PICKET_VERDICT_DENY ? -CAPABLE_EPERM : 0;
	if (options & CAPABLE_NO_AUDIT)
		count(ret ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
	else
		object__alert(record, &access, ret);
	return ret;
}

#endif
