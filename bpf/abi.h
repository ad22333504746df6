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
	PICKET_ABI = 1,
	/* Components of one path; deeper paths are unresolved (counted, flagged). Bounds the walk for the verifier. */
	PICKET_MAX_COMPONENTS = 64,
	/* Bytes of one component: NAME_MAX of every Linux file system. */
	PICKET_MAX_NAME = 255,
	/* Bytes of a path in an event: PATH_MAX less the closing zero. */
	PICKET_MAX_PATH = 4095,
	/* Bytes of a command line in an event; a longer one is cut and flagged. */
	PICKET_MAX_ARGS = 8191,
	/* Rule sets loaded at one time; workloads with equal rules share one. */
	PICKET_MAX_SETS = 16384,
	/* Workloads at one time. */
	PICKET_MAX_WORKLOADS = 16384,
	/* Rules of one rule set, as numbered in an outcome. */
	PICKET_MAX_RULES = 1048576,
};

/* How the access relates to the qualifiers of policy.md section 13: an index of eight outcomes. */
enum picket_access {
	PICKET_ACCESS_CHANGE = 1,   /* not a read */
	PICKET_ACCESS_OTHER = 2,    /* the caller does not own the object */
	PICKET_ACCESS_TERMINAL = 4, /* the caller has a controlling terminal */
	PICKET_ACCESS_KINDS = 8,
};

enum picket_category {
	PICKET_CATEGORY_PROCESS = 0,
	PICKET_CATEGORY_FILE = 1,
	PICKET_CATEGORY_SYSCALL = 2,
	PICKET_CATEGORIES = 3,
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
	__u64 hash;     /* of the path, see path.h; 0 for a rule without an object (syscalls) */
	__u32 category; /* enum picket_category; for a syscall: PICKET_CATEGORY_SYSCALL | number << 8 */
	__u32 source;   /* 0: any source. Others are reserved for fromSource */
};
PICKET_ASSERT_SIZE(picket_rule_key, 16);

enum picket_rule_flags {
	PICKET_RULE_BASELINE_EXACT = 1, /* start-up baseline (policy.md 15): this very path may be read */
	PICKET_RULE_BASELINE_BELOW = 2, /* everything below this directory may be read */
	PICKET_RULE_BASELINE_WRITE = 4, /* with BASELINE_EXACT: may be written too */
};

/* What the rules say about one path, already judged for each of the eight kinds of access. */
struct picket_rule {
	__u32 exact[8]; /* for the object with this very path */
	__u32 near[8];  /* for this directory itself and objects exactly one level below */
	__u32 deep[8];  /* for objects two and more levels below */
	__u32 flags;    /* enum picket_rule_flags */
	__u32 pad;
};
PICKET_ASSERT_SIZE(picket_rule, 104);

enum picket_set_flags {
	PICKET_SET_ALLOW_LIST = 1,    /* << category: the category is an allow-list */
	PICKET_SET_POSTURE_AUDIT = 8, /* << category: its posture is audit; unset: block */
	PICKET_SET_AUDITED = 64,      /* refusals pass, reported as Audit (Block) or Audit (Allow) */
	PICKET_SET_DISABLED = 128,    /* nothing is judged */
};

/* Head of a rule set. Written before the set is put in force, never changed afterwards. */
struct picket_set {
	__u64 depths[3];  /* per category: bit d set = some rule or baseline entry at depth d; bit 63 = 63 or deeper */
	__u32 flags;      /* enum picket_set_flags */
	__u32 generation;
	__u64 syscalls[8]; /* bit n set: system call n is named by a rule (numbers 0..511) */
};
PICKET_ASSERT_SIZE(picket_set, 96);

enum picket_workload_flags {
	PICKET_WORKLOAD_HOST_MOUNTS = 1, /* the workload lives in the host's mount namespace (a local workload) */
	PICKET_WORKLOAD_STARTED = 2,     /* its first program has run: who enters from now on is an exec session */
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
	PICKET_TASK_ENTRY = 1, /* came from outside, has not yet executed a program of the workload */
};

/* Task storage: what the kernel side remembers of each task of a workload. Tasks outside have none. */
struct picket_task {
	__u64 workload;
	__u32 slot;
	__u32 flags;         /* enum picket_task_flags */
	__u64 root_start_ns; /* root of the process tree: start, nanoseconds since boot */
	__u32 root_pid;      /* its pid on the node */
	__u32 entry_namespace; /* mount namespace in which the task entered */
	__u64 exec_session;  /* 0: none; else the time since boot (ns) at which the session's first program started */
	__u64 exe_hash;      /* of the executable's path at the last exec; 0: unknown */
	/* The name operation under way, from the path hook to the end of its system call. */
	__u64 call_hash;     /* of the path, 0: unresolved or not reached */
	__u32 call_outcome;  /* what the syscall rules say of it */
	__u32 call_flags;    /* enum picket_call_flags */
};
PICKET_ASSERT_SIZE(picket_task, 64);

enum picket_call_flags {
	PICKET_CALL_PATH_SENT = 1, /* a PICKET_EVENT_PATH with this path is in the ring */
};

enum picket_event_kind {
	PICKET_EVENT_FORK = 1,  /* a new process of a workload */
	PICKET_EVENT_EXEC = 2,  /* a process of a workload has a new program: strings path (the program), args, cwd */
	PICKET_EVENT_EXIT = 3,  /* the last thread of a process has ended */
	PICKET_EVENT_ALERT = 4, /* a verdict: strings path, args (of a program that was to start), cwd */
	PICKET_EVENT_PATH = 5,  /* string path: the one that the next alert with this path_hash is about */
};

enum picket_operation {
	PICKET_OPERATION_EXEC = 1,
	PICKET_OPERATION_OPEN = 2,
	PICKET_OPERATION_SYSCALL = 3,
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
	__u32 pad;
	__u64 syscall_args[3];

	__u16 path_length;
	__u16 args_length; /* the arguments, the first one included, each ended by a zero byte */
	__u16 cwd_length;
	__u16 base_length;
};
PICKET_ASSERT_SIZE(picket_event, 200);

/* Counters, one set per CPU: index of the map picket_counters. */
enum picket_counter {
	PICKET_COUNT_EXEC_JUDGED = 0,
	PICKET_COUNT_OPEN_JUDGED,
	PICKET_COUNT_SYSCALL_JUDGED,
	PICKET_COUNT_DENIED,
	PICKET_COUNT_ALERTED,
	PICKET_COUNT_PATH_UNRESOLVED,
	PICKET_COUNT_RING_DENY_LOST,  /* reserve failed: denials and process life */
	PICKET_COUNT_RING_AUDIT_LOST, /* reserve failed: the rest */
	PICKET_COUNT_SCRATCH_BUSY,    /* no scratch buffer was free: the object is unresolved */
	PICKET_COUNT_TASK_STORAGE_FAILED, /* a task of a workload is not judged: no memory */
	PICKET_COUNTERS,
};

#endif
