import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CgroupGuards } from '../../../agent/kernel/guard.ts';
import type { BpfObject } from '../../../agent/kernel/object.ts';

let folder: string;
let cgroup: string;
let attached: string[];
/** What happens when the second program is attached. */
let second: () => void;
let guards: CgroupGuards;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-guard-'));
  cgroup = join(folder, 'c');
  mkdirSync(cgroup);
  attached = [];
  second = () => {};
  const attach = (program: string) => {
    if (program === 'two') second();
    attached.push(program);
    return { [Symbol.dispose]: () => attached.splice(attached.indexOf(program), 1) };
  };
  guards = new CgroupGuards({ attach } as unknown as BpfObject, ['one', 'two'], undefined);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('CgroupGuards', () => {
  it('attaches every program once, and takes all of them off', () => {
    guards.guard(cgroup);
    guards.guard(cgroup);
    expect(attached).toEqual(['one', 'two']);
    guards.release(cgroup);
    expect(attached).toEqual([]);
  });

  it('waits for a cgroup that is not there', () => {
    guards.guard(join(folder, 'later'));
    expect([attached, guards.links]).toEqual([[], []]);
  });

  it.each([
    ['vanishes', () => rmdirSync(cgroup)],
    ['becomes another one', () => renameSync(join(folder, 'other'), cgroup)],
  ])('keeps nothing of a cgroup that %s in the middle, and takes the next one of its name', (_, change) => {
    mkdirSync(join(folder, 'other'));
    second = () => {
      change();
      throw Object.assign(new Error('open'), { code: 'ENOENT' });
    };
    guards.guard(cgroup);
    expect([attached, guards.links]).toEqual([[], []]);
    mkdirSync(cgroup, { recursive: true });
    second = () => {};
    guards.guard(cgroup);
    expect(attached).toEqual(['one', 'two']);
  });

  it('passes on what a cgroup that is there has against it, and tries again when it is asked', () => {
    second = () => {
      throw new Error('E2BIG');
    };
    expect(() => guards.guard(cgroup)).toThrow('E2BIG');
    expect(attached).toEqual([]);
    second = () => {};
    guards.guard(cgroup);
    expect(attached).toEqual(['one', 'two']);
  });
});
