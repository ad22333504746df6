import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashName, PathHasher, randomHashKey } from '../../../agent/policy/hash.ts';
import { pathFromBytes } from '../../../agent/policy/pathname.ts';
import { propertySeed } from './seed.ts';

const missing = spawnSync('clang', ['--version']).error !== undefined;

/** The text of one function of bpf/hash.h, from its first line to its closing brace. */
function functionText(source: string, start: string): string {
  const at = source.indexOf(start);
  const end = source.indexOf('\n}\n', at);
  if (at < 0 || end < 0) throw new Error(`bpf/hash.h has no function that begins with "${start}"`);
  return source.slice(at, end + 3);
}

/** Reads lines "name key, path key, hash of the parent, name in hex"; answers with hash of the name and of the path. */
const main = `
int main(void) {
  struct scratch s;
  char line[4096];
  while (fgets(line, sizeof line, stdin)) {
    unsigned long long name_key, path_key, parent;
    int at, length = 0;
    memset(&s, 0x5a, sizeof s);
    sscanf(line, "%llu %llu %llu %n", &name_key, &path_key, &parent, &at);
    for (unsigned byte; sscanf(line + at + 2 * length, "%2x", &byte) == 1; length++) s.name[length] = byte;
    picket_hash_name = name_key;
    __u64 component = hash__name(&s, length);
    __u64 path = hash__step(parent, path_key, component);
    printf("%llu %llu\\n", hash__canonical(component), hash__canonical(path));
  }
}
`;

describe.skipIf(missing)(
  `hash.ts and bpf/hash.h${missing ? ' (missing: clang; apt-get install clang libc6-dev)' : ''}`,
  () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'picket-hash-'));
      const source = readFileSync(join(import.meta.dirname, '../../../bpf/hash.h'), 'utf8');
      const program = [
        '#include <stdio.h>\n#include <string.h>',
        'typedef unsigned long long __u64; typedef unsigned int __u32;',
        '#undef __always_inline\n#define __always_inline inline\n#define __noinline __attribute__((noinline))',
        'enum { PICKET_MAX_NAME = 255, HASH_PRIME_BITS = 61 };\n#define HASH_PRIME ((1ULL << HASH_PRIME_BITS) - 1)',
        'struct scratch { unsigned char name[264]; };\nstatic __u64 picket_hash_name;',
        functionText(source, 'static __always_inline __u64 hash__step('),
        functionText(source, 'static __always_inline __u64 hash__canonical('),
        functionText(source, '__noinline __u64 hash__name('),
        main,
      ];
      writeFileSync(join(folder, 'hash.c'), program.join('\n'));
      execFileSync('clang', ['-O2', '-o', join(folder, 'hash'), join(folder, 'hash.c')]);
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it('compute the same for random keys, parents and names', () => {
      const bytes = fc
        .uint8Array({ minLength: 1, maxLength: 255 })
        .map((array) => array.map((byte) => (byte === 0x2f ? 0x2e : byte)));
      const samples = fc.sample(fc.tuple(bytes, bytes), { seed: propertySeed('hash-kernel'), numRuns: 3000 });
      const cases = samples.map(([parent, name]) => {
        const key = randomHashKey();
        const hasher = new PathHasher(key);
        const [parentPath, text] = [`/${pathFromBytes(parent)}`, pathFromBytes(name)];
        return {
          line: `${key.name} ${key.path} ${hasher.hash(parentPath)} ${Buffer.from(name).toString('hex')}\n`,
          expected: `${hashName(text, key)} ${hasher.hash(`${parentPath}/${text}`)}`,
        };
      });
      const answer = execFileSync(join(folder, 'hash'), {
        input: cases.map(({ line }) => line).join(''),
        encoding: 'utf8',
      });
      expect(answer.trimEnd().split('\n')).toEqual(cases.map(({ expected }) => expected));
    });
  },
);
