import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ShowOptions, showAlerts } from '../../../collector/alerts/show.ts';
import { parseSince } from '../../../collector/alerts/since.ts';
import { AlertDatabase } from '../../../collector/sinks/store/database.ts';
import { AlertReader } from '../../../collector/sinks/store/reader.ts';
import { eventually } from '../eventually.ts';
import { sampleAlert } from '../samples.ts';

let folder: string;
let database: AlertDatabase;
let reader: AlertReader;
let stop: AbortController;
let output: Writable;
let text: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-show-'));
  database = new AlertDatabase(join(folder, 'alerts.db'), { maxBytes: 1 << 30, maxAgeDays: 1e6 });
  reader = new AlertReader(join(folder, 'alerts.db'));
  stop = new AbortController();
  text = '';
  output = new Writable({
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
});
afterEach(() => {
  stop.abort();
  reader[Symbol.dispose]();
  database[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const OPTIONS: ShowOptions = { filter: {}, limit: 100, follow: false, json: true, width: undefined, colour: false };
const show = (options: Partial<ShowOptions> = {}) =>
  showAlerts(reader, output, { ...OPTIONS, ...options }, stop.signal);
const shown = () =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).Picket.Seq - 1);

test('showAlerts() shows the latest ones, oldest first, and ends', async () => {
  database.insert(Array.from({ length: 500 }, (_, i) => sampleAlert(i)));
  await show({ limit: 450 });
  expect(shown()).toEqual(Array.from({ length: 450 }, (_, i) => i + 50));
});

test('showAlerts() shows nothing for nothing', async () => {
  await show({ json: false });
  expect(text).toBe('');
});

test('showAlerts() follows: what comes is shown once, in order of arrival, until it is stopped', async () => {
  database.insert([sampleAlert(7), sampleAlert(3)]);
  const following = show({ follow: true, limit: 1, filter: { action: 'Audit' } });
  await eventually(shown).toEqual([7]);
  database.insert([sampleAlert(9), sampleAlert(8), sampleAlert(10, { Action: 'Block' })]);
  await eventually(shown).toEqual([7, 9, 8]);
  database.insert(Array.from({ length: 700 }, (_, i) => sampleAlert(i + 20)));
  await eventually(shown).toHaveLength(703);
  stop.abort();
  await following;
});

test('showAlerts() ends when its reader has gone, and when it is stopped while nobody reads', async () => {
  database.insert(Array.from({ length: 3000 }, (_, i) => sampleAlert(i)));
  const gone = show({ follow: true, limit: 3000 });
  output.destroy(new Error('EPIPE'));
  await gone;

  output = new PassThrough({ highWaterMark: 100 });
  const stuck = show({ follow: true, limit: 3000 });
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await stuck;
});

test('parseSince() takes a span or a time', () => {
  const now = Date.parse('2026-11-24T08:00:00Z');
  expect(parseSince('90s', now)).toBe(now - 90_000);
  expect(parseSince('15m', now)).toBe(now - 900_000);
  expect(parseSince('2h', now)).toBe(now - 7_200_000);
  expect(parseSince('1d', now)).toBe(now - 86_400_000);
  expect(parseSince('2026-11-24T07:00:00Z', now)).toBe(now - 3_600_000);
  expect(parseSince('2026-11-24 07:00', now)).toBe(Date.parse('2026-11-24 07:00'));
  for (const wrong of ['', 'yesterday', '15', '15x', '2026-13-45', '-1m'])
    expect(() => parseSince(wrong, now)).toThrow(expect.objectContaining({ code: 'usage' }));
});
