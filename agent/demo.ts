import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runLocal } from './workload/local.ts';

/** Folder of the sample policies. */
export const samplesDir = fileURLToPath(new URL('samples', import.meta.url));

const workload = {
  namespace: 'demo',
  pod: 'sample',
  container: 'sample',
  labels: { app: 'sample' },
  image: 'picket-sample',
};

/** Runs the sample workload once: it trips the three sample policies, and touches nothing outside of its own folder. */
export async function runDemo(socket: string, signal: AbortSignal): Promise<void> {
  const dir = '/run/picket/demo'; // named in the sample policies
  mkdirSync(join(dir, 'credentials'), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(join(dir, 'credentials', 'password'), 'not a real password\n');
    await runLocal(socket, workload, ['/bin/sh', join(samplesDir, 'workload.sh'), dir], { signal, stdio: 'ignore' });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
