/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Rules with allowedArgs (policy.md 7). The arguments are read where the kernel has copied them: in the memory of the new program,
 * which no other task can reach yet. What the caller's own memory holds, another thread may change at any moment.
 *
 * An argument that cannot be read whole stands in no list.
 */
#ifndef PICKET_ARGUMENTS_H
#define PICKET_ARGUMENTS_H

#include "judge.h"
#include "pages.h"

enum {
	ARGUMENT_PIECE = 252,    /* bytes read at a time: 36 steps of the hash; fits struct scratch's name */
	ARGUMENT_PIECES = 1024,  /* of 128 KiB, the longest that the kernel takes, broken up by pages */
	ARGUMENTS_MAX = 65536,   /* more are not looked at: not in the list */
	ARGUMENT_PARTS = 65536,
	/* Instead of an address space: */
	ARGUMENTS_OF_TASK = 0,
	ARGUMENTS_OF_KERNEL = 1,
};
#define ARGUMENT_BYTES (~0ULL >> 8) /* of a step: the lower seven */

/* Reads `bytes` of the page at c->at behind what is left of the last piece; -1: they are not there. */
static __always_inline long arguments__read(struct scratch *s, __u32 bytes)
{
	struct arguments *c = &s->given;
	__u32 carry = c->carry & 7;
	__u64 number = c->at >> PAGE_BITS;

	bytes &= 255; /* for the verifier: never more than a piece */
	if (c->mm == ARGUMENTS_OF_TASK)
		return bpf_probe_read_user(&s->name[carry], bytes, (void *)c->at);
	if (c->mm == ARGUMENTS_OF_KERNEL)
		return bpf_probe_read_kernel(&s->name[carry], bytes, (void *)c->at);
	if (!c->page || c->page_number != number) {
		c->page = pages__find(c->mm, c->at);
		c->page_number = number;
	}
	if (!c->page)
		return -1;
	return bpf_probe_read_kernel(&s->name[carry], bytes, (void *)(c->page + (c->at & (PAGE_BYTES - 1))));
}

/* Marks the first of seven bytes that is zero; 0: none is. */
static __always_inline __u64 arguments__zero(__u64 seven)
{
	return (seven - 0x01010101010101ULL) & ~seven & 0x80808080808080ULL;
}

/*
 * One piece of a string. Its hash is that of a name (hash.h), (length + 1) * k^n + sum of the chunks times lower powers of k, but
 * the length is known at the end only: sum and power are kept apart.
 */
static long arguments__piece(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;
	struct arguments *c = &s->given;
	__u64 sum = c->sum, power = c->power, chunk = 0, zero = 0;
	__u32 bytes = PAGE_BYTES - (c->at & (PAGE_BYTES - 1)), carry = c->carry & 7, total, at = 0, rest;

	if (bytes > ARGUMENT_PIECE - carry)
		bytes = ARGUMENT_PIECE - carry;
	if (arguments__read(s, bytes))
		return 1;
	total = carry + bytes;
	for (int i = 0; i < ARGUMENT_PIECE / 7; i++, at += 7) {
		chunk = *(__u64 *)&s->name[at] & ARGUMENT_BYTES;
		if (total < at + 7)
			break;
		zero = arguments__zero(chunk);
		if (zero)
			break;
		sum = hash__step(sum, picket_hash_name, chunk);
		power = hash__step(power, picket_hash_name, 0);
	}
	if (!zero) {
		rest = total - at; /* less than seven */
		if (rest > 6)
			return 1;
		chunk = rest ? chunk | ~0ULL << 8 * rest : ~0ULL; /* what lies behind is no zero */
		zero = arguments__zero(chunk & ARGUMENT_BYTES);
		if (!zero) {
			*(__u64 *)s->name = chunk;
			c->carry = rest;
			c->sum = sum;
			c->power = power;
			c->length += at;
			c->at += bytes;
			return 0;
		}
	}
	for (rest = 0; rest < 7; rest++)
		if (zero & 0x80ULL << 8 * rest)
			break;
	c->at += at + rest + 1 - carry;
	if (rest) {
		sum = hash__step(sum, picket_hash_name, chunk & ((1ULL << 8 * (rest & 7)) - 1));
		power = hash__step(power, picket_hash_name, 0);
	}
	c->hash = hash__canonical(hash__step(power, c->length + at + rest + 1, sum));
	return 1;
}

/* Hashes the string at c->at and goes behind it: c->hash, 0 when it cannot be read. */
__noinline int arguments__next(struct scratch *s)
{
	if (!s)
		return -1;
	s->given.hash = 0;
	s->given.carry = 0;
	s->given.length = 0;
	s->given.sum = 0;
	s->given.power = 1;
	bpf_loop(ARGUMENT_PIECES, arguments__piece, &s, 0);
	return 0;
}

static long arguments__check(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;
	struct picket_rule_key key = { .category = PICKET_KEY_ARGUMENT };
	__u32 set = s->search.set;
	void *rules;

	arguments__next(s);
	if (s->given.hash && index < s->given.skip)
		return 0;
	key.hash = s->given.hash;
	key.source = s->given.list;
	rules = bpf_map_lookup_elem(&picket_rules, &set);
	if (s->given.hash && rules && bpf_map_lookup_elem(rules, &key))
		return 0;
	s->given.unlisted = PICKET_ACCESS_UNLISTED;
	return 1;
}

/* One part of the rules of a program: those with one list. */
static long arguments__part(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;
	struct arguments *c = &s->given;
	struct picket_rule_key key = { .hash = c->program, .source = c->source };
	__u32 set = s->search.set, count = c->count;
	struct picket_rule *rule;
	void *rules;

	key.category = c->key_category | (index + 1) << PICKET_KEY_DETAIL;
	rules = bpf_map_lookup_elem(&picket_rules, &set);
	rule = rules ? bpf_map_lookup_elem(rules, &key) : NULL;
	if (!rule)
		return 1;
	c->at = c->first;
	c->list = rule->list;
	c->unlisted = count > ARGUMENTS_MAX ? PICKET_ACCESS_UNLISTED : 0;
	if (!c->unlisted && count > c->skip)
		bpf_loop(count, arguments__check, &s, 0);
	judge__offer(&s->search, c->rank, c->kind, rule->exact[(judge__access(&s->search) | c->unlisted) & (PICKET_ACCESS_KINDS - 1)]);
	return 0;
}

/*
 * Rules with lists for the program that stands under `hash` and s->search.key_category: offers what they say of s->given. Call
 * it after the rules without lists have been offered, when s->search.parts tells that there are some.
 */
__noinline int arguments__judge(struct scratch *s, __u64 hash, __u32 kind)
{
	struct arguments *c;

	if (!s)
		return 0;
	c = &s->given;
	c->program = hash;
	c->kind = kind;
	c->key_category = s->search.key_category;
	for (__u32 rank = 0; rank <= PICKET_MAX_SOURCES; rank++) {
		if (rank > s->sources.count || rank > s->search.rank)
			break;
		c->rank = rank;
		c->source = rank < s->sources.count ? s->sources.ids[rank & (PICKET_MAX_SOURCES - 1)] : 0;
		bpf_loop(ARGUMENT_PARTS, arguments__part, &s, 0);
	}
	return 0;
}

/* The strings of a new program: `count` of them from `first` on, the last `given` - 1 of which are the caller's arguments. */
static __always_inline void arguments__set(struct scratch *s, __u64 mm, __u64 first, __u32 count, __u32 given)
{
	struct arguments *c = &s->given;

	c->mm = mm;
	c->first = first;
	c->page = 0;
	c->count = count;
	c->skip = given && count >= given ? count - given + 1 : 0; /* not known: all of them */
}

#endif
