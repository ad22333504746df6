import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildImage, buildImageDisk } from './build.ts';
import { ENTRIES, USER1 } from './fixture.ts';

describe('buildImage()', () => {
  let rootfs: string;
  const at = (path: string) => join(rootfs, path);
  beforeAll(async () => {
    rootfs = await buildImage();
  });

  test('is Debian 12 with a merged /usr', () => {
    expect(readFileSync(at('/etc/os-release'), 'utf8')).toContain('VERSION_ID="12"');
    const links = ['/bin', '/sbin', '/lib', '/lib64', '/var/run'].map((path) => readlinkSync(at(path)));
    expect(links).toEqual(['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', '/run']);
    expect(readlinkSync(at('/usr/bin/sh'))).toBe('dash');
    expect(lstatSync(at('/usr/bin/python3')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('/etc/host.conf'), 'utf8')).toContain('multi on');
  });

  test.for([
    '/usr/sbin/arping',
    '/usr/sbin/route',
    '/usr/bin/ping',
    '/usr/bin/curl',
    '/usr/bin/apt',
    '/usr/bin/apt-get',
  ])('has %s', (path) => expect(lstatSync(at(path)).isFile()).toBe(true));

  test.for(ENTRIES)('$path has its owner, mode and content', ({ path, owner, mode, content }) => {
    const stat = statSync(at(path));
    const id = owner === 'user1' ? USER1 : 0;
    expect([stat.uid, stat.gid, stat.mode & 0o7777]).toEqual([id, id, mode]);
    expect(stat.isDirectory()).toBe(content === 'directory');
    if (content === 'directory') return;
    const bytes = readFileSync(at(path));
    if ('text' in content) expect(String(bytes)).toBe(content.text);
    else expect(bytes.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
    if ('copyOf' in content) expect(bytes.equals(readFileSync(at(content.copyOf)))).toBe(true);
  });

  test('user1 has a home with start-up files and bash', () => {
    expect(readFileSync(at('/etc/passwd'), 'utf8')).toMatch(/^user1:x:1000:1000:[^:]*:\/home\/user1:\/bin\/bash$/m);
    for (const name of ['.profile', '.bashrc']) expect(statSync(at(`/home/user1/${name}`)).uid).toBe(USER1);
  });

  test('its programs do what cases expect of them', () => {
    // Run by this machine: they are linked statically.
    const run = (name: string, ...args: string[]) => {
      try {
        return execFileSync(at(name), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      } catch (error) {
        const { status, stderr } = error as { status: number; stderr: string };
        return `${status} ${stderr}`;
      }
    };
    expect(run('/home/user1/hello')).toBe('helloworld\n');
    expect(run('/readwrite', '-r', at('/secret.txt'))).toBe('s\n');
    expect(run('/readwrite', '-w', '/dev/null')).toBe('written\n');
    expect(run('/readwrite', '-r', '/none')).toBe('1 readwrite: /none: No such file or directory\n');
    expect(run('/readwrite', '-w', '/etc')).toBe('1 readwrite: /etc: Is a directory\n');
  });
});

test('buildImageDisk() holds the same files with owner, mode and file capabilities', async () => {
  const disk = await buildImageDisk();
  const debugfs = (request: string) => execFileSync('/sbin/debugfs', ['-R', request, disk], { encoding: 'utf8' });
  expect(debugfs('stat /home/user1/otherfile.txt')).toMatch(/Mode:\s+0666\s(?:.|\n)*User:\s+1000\s+Group:\s+1000\s/);
  expect(debugfs('cat /secret.txt')).toBe('secret file\n');
  expect(debugfs('stat /usr/bin/ping')).toContain('security.capability');
});
