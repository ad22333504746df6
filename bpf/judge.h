/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The decision of policy.md 16. What a rule says was judged for all eight kinds of access when the rule set was compiled
 * (agent/policy/compile.ts); here the most specific rule is found. For an object with a path: one look-up per depth at
 * which the set has rules, and one more for each source of the program where rules for single sources stand.
 *
 *   judge__begin      which rule set is in force; false: nothing to judge
 *   judge__sources    who acts, for rules with fromSource
 *   judge__path       what the rules say of the path that was walked, or
 *   judge__object     of an object without a path
 *   judge__decide     allow-list, posture, audit; the verdict
 */
#ifndef PICKET_JUDGE_H
#define PICKET_JUDGE_H

#include "glob.h"
#include "source.h"

struct judgement {
	const struct picket_set *head; /* of the rule set in force */
	__u32 set;
	__u32 generation;
	__u32 category; /* enum picket_category, | detail << PICKET_KEY_DETAIL */
	__u32 outcome;  /* verdict << 30 | rule; PASS with rule NONE: nothing to say */
	__u32 audited;  /* a refusal was turned into an alert */
	__u32 preset;   /* 1 + enum picket_preset, when it was one that decided */
	__u32 unresolved; /* enum picket_unresolved, where a Block rule might have held */
	__u32 pad;
	__u64 hash;     /* of the object's path, for an alert; 0: unresolved */
};

/* With judge_search.access: an object that has an owner, not a system call; a change of a name or of attributes, not a write. */
enum { JUDGE_OBJECT = 0x80000000, JUDGE_NO_WRITE = 0x40000000 };

/* Ranks of objects under one source (policy.md 14): the higher decides. Domains: the number of labels. */
enum judge_kind {
	JUDGE_ANY = 0,       /* a rule without an object: it holds for every one */
	JUDGE_DIRECTORY = 1, /* + its depth */
	JUDGE_GLOB = 0x10000,
	JUDGE_NAME,
	JUDGE_EXACT,
};

/*
 * A candidate for the rule that decides. `rank`: place of its source in s->sources, s->sources.count without one. Equals
 * are decided by the stronger outcome; rules are numbered in the order in which alerts prefer to name them.
 */
static __always_inline void judge__offer(struct judge_search *c, __u32 rank, __u32 kind, __u32 outcome)
{
	if (outcome == PICKET_OUTCOME_NONE || rank > c->rank)
		return;
	if (rank == c->rank) {
		if (kind < c->kind)
			return;
		if (kind == c->kind) {
			__u32 verdict = outcome >> PICKET_OUTCOME_SHIFT, before = c->outcome >> PICKET_OUTCOME_SHIFT;

			if (verdict < before || (verdict == before && outcome >= c->outcome))
				return;
		}
	}
	c->rank = rank;
	c->kind = kind;
	c->outcome = outcome;
}

static __always_inline void judge__nothing_found(struct judge_search *c)
{
	c->outcome = PICKET_OUTCOME_NONE;
	c->rank = ~0U;
	c->kind = JUDGE_ANY;
	c->baseline = 0;
	c->parts = 0;
}

/* One rule entry of a path that has `distance` more names. */
static __always_inline void judge__offer_rule(struct judge_search *c, const struct picket_rule *rule, __u32 rank,
					      __u32 distance, __u32 access)
{
	access &= PICKET_ACCESS_KINDS - 1;
	judge__offer(c, rank, JUDGE_DIRECTORY + c->depth, distance <= 1 ? rule->near[access] : rule->deep[access]);
	if (distance == 0)
		judge__offer(c, rank, JUDGE_EXACT, rule->exact[access]);
}

static __always_inline __u32 judge__access(const struct judge_search *c)
{
	/* Who is at work is asked here, because most accesses meet no rule. */
	if (c->access & JUDGE_OBJECT)
		return (c->access | task__access(bpf_get_current_task_btf(), c->owner)) & (PICKET_ACCESS_KINDS - 1);
	return c->access & (PICKET_ACCESS_KINDS - 1);
}

/* False: the set has no key for the path with this hash (struct picket_set). */
static __always_inline bool judge__may_know(const struct filters *filters, const struct judge_search *c, __u64 hash)
{
	__u32 bit = hash__canonical(hash) * 0x9e3779b97f4a7c15ULL >> (c->filter_shift & 63), word = c->filter / 8 + bit / 64;

	asm volatile("" : "+r"(word)); /* or the compiler takes the mask away */
	return !c->filter || filters->words[word & (PICKET_FILTER_BYTES / 8 - 1)] >> (bit & 63) & 1;
}

/* Looks at the directory or file whose path has been hashed so far. Global: the verifier looks at it once. */
__noinline int judge__look_up(struct scratch *s)
{
	struct picket_rule_key key = {};
	__u32 distance, access, set;
	struct picket_rule *rule;
	struct judge_search *c;
	void *rules;

	if (!s)
		return 0;
	c = &s->search;
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
	access = judge__access(c);
	if (distance > 0 && rule->flags & PICKET_RULE_BASELINE_BELOW)
		c->baseline |= 1;
	if (distance == 0 && rule->flags & PICKET_RULE_BASELINE_EXACT)
		c->baseline |= rule->flags & PICKET_RULE_BASELINE_WRITE ? 3 : 1;
	if (distance > 0 || c->names == 0)
		c->automaton = rule->automaton;
	if (distance == 0)
		c->parts |= rule->flags & PICKET_RULE_PARTS;
	judge__offer_rule(c, rule, s->sources.count, distance, access);
	if (!(rule->flags & PICKET_RULE_SOURCES))
		return 0;
	for (__u32 i = 0; i < PICKET_MAX_SOURCES; i++) {
		if (i >= s->sources.count || i > c->rank)
			break;
		key.source = s->sources.ids[i];
		rule = bpf_map_lookup_elem(rules, &key);
		if (!rule)
			continue;
		if (distance == 0)
			c->parts |= rule->flags & PICKET_RULE_PARTS;
		judge__offer_rule(c, rule, i, distance, access);
	}
	return 0;
}

/* Looks up an object that has no path: `hash` as in struct picket_rule_key. `kind`: its rank among others. */
__noinline int judge__look_up_object(struct scratch *s, __u64 hash, __u32 kind)
{
	struct picket_rule_key key = { .hash = hash };
	struct picket_rule *rule;
	struct judge_search *c;
	__u32 access, set;
	void *rules;

	if (!s)
		return 0;
	c = &s->search;
	set = c->set;
	key.category = c->key_category;
	rules = bpf_map_lookup_elem(&picket_rules, &set);
	if (!rules)
		return 0;
	rule = bpf_map_lookup_elem(rules, &key);
	if (!rule)
		return 0;
	access = judge__access(c);
	c->parts |= rule->flags & PICKET_RULE_PARTS;
	judge__offer(c, s->sources.count, kind, rule->exact[access]);
	if (!(rule->flags & PICKET_RULE_SOURCES))
		return 0;
	for (__u32 i = 0; i < PICKET_MAX_SOURCES; i++) {
		if (i >= s->sources.count || i > c->rank)
			break;
		key.source = s->sources.ids[i];
		rule = bpf_map_lookup_elem(rules, &key);
		if (!rule)
			continue;
		c->parts |= rule->flags & PICKET_RULE_PARTS;
		judge__offer(c, i, kind, rule->exact[access]);
	}
	return 0;
}

/* Patterns below the directory of c->depth names match: their rules. */
static __always_inline void glob__accepted(struct scratch *s, __u32 automaton, __u32 accept)
{
	__u32 category = s->search.key_category;

	s->search.key_category = category | PICKET_KEY_GLOB;
	judge__look_up_object(s, (__u64)automaton << 16 | accept, JUDGE_GLOB);
	s->search.key_category = category;
}

enum { JUDGE_LOOP = 16 }; /* names of a path that are searched without the call that bpf_loop makes for each */

/* What the rules say at c->depth, where c->hash is. False: a name that an automaton was to read has changed since the walk. */
static __always_inline bool judge__level(struct scratch *s)
{
	s->search.automaton = 0;
	judge__look_up(s);
#ifdef JUDGE_WITHOUT_GLOBS /* for programs whose rules have none: the automata take a third of the stack */
	return true;
#endif
	return !s->search.automaton || glob__match(s, s->search.automaton, s->search.depth);
}

static long judge__deeper(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;
	struct judge_search *c = &s->search;
	__u32 depth = JUDGE_LOOP + index, key = 0;
	const struct filters *filters = bpf_map_lookup_elem(&picket_filters, &key);

	if (depth > c->names || !filters)
		return 1;
	c->hash = hash__step(c->hash, picket_hash_path, scratch__step(s, c->names - depth)->hash);
	if (c->depths & (1ULL << (depth < 63 ? depth : 63)) && judge__may_know(filters, c, c->hash)) {
		c->depth = depth;
		if (!judge__level(s)) {
			c->torn = 1;
			return 1;
		}
	}
	return 0;
}

/* From the root to the deepest level that has rules. */
__noinline int judge__levels(struct scratch *s)
{
	const struct filters *filters;
	struct judge_search *c;
	__u64 hash = 1, depths;
	__u32 names, key = 0;

	filters = bpf_map_lookup_elem(&picket_filters, &key);
	if (!s || !filters)
		return -1;
	c = &s->search;
	c->torn = 0;
	glob__forget(s);
	depths = c->depths;
	c->names = names = s->count;
	for (__u32 depth = 0; depth < JUDGE_LOOP; depths >>= 1) {
		if (depths & 1 && judge__may_know(filters, c, hash)) {
			c->hash = hash;
			c->depth = depth;
			if (!judge__level(s)) {
				c->torn = 1;
				return -1;
			}
		}
		if (++depth > names || depths < 2)
			return 0;
		if (depth < JUDGE_LOOP)
			hash = hash__step(hash, picket_hash_path, scratch__step(s, names - depth)->hash);
	}
	c->hash = hash;
	bpf_loop(names - JUDGE_LOOP + 1, judge__deeper, &s, 0);
	return c->torn ? -1 : 0;
}

/*
 * Rules for the path last walked: fills s->search. A name that an automaton is to read may have changed since the walk; then the path
 * is walked again. Returns what the last walk did, WALK_TORN when the names changed each time.
 */
static __always_inline int judge__path(struct scratch *s)
{
	int walked;

	if (!s)
		return WALK_UNRESOLVED;
	for (int attempt = 0; attempt < WALK_ATTEMPTS; attempt++) {
		if (judge__levels(s) == 0)
			return WALK_RESOLVED;
		judge__nothing_found(&s->search);
		walked = path__walk(s, s->mount, s->leaf);
		if (walked != WALK_RESOLVED)
			return walked;
	}
	return WALK_TORN;
}

/* Posture of the category: a refusal, or an alert. */
static __always_inline __u32 judge__posture(__u32 flags, __u32 category)
{
	__u32 verdict = flags & (PICKET_SET_POSTURE_AUDIT << category) ? PICKET_VERDICT_ALERT : PICKET_VERDICT_DENY;

	return verdict << PICKET_OUTCOME_SHIFT | PICKET_OUTCOME_POSTURE;
}

enum { JUDGE_PASS = (__u32)PICKET_VERDICT_PASS << PICKET_OUTCOME_SHIFT | PICKET_OUTCOME_NONE };

/* Begins the search for the rule that decides. `access`: enum picket_access, with JUDGE_OBJECT and the object's owner, or alone. */
static __always_inline void judge__search(const struct judgement *j, struct scratch *s, __u32 depths, __u32 access, __u32 owner)
{
	struct judge_search *c = &s->search;

	c->set = j->set;
	c->key_category = j->category;
	c->depths = depths < PICKET_DEPTHS ? j->head->depths[depths] : 0;
	c->access = access;
	c->owner = owner;
	c->filter = j->head->filter;
	c->filter_shift = j->head->filter_shift;
	judge__nothing_found(c);
}

/* A refusal becomes an alert where nothing is to be refused. Returns the verdict. */
static __always_inline __u32 judge__verdict(struct judgement *j)
{
	__u32 verdict = j->outcome >> PICKET_OUTCOME_SHIFT, key = 0;
	struct picket_control *control;

	if (verdict != PICKET_VERDICT_DENY)
		return verdict;
	control = bpf_map_lookup_elem(&picket_control, &key);
	if (!(j->head->flags & PICKET_SET_AUDITED) && !(control && *(volatile __u32 *)&control->audit))
		return verdict;
	j->audited = 1;
	return PICKET_VERDICT_ALERT;
}

/* The start-up baseline (section 15) is there to be read and, three devices, to be written: no name goes and no mode changes by it. */
static __always_inline bool judge__in_baseline(const struct judge_search *c)
{
	if (c->access & JUDGE_NO_WRITE)
		return false;
	return c->baseline & (c->access & PICKET_ACCESS_CHANGE ? 2 : 1);
}

/*
 * From what was found to the verdict. `s` NULL: there was no memory to look; what the rules might refuse is refused, so
 * that nobody gets past them by using it up. `exec_open`: the kernel opens a program for exec; only a Block rule acts on it
 * (8.2).
 */
static __always_inline __u32 judge__decide(struct judgement *j, const struct scratch *s, bool exec_open)
{
	__u32 category = j->category & 0xff, flags = j->head->flags, outcome;

	if (category >= PICKET_CATEGORIES)
		return PICKET_VERDICT_PASS;
	outcome = s ? s->search.outcome : PICKET_OUTCOME_NONE;
	if (!s && !exec_open) {
		outcome = judge__posture(0, category);
	} else if (exec_open) {
		if (outcome == PICKET_OUTCOME_NONE || outcome >> PICKET_OUTCOME_SHIFT != PICKET_VERDICT_DENY)
			outcome = JUDGE_PASS;
	} else if (outcome == PICKET_OUTCOME_NONE) {
		if (!(flags & (PICKET_SET_ALLOW_LIST << category)))
			outcome = JUDGE_PASS;
		else if (category == PICKET_CATEGORY_FILE && judge__in_baseline(&s->search))
			outcome = JUDGE_PASS;
		else
			outcome = judge__posture(flags, category);
	} else if (outcome >> PICKET_OUTCOME_SHIFT == PICKET_VERDICT_NOT_ALLOWED) {
		outcome = judge__posture(flags, category);
	}
	j->outcome = outcome;
	return judge__verdict(j);
}

/* No rule matches an object without a path; an allow-list refuses it, everything else lets it pass (6.3), and says so. */
static __always_inline void judge__unresolved(struct judgement *j, int walked)
{
	count(PICKET_COUNT_PATH_UNRESOLVED);
	if (j->head->flags & (PICKET_SET_BLOCKS << (j->category & 1)) && walked != WALK_INTERNAL)
		j->unresolved = walked == WALK_TORN ? PICKET_UNRESOLVED_TORN : PICKET_UNRESOLVED_UNMOUNTED;
}

/*
 * Judges an access of the current task to the file whose path was walked into `s`. `change`: PICKET_ACCESS_CHANGE, with JUDGE_NO_WRITE or alone, or 0.
 * Call judge__sources before the walk.
 */
static __always_inline __u32 judge__file(struct judgement *j, struct scratch *s, int walked, __u32 owner, __u32 change,
					 bool exec_open)
{
	__u32 verdict;

	if (s) {
		judge__search(j, s, PICKET_DEPTHS_FILE, JUDGE_OBJECT | change, owner);
		if (walked == WALK_RESOLVED)
			walked = judge__path(s);
		if (walked != WALK_RESOLVED)
			judge__unresolved(j, walked);
	}
	verdict = judge__decide(j, s, exec_open);
	if (s && verdict >= PICKET_VERDICT_ALERT && walked == WALK_RESOLVED)
		j->hash = path__hash(s);
	return verdict;
}

/*
 * Which rule set is in force for the task; false: nothing is judged. One 8-byte load: set and generation belong together.
 * `category` with its detail.
 */
static __always_inline bool judge__in_force(struct judgement *j, const struct picket_task *task, __u32 category)
{
	__u32 slot = task->slot; /* a copy: 6.1 takes no key from memory of a caller */
	struct picket_workload *workload = bpf_map_lookup_elem(&picket_workloads, &slot);
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
	return head && !(head->flags & PICKET_SET_DISABLED);
}

static __always_inline bool judge__has_rules(const struct judgement *j)
{
	return j->head->rules & (1U << (j->category & 0xff));
}

/* The same; false as well when there are no rules of the category. */
static __always_inline bool judge__begin(struct judgement *j, const struct picket_task *task, __u32 category)
{
	return judge__in_force(j, task, category) && judge__has_rules(j);
}

/* The rule set and its generation as one number. */
static __always_inline __u64 judge__stamp(const struct judgement *j)
{
	return (__u64)j->generation << 32 | j->set;
}

/* Finds the sources of the acting task for the rules of the category; needs the walk's memory, so before the object's walk. */
static __always_inline void judge__sources(const struct judgement *j, struct scratch *s, struct task_struct *task,
					   struct picket_task *record)
{
	if (!s)
		return;
	s->sources.count = 0;
	if (j->head->flags & (PICKET_SET_SOURCES << (j->category & 0xff)))
		source__of_current(s, j->head->depths[PICKET_DEPTHS_SOURCE], judge__stamp(j), task, record);
}

#endif
