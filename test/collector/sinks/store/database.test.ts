import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlertDatabase, timeUs } from '../../../../collector/sinks/store/database.ts';
import { AlertReader } from '../../../../collector/sinks/store/reader.ts';
import { encodeAlertJson } from '../../../../otel/alert.ts';
import { sampleAlert } from '../../samples.ts';

const LIMITS = { maxBytes: 1 << 30, maxAgeDays: 7 };
const DAY = 86_400_000;
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-store-'));
  path = join(folder, 'alerts.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const all = (filter = {}) => {
  using reader = new AlertReader(path);
  return [...reader.latest(filter, 1e6, reader.end())];
};

test('AlertDatabase.insert() keeps alerts as on Kafka, and passes over those that come again', () => {
  using database = new AlertDatabase(path, LIMITS);
  expect(database.insert([sampleAlert(2), sampleAlert(1)])).toBe(2);
  expect(database.insert([sampleAlert(1), sampleAlert(3)])).toBe(1);
  expect(all()).toEqual([1, 2, 3].map((number) => encodeAlertJson(sampleAlert(number))));
});

test('AlertDatabase keeps what it has over a restart', () => {
  for (const number of [1, 2]) {
    using database = new AlertDatabase(path, LIMITS);
    database.insert([sampleAlert(number)]);
  }
  expect(all()).toHaveLength(2);
});

test('AlertDatabase.prune() removes what is too old, and no more', () => {
  using database = new AlertDatabase(path, { ...LIMITS, maxAgeDays: 2 });
  database.insert([sampleAlert(0), sampleAlert(100), sampleAlert(200)]);
  const first = timeUs(sampleAlert(0).UpdatedTime) / 1000;
  expect(database.prune(first + 2 * DAY)).toBe(0);
  expect(database.prune(first + 2 * DAY + 1)).toBe(1);
  expect(all()[0]).toBe(encodeAlertJson(sampleAlert(100)));
});

test('AlertDatabase.prune() removes the oldest first until the store is small enough, and the file stays bounded', () => {
  const maxBytes = 1_000_000;
  using database = new AlertDatabase(path, { maxBytes, maxAgeDays: 1e6 });
  let [inserted, pruned] = [0, 0];
  for (let round = 0; round < 40; round++) {
    // Within a round the later event arrives first: age goes by event time, not by arrival.
    const alerts = Array.from({ length: 100 }, (_, i) => sampleAlert(round * 100 + 99 - i));
    inserted += database.insert(alerts);
    pruned += database.prune(0);
    expect(database.bytes()).toBeLessThanOrEqual(maxBytes);
  }
  expect(inserted).toBe(4000);
  expect(database.count()).toBe(inserted - pruned);
  expect(database.count()).toBeGreaterThan(200);
  const left = all().map((json) => JSON.parse(json).Picket.Seq);
  expect(left).toEqual(Array.from({ length: left.length }, (_, i) => 4001 - left.length + i));
  expect(statSync(path).size).toBeLessThan(1.5 * maxBytes);
});

test('AlertDatabase.prune() of a store that is too small for anything ends', () => {
  using database = new AlertDatabase(path, { maxBytes: 1, maxAgeDays: 7 });
  database.insert([sampleAlert(1)]);
  expect(database.prune(0)).toBe(1);
  expect(database.count()).toBe(0);
});

test('AlertReader filters by time, namespace, pod, policy and action', () => {
  using database = new AlertDatabase(path, LIMITS);
  database.insert([
    sampleAlert(0),
    sampleAlert(10, { NamespaceName: 'shop' }),
    sampleAlert(20, { PodName: 'cart' }),
    sampleAlert(30, { PolicyName: 'p' }),
    sampleAlert(40, { Action: 'Audit (Block)' }),
    sampleAlert(50, { NamespaceName: undefined, PodName: undefined }),
  ]);
  const seqs = (filter: object) => all(filter).map((json) => JSON.parse(json).Picket.Seq - 1);
  expect(seqs({})).toEqual([0, 10, 20, 30, 40, 50]);
  expect(seqs({ sinceMs: timeUs(sampleAlert(20).UpdatedTime) / 1000 })).toEqual([20, 30, 40, 50]);
  expect(seqs({ namespace: 'shop' })).toEqual([10]);
  expect(seqs({ namespace: 'default', pod: 'cart' })).toEqual([20]);
  expect(seqs({ policy: 'p' })).toEqual([30]);
  expect(seqs({ action: 'audit (block)' })).toEqual([40]);
  expect(seqs({ namespace: "' OR 1=1 --" })).toEqual([]);
});

test('AlertReader.after() gives what arrived since, while the database goes on writing', () => {
  using database = new AlertDatabase(path, LIMITS);
  database.insert([sampleAlert(5)]);
  using reader = new AlertReader(path);
  const end = reader.end();
  const version = reader.version();
  expect(reader.after(end, {}, 10)).toEqual([]);
  database.insert([sampleAlert(3), sampleAlert(4)]);
  expect(reader.version()).not.toBe(version);
  const fresh = reader.after(end, {}, 10);
  expect(fresh.map(({ json }) => JSON.parse(json).Picket.Seq)).toEqual([4, 5]);
  expect(reader.after(end, {}, 1)).toEqual(fresh.slice(0, 1));
  expect([...reader.latest({}, 10, end)]).toHaveLength(1);
});

test('AlertDatabase and AlertReader refuse a file that is something else', () => {
  writeFileSync(path, 'this is no database at all, only text'.repeat(100));
  expect(() => new AlertDatabase(path, LIMITS)).toThrow();
  expect(() => new AlertReader(path)).toThrow(expect.objectContaining({ code: 'store' }));
  const other = join(folder, 'other.db');
  const db = new DatabaseSync(other);
  db.exec('CREATE TABLE x (y)');
  db.close();
  expect(() => new AlertDatabase(other, LIMITS)).toThrow(/is no alert store/);
  expect(() => new AlertReader(other)).toThrow(/no alert store of this version/);
  expect(() => new AlertReader(join(folder, 'absent'))).toThrow(expect.objectContaining({ code: 'store-missing' }));
});

test('timeUs() keeps all six decimals', () => {
  expect(timeUs('2022-08-31T08:55:35.368285Z')).toBe(1661936135368285);
});
