// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Runs automata over texts that the test gives, with the functions that the hooks use. */
#define __VMLINUX_H__
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "path.h"
#include "glob.h"

struct glob_input {
	__u32 length;
	__u32 pad;
	char text[PICKET_MAX_PATH + 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct glob_input);
} input SEC(".maps");

/* How often an accept id was found since the test cleared it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} accepted SEC(".maps");

static __always_inline void glob__accepted(struct scratch *s, __u32 automaton, __u32 accept)
{
	__u32 *found = bpf_map_lookup_elem(&accepted, &accept);

	if (found)
		(*found)++;
}

struct glob_call {
	__u32 automaton;
	__u32 from;
};

SEC("syscall")
int match(struct glob_call *call)
{
	struct glob_input *given;
	struct scratch *s;
	__u32 key = 0;

	given = bpf_map_lookup_elem(&input, &key);
	s = bpf_map_lookup_elem(&picket_scratch, &key);
	if (!given || !s)
		return -1;
	/* As if a path of one name had been walked and written, at `from`. */
	s->count = 1;
	s->steps[0].text = call->from;
	s->text_first = s->text_left = 0;
	s->text_end = given->length;
	bpf_probe_read_kernel(s->text, sizeof(given->text), given->text);
	return glob__match(s, call->automaton, 0) ? 0 : -1;
}

struct glob_walk {
	__u32 automaton;
	__u32 names;   /* so many of the last ones are read */
	__u32 renamed; /* not 0: so many from the end, the name is not the one that was walked */
};

/* Runs an automaton over the path of the current directory; 1: as usual, 0: a name had changed. */
SEC("syscall")
int match_directory(struct glob_walk *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *s;
	__u32 key = 0;

	s = bpf_map_lookup_elem(&picket_scratch, &key);
	if (!s || path__walk(s, (__u64)BPF_CORE_READ(task, fs, pwd.mnt), (__u64)BPF_CORE_READ(task, fs, pwd.dentry)))
		return -1;
	glob__forget(s);
	if (call->renamed)
		scratch__step(s, call->renamed - 1)->hash ^= 1;
	return glob__match(s, call->automaton, s->count - call->names);
}

char LICENSE[] SEC("license") = "GPL";
