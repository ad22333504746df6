/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Who acts, as rules with fromSource see it. A task keeps the hashes of its program's path and of the directories above it
 * from its last exec on; the numbers that a rule set gives to those it names are looked up once per set and kept too.
 */
#ifndef PICKET_SOURCE_H
#define PICKET_SOURCE_H

#include "path.h"
#include "task.h"

struct source_context {
	struct scratch *s;
	struct picket_task *record;
	__u64 depths; /* at which the set names sources */
	__u32 set;
	__u32 depth; /* names of the program's path */
};

/* Adds the source that is the program (distance 0), its directory (1) or one above (2 and more), if the set names it. */
static __always_inline void source__add(struct scratch *s, __u32 set, __u64 hash, __u32 distance)
{
	struct picket_rule_key key = { .hash = hash, .category = PICKET_KEY_SOURCE };
	void *rules = bpf_map_lookup_elem(&picket_rules, &set);
	struct picket_rule *rule = rules ? bpf_map_lookup_elem(rules, &key) : NULL;
	__u32 number, count = s->sources.count;

	if (!rule)
		return;
	number = distance == 0 ? rule->exact[0] : distance == 1 ? rule->near[0] : rule->deep[0];
	if (!number || count >= PICKET_MAX_SOURCES)
		return;
	s->sources.ids[count] = number;
	s->sources.count = count + 1;
}

static __always_inline bool source__named_at(__u64 depths, __u32 depth)
{
	return depths & (1ULL << (depth < 63 ? depth : 63));
}

static long source__level(__u32 distance, struct source_context *c)
{
	__u32 depth = c->depth - distance;

	if (source__named_at(c->depths, depth))
		source__add(c->s, c->set, depth ? c->record->exe_levels[(depth - 1) & (PICKET_EXE_LEVELS - 1)] : 1, distance);
	return 0;
}

struct source_walk {
	struct scratch *s;
	__u64 hash;
	__u64 depths;
	__u32 set;
};

static long source__step(__u32 depth, struct source_walk *c)
{
	struct scratch *s = c->s;

	if (depth)
		c->hash = hash__step(c->hash, picket_hash_path, scratch__step(s, s->count - depth)->hash);
	if (source__named_at(c->depths, depth))
		source__add(s, c->set, hash__canonical(c->hash), s->count - depth);
	return 0;
}

/*
 * A program deeper than its task remembers: it is walked again, and known when it is still where it was. `exe`: address of
 * its struct file.
 */
__noinline int source__find_deep(struct scratch *s, __u64 exe, __u64 exe_hash, __u32 set, __u64 depths)
{
	struct source_walk c = { .s = s, .hash = 1, .set = set, .depths = depths };
	const struct file *file = (void *)exe;
	__u32 last;

	if (!s || !exe || path__walk(s, (__u64)BPF_CORE_READ(file, f_path.mnt), (__u64)BPF_CORE_READ(file, f_path.dentry)) ||
	    path__hash(s) != exe_hash)
		return -1;
	bpf_loop(s->count + 1, source__step, &c, 0);
	/* From the root down they came; the most specific goes first. */
	last = s->sources.count - 1;
	for (__u32 i = 0; i < PICKET_MAX_SOURCES / 2; i++) {
		__u32 j = (last - i) & (PICKET_MAX_SOURCES - 1), id = s->sources.ids[i];

		if (i >= j || i >= s->sources.count)
			break;
		s->sources.ids[i] = s->sources.ids[j];
		s->sources.ids[j] = id;
	}
	return 0;
}

/* Finds the sources of a task's program; -1: they are not known. The task may be executing another program meanwhile. */
__noinline int source__find(struct scratch *s, struct picket_task *record, __u64 exe, __u32 set, __u64 depths)
{
	struct source_context c = { .s = s, .set = set, .depths = depths };
	__u64 hash;

	if (!s || !record)
		return -1;
	c.record = record;
	for (int attempt = 0; attempt < 3; attempt++) {
		__u32 sequence = *(volatile __u32 *)&record->exe_sequence;

		s->sources.count = 0;
		c.depth = record->exe_depth;
		hash = record->exe_hash;
		if (sequence & 1)
			continue;
		if (!hash)
			break;
		if (c.depth > PICKET_EXE_LEVELS) {
			if (source__find_deep(s, exe, hash, set, depths))
				break;
		} else {
			bpf_loop(c.depth + 1, source__level, &c, 0);
		}
		if (sequence == *(volatile __u32 *)&record->exe_sequence)
			return 0;
	}
	s->sources.count = 0;
	count(PICKET_COUNT_SOURCE_UNKNOWN);
	return -1;
}

/* An entry task is spelt /runc, whatever the runtime is (policy.md 5). Not inline: hooks have no stack to spare for the rare case. */
static __noinline int source__find_entry(struct scratch *s, __u32 set, __u64 depths)
{
	static const char name[8] = "runc";

	s->sources.count = 0;
	if (source__named_at(depths, 1))
		source__add(s, set, hash__canonical(hash__step(1, picket_hash_path, hash__short_name(name, 4))), 0);
	if (source__named_at(depths, 0))
		source__add(s, set, 1, 1);
	return 0;
}

static __always_inline __u64 source__exe(struct task_struct *task)
{
	return (__u64)BPF_CORE_READ(task, mm, exe_file);
}

/* The acting task's own program. `stamp`: rule set and generation. */
static __always_inline void source__of_current(struct scratch *s, __u64 depths, __u64 stamp, struct task_struct *task,
					       struct picket_task *record)
{
	if (record->flags & PICKET_TASK_ENTRY) {
		source__find_entry(s, (__u32)stamp, depths);
		return;
	}
	if (record->sources.set == stamp) {
		s->sources.count = record->sources.count;
		*(__u64 *)s->sources.ids = *(__u64 *)record->sources.ids; /* rarely are there more than two */
		if (s->sources.count > 2)
			s->sources = record->sources;
		return;
	}
	if (source__find(s, record, source__exe(task), (__u32)stamp, depths))
		return;
	record->sources.set = 0;
	s->sources.set = 0;
	record->sources = s->sources;
	record->sources.set = stamp;
}

/* The parent's program, for an exec. An entry task came from the runtime, whoever that is. */
static __always_inline void source__of_parent(struct scratch *s, __u64 depths, __u32 set, struct task_struct *task,
					      const struct picket_task *record)
{
	struct task_struct *parent = task->real_parent;
	struct picket_task *above;

	s->sources.count = 0;
	if (record->flags & PICKET_TASK_ENTRY) {
		source__find_entry(s, set, depths);
		return;
	}
	above = task__record(parent);
	if (!above || above->workload != record->workload)
		return;
	if (above->flags & PICKET_TASK_ENTRY)
		source__find_entry(s, set, depths);
	else
		source__find(s, above, source__exe(parent), set, depths);
}

struct remember_context {
	struct scratch *s;
	struct picket_task *record;
	__u64 hash;
};

static long source__remember_step(__u32 index, struct remember_context *c)
{
	struct scratch *s = c->s;

	c->hash = hash__step(c->hash, picket_hash_path, scratch__step(s, s->count - 1 - index)->hash);
	if (index < PICKET_EXE_LEVELS)
		c->record->exe_levels[index] = hash__canonical(c->hash);
	return 0;
}

/* The task has a new program, whose path was walked; `resolved` false: it has none. */
__noinline int source__remember(struct scratch *s, struct picket_task *record, bool resolved)
{
	struct remember_context c = { .s = s, .hash = 1 };

	if (!record)
		return 0;
	record->exe_sequence++;
	record->sources.set = 0;
	record->exe_hash = 0;
	record->exe_depth = 0;
	if (s && resolved) {
		c.record = record;
		bpf_loop(s->count, source__remember_step, &c, 0);
		record->exe_depth = s->count;
		record->exe_hash = hash__canonical(c.hash);
	}
	record->exe_sequence++;
	return 0;
}

#endif
