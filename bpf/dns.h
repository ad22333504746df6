/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What a message asks a DNS server (RFC 1035), and what the rules say about it (policy.md 9.2). The message lies in
 * s->message; a name is kept as the steps of a path are, its labels in place of names: the first label first.
 *
 * A name that cannot be read (cut off, too long, of labels that do not exist) matches no rule, as a path that cannot be
 * resolved: an allow-list refuses it, everything else lets it pass. A server does not look such a name up.
 */
#ifndef PICKET_DNS_H
#define PICKET_DNS_H

#include "object.h"

enum {
	DNS_EACCES = 13,
	DNS_HEADER = 12,
	DNS_LABEL = 63,
	DNS_NAME = 254,      /* bytes of a name with the lengths of its labels, the root's aside */
	DNS_STEPS = 160,     /* labels of a name, 127 at most, and pointers */
	DNS_QUESTIONS = 128, /* in 512 bytes there is no room for more */
	DNS_RESPONSE = 0x80, /* of the third byte */
	DNS_NAMESPACE = PICKET_CATEGORY_DNS | 1 << PICKET_KEY_DETAIL,
};

/* A message that was judged when it was handed over, and not yet seen as a packet. */
struct dns_judged {
	__u64 digest;
	__u64 stamp; /* rule set and generation under which that was */
};

/* By address of the task's struct. What is pushed out of it is judged, and reported, once more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct dns_judged);
} picket_dns_judged SEC(".maps");

static __always_inline __u8 dns__byte(struct scratch *s, __u32 at)
{
	asm volatile("" : "+r"(at)); /* the mask is for the verifier */
	return s->message[at & (DNS_MESSAGE - 1)];
}

/* Eight letters at once: the case of ASCII does not count. */
static __always_inline __u64 dns__lower(__u64 bytes)
{
	const __u64 ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
	__u64 low = bytes & ~high;
	__u64 upper = ((low + (0x80 - 'A') * ones) ^ (low + (0x7f - 'Z') * ones)) & ~bytes & high;

	return bytes | upper >> 2;
}

/* Hash of the label that begins at `at`, as of a name. Global: the verifier looks at it once. */
__noinline __u64 dns__label_hash(struct scratch *s, __u32 at, __u32 length)
{
	if (!s || length > DNS_LABEL || at >= DNS_MESSAGE)
		return 0;
	for (__u32 i = 0; i < DNS_LABEL + 1; i += 8)
		*(__u64 *)&s->name[i] = dns__lower(*(__u64 *)&s->message[at + i]);
	return hash__canonical(hash__name(s, length));
}

static long dns__label(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;
	struct dns_reading *d = &s->dns;
	__u32 at = d->at, length, count = s->count;
	struct step *step;

	if (at >= d->end)
		return 1;
	length = dns__byte(s, at);
	if (length == 0) {
		d->next = d->next ? d->next : at + 1;
		d->whole = 1;
		return 1;
	}
	if (length >= 0xc0) { /* the rest of the name stands elsewhere; the number of steps is what ends a circle */
		if (at + 1 >= d->end)
			return 1;
		d->next = d->next ? d->next : at + 2;
		d->at = (length & DNS_LABEL) << 8 | dns__byte(s, at + 1);
		return 0;
	}
	d->bytes += length + 1;
	if (length > DNS_LABEL || d->bytes > DNS_NAME || at + 1 + length > d->end)
		return 1;
	step = scratch__step(s, count);
	step->text = at + 1;
	step->sequence = length;
	step->hash = dns__label_hash(s, at + 1, length);
	s->count = count + 1;
	d->at = at + 1 + length;
	return 0;
}

/* Reads the question at s->dns.at; true: its name is known. The next question stands where s->dns.at points then. */
static __always_inline bool dns__read(struct scratch *s)
{
	struct dns_reading *d = &s->dns;

	s->count = 0;
	d->next = 0;
	d->bytes = 0;
	d->whole = 0;
	bpf_loop(DNS_STEPS, dns__label, &s, 0);
	d->at = d->next + 4; /* type and class */
	return d->whole && d->at <= d->end;
}

struct domain_context {
	struct scratch *s;
	__u64 hash;
	__u32 labels;
};

static long dns__domain(__u32 depth, struct domain_context *c)
{
	struct scratch *s = c->s;

	if (depth)
		c->hash = hash__step(c->hash, picket_hash_path, scratch__step(s, c->labels - depth)->hash);
	if (s->search.depths & (1ULL << (depth < 63 ? depth : 63)))
		judge__look_up_object(s, hash__canonical(c->hash), JUDGE_EXACT + depth);
	return 0;
}

/* Looks up the domain of the first `labels` labels, and every one above it. */
__noinline int dns__look_up(struct scratch *s, __u32 labels)
{
	struct domain_context c = { .s = s, .hash = 1 };

	if (!s)
		return 0;
	/* dns__domain counts from the name's last label on: those that are left out come first there. */
	c.labels = labels;
	bpf_loop(labels + 1, dns__domain, &c, 0);
	return 0;
}

static __always_inline bool dns__is(struct scratch *s, __u32 label, const char *name, __u32 length)
{
	return scratch__step(s, label)->hash == hash__canonical(hash__short_name(name, length));
}

/* Is it the workload's own namespace? The rule set knows. */
static __always_inline bool dns__is_namespace(struct scratch *s, __u32 label)
{
	struct picket_rule_key key = { .hash = scratch__step(s, label)->hash, .category = DNS_NAMESPACE };
	__u32 set = s->search.set;
	void *rules = bpf_map_lookup_elem(&picket_rules, &set);

	return rules && bpf_map_lookup_elem(rules, &key);
}

/* Rules for the name last read: as it is, and without the suffix that a resolver in a cluster tries behind it. */
__noinline int dns__search(struct scratch *s)
{
	static const char local[8] = "local", cluster[8] = "cluster", svc[8] = "svc";
	__u32 labels;

	if (!s)
		return 0;
	labels = s->count;
	dns__look_up(s, labels);
	if (labels < 3 || !dns__is(s, labels - 1, local, 5) || !dns__is(s, labels - 2, cluster, 7))
		return 0;
	dns__look_up(s, labels - 2);
	if (labels < 4 || !dns__is(s, labels - 3, svc, 3))
		return 0;
	dns__look_up(s, labels - 3);
	if (labels > 4 && dns__is_namespace(s, labels - 4))
		dns__look_up(s, labels - 4);
	return 0;
}

/* 6.1 looks at a callback with what its context holds at first, and takes that for all there is: what grows is not kept there. */
static long dns__text_step(__u32 index, struct scratch **context)
{
	struct scratch *s = *context;
	struct step *step = scratch__step(s, index);
	__u32 offset = s->dns.bytes, text = step->text, length = step->sequence & DNS_LABEL;

	asm volatile("" : "+r"(offset));
	if (offset > DNS_NAME || text >= DNS_MESSAGE)
		return 1;
	if (index)
		s->strings[offset++] = '.';
	bpf_probe_read_kernel(&s->strings[offset], length, &s->message[text]);
	s->dns.bytes = offset + length;
	return 0;
}

/* Writes the name last read to the strings, as it was asked; returns its length. */
__noinline __u32 dns__text(struct scratch *s)
{
	if (!s)
		return 0;
	if (s->count == 0) {
		s->strings[0] = '.';
		return 1;
	}
	s->dns.bytes = 0;
	bpf_loop(s->count, dns__text_step, &s, 0);
	return s->dns.bytes;
}

/* Sends the alert about the question last read. Uses the steps up. */
__noinline int dns__alert(struct scratch *s, struct picket_task *record, int result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct judgement j = {};
	__u32 length = 0;

	if (!s || !record)
		return 0;
	j.set = s->search.set;
	j.generation = s->dns.generation;
	j.category = PICKET_CATEGORY_DNS;
	j.outcome = s->dns.outcome;
	j.audited = s->dns.audited;
	count(result ? PICKET_COUNT_DENIED : PICKET_COUNT_ALERTED);
	event__begin(s, task, record, PICKET_EVENT_ALERT);
	event__judgement(s, &j, PICKET_OPERATION_DNS);
	if (s->dns.known)
		s->event.flags &= ~PICKET_EVENT_PATH_UNRESOLVED;
	s->event.result = result;
	__builtin_memcpy(s->event.details, s->dns.details, sizeof(s->dns.details));
	if (s->dns.known)
		length = dns__text(s);
	s->event.path_length = length;
	s->event.cwd_length = event__cwd(s, task, length);
	event__send(s, length + s->event.cwd_length, result != 0);
	return 0;
}

/* Of the message and who sent it, to know both again. */
__noinline __u64 dns__digest(struct scratch *s, __u64 exe_hash)
{
	__u64 h;
	__u32 at = 0, end;

	if (!s || s->dns.end > DNS_MESSAGE)
		return 0;
	end = s->dns.end;
	h = end + 1;
	for (__u32 i = 0; i < DNS_MESSAGE / 7; i++, at += 7) {
		if (end < at + 7)
			break;
		h = hash__step(h, picket_hash_name, *(__u64 *)&s->message[at] & (~0ULL >> 8));
	}
	if (end > at)
		h = hash__step(h, picket_hash_name, *(__u64 *)&s->message[at] & (~0ULL >> (8 * (at + 8 - end))));
	return hash__canonical(hash__step(h, picket_hash_path, exe_hash));
}

/* A message is judged when it is handed over; true: the packet is that message, unchanged. */
static __always_inline bool dns__was_judged(const struct dns_reading *d)
{
	__u64 task = bpf_get_current_task();
	struct dns_judged *judged = bpf_map_lookup_elem(&picket_dns_judged, &task);
	bool same = judged && judged->digest == d->digest && judged->stamp == d->stamp;

	if (same)
		bpf_map_delete_elem(&picket_dns_judged, &task);
	return same;
}

/*
 * Begins to judge the message of s->dns.end bytes in s->message, whose receiver is in s->dns.details: sets s->dns.questions. A
 * message that was judged when it was handed over is not judged again as a packet.
 */
__noinline int dns__begin(struct scratch *s, struct picket_task *record)
{
	struct judgement j = {};
	struct dns_reading *d;

	if (!s || !record)
		return 0;
	d = &s->dns;
	d->questions = 0;
	if (d->end < DNS_HEADER || dns__byte(s, 2) & DNS_RESPONSE || !judge__begin(&j, record, PICKET_CATEGORY_DNS))
		return 0;
	d->digest = dns__digest(s, record->exe_hash);
	d->stamp = (__u64)j.generation << 32 | j.set;
	if (d->final && dns__was_judged(d))
		return 0;
	d->at = DNS_HEADER;
	d->open = 0;
	d->questions = dns__byte(s, 4) << 8 | dns__byte(s, 5);
	return 0;
}

struct question_context {
	struct scratch *s;
	struct judgement j;
};

static long dns__question(__u32 index, struct question_context *c)
{
	struct scratch *s = c->s;
	struct dns_reading *d = &s->dns;

	d->questions--;
	d->known = dns__read(s);
	if (!d->known) {
		d->questions = 0;
		if (!d->final) {
			d->open = 1;
			return 1;
		}
	}
	count(PICKET_COUNT_DNS_JUDGED);
	judge__search(&c->j, s, PICKET_DEPTHS_DNS, 0, 0);
	if (d->known)
		dns__search(s);
	c->j.audited = 0;
	d->verdict = judge__decide(&c->j, s, false);
	return d->verdict >= PICKET_VERDICT_ALERT || !d->questions;
}

/* Not inline: what it needs of the stack is not needed by the search for sources, which goes deeper. */
static __noinline __u32 dns__answer(struct question_context *c)
{
	struct scratch *s = c->s;
	struct dns_reading *d = &s->dns;
	struct dns_judged judged;
	__u64 task;

	d->verdict = PICKET_VERDICT_PASS;
	bpf_loop(DNS_QUESTIONS, dns__question, c, 0);
	if (d->verdict >= PICKET_VERDICT_ALERT) {
		d->generation = c->j.generation;
		d->outcome = c->j.outcome;
		d->audited = c->j.audited;
	}
	if (!d->questions && !d->open && !d->final && d->verdict != PICKET_VERDICT_DENY) {
		task = bpf_get_current_task();
		judged.digest = d->digest;
		judged.stamp = d->stamp;
		bpf_map_update_elem(&picket_dns_judged, &task, &judged, BPF_ANY);
	}
	return d->verdict;
}

/* Judges questions up to the first that an alert is due for; returns the verdict on that. */
__noinline int dns__next(struct scratch *s, struct picket_task *record)
{
	struct question_context c = { .s = s };

	if (!s || !record)
		return PICKET_VERDICT_PASS;
	if (!judge__begin(&c.j, record, PICKET_CATEGORY_DNS)) {
		s->dns.questions = 0;
		return PICKET_VERDICT_PASS;
	}
	judge__sources(&c.j, s, bpf_get_current_task_btf(), record);
	return dns__answer(&c);
}

/* The same, and sends the alert. True: refuse; `refusal`: what the caller gets. */
static __always_inline bool dns__judge_next(struct scratch *s, struct picket_task *record, __s32 refusal)
{
	__u32 verdict = dns__next(s, record);

	if (verdict < PICKET_VERDICT_ALERT)
		return false;
	dns__alert(s, record, verdict == PICKET_VERDICT_DENY ? refusal : 0);
	return verdict == PICKET_VERDICT_DENY;
}

#endif
