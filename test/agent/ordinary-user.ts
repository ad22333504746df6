import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A user that owns nothing: nobody. */
export const ordinaryUser = 65534;

const source = fileURLToPath(new URL('../../agent/picket.ts', import.meta.url));

/** Why nothing of the checkout can be run as an ordinary user from here, '' when it can. A clone in /root is closed to others. */
export function reasonWithoutOrdinaryUser(): string {
  if (process.getuid?.() !== 0) return ': needs root';
  const read = `require('node:fs').readFileSync(${JSON.stringify(source)})`;
  const { status } = spawnSync(process.execPath, ['-e', read], { uid: ordinaryUser });
  return status === 0 ? '' : ': the checkout lies where only its owner can read';
}
