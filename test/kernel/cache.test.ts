import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cached } from './cache.ts';

describe('cached()', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'picket-cache-'));
    vi.stubEnv('PICKET_CACHE', root);
    fill.mockClear();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true });
  });
  const fill = vi.fn(async (folder: string) => writeFileSync(join(folder, 'data'), 'content'));

  test('fills once and returns the same folder afterwards', async () => {
    const folder = await cached('thing', fill);
    expect(readFileSync(join(folder, 'data'), 'utf8')).toBe('content');
    expect(await cached('thing', fill)).toBe(folder);
    expect(fill).toHaveBeenCalledTimes(1);
  });

  test.for([
    ['a changed file', (folder: string) => writeFileSync(join(folder, 'data'), 'other')],
    ['a missing file', (folder: string) => rmSync(join(folder, 'data'))],
    ['an additional file', (folder: string) => writeFileSync(join(folder, 'more'), '')],
    ['a broken manifest', (folder: string) => writeFileSync(join(folder, 'manifest.json'), '{')],
  ] as const)('fills anew after %s', async ([, spoil]) => {
    const folder = await cached('thing', fill);
    spoil(folder);
    expect(readFileSync(join(await cached('thing', fill), 'data'), 'utf8')).toBe('content');
    expect(fill).toHaveBeenCalledTimes(2);
    expect(readdirSync(root)).toEqual(['thing']);
  });

  test('does not look through links', async () => {
    const folder = await cached('thing', async (fresh) => symlinkSync(tmpdir(), join(fresh, 'elsewhere')));
    writeFileSync(join(root, 'unrelated'), '');
    expect(Object.keys(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')))).toEqual([]);
  });

  test('gives all racers one intact folder', async () => {
    const folders = await Promise.all([1, 2, 3].map(() => cached('thing', fill)));
    expect(new Set(folders).size).toBe(1);
    expect(readdirSync(root)).toEqual(['thing']);
  });

  test('leaves nothing when filling fails', async () => {
    await expect(
      cached('thing', async () => {
        throw new Error('no network');
      }),
    ).rejects.toThrow('no network');
    expect(readdirSync(root)).toEqual([]);
  });
});
