/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The decision of policy.md 16 for an object with a path. What a rule says was judged for all eight kinds of access
 * when the rule set was compiled (agent/policy/compile.ts); here the most specific rule is found: the exact path, else
 * the deepest directory that holds a rule. One look-up per depth at which the set has rules.
 */
#ifndef PICKET_JUDGE_H
#define PICKET_JUDGE_H

#include "path.h"

struct judgement {
	__u32 set;
	__u32 generation;
	__u32 flags;    /* of the set */
	__u32 category; /* enum picket_category */
	__u32 outcome;  /* verdict << 30 | rule; PASS with rule NONE: nothing to say */
	__u32 audited;  /* a refusal was turned into an alert */
	__u64 hash;     /* of the object's path, 0: unresolved */
};

/* What the rules say of one path. */
struct judge_path {
	__u64 hash;
	__u64 depths;       /* in: depths at which the set has rules of the category */
	__u32 set;          /* in */
	__u32 key_category; /* in */
	__u32 access;       /* in: enum picket_access */
	__u32 depth;
	__u32 names;
	__u32 outcome;
	__u32 baseline; /* may be read (1), may be written (2) */
	__u32 pad;
};

struct judge_context {
	struct scratch *s;
	struct judge_path path;
};

static __always_inline void judge__look_up(struct judge_path *c)
{
	struct picket_rule_key key = { .hash = c->hash, .category = c->key_category };
	__u32 distance = c->names - c->depth, access = c->access & (PICKET_ACCESS_KINDS - 1), outcome;
	struct picket_rule *rule;
	void *rules;

	rules = bpf_map_lookup_elem(&picket_rules, &c->set);
	if (!rules)
		return;
	rule = bpf_map_lookup_elem(rules, &key);
	if (!rule)
		return;
	if (distance > 0 && rule->flags & PICKET_RULE_BASELINE_BELOW)
		c->baseline |= 1;
	if (distance == 0) {
		if (rule->flags & PICKET_RULE_BASELINE_EXACT)
			c->baseline |= rule->flags & PICKET_RULE_BASELINE_WRITE ? 3 : 1;
		outcome = rule->exact[access];
		if (outcome != PICKET_OUTCOME_NONE) {
			c->outcome = outcome;
			return;
		}
	}
	outcome = distance <= 1 ? rule->near[access] : rule->deep[access];
	if (outcome != PICKET_OUTCOME_NONE)
		c->outcome = outcome; /* deeper than every directory before it */
}

static long judge__step(__u32 index, struct judge_context *c)
{
	struct scratch *s = c->s;
	__u32 step = (s->count - 1 - index) & (PICKET_MAX_COMPONENTS - 1);
	__u64 component = s->hashes[step];

	if (!component)
		return 0;
	c->path.hash = hash__step(c->path.hash, picket_hash_path, component);
	c->path.depth++;
	if (c->path.depths & (1ULL << (c->path.depth < 63 ? c->path.depth : 63)))
		judge__look_up(&c->path);
	return 0;
}

static long judge__count_step(__u32 index, struct judge_context *c)
{
	if (c->s->hashes[index & (PICKET_MAX_COMPONENTS - 1)])
		c->path.names++;
	return 0;
}

/* Rules for the path last walked: fills hash, outcome and baseline. */
__noinline int judge__path(struct scratch *s, struct judge_path *path)
{
	struct judge_context c = { .s = s };

	if (!s || !path)
		return -1;
	c.path = *path;
	c.path.hash = 1;
	c.path.outcome = PICKET_OUTCOME_NONE;
	bpf_loop(s->count, judge__count_step, &c, 0);
	if (c.path.depths & 1)
		judge__look_up(&c.path);
	bpf_loop(s->count, judge__step, &c, 0);
	*path = c.path;
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
 * Judges the object at (mnt, dentry) for a task of the workload in `slot`. `exec_open`: the kernel opens a program for
 * exec; only a Block rule acts on it (8.2). Returns the verdict; `s` keeps the walk for the event's text.
 */
static __always_inline __u32 judge__object(struct judgement *j, struct scratch *s, struct vfsmount *mnt,
					   struct dentry *dentry, __u32 access, bool exec_open)
{
	struct judge_path c = {
		.set = j->set, .key_category = j->category, .access = access, .outcome = PICKET_OUTCOME_NONE,
	};
	__u32 category = j->category & 0xff, verdict;
	struct picket_set *set = bpf_map_lookup_elem(&picket_sets, &j->set);

	if (!set || category >= PICKET_CATEGORIES)
		return PICKET_VERDICT_PASS;
	c.depths = set->depths[category];
	if (path__walk(s, (__u64)mnt, (__u64)dentry) == 0) {
		judge__path(s, &c);
		j->hash = c.hash;
	} else {
		/* Unresolved: no rule matches; an allow-list refuses it, everything else lets it pass (6.3). */
		count(PICKET_COUNT_PATH_UNRESOLVED);
	}
	if (exec_open) {
		verdict = c.outcome >> PICKET_OUTCOME_SHIFT;
		if (c.outcome == PICKET_OUTCOME_NONE || verdict != PICKET_VERDICT_DENY)
			c.outcome = JUDGE_PASS;
	} else if (c.outcome == PICKET_OUTCOME_NONE) {
		if (!(set->flags & (PICKET_SET_ALLOW_LIST << category)))
			c.outcome = JUDGE_PASS;
		else if (category == PICKET_CATEGORY_FILE && c.baseline & (access & PICKET_ACCESS_CHANGE ? 2 : 1))
			c.outcome = JUDGE_PASS;
		else
			c.outcome = judge__posture(set->flags, category);
	} else if (c.outcome >> PICKET_OUTCOME_SHIFT == PICKET_VERDICT_NOT_ALLOWED) {
		c.outcome = judge__posture(set->flags, category);
	}
	verdict = c.outcome >> PICKET_OUTCOME_SHIFT;
	if (verdict == PICKET_VERDICT_DENY && set->flags & PICKET_SET_AUDITED) {
		j->audited = 1;
		verdict = PICKET_VERDICT_ALERT;
	}
	j->outcome = c.outcome;
	return verdict;
}

/* Which rule set is in force for the task; false: nothing to judge. One 8-byte load: set and generation belong together. */
static __always_inline bool judge__begin(struct judgement *j, const struct picket_task *task, __u32 category)
{
	struct picket_workload *workload = bpf_map_lookup_elem(&picket_workloads, &task->slot);
	struct picket_set *set;
	__u64 both;

	if (!workload || workload->id != task->workload)
		return false; /* the workload was removed */
	both = *(volatile __u64 *)&workload->set;
	j->set = (__u32)both;
	j->generation = both >> 32;
	j->category = category;
	if (!j->set)
		return false;
	set = bpf_map_lookup_elem(&picket_sets, &j->set);
	if (!set || set->flags & PICKET_SET_DISABLED)
		return false;
	j->flags = set->flags;
	/* No rule of the category and no allow-list: nothing it could say. */
	return category >= PICKET_CATEGORIES || set->depths[category] || set->flags & (PICKET_SET_ALLOW_LIST << category);
}

#endif
