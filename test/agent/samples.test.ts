import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPolicies } from '../../agent/policy/read.ts';
import { appliesTo } from '../../agent/policy/select.ts';
import { defaultSettings } from '../../agent/policy/settings.ts';
import { rulePaths } from '../../agent/policy/spelling.ts';
import { workload } from './policy/objects.ts';

const folder = join(import.meta.dirname, '../../agent/samples');
const samples = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('agent/samples', () => {
  it('holds a program, a directory and a system call', () => {
    const rules = samples
      .flatMap((name) => readPolicies(readFileSync(join(folder, name), 'utf8'), name))
      .flatMap(({ policy }) => policy?.rules ?? []);
    expect(rules.map(({ category, action }) => `${category} ${action}`).sort()).toEqual([
      'file Block',
      'process Block',
      'syscalls Audit',
    ]);
  });

  it.each(samples)('%s is accepted, covers the sample workload alone, and concerns nothing else', (name) => {
    for (const { policy, status, diagnostics } of readPolicies(readFileSync(join(folder, name), 'utf8'), name)) {
      expect({ status, diagnostics }).toEqual({ status: 'Accepted', diagnostics: [] });
      if (!policy) throw new Error('refused');
      expect(appliesTo(policy, workload({ labels: { app: 'sample' } }), defaultSettings)).toBe(true);
      expect(appliesTo(policy, workload({ labels: {} }), defaultSettings)).toBe(false);
      for (const rule of policy.rules) {
        expect(rule).toMatchObject({
          severity: expect.any(Number),
          message: expect.stringMatching(/./),
          tags: expect.arrayContaining(['demo']),
        });
        for (const path of rulePaths(rule)) expect(path).toMatch(/^\/(usr\/bin\/base64$|run\/picket\/demo\/)/);
        expect(rule.action).not.toBe('Allow');
      }
    }
  });
});
