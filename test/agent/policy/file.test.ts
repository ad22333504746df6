import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../../agent/policy/diagnostic.ts';
import { fileLimits } from '../../../agent/policy/document.ts';
import { PolicyFileError, readPolicyFile } from '../../../agent/policy/file.ts';
import { readPolicyFolder } from '../../../agent/policy/folder.ts';

let folder: string;
const path = (name: string) => join(folder, name);
const write = (name: string, data: string | Uint8Array) => {
  writeFileSync(path(name), data);
  return path(name);
};
/** `LINE:COLUMN message` of the error, without the folder. */
function refusal(file: string, pipes = true): string {
  try {
    return `read: ${readPolicyFile(file, { pipes })}`;
  } catch (error) {
    if (!(error instanceof PolicyFileError)) throw error;
    expect(error.position.file).toBe(file);
    return `${error.position.line}:${error.position.column} ${error.message.replaceAll(folder, '')}`;
  }
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-files-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const good = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: good, namespace: demo}
spec:
  file:
    matchPaths:
      - path: /a
`;

describe('readPolicyFile()', () => {
  it.each<[string, Uint8Array, string]>([
    ['Latin-1', Buffer.from('a: 1\nb: /\u00e4\n', 'latin1'), '2:5 found the byte 0xE4, which is not UTF-8 here'],
    ['a byte that no UTF-8 has', Buffer.of(0x61, 0xff), '1:2 found the byte 0xFF'],
    ['a sequence that is cut short', Buffer.of(0x61, 0x0a, 0xe2, 0x82), '2:1 found the byte 0xE2'],
    ['a surrogate', Buffer.of(0xed, 0xa0, 0x80), '1:1 found the byte 0xED'],
    [
      'a replacement character that was written, and then a bad byte',
      Buffer.concat([Buffer.from('\u00fc\ufffd\n\ufffdx'), Buffer.of(0x80)]),
      '2:3 found the byte 0x80',
    ],
    ['UTF-16', Buffer.from(`\ufeff${good}`, 'utf16le'), '1:1 found UTF-16; allowed: UTF-8'],
    ['UTF-16 the other way round', Buffer.from(`\ufeff${good}`, 'utf16le').swap16(), '1:1 found UTF-16'],
  ])('refuses %s, and says where', (_, bytes, message) => {
    expect(refusal(write('bytes.yaml', bytes))).toContain(message);
  });

  it('leaves a byte order mark away, and takes every character of UTF-8', () => {
    expect(readPolicyFile(write('mark.yaml', '\ufeffa: \u00e4\ufffd\u{1f512}\r\n'), { pipes: false })).toBe(
      'a: \u00e4\ufffd\u{1f512}\r\n',
    );
  });

  it('says what stands in place of a file', () => {
    mkdirSync(path('folder.yaml'));
    symlinkSync('loop.yaml', path('loop.yaml'));
    symlinkSync('nowhere', path('dangling.yaml'));
    expect(refusal(path('folder.yaml'))).toBe('1:1 cannot be read: it is a folder; allowed: a file');
    expect(refusal(path('loop.yaml'))).toBe('1:1 cannot be read: its symbolic links lead in a circle (ELOOP)');
    expect(refusal(path('dangling.yaml'))).toContain('1:1 cannot be read: ENOENT');
    expect(refusal(path('none.yaml'))).toContain('1:1 cannot be read: ENOENT');
  });

  it('takes as much as a policy file may have, and reads a file without end no further', () => {
    expect(readPolicyFile(write('full.yaml', `#${'x'.repeat(fileLimits.bytes - 1)}`), { pipes: false })).toHaveLength(
      fileLimits.bytes,
    );
    const message = `1:1 found more than ${fileLimits.bytes} bytes; allowed: at most ${fileLimits.bytes}`;
    expect(refusal(write('long.yaml', `\ufeff${good}#${'x'.repeat(fileLimits.bytes - good.length - 2)}`))).toBe(
      message,
    );
    expect(refusal('/dev/zero')).toBe(message);
  });

  it('waits for nobody where there may be no pipe', () => {
    execFileSync('mkfifo', [path('pipe.yaml')]);
    expect(refusal(path('pipe.yaml'), false)).toBe('1:1 cannot be read: it is no regular file');
    expect(refusal('/dev/zero', false)).toBe('1:1 cannot be read: it is no regular file');
  });
});

describe('readPolicyFolder()', () => {
  it('reads the good files beside whatever else there is, and says what is wrong with each', () => {
    const at = mkdtempSync(join(folder, 'policies-'));
    writeFileSync(join(at, '1-bytes.yaml'), Buffer.from(good.replace('/a', '/\u00e4'), 'latin1'));
    execFileSync('mkfifo', [join(at, '2-pipe.yaml')]);
    symlinkSync('3-loop.yaml', join(at, '3-loop.yaml'));
    mkdirSync(join(at, '4-folder.yaml'));
    writeFileSync(join(at, '5-large.yaml'), `${good}#${'x'.repeat(fileLimits.bytes)}`);
    writeFileSync(join(at, '6-empty.yaml'), '');
    writeFileSync(join(at, '7-good.yaml'), good);
    symlinkSync('7-good.yaml', join(at, '8-link.yml'));
    writeFileSync(join(at, '9-closed.yaml'), good);
    chmodSync(join(at, '9-closed.yaml'), 0);
    writeFileSync(join(at, '.hidden.yaml'), 'kind: [');
    writeFileSync(join(at, 'notes.txt'), 'kind: [');
    const readings = readPolicyFolder(at).filter(
      ({ start }) => process.getuid?.() !== 0 || !/9-/.test(`${start?.file}`),
    );
    const told = readings.map(
      ({ policy, diagnostics }) =>
        policy?.name ?? diagnostics.map(formatDiagnostic).join('\n').replaceAll(`${at}/`, ''),
    );
    expect(told.slice(0, 7)).toEqual([
      '1-bytes.yaml:7:16: error InvalidValue: found the byte 0xE4, which is not UTF-8 here; allowed: text in UTF-8',
      '2-pipe.yaml:1:1: error InvalidValue: cannot be read: it is no regular file',
      '3-loop.yaml:1:1: error InvalidValue: cannot be read: its symbolic links lead in a circle (ELOOP)',
      '4-folder.yaml:1:1: error InvalidValue: cannot be read: it is a folder; allowed: a file',
      `5-large.yaml:1:1: error InvalidValue: found more than ${fileLimits.bytes} bytes; allowed: at most ${fileLimits.bytes}`,
      'good',
      'good',
    ]);
    if (process.getuid?.() !== 0)
      expect(told[7]).toBe('9-closed.yaml:1:1: error InvalidValue: cannot be read: you may not read it (EACCES)');
  });
});
