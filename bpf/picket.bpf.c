// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Picket's kernel side, one object for both backends: the agent loads the programs of the backend that this kernel
 * offers. Read abi.h first, then one hook (hook_open.h is the simplest), then judge.h and path.h.
 */
#define __VMLINUX_H__ /* ours stands in for the generated one: bpf_tracing.h then knows the kernel's register names */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "hook_task.h"
#include "hook_exec.h"
#include "hook_open.h"
#include "hook_name.h"
#include "hook_write.h"
#include "hook_syscall.h"
#include "hook_capable.h"
#include "hook_socket.h"
#include "hook_cgroup.h"

/* The kernel lends its GPL-only functions to programs under the GPL; the source is dual-licensed (NOTICE). */
char LICENSE[] SEC("license") = "GPL";

/* Types that no map or variable mentions still belong into the BTF, from which agent/abi.gen.ts is made. */
#define KEEP(kind, type) const kind type *picket_keep_##type __attribute__((unused))
KEEP(struct, picket_event);
KEEP(struct, picket_rule_key);
KEEP(struct, picket_rule);
KEEP(struct, picket_automaton);
KEEP(struct, picket_cgroup);
KEEP(enum, picket_limits);
KEEP(enum, picket_access);
KEEP(enum, picket_category);
KEEP(enum, picket_key);
KEEP(enum, picket_protocol);
KEEP(enum, picket_preset);
KEEP(enum, picket_depths);
KEEP(enum, picket_verdict);
KEEP(enum, picket_outcome);
KEEP(enum, picket_rule_flags);
KEEP(enum, picket_automaton_form);
KEEP(enum, picket_set_flags);
KEEP(enum, picket_workload_flags);
KEEP(enum, picket_task_flags);
KEEP(enum, picket_call_shape);
KEEP(enum, picket_control_flags);
KEEP(enum, picket_event_kind);
KEEP(enum, picket_operation);
KEEP(enum, picket_unresolved);
KEEP(enum, picket_event_flags);
KEEP(enum, picket_backend);
KEEP(enum, picket_counter);
