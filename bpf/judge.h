/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The decision of policy.md 16 for an object with a path. What a rule says was judged for all eight kinds of access
 * when the rule set was compiled (agent/policy/compile.ts); here the most specific rule is found: the exact path, else
 * the deepest directory that holds a rule. One look-up per depth at which the set has rules.
 */
#ifndef PICKET_JUDGE_H
#define PICKET_JUDGE_H

#include "path.h"
#include "task.h"

struct judgement {
	const struct picket_set *head; /* of the rule set in force */
	__u32 set;
	__u32 generation;
	__u32 category; /* enum picket_category */
	__u32 outcome;  /* verdict << 30 | rule; PASS with rule NONE: nothing to say */
	__u32 audited;  /* a refusal was turned into an alert */
	__u64 hash;     /* of the object's path, for an alert; 0: unresolved */
};

enum { JUDGE_OBJECT = 0x80000000 }; /* with judge_path.access: an object that has an owner, not a system call */

/* What the rules say of one path. */
struct judge_path {
	__u64 hash;
	__u64 depths;       /* in: depths at which the set has rules of the category */
	__u32 set;          /* in */
	__u32 key_category; /* in */
	__u32 access;       /* in: PICKET_ACCESS_CHANGE or 0 */
	__u32 depth;
	__u32 names;
	__u32 outcome;
	__u32 baseline; /* may be read (1), may be written (2) */
	__u32 owner;    /* in, for JUDGE_OBJECT: i_uid */
};

/* Looks at the directory or file whose path has been hashed so far. Global: the verifier looks at it once. */
__noinline int judge__look_up(struct judge_path *c)
{
	__u32 set, distance, access, outcome;
	struct picket_rule_key key = {};
	struct picket_rule *rule;
	void *rules;

	if (!c)
		return 0;
	set = c->set;
	distance = c->names - c->depth;
	key.hash = hash__canonical(c->hash);
	key.category = c->key_category;
	rules = bpf_map_lookup_elem(&picket_rules, &set);
	if (!rules)
		return 0;
	rule = bpf_map_lookup_elem(rules, &key);
	if (!rule)
		return 0;
	/* Who is at work is asked here, because most accesses meet no rule. */
	access = c->access;
	if (access & JUDGE_OBJECT)
		access |= task__access(bpf_get_current_task_btf(), c->owner);
	access &= PICKET_ACCESS_KINDS - 1;
	if (distance > 0 && rule->flags & PICKET_RULE_BASELINE_BELOW)
		c->baseline |= 1;
	if (distance == 0) {
		if (rule->flags & PICKET_RULE_BASELINE_EXACT)
			c->baseline |= rule->flags & PICKET_RULE_BASELINE_WRITE ? 3 : 1;
		outcome = rule->exact[access];
		if (outcome != PICKET_OUTCOME_NONE) {
			c->outcome = outcome;
			return 0;
		}
	}
	outcome = distance <= 1 ? rule->near[access] : rule->deep[access];
	if (outcome != PICKET_OUTCOME_NONE)
		c->outcome = outcome; /* deeper than every directory before it */
	return 0;
}

/* Rules for the path last walked: fills outcome and baseline. From the root to the deepest level that has rules. */
__noinline int judge__path(struct scratch *s, struct judge_path *path)
{
	__u64 hash = 1, depths;
	__u32 names;

	if (!s || !path)
		return -1;
	depths = path->depths;
	path->names = names = s->count;
	for (__u32 depth = 0; depth < PICKET_MAX_COMPONENTS; depths >>= 1) {
		if (depths & 1) {
			path->hash = hash;
			path->depth = depth;
			judge__look_up(path);
		}
		if (++depth > names || depths < 2)
			break;
		hash = hash__step(hash, picket_hash_path, scratch__step(s, names - depth)->hash);
	}
	return 0;
}

/* Posture of the category: a refusal, or an alert. */
static __always_inline __u32 judge__posture(__u32 flags, __u32 category)
{
	__u32 verdict = flags & (PICKET_SET_POSTURE_AUDIT << category) ? PICKET_VERDICT_ALERT : PICKET_VERDICT_DENY;

	return verdict << PICKET_OUTCOME_SHIFT | PICKET_OUTCOME_POSTURE;
}

enum { JUDGE_PASS = (__u32)PICKET_VERDICT_PASS << PICKET_OUTCOME_SHIFT | PICKET_OUTCOME_NONE };

/*
 * Judges an access of the current task to the object whose path was walked into `s`. `change`: PICKET_ACCESS_CHANGE or 0.
 * `exec_open`: the kernel opens a program for exec; only a Block rule acts on it (8.2). Returns the verdict.
 */
static __always_inline __u32 judge__object(struct judgement *j, struct scratch *s, int walked, __u32 owner, __u32 change,
					   bool exec_open)
{
	struct judge_path c = {
		.set = j->set, .key_category = j->category, .access = JUDGE_OBJECT | change, .owner = owner,
		.outcome = PICKET_OUTCOME_NONE,
	};
	__u32 category = j->category & 0xff, flags = j->head->flags, verdict;

	if (category >= PICKET_CATEGORIES)
		return PICKET_VERDICT_PASS;
	c.depths = j->head->depths[category];
	if (walked == WALK_RESOLVED) {
		judge__path(s, &c);
	} else {
		/* Unresolved: no rule matches; an allow-list refuses it, everything else lets it pass (6.3). */
		count(PICKET_COUNT_PATH_UNRESOLVED);
	}
	if (exec_open) {
		verdict = c.outcome >> PICKET_OUTCOME_SHIFT;
		if (c.outcome == PICKET_OUTCOME_NONE || verdict != PICKET_VERDICT_DENY)
			c.outcome = JUDGE_PASS;
	} else if (c.outcome == PICKET_OUTCOME_NONE) {
		if (!(flags & (PICKET_SET_ALLOW_LIST << category)))
			c.outcome = JUDGE_PASS;
		else if (category == PICKET_CATEGORY_FILE && c.baseline & (change ? 2 : 1))
			c.outcome = JUDGE_PASS;
		else
			c.outcome = judge__posture(flags, category);
	} else if (c.outcome >> PICKET_OUTCOME_SHIFT == PICKET_VERDICT_NOT_ALLOWED) {
		c.outcome = judge__posture(flags, category);
	}
	verdict = c.outcome >> PICKET_OUTCOME_SHIFT;
	if (verdict == PICKET_VERDICT_DENY && flags & PICKET_SET_AUDITED) {
		j->audited = 1;
		verdict = PICKET_VERDICT_ALERT;
	}
	j->outcome = c.outcome;
	if (verdict >= PICKET_VERDICT_ALERT && walked == WALK_RESOLVED)
		j->hash = path__hash(s);
	return verdict;
}

/* Which rule set is in force for the task; false: nothing to judge. One 8-byte load: set and generation belong together. */
static __always_inline bool judge__begin(struct judgement *j, const struct picket_task *task, __u32 category)
{
	struct picket_workload *workload = bpf_map_lookup_elem(&picket_workloads, &task->slot);
	const struct picket_set *head;
	__u64 both;

	if (!workload || workload->id != task->workload)
		return false; /* the workload was removed */
	both = *(volatile __u64 *)&workload->set;
	j->set = (__u32)both;
	j->generation = both >> 32;
	j->category = category;
	if (!j->set)
		return false;
	j->head = head = bpf_map_lookup_elem(&picket_sets, &j->set);
	if (!head || head->flags & PICKET_SET_DISABLED)
		return false;
	/* No rule of the category and no allow-list: nothing it could say. */
	return category >= PICKET_CATEGORIES || head->depths[category] || head->flags & (PICKET_SET_ALLOW_LIST << category);
}

#endif
