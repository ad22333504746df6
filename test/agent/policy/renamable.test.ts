import { describe, expect, it } from 'vitest';
import { renamableDirectories } from '../../../agent/policy/renamable.ts';
import { accepted, ksp } from './objects.ts';

const found = (spec: object) =>
  renamableDirectories(accepted(ksp(spec))).map(({ field, message }) => [
    field,
    /renames (.*) moves/.exec(message)?.[1],
  ]);
const [paths, dirs] = ['spec.file.matchPaths', 'spec.file.matchDirectories'];

describe('renamableDirectories()', () => {
  it('names the directories above a rule, each once', () => {
    expect(
      found({ file: { matchPaths: [{ path: '/a/b/c' }, { path: '/a/b/d' }, { path: '/a/x/d' }, { path: '/top' }] } }),
    ).toEqual([
      [`${paths}[0]`, '/a/b or /a'],
      [`${paths}[2]`, '/a/x'],
    ]);
    expect(found({ process: { matchPaths: [{ path: '/bin/sh' }] } })).toEqual([['spec.process.matchPaths[0]', '/bin']]);
  });

  it.each<[string, object]>([
    ['a rule on the directory', { matchPaths: [{ path: '/a/b' }, { path: '/a' }] }],
    ['a rule on all that is in the one above', { matchDirectories: [{ dir: '/a/' }] }],
    ['a rule on all below', { matchDirectories: [{ dir: '/', recursive: true }] }],
    ['a rule that lets read', { matchDirectories: [{ dir: '/a/', readOnly: true }] }],
  ])(
    'is content with %s',
    (_, { matchPaths = [], matchDirectories = [] }: { matchPaths?: object[]; matchDirectories?: object[] }) => {
      expect(found({ file: { matchPaths: [{ path: '/a/b/c' }, ...matchPaths], matchDirectories } })).toEqual([]);
    },
  );

  it('is not content with a rule that does not hold for everybody', () => {
    for (const rest of [
      { ownerOnly: true },
      { pts: false },
      { action: 'Audit' },
      { fromSource: [{ path: '/bin/mv' }] },
    ])
      expect(found({ file: { matchPaths: [{ path: '/a/c' }], matchDirectories: [{ dir: '/a/', ...rest }] } })).toEqual([
        [`${paths}[0]`, '/a'],
      ]);
  });

  it('says nothing of rules that refuse nothing, and of allow-lists', () => {
    expect(found({ action: 'Audit', file: { matchPaths: [{ path: '/a/c' }] } })).toEqual([]);
    expect(found({ file: { matchPaths: [{ path: '/a/c' }, { path: '/s', action: 'Allow' }] } })).toEqual([]);
    expect(found({ syscalls: { matchPaths: [{ path: '/a/c', syscall: ['unlink'] }] } })).toEqual([]);
  });

  it('a rule on a directory keeps it, not those above', () => {
    expect(found({ file: { matchDirectories: [{ dir: '/a/b/', recursive: true }] } })).toEqual([[`${dirs}[0]`, '/a']]);
  });
});
