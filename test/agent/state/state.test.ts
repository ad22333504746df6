import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import type { SavedPolicy, SavedRuleSet, SavedSettings, SavedWorkload } from '../../../agent/state/saved.ts';
import { AgentState, type StateWriter } from '../../../agent/state/state.ts';
import { workloadSchema } from '../../../agent/workload/workload.ts';

let folder: string;
let lines: { level: number; msg: string; file?: string }[];
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
const boot = 'a-boot';
const file = (): string => join(folder, 'state.db');
const open = (bootId = boot): AgentState => new AgentState(file(), bootId, log);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-state-'));
  lines = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const policy: SavedPolicy = {
  ...{ kind: 'KubeArmorPolicy', namespace: 'demo', name: 'one', origin: 'control', generation: 3 },
  object: { spec: { action: 'Block' }, text: 'ü "quoted"' },
};
const workload: SavedWorkload = {
  ...{ engine: 'e', id: 18_446_744_073_709_551_615n, slot: 7, expected: false },
  record: workloadSchema.parse({
    cgroup: '/sys/fs/cgroup/x',
    containerId: 'c1',
    namespace: 'n',
    pod: 'p',
    container: 'c',
  }),
};
const settings: SavedSettings = { configured: defaultSettings, changed: { ...defaultSettings, fileBaseline: 'off' } };
const outcomes = [0, 1, 2, 3, 4, 5, 6, 4_294_967_295];
const ruleSet: SavedRuleSet = {
  ...{ engine: 'e', index: 5, since: 3, digest: 'd', automata: [64] },
  names: {
    rules: [
      {
        ...{ category: 'file', kind: 'KubeArmorPolicy', namespace: 'demo', policy: 'one', uid: '', path: 'spec.file' },
        ...{ action: 'Block', severity: 1, tags: ['a'], message: '' },
      },
    ],
    late: [{ path: '/x', category: 2, source: 0, exact: outcomes, near: outcomes, deep: outcomes }],
  },
};
const writeAll = (writer: StateWriter): void => {
  writer.putPolicy(policy);
  writer.putWorkload(workload);
  writer.putRuleSet(ruleSet);
  writer.setGeneration(4);
  writer.setSettings(settings);
  writer.setMode('audit');
};
const nothing = { isCurrent: true, generation: 0, mode: 'enforce', policies: [], workloads: [], ruleSets: [] };

describe('AgentState', () => {
  it('gives the next agent of this boot what the last one wrote, in a file for its owner alone', () => {
    {
      using first = open();
      expect(first.saved).toMatchObject({ ...nothing, isCurrent: false });
      first.write(writeAll);
    }
    using next = open();
    expect(next.saved).toEqual({
      ...{ isCurrent: true, generation: 4, mode: 'audit' },
      settings,
      ...{ policies: [policy], workloads: [workload], ruleSets: [ruleSet] },
    });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(lines).toEqual([]);
  });

  it('keeps policies, settings and mode over a boot, and drops what was about its tasks', () => {
    {
      using first = open();
      first.write(writeAll);
    }
    using next = open('another-boot');
    expect(next.saved).toMatchObject({ isCurrent: false, generation: 4, mode: 'audit', policies: [policy] });
    expect([next.saved.workloads, next.saved.ruleSets, next.saved.settings?.changed]).toEqual([
      [],
      [],
      settings.changed,
    ]);
  });

  it('deletes single entries', () => {
    {
      using first = open();
      first.write(writeAll);
      first.write((writer) => {
        writer.deletePolicy(policy);
        writer.deleteWorkload('c1');
        writer.deleteRuleSet(ruleSet);
      }, 'boot');
    }
    using next = open();
    expect(next.saved).toMatchObject({ policies: [], workloads: [], ruleSets: [], generation: 4 });
  });

  it('writes all of a change or nothing', () => {
    {
      using state = open();
      state.write((writer) => writer.putPolicy(policy));
      state.write((writer) => {
        writer.setGeneration(9);
        throw new Error('in the middle');
      });
      expect(state.failure).toMatch(/^Cannot write the state .*in the middle/);
    }
    using next = open();
    expect(next.saved).toMatchObject({ generation: 0, policies: [policy] });
  });

  it.each([
    ['text', () => writeFileSync(file(), 'x'.repeat(5000))],
    ['a file of another version', () => setVersion(99)],
    ['a database with damaged pages', () => damage()],
  ])('sets aside %s, says so and goes on empty', (_, spoil) => {
    {
      using first = open();
      first.write(writeAll);
    }
    spoil();
    const before = readFileSync(file());
    using next = open();
    expect(next.saved).toMatchObject({ ...nothing, isCurrent: false });
    const [line] = lines;
    expect(line?.msg).toMatch(/^the state on the disk is damaged or of another version; it was set aside/);
    expect(
      readFileSync(line?.file ?? '')
        .subarray(4096)
        .equals(before.subarray(4096)),
    ).toBe(true);
    next.write(writeAll);
    expect(next.failure).toBeUndefined();
  });

  it.each([
    ['policy', 'UPDATE policy SET json = \'{"kind":1}\'', { policies: [], workloads: [workload] }],
    ['workload', "UPDATE workload SET json = 'no json'", { policies: [policy], workloads: [] }],
    [
      'rule set',
      "UPDATE rule_set SET json = replace(json, 'Block', 'Explode')",
      { ruleSets: [], workloads: [workload] },
    ],
    [
      'settings',
      'UPDATE value SET text = \'{"changed":{"fileBaseline":"maybe"}}\' WHERE name = \'settings\'',
      { policies: [policy] },
    ],
  ])('leaves out a %s that cannot be read, keeps a copy and says so once', (_, sql, rest) => {
    {
      using first = open();
      first.write(writeAll);
    }
    change(sql);
    {
      using next = open();
      expect(next.saved).toMatchObject({ ...rest, isCurrent: !('workloads' in rest && rest.workloads.length === 0) });
    }
    expect(lines).toMatchObject([{ msg: expect.stringMatching(/^1 entries of the state on the disk cannot be read/) }]);
    expect(readdirSync(folder).filter((name) => name.includes('damaged'))).toHaveLength(1);
    using again = open();
    expect([lines.length, again.saved.isCurrent]).toEqual([1, true]);
  });

  it('refuses a second agent', () => {
    using _first = open();
    expect(() => open()).toThrow(expect.objectContaining({ code: 'state-in-use' }));
  });
});

describe.skipIf(process.getuid?.() !== 0)(
  `AgentState on a full disk${process.getuid?.() === 0 ? '' : ' (missing: root)'}`,
  () => {
    it('goes on, says so once, and writes everything when there is room again', () => {
      const small = join(folder, 'small');
      mkdirSync(small);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'picket-state', small]);
      try {
        const path = join(small, 'state.db');
        {
          using state = new AgentState(path, boot, log);
          writeFileSync(join(small, 'filler'), Buffer.alloc(8192));
          for (let i = 0; i < 200 && state.failure === undefined; i++)
            state.write((writer) => writer.putPolicy({ ...policy, name: `p${i}`, object: 'x'.repeat(4000) }));
          expect(state.failure).toMatch(/Make room on that file system/);
          state.write((writer) => writer.setGeneration(5));
          state.repair((writer) => {
            for (let i = 0; i < 200; i++) writer.putPolicy({ ...policy, name: `p${i}`, object: 'x'.repeat(4000) });
          });
          expect(state.failure).toBeDefined();
          expect(lines).toHaveLength(1);
          execFileSync('mount', ['-o', 'remount,size=8m', small]);
          state.repair(writeAll);
          expect(state.failure).toBeUndefined();
          expect(lines.map(({ level }) => level)).toEqual([50, 30]);
        }
        using next = new AgentState(path, boot, log);
        expect(next.saved).toMatchObject({ generation: 4, policies: [policy], workloads: [workload] });
      } finally {
        execFileSync('umount', [small]);
      }
    });
  },
);

function change(sql: string): void {
  const database = new DatabaseSync(file());
  database.exec(sql);
  database.close();
}

function setVersion(version: number): void {
  change(`PRAGMA user_version = ${version}`);
}

/** Overwrites the pages of the tables, not the header. */
function damage(): void {
  change('PRAGMA journal_mode = DELETE');
  const bytes = readFileSync(file());
  bytes.fill(0xee, 4096);
  writeFileSync(file(), bytes);
}
