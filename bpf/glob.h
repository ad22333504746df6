/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Globs. The patterns of a rule set that begin with the same fixed directory are one automaton, which reads what stands behind
 * that directory: the tail. What stands in the arena comes from agent/policy/glob/part.ts; places in it are masked where they are
 * used, so whatever it holds, a program reads nothing else.
 */
#ifndef PICKET_GLOB_H
#define PICKET_GLOB_H

#include "hash.h"

enum {
	GLOB_WORDS = PICKET_MAX_WORDS,
	GLOB_CHUNK = 32, /* bytes read in one go */
	GLOB_ROW = 4,    /* words are as many as a multiple of it: fewer ends of the loop for the verifier to follow */
};

static __always_inline const void *glob__at(const char *arena, __u32 place)
{
	asm volatile("" : "+r"(place)); /* or the compiler takes the mask away */
	return arena + (place & (PICKET_ARENA_BYTES - 1));
}

static __always_inline const unsigned char *glob__text_at(const struct scratch *s, __u32 at)
{
	asm volatile("" : "+r"(at));
	return (const unsigned char *)s->text + (at & PICKET_MAX_PATH);
}

static __always_inline const char *glob__arena(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&picket_arena, &key);
}

/* Reads up to GLOB_CHUNK bytes; 1: there is nothing more to read, or it would change nothing. */
static __always_inline long glob__table_chunk(struct scratch *s)
{
	struct glob_run *run = &s->glob;
	__u32 state = run->state, size = run->size, stride = run->stride, rows = run->rows, left = s->text_end - run->at;
	const unsigned char *text = glob__text_at(s, run->at), *classes;
	const char *arena = glob__arena();

	if (!arena)
		return 1;
	classes = glob__at(arena, run->part + sizeof(struct picket_automaton));
	for (__u32 i = 0; i < GLOB_CHUNK && i < left && state < size; i++)
		state = *(const __u16 *)glob__at(arena, rows + 2 * (state * stride + classes[text[i]]));
	run->state = state;
	run->at += GLOB_CHUNK;
	return left <= GLOB_CHUNK || state >= size;
}

static long glob__table_next(__u32 index, struct scratch **s)
{
	return glob__table_chunk(*s);
}

/* Runs a table over the text; returns the accept id, 0: none. */
__noinline int glob__table(struct scratch *s)
{
	const char *arena;

	if (!s)
		return 0;
	s->glob.state = 0;
	if (!glob__table_chunk(s))
		bpf_loop(PICKET_MAX_PATH / GLOB_CHUNK, glob__table_next, &s, 0);
	arena = glob__arena();
	return arena ? *(const __u16 *)glob__at(arena, s->glob.accept + 2 * s->glob.state) : 0;
}

/* Masks of the states, for each word those into which a step leads and those that have a loop. */
struct glob_row {
	__u64 masks[2 * GLOB_WORDS];
};

/* Reads one byte. 0: no state is left. A function, for the verifier to look at once. */
__noinline int glob__bits_step(struct scratch *s, const struct glob_row *row, __u32 size)
{
	__u64 carry = 0, any = 0;

	if (!s || !row)
		return 0;
#pragma unroll
	for (int w = 0; w < GLOB_WORDS; w++) {
		__u64 before = s->active[w], after;

		after = ((before << 1 | carry) & row->masks[2 * w]) | (before & row->masks[2 * w + 1]);
		carry = before >> 63;
		s->active[w] = after;
		any |= after;
		if (w % GLOB_ROW == GLOB_ROW - 1 && w + 1 >= size)
			break;
	}
	return any != 0;
}

/* Reads up to GLOB_CHUNK bytes; 1: there is nothing more to read, or it would change nothing. */
static long glob__bits_next(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;
	struct glob_run *run = &s->glob;
	__u32 size = run->size, stride = run->stride, rows = run->rows, behind = run->behind, left = s->text_end - run->at;
	const unsigned char *text = glob__text_at(s, run->at), *classes;
	const char *arena = glob__arena();

	if (!arena)
		return 1;
	classes = glob__at(arena, run->part + sizeof(struct picket_automaton));
	for (__u32 i = 0; i < GLOB_CHUNK && i < left; i++) {
		__u32 symbol = text[i] + behind;

		behind = text[i] == '/' ? 256 : 0;
		asm volatile("" : "+r"(symbol)); /* the mask comes last: 6.1 knows nothing of the sum */
		if (!glob__bits_step(s, glob__at(arena, rows + stride * classes[symbol & 511]), size)) {
			left = 0;
			break;
		}
	}
	run->behind = behind;
	run->at += GLOB_CHUNK;
	return left <= GLOB_CHUNK;
}

/* The same for words of bits: the states that accept are left in s->active. Returns whether there are any. */
__noinline int glob__bits(struct scratch *s)
{
	const char *arena = glob__arena();
	const __u64 *accepting;
	__u64 any = 0;

	if (!s || !arena)
		return 0;
	s->glob.behind = 256;
	accepting = glob__at(arena, s->glob.words);
#pragma clang loop unroll(disable)
	for (__u32 w = 0; w < GLOB_WORDS; w++)
		s->active[w] = accepting[w];
	bpf_loop(PICKET_MAX_PATH / GLOB_CHUNK + 1, glob__bits_next, &s, 0);
	accepting = glob__at(arena, s->glob.words + 8 * GLOB_WORDS * (s->glob.behind ? 2 : 1));
#pragma clang loop unroll(disable)
	for (__u32 w = 0; w < GLOB_WORDS; w++)
		any |= s->active[w] &= accepting[w];
	return any != 0;
}

/* Called for each accept id that is found; whoever includes this says what for. */
static __always_inline void glob__accepted(struct scratch *s, __u32 automaton, __u32 accept);

/* Number of the lowest bit that is set. Without branches, each of which the verifier would follow. */
static __always_inline __u32 glob__lowest(__u64 bits)
{
	__u64 below = (bits & -bits) - 1;

	below -= below >> 1 & 0x5555555555555555ULL;
	below = (below & 0x3333333333333333ULL) + (below >> 2 & 0x3333333333333333ULL);
	return ((below + (below >> 4)) & 0x0f0f0f0f0f0f0f0fULL) * 0x0101010101010101ULL >> 56;
}

/* One state that accepts, or on to the next word. */
static long glob__next_accept(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;
	__u32 word = s->glob.word;
	const char *arena;
	__u64 states;

	if (word >= GLOB_WORDS)
		return 1;
	states = s->active[word];
	if (!states) {
		s->glob.word = word + 1;
		return 0;
	}
	s->active[word] = states & (states - 1);
	arena = glob__arena();
	if (!arena)
		return 1;
	glob__accepted(s, s->glob.automaton, *(const __u16 *)glob__at(arena, s->glob.accept + 2 * (64 * word + glob__lowest(states))));
	return 0;
}

/*
 * Writes the name of one step of the walk to s->text at `at`. Returns the place behind it; 0: it is not the name that was walked any
 * more, or there is no room. That it is the same name is told by its hash.
 */
static __always_inline __u32 glob__name(struct scratch *s, __u32 index, __u32 at)
{
	__u32 bytes = SHORT_NAME_OFFSET + SHORT_NAME + 4, length;
	const struct dentry *copy;
	struct step *step;
	__u64 hash;
	char *text;

	if (at > PICKET_MAX_PATH)
		return 0;
	step = scratch__step(s, index);
	copy = (void *)s->dentry_copy;
	text = (char *)glob__text_at(s, at);
	if (bytes > DENTRY_COPY || bpf_probe_read_kernel(s->dentry_copy, bytes, (void *)step->dentry))
		return 0;
	length = copy->d_name.len;
	if (HAS_SHORT_NAMES && length - 1 < SHORT_NAME) {
		const __u64 *name = (void *)copy + SHORT_NAME_OFFSET;

		hash = hash__short_name(name, length);
		for (int i = 0; i < (SHORT_NAME + 4) / 8; i++)
			((__u64 *)text)[i] = name[i];
	} else {
		length &= PICKET_MAX_NAME;
		if (length == 0 || bpf_probe_read_kernel(s->name, length, copy->d_name.name) ||
		    bpf_probe_read_kernel(text, length, s->name))
			return 0;
		hash = hash__name(s, length);
	}
	step->text = at;
	at += length;
	if (hash != step->hash || at > PICKET_MAX_PATH)
		return 0;
	return at;
}

struct glob_names {
	struct scratch *s;
	__u32 index; /* of the next name */
	__u32 at;    /* behind the last one; 0: it failed */
};

static long glob__next_name(__u32 index, struct glob_names *c)
{
	struct scratch *s = c->s;
	__u32 at = c->at;

	if (at) {
		*(char *)glob__text_at(s, at) = '/';
		at++;
	}
	c->at = at = glob__name(s, c->index, at);
	return !at || c->index-- == 0;
}

/*
 * Writes the names behind the first `depth` ones of the path last walked, with slashes between them. False: one of them has been
 * renamed since.
 */
static __always_inline bool glob__write(struct scratch *s, __u32 depth)
{
	struct glob_names c = { .s = s };
	__u32 names = s->count - depth;

	s->text_depth = depth;
	s->text_end = 0;
	if (names == 0)
		return true;
	c.index = names - 1;
	/* Most objects lie close below the directory: without the price of a loop. */
	for (int i = 0; i < 4; i++)
		if (glob__next_name(i, &c))
			goto written;
	bpf_loop(PICKET_MAX_COMPONENTS, glob__next_name, &c, 0);
written:
	s->text_end = c.at;
	return c.at;
}

/*
 * Runs an automaton over what stands behind the first `depth` names of the path last walked, and calls glob__accepted. 0: a name has
 * changed since the walk. The text is kept from a directory to those below it: set s->text_depth to ~0 before the first.
 */
__noinline int glob__match(struct scratch *s, __u32 automaton, __u32 depth)
{
	__u32 part = automaton, accept, from = 0;
	const struct picket_automaton *a;
	struct glob_run *run;
	const char *arena;

	arena = glob__arena();
	if (!s || !arena)
		return 1;
	if (depth < s->text_depth && !glob__write(s, depth))
		return 0;
	if (s->count > depth)
		from = scratch__step(s, s->count - 1 - depth)->text;
	run = &s->glob;
	run->automaton = automaton;
	for (int i = 0; i < PICKET_MAX_PARTS; i++) {
		a = glob__at(arena, part);
		run->at = from;
		run->part = part;
		run->rows = part + a->rows;
		run->words = part + a->words;
		run->accept = part + a->accept;
		run->size = a->size;
		run->stride = a->stride;
		if (a->form == PICKET_AUTOMATON_TABLE) {
			accept = glob__table(s);
			if (accept)
				glob__accepted(s, automaton, accept);
		} else if (a->form == PICKET_AUTOMATON_BITS && glob__bits(s)) {
			run->word = 0;
			bpf_loop(GLOB_WORDS * (64 + 1), glob__next_accept, &s, 0);
		}
		if (!a->more)
			break;
		part += a->bytes;
	}
	return 1;
}

#endif
