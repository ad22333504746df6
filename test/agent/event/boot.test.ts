import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nextEpoch, readBoot, readMachineId } from '../../../agent/event/boot.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-boot-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
const uptimeMs = () => Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000;

describe('readBoot()', () => {
  it('tells the boot and when its clock was zero', () => {
    const { id, unixNs } = readBoot(join(folder, 'run'));
    expect(id).toBe(bootId);
    expect(Math.abs(Number(unixNs / 1_000_000n) - (Date.now() - uptimeMs()))).toBeLessThan(100);
    expect([mode(join(folder, 'run')), mode(join(folder, 'run', 'boot.json'))]).toEqual(['700', '600']);
  });

  it('gives the same time again, to the nanosecond, as long as the boot lasts', () => {
    const first = readBoot(folder);
    expect(readBoot(folder)).toEqual(first);
    const kept = JSON.stringify({ id: bootId, unixNs: '1234567890123456789' });
    writeFileSync(join(folder, 'boot.json'), kept);
    expect(readBoot(folder).unixNs).toBe(1234567890123456789n);
  });

  it.each([
    ['another boot', JSON.stringify({ id: 'another', unixNs: '5' })],
    ['a cut file', '{"id":'],
    ['no number', JSON.stringify({ id: bootId, unixNs: 'x' })],
  ])('measures anew after %s', (_, text) => {
    writeFileSync(join(folder, 'boot.json'), text);
    const boot = readBoot(folder);
    expect(boot.unixNs).toBeGreaterThan(10n ** 18n);
    expect(JSON.parse(readFileSync(join(folder, 'boot.json'), 'utf8'))).toEqual({
      id: bootId,
      unixNs: String(boot.unixNs),
    });
    expect(readdirSync(folder)).toEqual(['boot.json']);
  });
});

describe('nextEpoch()', () => {
  it('counts the starts, over boots too', () => {
    const state = join(folder, 'state');
    expect(nextEpoch(state, '0b6f7d0e-3c1d-4f9e-8a43-2f1c9d3f7b55')).toBe('0b6f7d0e-1');
    expect(nextEpoch(state, '0b6f7d0e-3c1d-4f9e-8a43-2f1c9d3f7b55')).toBe('0b6f7d0e-2');
    expect(nextEpoch(state, 'ffffffff-3c1d-4f9e-8a43-2f1c9d3f7b55')).toBe('ffffffff-3');
    expect([mode(state), mode(join(state, 'starts')), readdirSync(state)]).toEqual(['700', '600', ['starts']]);
  });

  it.each(['', 'many', '-5\n'])('uses no number twice when the file says %j', (text) => {
    writeFileSync(join(folder, 'starts'), text);
    const numbers = [1, 2].map(() => Number(nextEpoch(folder, 'abcdefgh').split('-')[1]));
    expect(numbers[0]).toBeGreaterThan(1_600_000_000);
    expect(numbers[1]).toBe((numbers[0] ?? 0) + 1);
  });

  it('says so when it cannot keep the number', () => {
    mkdirSync(join(folder, 'starts'));
    expect(() => nextEpoch(folder, 'abcdefgh')).toThrow(/EISDIR|ENOTEMPTY|EEXIST|ENOTDIR/);
  });
});

describe('readMachineId()', () => {
  it('gives the id of the machine, or one of its own that it keeps', () => {
    const id = readMachineId(folder);
    expect(id).toMatch(/^[0-9a-f-]{32,36}$/);
    expect(readMachineId(folder)).toBe(id);
  });
});
