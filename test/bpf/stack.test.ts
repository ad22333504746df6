import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { deepestChains } from './stack.ts';

const missing = spawnSync('llvm-objdump-14', ['--version']).error && 'llvm-objdump-14';
const name = 'the programs of';

describe.skipIf(missing)(missing ? `${name} (missing: ${missing} of Debian 12: apt-get install llvm)` : name, () => {
  it.each(['picket', 'call'])(
    '%s.bpf.o: no chain of calls needs more stack than 6.1 grants, or is longer',
    (object) => {
      const chains = deepestChains(new URL(`../../bpf/${object}.bpf.o`, import.meta.url).pathname);
      expect(chains.size).toBeGreaterThan(5);
      const tooDeep = [...chains.values()].filter(({ bytes, functions }) => bytes > 512 || functions.length > 8);
      expect(tooDeep.map(({ bytes, functions }) => `${bytes}: ${functions.join(' > ')}`)).toEqual([]);
    },
  );
});
