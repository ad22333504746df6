import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateError } from '../../otel/errors.ts';
import { readOrCreateToken } from '../../otel/token.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-token-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function codeOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error instanceof StateError ? error.code : error;
  }
}

describe('readOrCreateToken()', () => {
  it('makes a token of 64 hex digits for its owner alone, in a folder for its owner alone', () => {
    const path = join(folder, 'collector', 'token');
    expect(readOrCreateToken(path)).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'collector')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(folder, 'collector'))).toEqual(['token']);
  });

  it('gives the same token ever after', () => {
    const path = join(folder, 'token');
    const token = readOrCreateToken(path);
    expect(readOrCreateToken(path)).toBe(token);
    expect(readFileSync(path, 'utf8')).toBe(`${token}\n`);
  });

  it('refuses a file that holds something else and leaves it alone', () => {
    const path = join(folder, 'token');
    writeFileSync(path, 'secret');
    expect(codeOf(() => readOrCreateToken(path))).toBe('token-file');
    expect(readFileSync(path, 'utf8')).toBe('secret');
  });

  it('says so when the folder cannot be made', () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    chmodSync(path, 0o600);
    expect(codeOf(() => readOrCreateToken(join(path, 'token')))).toBe('token-file');
  });
});
