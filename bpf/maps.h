/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* All state of the kernel side. Sizes that depend on the machine are set by the agent before loading. */
#ifndef PICKET_MAPS_H
#define PICKET_MAPS_H

#include "abi.h"

/* Set by the agent before loading; the verifier sees constants. */
const volatile __u32 picket_backend = PICKET_BACKEND_LSM;
/* Secret multipliers of the path hash: bytes inside one component, components of a path (path.h). */
const volatile __u64 picket_hash_name = 1;
const volatile __u64 picket_hash_path = 1;
/* Scratch buffers: this many per CPU. */
enum { SCRATCH_PER_CPU = 4 };
const volatile __u32 picket_cpus = 1;

enum {
	SCRATCH_STRINGS = 24576,
	DNS_MESSAGE = 512, /* bytes of a message to a DNS server that are read; a power of two */
	MOUNT_COPY = 64, /* bytes of a struct mount and of a struct dentry that the walk looks at */
	DENTRY_COPY = 96,
	PREFIXES = 16, /* a power of two */
	PREFIX_STEPS = 6,
	TEXT_BEYOND = PICKET_MAX_NAME + 1, /* bytes behind a path's text that a name may be written to, or a chunk read from */
	ARENA_BEYOND = 4096,               /* bytes behind a masked place in the arena that may be read */
	OPEN_FILES = 16384,
};

/* A name on the way from a file to the root. */
struct step {
	__u64 hash;
	__u64 dentry;
	__u32 sequence; /* of the dentry when it was read */
	__u32 text;     /* where glob__name has written it: offset of its first byte in the text */
};

/* The way from a mount to the root, as long as no mount changes. */
struct prefix {
	__u64 mount;
	__u32 sequence; /* of all mounts */
	__u32 count;
	__u32 namespace;
	__u32 pad;
	struct step steps[PREFIX_STEPS];
};

/* A walk above the file's own mount (ascent.h): here, because the stack of a program and all it calls has 512 bytes. */
struct ascent {
	__u64 dentry;
	__u64 mount;
	/* Of the mount: */
	__u64 parent;
	__u64 mountpoint;
	__u64 root;
	__u32 first; /* names before */
	__u32 result;
};

/* The search for the rule that decides (judge.h). */
struct judge_search {
	__u64 hash;         /* of the path so far */
	__u64 depths;       /* in: depths at which the set has rules of the category */
	__u32 set;          /* in */
	__u32 key_category; /* in */
	__u32 access;       /* in: enum picket_access */
	__u32 owner;        /* in, for an object that has one: i_uid */
	__u32 filter;       /* in */
	__u32 filter_shift; /* in */
	__u32 depth;
	__u32 names;
	__u32 automaton; /* of the directory that was looked at last, when the object is below */
	__u32 torn;      /* a name was not as walked any more */
	/* The best so far. */
	__u32 outcome;
	__u32 rank; /* place of its source */
	__u32 kind; /* enum judge_kind */
	__u32 baseline; /* may be read (1), may be written (2) */
	__u32 parts;    /* not 0: there are rules with lists of arguments for this very object */
	__u32 pad;
};

/* The arguments of a new program (arguments.h). */
struct arguments {
	__u64 mm;    /* address of its memory, or one of two words of arguments.h */
	__u64 first; /* address of the first string */
	__u32 count; /* strings */
	__u32 skip;  /* so many of them are no arguments that the caller gave */
	/* The string under way. */
	__u64 at;    /* address of the next byte */
	__u64 page;  /* the kernel's address of the page with this number */
	__u64 page_number;
	__u64 sum;
	__u64 power;
	__u64 hash;
	__u32 length;
	__u32 carry; /* bytes of the last piece that are not hashed yet */
	/* The rules that are asked. */
	__u64 program;
	__u32 key_category;
	__u32 source;
	__u32 rank;
	__u32 kind;
	__u32 list;
	__u32 unlisted;
};

/* A name that an operation changes: addresses of its mount and its dentry. */
struct changed_name {
	__u64 mount;
	__u64 dentry;
};

/*
 * An open file. Nothing tells when it is closed, and its address may be another file's next: what else it is, tells them apart. (A
 * hook that tells, lsm/file_free_security, costs every close of the machine as much as an open outside all workloads.)
 */
struct open_file_key {
	__u64 file;
	__u64 dentry;
	__u64 inode; /* its number */
	__u32 inode_generation;
	__u32 name_hash; /* the kernel's own, of the last name */
};

/*
 * What is remembered of a file that is open for writing. `judged_…`: its open was judged for this program under this rule set and
 * generation, so its writes are not reported again. The rest: who may write without being asked again, as long as no name
 * and no mount of the machine changes. A program that is not known is 0 and never remembered.
 */
struct open_file_state {
	__u64 judged_exe;
	__u64 judged_stamp;
	__u64 exe;
	__u64 stamp;
	__u64 workload;
	__u64 names;  /* sequence numbers of renames and of mounts */
	__u32 access; /* enum picket_access */
	__u32 pad;
};

/* The best rule for a system call so far, over all the objects among its arguments (call.h). */
struct call_search {
	__u64 hash; /* of the path that it was found for */
	__u32 outcome;
	__u32 rank;
	__u32 kind;
	__u32 objects;    /* looked at */
	__u32 length;     /* of the path's text, which begins the strings; 0: it is elsewhere */
	__u32 unresolved; /* the object has no path */
};

/* An automaton at work (glob.h). */
struct glob_run {
	__u32 depth; /* names before the text */
	__u32 at;    /* in the text */
	/* Places in the arena: */
	__u32 automaton;
	__u32 part;
	__u32 rows;
	__u32 words;
	__u32 accept;
	__u32 form;  /* enum picket_automaton_form */
	__u32 size;
	__u32 stride;
	__u32 state; /* of a table. Bits: 256 when the byte read last is a slash */
	__u32 word;  /* whose accepting states are being taken */
	__u32 torn;
	__u32 pad;
};

/* A message to a DNS server while it is read (dns.h). */
struct dns_reading {
	__u64 details[4]; /* of the receiver, as in struct picket_event */
	__u32 end;        /* bytes of the message that are known */
	__u32 final;      /* nobody will look at the message again */
	__u64 digest;     /* of it, */
	__u64 stamp;      /* and the rules by which it is judged */
	__u32 questions;  /* that are left */
	__u32 open;       /* one could not be read: that is left to the packet */
	/* The question being read: */
	__u32 at;
	__u32 next;  /* behind its name, when a pointer has led elsewhere */
	__u32 bytes; /* of its name */
	__u32 whole; /* the name has an end */
	__u32 known; /* all of it could be read */
	/* What the rules say about it: */
	__u32 verdict;
	__u32 generation;
	__u32 outcome;
	__u32 audited;
	__u32 pad;
};

/* A system call that is being looked at (call.h). */
struct call_look {
	__u64 arguments[6];
	__u64 mount, dentry; /* of an object that was asked for */
	__u32 generation;    /* that judges */
	__u32 number;
	__u32 shape;
	__s32 object; /* a descriptor to look at beside those among the arguments */
	__u32 late;   /* has paths that no hook has seen */
	__s32 result;
};

/*
 * Working memory of one decision. It is claimed, not per-CPU: a preempted hook keeps its buffer while another task
 * runs the same hook on the same CPU (LSM programs may be preempted from 6.2 on).
 */
struct scratch {
	__u32 busy;
	__u32 count;                              /* names of the path last walked, leaf first */
	__u64 mount, dentry;                      /* where the walk goes on above the file's own mount */
	__u64 leaf;                               /* where it began */
	__u32 text_first;                         /* the text: from this step of the walk */
	__u32 text_left;                          /* to this one; so many names are not written yet */
	__u32 text_end;
	__u32 pad2;
	struct glob_run glob;
	__u64 active[PICKET_MAX_WORDS];           /* states of an automaton in bits */
	__u32 mounts;                             /* sequence number of all mounts at the last walk */
	__u32 namespace;                          /* inum of the mount namespace that the path last walked leads up to */
	struct prefix prefixes[PREFIXES];
	__u64 mount_copy[MOUNT_COPY / 8];
	__u64 dentry_copy[DENTRY_COPY / 8];
	char name[PICKET_MAX_NAME + 9];           /* the hash reads eight bytes at a time */
	struct ascent ascent;
	struct judge_search search;
	struct call_search call;
	struct call_look look;
	struct picket_sources sources;            /* who acts */
	struct changed_name names[2];             /* hook_name.h */
	__u32 walked;                             /* of the file that is opened or started: enum walk_result */
	__u32 waits;                              /* the alert that was made is not to be sent yet: pending.h */
	struct open_file_key open_file_key;       /* written.h */
	struct open_file_state open_file;
	struct arguments given;                    /* to a program that starts: arguments.h */
	struct picket_task record;                /* of a task, for programs that cannot have it from the kernel (storage.h) */
	struct dns_reading dns;
	/* What is small stands above: places beyond 32,767 take two more instructions to reach. */
	struct step steps[PICKET_MAX_COMPONENTS];
	char text[PICKET_MAX_PATH + 1 + TEXT_BEYOND]; /* what automata read: the names of the path last walked, or the last of them */
	char message[DNS_MESSAGE + 72];           /* labels are read 64 bytes at a time, from any place */
	struct picket_event event;
	char strings[SCRATCH_STRINGS];            /* follows event without a gap: both leave in one record */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_PER_CPU); /* x CPUs, by the agent */
	__type(key, __u32);
	__type(value, struct scratch);
} picket_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct picket_task);
} picket_tasks SEC(".maps");

/* cgroup v2 id -> workload; children inherit at cgroup_mkdir. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4 * PICKET_MAX_WORKLOADS);
	__type(key, __u64);
	__type(value, struct picket_cgroup);
} picket_cgroups SEC(".maps");

/* Path of a cgroup that is still to be made (from the root of the v2 hierarchy, padded with zeros) -> its workload. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PICKET_MAX_WORKLOADS);
	__uint(key_size, PICKET_CGROUP_PATH);
	__type(value, struct picket_cgroup);
} picket_expected SEC(".maps");

/* Where such a path is put together. Nothing can come between two uses: cgroup_mkdir holds a lock with interrupts off. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__uint(value_size, PICKET_CGROUP_PATH);
} picket_cgroup_path SEC(".maps");

/* Mapped by the agent, which changes (set, generation) of a slot with one 8-byte store. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PICKET_MAX_WORKLOADS);
	__type(key, __u32);
	__type(value, struct picket_workload);
} picket_workloads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PICKET_MAX_SETS);
	__type(key, __u32);
	__type(value, struct picket_set);
} picket_sets SEC(".maps");

struct rules_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct picket_rule_key)); /* clang leaves the types of inner maps out of the BTF */
	__uint(value_size, sizeof(struct picket_rule));
};

/* What counts for all workloads; mapped by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct picket_control);
} picket_control SEC(".maps");

/* Rules of set i. Inner maps are as large as their set; an update waits for running programs (synchronize_rcu). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, PICKET_MAX_SETS);
	__type(key, __u32);
	__array(values, struct rules_map);
} picket_rules SEC(".maps");

struct arena {
	char bytes[PICKET_ARENA_BYTES];
	char beyond[ARENA_BEYOND];
};

/* The glob automata of all rule sets; mapped by the agent. What is in use is never changed. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct arena);
} picket_arena SEC(".maps");

struct filters {
	__u64 words[PICKET_FILTER_BYTES / 8];
};

/* The filters of all rule sets; mapped by the agent. What is in use is never changed. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct filters);
} picket_filters SEC(".maps");

/* Files that are open for writing. The least recently used one makes room: its next write is judged as if it were the first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, OPEN_FILES);
	__type(key, struct open_file_key);
	__type(value, struct open_file_state);
} picket_open_files SEC(".maps");

/* Denials and process life. Sizes are the agent's to change. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} picket_ring_deny SEC(".maps");

/* All other alerts: noise here never displaces a denial. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} picket_ring_audit SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} picket_sequence SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PICKET_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} picket_counters SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *value = bpf_map_lookup_elem(&picket_counters, &which);

	if (value)
		(*value)++;
}

/* Claims a scratch buffer; NULL when all are taken: the caller treats its object as unresolved. */
static __always_inline struct scratch *scratch__claim(__u32 *index)
{
	__u32 cpu = bpf_get_smp_processor_id();

	for (int i = 0; i < SCRATCH_PER_CPU; i++) {
		struct scratch *s;

		*index = cpu + i * picket_cpus;
		s = bpf_map_lookup_elem(&picket_scratch, index);
		if (s && __sync_val_compare_and_swap(&s->busy, 0, 1) == 0)
			return s;
	}
	count(PICKET_COUNT_SCRATCH_BUSY);
	return NULL;
}

/* A step of the walk; the mask is for the verifier, and hidden from the compiler, which might find it needless. */
static __always_inline struct step *scratch__step(struct scratch *s, __u32 index)
{
	asm volatile("" : "+r"(index));
	return &s->steps[index & (PICKET_MAX_COMPONENTS - 1)];
}

static __always_inline void scratch__release(struct scratch *s)
{
	__sync_lock_test_and_set(&s->busy, 0);
}

#endif
