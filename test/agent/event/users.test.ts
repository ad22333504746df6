import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserNames } from '../../../agent/event/users.ts';

const folder = mkdtempSync(join(tmpdir(), 'picket-users-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('UserNames', () => {
  it('find() gives the first name of a uid, and nothing for lines that are no users', () => {
    const file = join(folder, 'passwd');
    writeFileSync(
      file,
      'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n\n# none\nbroken:x:abc:1::\nweb:x:33:33::/:/\n',
    );
    const users = new UserNames(file);
    expect([0, 33, 1].map((uid) => users.find(uid))).toEqual(['root', 'web', undefined]);
  });

  it('find() reads again after ten seconds', () => {
    const file = join(folder, 'changing');
    writeFileSync(file, 'a:x:1:1::/:/\n');
    const users = new UserNames(file);
    expect(users.find(1, 0)).toBe('a');
    writeFileSync(file, 'b:x:1:1::/:/\n');
    expect(users.find(1, 9_999)).toBe('a');
    expect(users.find(1, 10_000)).toBe('b');
  });

  it('find() knows nobody where there is no such file', () => {
    expect(new UserNames(join(folder, 'absent')).find(0)).toBeUndefined();
  });
});
