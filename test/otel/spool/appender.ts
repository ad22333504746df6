import { StateError } from '../../../otel/errors.ts';
import { openSpool, type Spool } from '../../../otel/spool/spool.ts';

// A process of its own that appends until it is killed: prints each position once its append has resolved, and the code
// of an error that ends it.
const [path, size] = process.argv.slice(2) as [string, string];

function print(line: unknown): void {
  process.stdout.write(`${line}\n`);
}

async function appendUntilRefused(spool: Spool): Promise<void> {
  for (let refused = false; !refused; ) {
    const batch = { logs: Buffer.alloc(Number(size), 0x0a), records: 1 };
    const appends = Array.from({ length: 5 }, () => spool.append(batch, 'audit'));
    for (const append of await Promise.allSettled(appends)) {
      print(append.status === 'fulfilled' ? append.value : append.reason.code);
      refused ||= append.status === 'rejected';
    }
  }
  print(`held ${spool.read(0, 1_000_000).length} ${spool.stats().entries}`);
}

process.on('SIGXFSZ', () => {});
try {
  await appendUntilRefused(openSpool(path));
} catch (error) {
  print(error instanceof StateError ? error.code : error);
}
