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
	GLOB_NAMES = 8,  /* names written in one go */
	GLOB_ACCEPTING = 256, /* in place of a form: the states of bits that accept are being taken */
	/* For each part: names, chunks of the longest of them, states that accept. */
	GLOB_LOOP = PICKET_MAX_PARTS * (PICKET_MAX_COMPONENTS * (1 + (PICKET_MAX_NAME + 1) / GLOB_CHUNK) + 65 * GLOB_WORDS),
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

/*
 * Writes the name of one step of the walk to s->text at `at`. Returns the place behind it; 0: it is not the name that was walked any
 * more, which its hash tells.
 */
static __always_inline __u32 glob__name(struct scratch *s, __u32 index, __u32 at)
{
	/* From d_name on. */
	__u32 skipped = bpf_core_field_offset(struct dentry, d_name), bytes = SHORT_NAME_OFFSET + SHORT_NAME + 4 - skipped, length;
	const struct dentry *copy = (void *)s->dentry_copy - skipped;
	struct step *step = scratch__step(s, index);
	char *text = (char *)glob__text_at(s, at);
	__u64 hash;

	if (bytes > DENTRY_COPY || bpf_probe_read_kernel(s->dentry_copy, bytes, (void *)step->dentry + skipped))
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
	return hash == step->hash ? at + length : 0;
}

/*
 * Writes the next name to the text, behind a slash; where there is no room any more the text begins anew. 0: it is not the name
 * that was walked any more.
 */
__noinline int glob__more(struct scratch *s)
{
	__u32 at;

	if (!s || !s->text_left)
		return 0;
	at = s->text_end;
	if (at > PICKET_MAX_PATH - PICKET_MAX_NAME - 1) {
		if (at != s->glob.at)
			return 1; /* what is there is read first */
		s->text_first = s->text_left - 1;
		s->glob.at = at = 0;
		s->text_end = 1; /* so that there is a slash */
	}
	if (s->text_end) {
		*(char *)glob__text_at(s, at) = '/';
		at++;
	}
	at = glob__name(s, s->text_left - 1, at);
	if (!at)
		return 0;
	s->text_end = at;
	s->text_left--;
	return 1;
}

/* A table reads up to GLOB_CHUNK bytes of the text. Returns whether what follows can still change the answer. */
__noinline int glob__table(struct scratch *s)
{
	const unsigned char *text, *classes;
	__u32 state, size, stride, rows, left;
	const char *arena = glob__arena();

	if (!s || !arena)
		return 0;
	state = s->glob.state;
	size = s->glob.size;
	stride = s->glob.stride;
	rows = s->glob.rows;
	left = s->text_end - s->glob.at;
	text = glob__text_at(s, s->glob.at);
	classes = glob__at(arena, s->glob.part + sizeof(struct picket_automaton));
	for (__u32 i = 0; i < GLOB_CHUNK && i < left && state < size; i++)
		state = *(const __u16 *)glob__at(arena, rows + 2 * (state * stride + classes[text[i]]));
	asm volatile("" : "+r"(state)); /* or the compiler compares it in the loop, for the verifier to follow both ways each time */
	s->glob.state = state;
	s->glob.at += left < GLOB_CHUNK ? left : GLOB_CHUNK;
	return state < size;
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
		if (w % PICKET_ROW_WORDS == PICKET_ROW_WORDS - 1 && w + 1 >= size)
			break;
	}
	return any != 0;
}

/* Bits do the same. */
__noinline int glob__bits(struct scratch *s)
{
	const unsigned char *text, *classes;
	__u32 size, stride, rows, behind, left;
	const char *arena = glob__arena();

	if (!s || !arena)
		return 0;
	behind = s->glob.state;
	size = s->glob.size;
	stride = s->glob.stride;
	rows = s->glob.rows;
	left = s->text_end - s->glob.at;
	text = glob__text_at(s, s->glob.at);
	classes = glob__at(arena, s->glob.part + sizeof(struct picket_automaton));
	for (__u32 i = 0; i < GLOB_CHUNK && i < left; i++) {
		__u32 symbol = text[i] + behind;

		behind = text[i] == '/' ? 256 : 0;
		asm volatile("" : "+r"(symbol)); /* the mask comes last: 6.1 knows nothing of the sum */
		if (!glob__bits_step(s, glob__at(arena, rows + stride * classes[symbol & 511]), size))
			return 0;
	}
	s->glob.state = behind;
	s->glob.at += left < GLOB_CHUNK ? left : GLOB_CHUNK;
	return 1;
}

/* Keeps of the active states those that accept. Returns whether there are any. */
static __always_inline bool glob__keep_accepting(struct scratch *s, const char *arena)
{
	const __u64 *accepting = glob__at(arena, s->glob.words + 8 * GLOB_WORDS * (s->glob.state ? 2 : 1));
	__u64 any = 0;

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

/* Takes one state that accepts, or goes on to the next word. False: there are no more. */
static __always_inline bool glob__accept_bit(struct scratch *s, const char *arena)
{
	__u32 word = s->glob.word;
	__u64 states;

	if (word >= GLOB_WORDS)
		return false;
	states = s->active[word];
	if (states) {
		s->active[word] = states & (states - 1);
		glob__accepted(s, s->glob.automaton,
			       *(const __u16 *)glob__at(arena, s->glob.accept + 2 * (64 * word + glob__lowest(states))));
	} else {
		s->glob.word = word + 1;
	}
	return true;
}

/* Begins the part at s->glob.part, with the text behind the first s->glob.depth names of the path. */
static __always_inline void glob__begin(struct scratch *s, const char *arena)
{
	struct glob_run *run = &s->glob;
	const struct picket_automaton *a = glob__at(arena, run->part);
	__u32 first = s->count - 1 - run->depth;

	run->form = a->form;
	run->rows = run->part + a->rows;
	run->words = run->part + a->words;
	run->accept = run->part + a->accept;
	run->size = a->size;
	run->stride = a->stride;
	if (s->count == run->depth) {
		run->at = s->text_end = s->text_left = 0; /* the root itself */
	} else if (first >= s->text_left && first <= s->text_first) {
		run->at = scratch__step(s, first)->text;
	} else {
		s->text_first = first;
		s->text_left = first + 1;
		run->at = s->text_end = 0;
	}
	run->state = 0;
	if (run->form == PICKET_AUTOMATON_BITS) {
		const __u64 *start = glob__at(arena, run->words);

#pragma clang loop unroll(disable)
		for (__u32 w = 0; w < GLOB_WORDS; w++)
			s->active[w] = start[w];
		run->state = 256; /* behind the directory's slash */
		run->word = 0;
	}
}

/*
 * The next chunk of the text, or the next state that accepts: then the next part. 1: there is nothing more to do. One function for
 * all, because calls cannot go deeper.
 */
static long glob__next(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;
	struct glob_run *run = &s->glob;
	const char *arena = glob__arena();
	const struct picket_automaton *a;
	__u32 accept;
	int more;

	if (!arena)
		return 1;
	if (run->form == GLOB_ACCEPTING) {
		if (glob__accept_bit(s, arena))
			return 0;
		goto next_part;
	}
	if (run->at == s->text_end && s->text_left) {
		/* Most patterns end at the first slash; who is still there reads on. */
		for (int i = 0; i < (run->at ? GLOB_NAMES : 1) && s->text_left; i++)
			if (!glob__more(s)) {
				run->torn = 1;
				return 1;
			}
	}
	more = run->form == PICKET_AUTOMATON_TABLE ? glob__table(s) : glob__bits(s);
	if (more && (run->at != s->text_end || s->text_left))
		return 0;
	if (run->form == PICKET_AUTOMATON_TABLE) {
		accept = *(const __u16 *)glob__at(arena, run->accept + 2 * run->state);
		if (accept)
			glob__accepted(s, run->automaton, accept);
	} else if (more && glob__keep_accepting(s, arena)) {
		run->form = GLOB_ACCEPTING;
		return 0;
	}
next_part:
	a = glob__at(arena, run->part);
	if (!a->more)
		return 1;
	run->part += a->bytes;
	glob__begin(s, arena);
	return 0;
}

/*
 * Runs an automaton over what stands behind the first `depth` names of the path last walked, and calls glob__accepted. 0: a name has
 * changed since the walk. What was written of the text serves the directories below as well: glob__forget before the first.
 */
__noinline int glob__match(struct scratch *s, __u32 automaton, __u32 depth)
{
	const char *arena = glob__arena();

	if (!s || !arena)
		return 1;
	s->glob.automaton = s->glob.part = automaton;
	s->glob.depth = depth;
	s->glob.torn = 0;
	glob__begin(s, arena);
	if (!glob__next(0, &s))
		bpf_loop(GLOB_LOOP, glob__next, &s, 0);
	return !s->glob.torn;
}

/* The path has been walked anew. */
static __always_inline void glob__forget(struct scratch *s)
{
	s->text_first = 0;
	s->text_left = PICKET_MAX_COMPONENTS;
}

#endif
