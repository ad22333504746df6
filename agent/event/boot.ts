import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** This boot: its id and the Unix time, in nanoseconds, at which its clock (CLOCK_BOOTTIME) was zero. */
export interface Boot {
  id: string;
  unixNs: bigint;
}

/**
 * Identifies the boot. Its Unix time is measured once and kept in `runDir`, which does not survive the boot: an agent
 * started later gives the same event the same time, so process spans stay byte-identical.
 */
export function readBoot(runDir: string): Boot {
  const id = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  const file = join(runDir, 'boot.json');
  try {
    const known = JSON.parse(readFileSync(file, 'utf8')) as { id: string; unixNs: string };
    if (known.id === id) return { id, unixNs: BigInt(known.unixNs) };
  } catch {
    // the first start since the boot
  }
  const boot = { id, unixNs: measureBootTime() };
  replaceFile(runDir, 'boot.json', JSON.stringify({ id, unixNs: String(boot.unixNs) }));
  return boot;
}

/** /proc/uptime shows CLOCK_BOOTTIME in hundredths: read at the moment it changes, it is right to a fraction of that. */
function measureBootTime(): bigint {
  const read = (): string => readFileSync('/proc/uptime', 'latin1').split(' ')[0] ?? '0';
  const first = read();
  let now = first;
  const giveUp = performance.now() + 50;
  while (now === first && performance.now() < giveUp) now = read();
  const unixNs = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
  return unixNs - BigInt(Math.round(Number(now) * 1e9));
}

/** The machine id, which outside Kubernetes also names the cluster; a machine without one gets one, kept in `stateDir`. */
export function readMachineId(stateDir: string): string {
  const own = join(stateDir, 'machine-id');
  for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id', own]) {
    try {
      const id = readFileSync(file, 'latin1').trim();
      if (/^[0-9a-f-]{32,36}$/.test(id)) return id;
    } catch {
      // the next one
    }
  }
  const id = randomUUID().replaceAll('-', '');
  replaceFile(stateDir, 'machine-id', `${id}\n`);
  return id;
}

/**
 * Names this start of the agent: first part of the boot id and a number that grows with every start. The number is on the
 * disk before it is used; where the last one cannot be read, the clock gives one that was not used before.
 */
export function nextEpoch(stateDir: string, bootId: string): string {
  const start = (lastStart(join(stateDir, 'starts')) ?? Math.floor(Date.now() / 1000)) + 1;
  replaceFile(stateDir, 'starts', `${start}\n`);
  return `${bootId.slice(0, 8)}-${start}`;
}

function lastStart(file: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 0 : undefined;
  }
  return /^\d{1,15}\n?$/.test(text) ? Number.parseInt(text, 10) : undefined;
}

/** Old content or new, nothing in between, whenever the power goes. */
function replaceFile(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const aside = join(folder, `.${name}.${process.pid}`);
  writeFileSync(aside, text, { mode: 0o600, flush: true });
  renameSync(aside, join(folder, name));
}
