import { readFileSync, readlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { KernelError } from '../../../agent/kernel/error.ts';
import { KernelHooks } from '../../../agent/kernel/hook.ts';
import { openObject } from '../../../agent/kernel/object.ts';
import { compileBpf, missingForKernel, named } from './compile.ts';
import { runProgram } from './run.ts';

const head = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
char LICENSE[] SEC("license") = "Dual BSD/GPL";
`;

describe.skipIf(missingForKernel)(named('openObject()', missingForKernel), () => {
  const file = missingForKernel
    ? new Uint8Array(0)
    : compileBpf(`${head}
        const volatile __u32 small = 1; const volatile __u64 wide = 2; const volatile __s32 sign = 3; const volatile char name[5];
        __u64 counted;
        struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1); __type(key, __u64); __type(value, __u32); } table SEC(".maps");
        SEC("syscall") int total(void *context) { __u32 key = name[4]; return small + wide + sign + key; }
        SEC("raw_tp/sys_enter") int count(void *context) { counted++; return 0; }
        SEC("lsm/no_such_hook") int missing(void *context) { return 0; }`);

  it('lists programs with their hooks, maps with their shapes, and constants', () => {
    using object = openObject(file, 'test');
    expect(object.programs.map(({ name, section }) => [name, section])).toEqual([
      ['total', 'syscall'],
      ['count', 'raw_tp/sys_enter'],
      ['missing', 'lsm/no_such_hook'],
    ]);
    expect(object.maps.find((map) => map.name === 'table')).toEqual({
      name: 'table',
      type: 1,
      keyBytes: 8,
      valueBytes: 4,
      maxEntries: 1,
      flags: 0,
    });
    expect(object.constants.names.sort()).toEqual(['name', 'sign', 'small', 'wide']);
  });

  it('refuses bytes that are no object, with libbpf’s own words', () => {
    expect(() => openObject(Buffer.from('this is no object'.repeat(9)), 'junk')).toThrow(
      /opening BPF object junk: .*libbpf says: /,
    );
  });

  it('leaveOutUnknown() leaves out the programs whose hook the kernel lacks', () => {
    using object = openObject(file, 'test');
    using hooks = new KernelHooks();
    expect(object.leaveOutUnknown(hooks)).toEqual(['missing']);
    expect(object.programs.filter((program) => program.autoload).map((program) => program.name)).toEqual([
      'total',
      'count',
    ]);
    object.load();
  });

  it('constants.set() reaches the loaded programs in every width and sign', () => {
    using object = openObject(file, 'test');
    object.setAutoload('missing', false);
    object.constants.set('small', 1000);
    object.constants.set('wide', 20n);
    object.constants.set('sign', -7);
    object.constants.set('name', Buffer.from('abcde'));
    object.load();
    expect(runProgram(object, 'total', [0])).toBe(1000 + 20 - 7 + 'e'.charCodeAt(0));
  });

  it.each([
    ['small', 0x1_0000_0000, /has 32 bits, 4294967296 does not fit/],
    ['small', new Uint8Array(3), /has 4 bytes, not 3/],
    ['name', 5, /give it bytes/],
    ['nothing', 5, /has no constant nothing; it has .*small/],
  ])('constants.set(%s, %s) is refused', (name, value, message) => {
    using object = openObject(file, 'test');
    expect(() => object.constants.set(name, value)).toThrow(message);
  });

  it('constants.set() is refused after load', () => {
    using object = openObject(file, 'test');
    object.setAutoload('missing', false);
    object.load();
    expect(() => object.constants.set('small', 1)).toThrow(/already loaded/);
  });

  it('setMaxEntries() sizes a map before load', () => {
    using object = openObject(file, 'test');
    object.setAutoload('missing', false);
    object.setMaxEntries('table', 77);
    const milliseconds = object.load();
    expect(milliseconds).toBeGreaterThan(0);
    expect(object.map('table').shape.maxEntries).toBe(77);
    expect(readFileSync(`/proc/self/fdinfo/${object.map('table').fd}`, 'utf8')).toMatch(/max_entries:\t77\n/);
  });

  it('attachAll() attaches what was chosen, and closing takes it off again', () => {
    using object = openObject(file, 'test');
    object.setAutoload('missing', false);
    object.setAutoattach('total', false);
    object.load();
    const count = () => object.map('test.bss').lookup(new Uint8Array(4))?.[0];
    const links = object.attachAll();
    expect(links.map((link) => link.program)).toEqual(['count']);
    readFileSync('/proc/self/stat');
    expect(count()).toBeGreaterThan(0);
    links[0]?.[Symbol.dispose]();
    links[0]?.[Symbol.dispose]();
    const before = count();
    readFileSync('/proc/self/stat');
    expect(count()).toBe(before);
  });

  it('names what the object has when a program or map is not in it', () => {
    using object = openObject(file, 'test');
    expect(() => object.setAutoload('nothing', true)).toThrow(/no program nothing; it has total, count, missing/);
    object.setAutoload('missing', false);
    object.load();
    expect(() => object.map('nothing')).toThrow(/no map nothing; it has table/);
  });

  it('answers every use after close with `closed` instead of touching freed memory', () => {
    const object = openObject(file, 'test');
    object.setAutoload('missing', false);
    object.load();
    const map = object.map('table');
    const fd = map.fd;
    object[Symbol.dispose]();
    object[Symbol.dispose]();
    const uses = [
      () => object.programs,
      () => object.maps,
      () => object.attach('count'),
      () => object.map('table'),
      () => object.load(),
      () => map.lookup(new Uint8Array(8)),
    ];
    for (const use of uses) expect(use).toThrow(expect.objectContaining({ code: 'closed' }));
    expect(() => readlinkSync(`/proc/self/fd/${fd}`)).toThrow(/ENOENT/);
  });
});

describe.skipIf(missingForKernel)(named('load()', missingForKernel), () => {
  it('gives the verifier’s words and the program’s name when it refuses', () => {
    const file = compileBpf(`${head}
      struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } one SEC(".maps");
      SEC("syscall") int fine(void *context) { return 0; }
      SEC("syscall") int reckless(void *context) {
        __u32 key = 0;
        __u64 *value = bpf_map_lookup_elem(&one, &key);
        return *value;
      }`);
    using object = openObject(file, 'test');
    try {
      object.load();
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(KernelError);
      const { code, message, log } = error as KernelError;
      expect(code).toBe('rejected');
      expect(message).toMatch(/at program reckless; the verifier says: R\d invalid mem access 'map_value_or_null'/);
      expect(log).toMatch(/BEGIN PROG LOAD LOG|processed \d+ insns/);
      expect(log).not.toMatch(/fine/);
      expect(log.length).toBeLessThanOrEqual(16 * 1024);
    }
  });

  it('says so when the kernel lacks a program’s hook', () => {
    using object = openObject(
      compileBpf(`${head} SEC("tp_btf/no_such_point") int lost(void *context) { return 0; }`),
      'test',
    );
    expect(() => object.load()).toThrow(
      /at program lost; libbpf says: prog 'lost': failed to find kernel BTF type ID of 'no_such_point'/,
    );
  });
});

describe.skipIf(missingForKernel)(named('iterate()', missingForKernel), () => {
  it('returns what an iterator program wrote for every task', () => {
    const file = compileBpf(`${head}
      struct bpf_iter_meta { void *seq; } __attribute__((preserve_access_index));
      struct bpf_iter__task { struct bpf_iter_meta *meta; void *task; } __attribute__((preserve_access_index));
      SEC("iter/task") int tasks(struct bpf_iter__task *context) {
        static const char line[] = "task\\n";
        if (context->task) bpf_seq_write(context->meta->seq, line, 5);
        return 0;
      }`);
    using object = openObject(file, 'test');
    object.load();
    const lines = object.iterate('tasks').toString();
    expect(lines).toMatch(/^(task\n)+$/);
    expect(object.iterate('tasks').length).toBeGreaterThan(50);
  });
});

describe.skipIf(missingForKernel)(named('KernelHooks', missingForKernel), () => {
  it.each([
    ['tp_btf/sched_process_exec', true],
    ['tp_btf/no_such_point', false],
    ['fexit/filp_close', true],
    ['fexit/no_such_function', false],
    ['syscall', true],
    ['iter/task', true],
  ])('has(%s) is %s', (section, expected) => {
    using hooks = new KernelHooks();
    expect(hooks.has(section)).toBe(expected);
  });

  it('closes twice and finds nothing then', () => {
    const hooks = new KernelHooks();
    hooks[Symbol.dispose]();
    hooks[Symbol.dispose]();
    expect(hooks.find('tp_btf/sched_process_exec')).toBeUndefined();
  });
});
