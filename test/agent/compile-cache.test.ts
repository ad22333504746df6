import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileCache } from '../../agent/compile-cache.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('compileCache()', () => {
  it('makes its folder, for its owner alone', () => {
    const made = join(folder, 'a/b');
    expect(compileCache(made)).toBe(made);
    expect(statSync(made).mode & 0o777).toBe(0o700);
    expect(compileCache(made)).toBe(made);
  });

  it('goes without one that others may write to, that is a link, or that cannot be made', () => {
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    symlinkSync(folder, join(folder, 'link'));
    writeFileSync(join(folder, 'file'), '');
    for (const name of ['open', 'link', 'file', 'file/below'])
      expect(compileCache(join(folder, name)), name).toBe(undefined);
  });
});
