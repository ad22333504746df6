import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateError } from '../../../otel/errors.ts';
import { openSpool, type Spool } from '../../../otel/spool/spool.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-spool-'));
  path = join(folder, 'state', 'spool.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

function batch(text: string, records = 1) {
  return { logs: new TextEncoder().encode(text), records };
}

function texts(spool: Spool, from = 0, limit?: number): string[] {
  return spool.read(from, limit).map((entry) => new TextDecoder().decode(entry.logs));
}

async function codeOf(action: () => unknown): Promise<unknown> {
  try {
    return await action();
  } catch (error) {
    return error instanceof StateError ? error.code : error;
  }
}

describe('append()', () => {
  it('keeps logs, traces, records and class, and rises in position', async () => {
    using spool = openSpool(path);
    const logs = Uint8Array.of(1, 2);
    const traces = Uint8Array.of(3);
    const first = await spool.append({ logs, traces, records: 2 }, 'block');
    const second = await spool.append({ traces, records: 0 }, 'telemetry');
    expect(second).toBeGreaterThan(first);
    expect(spool.read(0)).toEqual([
      { position: first, class: 'block', records: 2, logs, traces },
      { position: second, class: 'telemetry', records: 0, traces },
    ]);
  });

  it('makes all appends of one turn durable with one commit', async () => {
    using spool = openSpool(path);
    const positions = await Promise.all(Array.from({ length: 100 }, (_, i) => spool.append(batch(`${i}`), 'audit')));
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    expect(spool.stats()).toMatchObject({ commits: 1, appended: 100, entries: 100 });
  });

  it('shows an entry only once it is durable', async () => {
    using spool = openSpool(path);
    const append = spool.append(batch('a'), 'audit');
    expect(texts(spool)).toEqual([]);
    await append;
    expect(texts(spool)).toEqual(['a']);
  });

  it('is finished by closing', async () => {
    const spool = openSpool(path);
    const append = spool.append(batch('a'), 'audit');
    spool[Symbol.dispose]();
    expect(await append).toBe(1);
    using again = openSpool(path);
    expect(texts(again)).toEqual(['a']);
  });
});

describe('read()', () => {
  it('begins at the position given and ends at the limit', async () => {
    using spool = openSpool(path);
    const positions = await Promise.all(['a', 'b', 'c', 'd'].map((text) => spool.append(batch(text), 'audit')));
    expect(texts(spool, positions[1], 2)).toEqual(['b', 'c']);
    expect(texts(spool, (positions[3] as number) + 1)).toEqual([]);
  });
});

describe('ack()', () => {
  it('takes out that one entry', async () => {
    using spool = openSpool(path);
    const positions = await Promise.all(['a', 'b', 'c'].map((text) => spool.append(batch(text), 'audit')));
    spool.ack(positions[1] as number);
    spool.ack(positions[1] as number);
    spool.ack(99);
    expect(texts(spool)).toEqual(['a', 'c']);
    expect(spool.stats()).toMatchObject({ entries: 2, acknowledged: 1 });
  });

  it('ignores an entry that is not durable yet', async () => {
    using spool = openSpool(path);
    const append = spool.append(batch('a'), 'audit');
    spool.ack(1);
    await append;
    expect(texts(spool)).toEqual(['a']);
  });

  it('is durable without an append after it', async () => {
    const spool = openSpool(path);
    const position = await spool.append(batch('a'), 'audit');
    spool.ack(position);
    const before = spool.stats().commits;
    while (spool.stats().commits === before) await new Promise((resolve) => setTimeout(resolve, 5));
    spool[Symbol.dispose]();
    using again = openSpool(path);
    expect(texts(again)).toEqual([]);
  });
});

describe('stats()', () => {
  it('counts what waits and what passed', async () => {
    using spool = openSpool(path);
    expect(spool.stats()).toEqual({
      ...{ entries: 0, bytes: 0, records: 0, oldest: undefined, oldestAgeMs: 0 },
      ...{ appended: 0, acknowledged: 0, commits: 0, setAside: 0 },
    });
    await spool.append(batch('four', 7), 'audit');
    const oldest = await spool.append({ ...batch('four', 1), traces: Uint8Array.of(1) }, 'block');
    spool.ack(1);
    expect(spool.stats()).toMatchObject({ entries: 1, bytes: 5, records: 1, oldest, appended: 2, acknowledged: 1 });
    expect(spool.stats().oldestAgeMs).toBeLessThan(60_000);
  });
});

describe('openSpool()', () => {
  it('finds what the last process left, and uses no position twice', async () => {
    {
      using spool = openSpool(path);
      await spool.append(batch('a', 3), 'block');
      const last = await spool.append(batch('b', 4), 'audit');
      spool.ack(last);
    }
    using spool = openSpool(path);
    expect(spool.stats()).toMatchObject({ entries: 1, bytes: 1, records: 3, oldest: 1, appended: 0, setAside: 0 });
    expect(await spool.append(batch('c'), 'audit')).toBe(3);
    expect(texts(spool)).toEqual(['a', 'c']);
  });

  it('keeps file and folder to their owner', async () => {
    using spool = openSpool(path);
    await spool.append(batch('a'), 'audit');
    expect(statSync(join(folder, 'state')).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(join(folder, 'state'))) {
      expect([name, statSync(join(folder, 'state', name)).mode & 0o777]).toEqual([name, 0o600]);
    }
  });

  it('writes ahead, and through to the disk', () => {
    openSpool(path)[Symbol.dispose]();
    const database = new DatabaseSync(path);
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    database.close();
  });

  it('refuses a file that is held, by this process or another', async () => {
    using _spool = openSpool(path);
    expect(await codeOf(() => openSpool(path))).toBe('spool-in-use');
    expect(await linesOf(appender('', 1))).toEqual(['spool-in-use']);
  });

  it('says what is wrong with a folder that cannot be', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await codeOf(() => openSpool(join(folder, 'file', 'spool.db')))).toBe('spool-failed');
  });

  it('closes twice and is closed', async () => {
    const spool = openSpool(path);
    spool[Symbol.dispose]();
    spool[Symbol.dispose]();
    expect(await codeOf(() => spool.append(batch('a'), 'audit'))).toBe('spool-closed');
    expect(await codeOf(() => spool.read(0))).toBe('spool-closed');
    expect(await codeOf(() => spool.ack(1))).toBe('spool-closed');
  });
});

describe('openSpool() on a corrupt file', () => {
  async function filled(): Promise<Buffer> {
    using spool = openSpool(path);
    await Promise.all(Array.from({ length: 300 }, () => spool.append(batch('x'.repeat(500)), 'audit')));
    spool[Symbol.dispose]();
    return readFileSync(path);
  }

  it.each<[string, (file: Buffer) => Buffer]>([
    ['with a torn header', (file) => file.fill(0x55, 0, 100)],
    ['with torn pages', (file) => file.fill(0x55, 4096)],
    ['cut short', (file) => file.subarray(0, 3 * 4096 + 17)],
    ['that is something else', () => Buffer.from('not a database at all, but long enough to be one'.repeat(100))],
    [
      'of another format',
      (file) => Buffer.concat([file.subarray(0, 60), Buffer.from('00000063', 'hex'), file.subarray(64)]),
    ],
  ])('moves aside one %s and starts afresh', async (_what, damage) => {
    writeFileSync(path, damage(await filled()));
    const damaged = readFileSync(path);
    using spool = openSpool(path);
    expect(spool.stats()).toMatchObject({ setAside: 1, entries: 0 });
    expect(readFileSync(spool.setAside as string)).toEqual(damaged);
    await spool.append(batch('a'), 'audit');
    expect(texts(spool)).toEqual(['a']);
  });
});

function appender(before: string, size: number) {
  const script = new URL('appender.ts', import.meta.url).pathname;
  const command = `${before} exec "$0" "$1" "$2" "$3"`;
  return spawn('/bin/sh', ['-c', command, process.execPath, script, path, String(size)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function linesOf(child: ReturnType<typeof appender>): Promise<string[]> {
  const lines: string[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) if (lines.push(line) > 10_000) break;
  } finally {
    child.kill('SIGKILL');
  }
  return lines;
}

describe('a process that appends', () => {
  it('loses nothing it was told is durable when it is killed', async () => {
    for (let round = 1; round <= 3; round++) {
      const child = appender('', 5000);
      const told: number[] = [];
      const lines = createInterface({ input: child.stdout });
      lines.on('line', (line) => {
        told.push(Number(line));
        if (told.length === round * 40) child.kill('SIGKILL');
      });
      await Promise.all([once(child, 'exit'), once(lines, 'close')]);
      using spool = openSpool(path);
      expect(spool.setAside).toBeUndefined();
      const kept = new Set(spool.read(0, 100_000).map((entry) => entry.position));
      expect(told.filter((position) => !kept.has(position))).toEqual([]);
      expect(told.length).toBeGreaterThanOrEqual(round * 40);
    }
  });

  it('is told of an append that did not reach the disk, and keeps the others', async () => {
    const child = appender('ulimit -f 1000;', 20_000);
    const lines = await linesOf(child);
    const told = lines.filter((line) => /^\d+$/.test(line)).length;
    expect(lines).toContain('spool-failed');
    expect(lines.at(-1)).toBe(`held ${told} ${told}`);
    expect(told).toBeGreaterThan(0);
    using spool = openSpool(path);
    expect(spool.read(0, 100_000)).toHaveLength(told);
  });
});
