import { describe, expect, it } from 'vitest';
import { findCgroup2, parseMounts } from '../../../agent/kernel/mount.ts';

const line = (path: string, type: string, root = '/', options = '') =>
  `38 31 0:35 ${root} ${path} rw,relatime ${options}- ${type} ${type} rw`;

describe('parseMounts()', () => {
  it('gives path, root and type, whatever optional fields stand between', () => {
    const text = [line('/sys', 'sysfs'), line('/a', 'ext4', '/sub', 'shared:9 master:1 '), ''].join('\n');
    expect(parseMounts(text)).toEqual([
      { path: '/sys', root: '/', type: 'sysfs' },
      { path: '/a', root: '/sub', type: 'ext4' },
    ]);
  });

  it('decodes blanks and backslashes in paths', () => {
    expect(parseMounts(line('/mnt/a\\040b\\134c', 'tmpfs'))[0]?.path).toBe('/mnt/a b\\c');
  });

  it.each(['', 'nonsense', '1 2 3 - ', ' - cgroup2 x rw'])('leaves out the broken line %o', (text) => {
    expect(parseMounts(text)).toEqual([]);
  });
});

describe('findCgroup2()', () => {
  it.each([
    ['version 2 alone', [line('/sys/fs/cgroup', 'cgroup2')], '/sys/fs/cgroup'],
    [
      'versions 1 and 2 side by side',
      [
        line('/sys/fs/cgroup', 'tmpfs'),
        line('/sys/fs/cgroup/cpu', 'cgroup'),
        line('/sys/fs/cgroup/unified', 'cgroup2'),
      ],
      '/sys/fs/cgroup/unified',
    ],
    ['a subtree before the whole', [line('/a', 'cgroup2', '/pod'), line('/b', 'cgroup2')], '/b'],
    ['a subtree only, as in a container', [line('/sys/fs/cgroup', 'cgroup2', '/../..')], '/sys/fs/cgroup'],
    ['version 1 only', [line('/sys/fs/cgroup/cpu', 'cgroup')], undefined],
  ])('with %s', (_, lines, expected) => {
    expect(findCgroup2(parseMounts(lines.join('\n')))).toBe(expected);
  });
});
