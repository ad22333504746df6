import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinPath, resolveLate } from '../../../agent/event/syscall.ts';
import type { Entry } from '../../../agent/policy/links.ts';

describe('joinPath()', () => {
  it.each([
    ['/home', 'f', '/home/f'],
    ['/home', './a/../b/', '/home/b'],
    ['/home/user', '../../../x', '/x'],
    ['/', '/etc//passwd', '/etc/passwd'],
    ['/jail', '/etc/passwd', '/jail/etc/passwd'],
    ['/', '.', '/'],
    ['/', '..', '/'],
    ['/home', '', '/home'],
  ])('%s with %s is %s', (base, name, path) => {
    expect(joinPath(base, name)).toBe(path);
  });

  it('always gives an absolute path without dots, empty names or a trailing slash', () => {
    const name = fc.stringMatching(/^[a./]{0,12}$/);
    fc.assert(
      fc.property(name, name, (base, relative) => {
        expect(joinPath(`/${base}`, relative)).toMatch(/^\/$|^(\/(?!\.{1,2}(\/|$))[^/]+)+$/);
      }),
    );
  });
});

describe('resolveLate()', () => {
  /** A tree of links; all else is a file or a directory. */
  const links: Record<string, string> = {
    '/bin': 'usr/bin',
    '/home/l': '/srv/data',
    '/srv/data/up': '../..',
    '/home/f': '/etc/x',
  };
  const read = (path: string): Entry =>
    path in links ? { kind: 'link', target: links[path] ?? '' } : { kind: 'other' };

  it.each([
    ['/home', 'plain', '/home/plain'],
    ['/home', 'f', '/home/f'], // the call is about the link itself
    ['/', 'bin/x', '/usr/bin/x'],
    ['/home', 'l/x', '/srv/data/x'],
    ['/', '/bin/x/', '/usr/bin/x'],
    ['/home', 'l/up/etc/y', '/etc/y'],
    ['/home/l', '../x', '/srv/x'], // .. after the link was followed
    ['/home', 'a/b/../c', '/home/a/c'],
    ['/', '/x', '/x'],
    ['/', '/', '/'],
    ['/jail', '/x', '/jail/x'], // an absolute name of a process in a chroot
  ])('%s with %s is %s', (base, name, path) => {
    expect(resolveLate(base, name, read)).toBe(path);
  });

  it.each(['..', '.', 'a/..'])('does not follow links for a last name of dots, which no call removes: %s', (name) => {
    expect(resolveLate('/home', name, read)).toBe(joinPath('/home', name));
  });

  it('gives a path even behind a circle of links', () => {
    const circle = (path: string): Entry => (path === '/c' ? { kind: 'link', target: '/c' } : { kind: 'other' });
    expect(resolveLate('/', 'c/x', circle)).toBe('/c/x');
  });
});
