/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The contract between the kernel programs and the agent. Every struct below is read or written by both sides;
 * agent/abi.gen.ts is generated from the built object's BTF, and a test regenerates it and compares.
 *
 * Rules: explicit padding, no implicit holes, fixed-width types, a size assertion under every struct, enums rather
 * than #define (BTF knows enums). Change anything here and PICKET_ABI goes up by one.
 */
#ifndef PICKET_ABI_H
#define PICKET_ABI_H

#define PICKET_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type " changed its size")

enum picket_limits {
	PICKET_ABI = 9,
	/* Names of one path and its root: 4,095 bytes hold 2,047. A power of two, for the masks that the verifier needs. */
	PICKET_MAX_COMPONENTS = 2048,
	/* Bytes of one component: NAME_MAX of every Linux file system. */
	PICKET_MAX_NAME = 255,
	/* Bytes of a path in an event: PATH_MAX less the closing zero. */
	PICKET_MAX_PATH = 4095,
	/* Bytes of a command line in an event; a longer one is cut and flagged. */
	PICKET_MAX_ARGS = 8191,
	/* Rule sets loaded at one time; workloads with equal rules share one. */
	PICKET_MAX_SETS = 16384,
	/* Numbers of system calls; the last one stands for all that are greater. */
	PICKET_MAX_SYSCALLS = 512,
	/* Workloads at one time. */
	PICKET_MAX_WORKLOADS = 16384,
	/* Bytes of the path of a cgroup that is expected, with the closing zero. */
	PICKET_CGROUP_PATH = 512,
	/* Rules of one rule set, as numbered in an outcome. */
	PICKET_MAX_RULES = 1048576,
	/* Sources of a rule set that one program can be: itself and the directories above it that rules name. More: LoadFailed. */
	PICKET_MAX_SOURCES = 16,
	/* Directories above a program whose hashes its task keeps (a deeper program is walked again when its sources are needed). */
	PICKET_EXE_LEVELS = 32,
	/* Bytes of all glob automata of all rule sets; a power of two. 65,536 states of a set with up to 32 classes of bytes. */
	PICKET_ARENA_BYTES = 4194304,
	/* Bytes of the filters of all rule sets; a power of two. Sixteen bits for each path of a rule, as long as there is room. */
	PICKET_FILTER_BYTES = 4194304,
	/* Words of 64 states of an automaton in bits: the kernel's loop is written out that often. Fifty patterns of 18 characters. */
	PICKET_MAX_WORDS = 16,
	/* Words are as many as a multiple of it, so that the loop has fewer ends for the verifier to follow. */
	PICKET_ROW_WORDS = 4,
	/* Parts into which an automaton may be split: they run one after the other. */
	PICKET_MAX_PARTS = 16,
};

/* How the access relates to the qualifiers of policy.md section 13: an index of eight outcomes. */
enum picket_access {
	PICKET_ACCESS_CHANGE = 1,   /* not a read */
	PICKET_ACCESS_UNLISTED = 1, /* a program that is given an argument which is not in the rule's list */
	PICKET_ACCESS_OTHER = 2,    /* the caller does not own the object */
	PICKET_ACCESS_TERMINAL = 4, /* the caller has a controlling terminal */
	PICKET_ACCESS_KINDS = 8,
};

enum picket_category {
	PICKET_CATEGORY_PROCESS = 0,
	PICKET_CATEGORY_FILE = 1,
	PICKET_CATEGORY_NETWORK = 2,
	PICKET_CATEGORY_DNS = 3,
	PICKET_CATEGORY_CAPABILITY = 4,
	PICKET_CATEGORY_SYSCALL = 5,
	PICKET_CATEGORIES = 6,
};

/* What a key of a rule set is about: a category, or one of these. Bits 8 and up of `category` tell more. */
enum picket_key {
	PICKET_KEY_EXECNAME = 16,  /* hash: of the program's last name */
	PICKET_KEY_SOURCE = 17,    /* hash: of a program or a directory above it; exact[0], near[0], deep[0]: number of the source */
	PICKET_KEY_ARGUMENT = 18,  /* hash: of an argument (as of a name); source: number of the list that it stands in */
	PICKET_KEY_GLOB = 32,      /* | category; hash: automaton << 16 | accept id */
	PICKET_KEY_DETAIL = 8,     /* shift: system call number; part (1, 2, ...) of a program's rules with one list of arguments */
};

/*
 * An outcome is 32 bits: verdict in the two highest, rule number in the rest. OUTCOME_NONE: no rule here.
 * The rule number is the index into the rule list that the agent keeps for the generation.
 */
enum picket_verdict {
	PICKET_VERDICT_NOT_ALLOWED = 0, /* an Allow rule whose qualifier is not met: posture decides */
	PICKET_VERDICT_PASS = 1,
	PICKET_VERDICT_ALERT = 2,
	PICKET_VERDICT_DENY = 3,
};
enum picket_outcome {
	PICKET_OUTCOME_SHIFT = 30,
	PICKET_OUTCOME_RULE = 0x3fffffff,
	PICKET_OUTCOME_POSTURE = 0x3ffffffe, /* in events: no rule, the posture of the category decided */
	PICKET_OUTCOME_NONE = 0x3fffffff,    /* NOT_ALLOWED << 30 | all ones: no rule */
};

/* Key of one rule set's hash map. */
struct picket_rule_key {
	/*
	 * File, process: of the path (hash.h). System call: of the path, 0 without one. Network: enum picket_protocol. DNS: of the
	 * domain as of a path whose names are its labels in lower case, last label first; with detail 1: of the workload's
	 * namespace as of a name, so that a cluster's search suffix is known. Capability: its number + 1.
	 */
	__u64 hash;
	__u32 category; /* enum picket_category or picket_key, | detail << PICKET_KEY_DETAIL */
	__u32 source;   /* 0: any source; else a number that a PICKET_KEY_SOURCE gives */
};
PICKET_ASSERT_SIZE(picket_rule_key, 16);

enum picket_rule_flags {
	PICKET_RULE_BASELINE_EXACT = 1, /* start-up baseline (policy.md 15): this very path may be read */
	PICKET_RULE_BASELINE_BELOW = 2, /* everything below this directory may be read */
	PICKET_RULE_BASELINE_WRITE = 4, /* with BASELINE_EXACT: may be written too */
	PICKET_RULE_SOURCES = 8,        /* source 0 only: there are keys with this hash and category for single sources */
	PICKET_RULE_PARTS = 16,         /* further rules stand under detail 1, 2, ...: one part for each list of arguments */
};

/*
 * What the rules say about one object, already judged for each of the eight kinds of access. A key for a single source
 * goes together with one for source 0, which may say nothing but that it is there (PICKET_RULE_SOURCES).
 */
struct picket_rule {
	__u32 exact[8];  /* for the object with this very path; for an object without a path */
	__u32 near[8];   /* for this directory itself and objects exactly one level below */
	__u32 deep[8];   /* for objects two and more levels below */
	__u32 flags;     /* enum picket_rule_flags */
	__u32 automaton; /* of the globs that begin with this directory: its place in the arena; 0: none. Source 0 only */
	__u32 list;      /* of a part: the list in which all arguments must stand, or the access is UNLISTED */
	__u32 pad;
};
PICKET_ASSERT_SIZE(picket_rule, 112);

enum picket_automaton_form {
	PICKET_AUTOMATON_TABLE = 1,
	PICKET_AUTOMATON_BITS = 2,
};

/*
 * Head of a part of an automaton in the arena; its places count from here, numbers are little endian.
 *
 *   classes  follow the head: __u8 by byte. Bits: 512 of them, those from 256 on for a byte that stands behind a slash
 *   rows     table: __u16 by state and class, the next state. Only the states below `size` have a row: in the others nothing that
 *            is read can change the answer any more. Bits: by class: `size` pairs of __u64, step mask and loop mask
 *   words    bits: __u64: those of the start, those that accept, those that accept behind a slash; PICKET_MAX_WORDS each
 *   accept   __u16 by state, or by bit: accept id, 0: none
 */
struct picket_automaton {
	__u32 form;   /* enum picket_automaton_form; 0: nothing stands here */
	__u32 bytes;  /* of this part */
	__u32 more;   /* another part begins behind it */
	__u32 size;   /* table: states that have a row; bits: words, a multiple of PICKET_ROW_WORDS */
	__u32 stride; /* table: cells of a row; bits: bytes of a row */
	__u32 rows;
	__u32 words;
	__u32 accept;
};
PICKET_ASSERT_SIZE(picket_automaton, 32);

/* Names of policy.md 9.1; a socket answers to several. */
enum picket_protocol {
	PICKET_PROTOCOL_ALL = 1,
	PICKET_PROTOCOL_RAW, /* by type */
	PICKET_PROTOCOL_STREAM,
	PICKET_PROTOCOL_DGRAM,
	PICKET_PROTOCOL_RDM,
	PICKET_PROTOCOL_SEQPACKET,
	PICKET_PROTOCOL_DCCP,
	PICKET_PROTOCOL_TCP, /* by protocol */
	PICKET_PROTOCOL_UDP,
	PICKET_PROTOCOL_ICMP,
	PICKET_PROTOCOL_ICMPV6,
	PICKET_PROTOCOL_SCTP,
	PICKET_PROTOCOL_PACKET,
};

enum picket_preset {
	PICKET_PRESET_FILELESS = 0,
	PICKET_PRESET_ANONYMOUS_MAP = 1,
	PICKET_PRESET_PROTECT_ENV = 2,
	PICKET_PRESET_PROTECT_PROC = 3,
	PICKET_PRESET_EXEC = 4,
	PICKET_PRESETS = 5,
};

enum picket_set_flags {
	PICKET_SET_ALLOW_LIST = 1,      /* << category: the category is an allow-list */
	PICKET_SET_POSTURE_AUDIT = 256, /* << category: its posture is audit; unset: block */
	PICKET_SET_AUDITED = 65536,     /* refusals pass, reported as Audit (Block) or Audit (Allow) */
	PICKET_SET_DISABLED = 131072,   /* nothing is judged */
	PICKET_SET_EXECNAMES = 262144,  /* there are keys PICKET_KEY_EXECNAME */
	PICKET_SET_BLOCKS = 1048576,    /* << PROCESS or FILE: some rule of the category is a Block rule */
	PICKET_SET_SOURCES = 16777216,  /* << category: some rule of the category has fromSource */
};

/* Which depths hold keys: bit d set = a path of d names does; bit 63 = 63 names or more. */
enum picket_depths {
	PICKET_DEPTHS_PROCESS = 0,
	PICKET_DEPTHS_FILE = 1,
	PICKET_DEPTHS_SYSCALL = 2,
	PICKET_DEPTHS_SOURCE = 3,
	PICKET_DEPTHS_DNS = 4,
	PICKET_DEPTHS = 5,
};

/* Head of a rule set. Written before the set is put in force, never changed afterwards. */
struct picket_set {
	__u64 depths[5];   /* enum picket_depths */
	__u32 flags;       /* enum picket_set_flags */
	__u32 generation;
	__u32 rules;       /* bit c set: there are rules of category c */
	__u32 presets[5];  /* enum picket_preset: outcome DENY or ALERT with its rule, or PICKET_OUTCOME_NONE */
	__u64 syscalls[8]; /* bit n set: system call n is named by a rule (numbers 0..511) */
	/*
	 * A Bloom filter of the hashes of all keys that are paths: where it stands in picket_filters (0: there is none), and 64 less
	 * the logarithm of its bits. No look-up where bit (hash * 0x9e3779b97f4a7c15) >> shift is clear: most accesses meet no rule.
	 */
	__u32 filter;
	__u32 filter_shift;
};
PICKET_ASSERT_SIZE(picket_set, 144);

enum picket_control_flags {
	PICKET_CONTROL_NO_IO_URING = 1, /* tracepoint backend: who sets up an io_uring under file or network rules is ended */
};

/* The one element of picket_control: what counts for all workloads, at once. Written by the agent. */
struct picket_control {
	__u32 audit;          /* not 0: refusals pass, reported as of an audited workload. At the beginning in every version */
	__u32 host_namespace; /* mount namespace of the node: inum */
	__u64 host_workload;  /* id of the workload that tasks in no container belong to; 0: host policies are off */
	__u32 host_slot;
	__u32 flags;          /* enum picket_control_flags */
};
PICKET_ASSERT_SIZE(picket_control, 24);

enum picket_workload_flags {
	PICKET_WORKLOAD_HOST_MOUNTS = 1, /* the workload lives in the host's mount namespace (a local workload) */
	PICKET_WORKLOAD_STARTED = 2,     /* its first program has run: who enters from now on is an exec session */
	PICKET_WORKLOAD_IO_URING = 4,    /* has set up an io_uring under rules that do not reach into it (tracepoint backend) */
};

/* One slot of the workload table. `set` and `generation` change together with one 8-byte store. */
struct picket_workload {
	__u64 id;         /* never reused; 0: free slot */
	__u32 set;        /* index into the rule sets, 0: none */
	__u32 generation; /* of the rule set in force */
	__u32 flags;      /* enum picket_workload_flags */
	__u32 mount_namespace; /* of the workload's first program; 0: not known yet */
};
PICKET_ASSERT_SIZE(picket_workload, 24);

/* Value of the cgroup map (key: cgroup v2 id, __u64). */
struct picket_cgroup {
	__u64 workload;
	__u32 slot;
	__u32 pad;
};
PICKET_ASSERT_SIZE(picket_cgroup, 16);

enum picket_task_flags {
	PICKET_TASK_ENTRY = 1,    /* came from outside, has not yet executed a program of the workload */
	PICKET_TASK_TERMINAL = 2, /* of an exec session that had a terminal at its start */
};

/* Numbers of the sources of a rule set that a program is, most specific first. */
struct picket_sources {
	__u64 set; /* the rule set and its generation, as in struct picket_workload, that they belong to; 0: not known */
	__u32 count;
	__u32 pad;
	__u32 ids[16]; /* PICKET_MAX_SOURCES */
};
PICKET_ASSERT_SIZE(picket_sources, 80);

/* Task storage: what the kernel side remembers of each task of a workload. Tasks outside have none. */
struct picket_task {
	__u64 workload; /* at the beginning in every version: another one's records are carried over */
	__u32 slot;
	__u32 flags;         /* enum picket_task_flags */
	__u64 root_start_ns; /* root of the process tree: start, nanoseconds since boot */
	__u32 root_pid;      /* its pid on the node */
	__u32 entry_namespace; /* mount namespace in which the task entered */
	__u64 exec_session;  /* 0: none; else the time since boot (ns) at which the session's first program started */
	/* The program at the last exec. */
	__u64 exe_hash;      /* of its path; 0: unknown */
	__u32 exe_sequence;  /* odd while what follows is being written */
	__u32 exe_depth;     /* names in its path */
	__u64 exe_levels[32]; /* PICKET_EXE_LEVELS: hash of the first 1, 2, ... names of its path */
	struct picket_sources sources; /* of the program, written by the task itself */
	__u64 truncates;     /* tells the file that an open has just judged and is about to truncate (hook_open.h); 0: none */
	__u32 exec_argc;     /* of the exec under way: strings that the caller gave, the program's name among them */
	__u32 pending;       /* not 0: an alert about a creation waits (pending.h) */
};
PICKET_ASSERT_SIZE(picket_task, 408);

/* What a system call has among its arguments, and how it is to be looked at: made by agent/policy/syscall.ts. */
enum picket_call_shape {
	PICKET_CALL_DESCRIPTOR = 1,  /* << i: argument i is a descriptor of an object */
	PICKET_CALL_PATH = 64,       /* << i: argument i is a path */
	PICKET_CALL_AT = 4096,       /* << i: argument i is the directory that the path in argument i + 1 is relative to */
	PICKET_CALL_CLOSES = 262144, /* its descriptor is looked at before the call */
	PICKET_CALL_OPENS = 524288,  /* returns the descriptor of its object */
	PICKET_CALL_FILE = 1048576,  /* opens a file, be it for the kernel's own use */
	PICKET_CALL_MAPS = 2097152,  /* mmap: its descriptor counts unless the mapping is anonymous */
	PICKET_CALL_ENDS = 4194304,  /* does not return, or not what it did */
	PICKET_CALL_EXECUTES = 8388608, /* does not return when it succeeds */
	PICKET_CALL_MOUNTS = 16777216,  /* the kernel looks up a path that it has copied before */
	PICKET_CALL_ENTERS = 33554432,  /* makes its object the working directory */
	PICKET_CALL_CONFINES = 67108864, /* makes its object the root directory */
	PICKET_CALL_MULTIPLEXED = 0x8000, /* in a table of numbers of 32-bit programs: the first argument tells the call */
};

enum picket_event_kind {
	PICKET_EVENT_FORK = 1,  /* a new process of a workload */
	PICKET_EVENT_EXEC = 2,  /* a process of a workload has a new program: strings path (the program), args, cwd */
	PICKET_EVENT_EXIT = 3,  /* the last thread of a process has ended */
	PICKET_EVENT_ALERT = 4, /* a verdict: strings path (DNS: the name as asked), args (of a program that was to start), cwd */
	PICKET_EVENT_PATH = 5,  /* string path: the one that the next alert with this path_hash is about */
	PICKET_EVENT_NOT_COVERED = 7, /* the workload does something that this backend cannot see: it has set up an io_uring */
	/*
	 * A change of names or attributes that the agent judges (tracepoint backend): strings as with PICKET_EVENT_PATH_LATE, args: of
	 * a second path; outcome: what holds where no rule is about it; PICKET_EVENT_AUDITED: nothing is to be refused.
	 */
	PICKET_EVENT_CHANGE = 8,
	PICKET_EVENT_UNRESOLVED = 6, /* an object without a path where rules might have refused it; path: the readable rest */
};

enum picket_operation {
	PICKET_OPERATION_EXEC = 1,
	PICKET_OPERATION_OPEN = 2,
	PICKET_OPERATION_SYSCALL = 3,
	PICKET_OPERATION_PERMISSION = 4, /* a write through an open descriptor */
	PICKET_OPERATION_MKNOD = 5,
	PICKET_OPERATION_MKDIR = 6,
	PICKET_OPERATION_SYMLINK = 7,
	PICKET_OPERATION_UNLINK = 8,
	PICKET_OPERATION_RMDIR = 9,
	PICKET_OPERATION_LINK = 10,
	PICKET_OPERATION_RENAME = 11,
	PICKET_OPERATION_CHMOD = 12,
	PICKET_OPERATION_CHOWN = 13,
	PICKET_OPERATION_TRUNCATE = 14,
	PICKET_OPERATION_MMAP = 15,
	PICKET_OPERATION_SOCKET_CREATE = 16,
	PICKET_OPERATION_SOCKET_BIND = 17,
	PICKET_OPERATION_SOCKET_CONNECT = 18,
	PICKET_OPERATION_SOCKET_LISTEN = 19,
	PICKET_OPERATION_SOCKET_ACCEPT = 20,
	PICKET_OPERATION_SOCKET_SENDMSG = 21,
	PICKET_OPERATION_DNS = 22,
	PICKET_OPERATION_CAPABLE = 23,
};

/* Why an object has no path (policy.md 6.3). */
enum picket_unresolved {
	PICKET_UNRESOLVED_UNMOUNTED = 1, /* its mount is in no mount namespace any more, or in an anonymous one */
	PICKET_UNRESOLVED_TORN = 2,      /* renames or mounts went on while it was read, again and again */
};

enum picket_event_flags {
	PICKET_EVENT_PATH_UNRESOLVED = 1, /* the object's path could not be built; path holds the readable rest */
	PICKET_EVENT_PATH_LATE = 2,       /* path is the caller's own string; the agent resolves it (tracepoint) */
	PICKET_EVENT_ARGS_TRUNCATED = 4,
	PICKET_EVENT_AUDITED = 8,         /* would have been refused, passed because the workload is audited */
	PICKET_EVENT_KILLED = 16,         /* refused by SIGKILL (tracepoint backend) */
	PICKET_EVENT_NO_ARGS = 32,        /* the arguments are not known */
	PICKET_EVENT_ENTRY = 64,          /* the acting task is an entry task: as a source it is /runc */
};

enum picket_backend {
	PICKET_BACKEND_LSM = 1,
	PICKET_BACKEND_TRACEPOINT = 2,
};

/*
 * The fixed part of every ring record; four strings follow without separators: path, args, cwd, base.
 * With PICKET_EVENT_PATH_LATE, path is the caller's own string and base the directory that it is relative to.
 */
struct picket_event {
	__u64 seq;     /* per ring, counted when the record is made; a gap is a loss */
	__u64 time_ns; /* since boot */
	__u32 kind;    /* enum picket_event_kind */
	__u32 flags;   /* enum picket_event_flags */

	__u64 workload;
	__u64 start_ns;        /* of the acting process, since boot */
	__u64 parent_start_ns; /* of its parent; for an exec: of the process it was forked from */
	__u64 root_start_ns;
	__u64 exec_session;
	__u32 pid;  /* thread group ids as the node sees them */
	__u32 tid;
	__u32 ppid;
	__u32 root_pid;
	__u32 vpid; /* as the workload's pid namespace sees them */
	__u32 vppid;
	__u32 uid;  /* kernel uid */
	__u32 task_flags;
	char tty[16]; /* zero-terminated, empty: none */

	__u64 exe_hash;  /* acting program; the key under which the agent interns its path */
	__u64 path_hash; /* object */
	__u32 set;
	__u32 generation;
	__u32 outcome;   /* verdict << 30 | rule, PICKET_OUTCOME_POSTURE for a posture */
	__u32 category;  /* enum picket_category */
	__u32 operation; /* enum picket_operation */
	__u32 backend;   /* enum picket_backend */
	__s32 result;    /* 0 or a negative errno: what the caller got */
	__u32 syscall;   /* number */
	__u32 throttle_slot; /* reserved for throttling: 0 */
	__u32 preset;        /* 1 + enum picket_preset; 0: none */
	/*
	 * System call: the first four of its arguments that are no paths. Network, DNS: family | type << 16 | protocol << 32 |
	 * port << 48, then the address (IPv4 in the first 4 bytes) and how many bytes it has, 0: neither it nor the port is known.
	 * Capability: its number. Anonymous mapping: prot, flags. Unresolved: enum picket_unresolved.
	 */
	__u64 details[4];

	__u16 path_length;
	__u16 args_length; /* the arguments, the first one included, each ended by a zero byte */
	__u16 cwd_length;
	__u16 base_length;
};
PICKET_ASSERT_SIZE(picket_event, 208);

/* Counters, one set per CPU: index of the map picket_counters. */
enum picket_counter {
	PICKET_COUNT_EXEC_JUDGED = 0,
	PICKET_COUNT_OPEN_JUDGED,
	PICKET_COUNT_SYSCALL_JUDGED,
	PICKET_COUNT_NAME_JUDGED,  /* operations on names and attributes */
	PICKET_COUNT_WRITE_JUDGED, /* writes through open descriptors */
	PICKET_COUNT_NETWORK_JUDGED,
	PICKET_COUNT_DNS_JUDGED,
	PICKET_COUNT_CAPABILITY_JUDGED,
	PICKET_COUNT_DENIED,
	PICKET_COUNT_ALERTED,
	PICKET_COUNT_PATH_UNRESOLVED,
	PICKET_COUNT_RING_DENY_LOST,  /* reserve failed: denials and process life */
	PICKET_COUNT_RING_AUDIT_LOST, /* reserve failed: the rest */
	PICKET_COUNT_SCRATCH_BUSY,    /* no scratch buffer was free: what rules could refuse is refused */
	PICKET_COUNT_SOURCE_UNKNOWN, /* the sources of a program could not be told: rules with fromSource do not match */
	PICKET_COUNT_TASK_STORAGE_FAILED, /* a task of a workload is not judged: no memory */
	PICKET_COUNTERS,
};

#endif
