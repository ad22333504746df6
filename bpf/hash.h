/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The hash of a path: a polynomial over the prime p = 2^61 - 1 at a secret point, so nobody who can choose file names can
 * find two with the same hash: two different paths collide with probability < (length / 7) / 2^60.
 *
 *   component(b):   h = length + 1;  for each 7 bytes, little endian, zero-padded:  h = h * picket_hash_name + chunk
 *   path:           H("/") = 1;  H(parent/name) = H(parent) * picket_hash_path + component(name)
 *
 * agent/policy/hash.ts computes the same; a test compares the two.
 */
#ifndef PICKET_HASH_H
#define PICKET_HASH_H

#include "maps.h"

enum { HASH_PRIME_BITS = 61 };
#define HASH_PRIME ((1ULL << HASH_PRIME_BITS) - 1)

/*
 * a * b + c modulo p, up to a multiple of p: below p + 8. Takes such numbers; b < p. eBPF has no 128-bit product: four
 * 32-bit ones.
 */
static __always_inline __u64 hash__step(__u64 a, __u64 b, __u64 c)
{
	__u64 a1 = a >> 32, a0 = (__u32)a, b1 = b >> 32, b0 = (__u32)b;
	__u64 mid = a1 * b0 + a0 * b1; /* < 2^62 + 2^32 */
	__u64 low = a0 * b0;
	__u64 sum;

	/* 2^64 = 8 and 2^61 = 1 modulo p; every term is below 2^61 + 2^36, the sum below 2^64 */
	sum = (a1 * b1 << 3) + (mid >> 29) + ((mid & ((1ULL << 29) - 1)) << 32) + (low & HASH_PRIME) + (low >> HASH_PRIME_BITS) + c;
	return (sum & HASH_PRIME) + (sum >> HASH_PRIME_BITS);
}

/* The same for a small number a: half the work. */
static __always_inline __u64 hash__first_step(__u32 a, __u64 b, __u64 c)
{
	__u64 mid = a * (b >> 32), low = (__u64)a * (__u32)b;
	__u64 sum = (mid >> 29) + ((mid & ((1ULL << 29) - 1)) << 32) + low + c;

	return (sum & HASH_PRIME) + (sum >> HASH_PRIME_BITS);
}

/* The one number below p that stands for all that differ by a multiple of p. */
static __always_inline __u64 hash__canonical(__u64 h)
{
	return h >= HASH_PRIME ? h - HASH_PRIME : h;
}

/*
 * Hash of s->name[0..length). Global: the verifier looks at its loop once, not once per component. The last chunk comes after
 * the loop: as a branch inside, it would make the verifier follow 18 times as many instructions.
 */
__noinline __u64 hash__name(struct scratch *s, __u32 length)
{
	__u64 h = length + 1;
	__u32 at = 0;

	if (!s || length > PICKET_MAX_NAME)
		return 0;
	for (__u32 i = 0; i < PICKET_MAX_NAME / 7; i++, at += 7) {
		if (length < at + 7)
			break;
		h = hash__step(h, picket_hash_name, *(__u64 *)&s->name[at] & (~0ULL >> 8));
	}
	if (length == at)
		return h;
	return hash__step(h, picket_hash_name, *(__u64 *)&s->name[at] & (~0ULL >> (8 * (at + 8 - length))));
}

/*
 * A dentry keeps a name of less than 32 bytes in itself (d_alloc(), d_move() in fs/dcache.c); other kernels may have
 * less room, then every name is read where d_name.name points.
 */
enum { SHORT_NAME = 28 };
#define SHORT_NAME_OFFSET                                                         \
	(bpf_core_field_exists(struct dentry___iname, d_iname) ?                  \
		 bpf_core_field_offset(struct dentry___iname, d_iname) :          \
		 bpf_core_field_offset(struct dentry___shortname, d_shortname))
#define HAS_SHORT_NAMES                                                                                                   \
	(bpf_core_field_exists(struct dentry___iname, d_iname) ? bpf_core_field_size(struct dentry___iname, d_iname) >= 32 : \
	 bpf_core_field_exists(struct dentry___shortname, d_shortname) &&                                                  \
		 bpf_core_field_size(struct dentry___shortname, d_shortname) >= 32)

/* The same for a name of 1 to SHORT_NAME bytes that can be loaded from where it is: without a loop. */
static __always_inline __u64 hash__short_name(const void *name, __u32 length)
{
	__u64 h;

	if (length <= 7)
		return hash__first_step(length + 1, picket_hash_name, *(__u64 *)name & (~0ULL >> (8 * (8 - length))));
	h = hash__first_step(length + 1, picket_hash_name, *(__u64 *)name & (~0ULL >> 8));
#pragma unroll
	for (__u32 at = 7; at < SHORT_NAME - 7; at += 7) {
		if (length <= at + 7)
			return hash__step(h, picket_hash_name, *(__u64 *)(name + at) & (~0ULL >> (8 * (at + 8 - length))));
		h = hash__step(h, picket_hash_name, *(__u64 *)(name + at) & (~0ULL >> 8));
	}
	return hash__step(h, picket_hash_name, *(__u64 *)(name + SHORT_NAME - 7) & (~0ULL >> (8 * (SHORT_NAME + 1 - length))));
}

#endif
