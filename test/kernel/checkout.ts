import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { runCommand } from './command.ts';
import { makeDisk } from './disk.ts';

/** The checkout that this file belongs to. */
export const CHECKOUT = join(import.meta.dirname, '../..');

const SOURCES = ['agent', 'bpf', 'collector', 'otel', 'test', 'package.json'];
const COMPILED = '.compile-cache';

/** A copy of the checkout as a disk, for a guest to see at the same path. */
export interface CheckoutDisk {
  image: string;
  /** Folder of the running Node inside the checkout, which the disk leaves out. */
  node: string | undefined;
  /** For programs in the guest. */
  environment: Record<string, string>;
}

/**
 * Copies sources and the packages that they need at run time to a disk, with what Node compiled of `programs` (found out
 * by running each for its help text). Hundreds of small files through virtiofs, then compiled under emulation, are what
 * makes Node programs start slowly in a guest: so it takes a quarter of the time.
 */
export async function packCheckout(folder: string, programs: string[]): Promise<CheckoutDisk> {
  // Entries are found by path and checked by content, so one folder per checkout stays small and is never wrong.
  const compiled = join(cacheDirectory(), `compiled${CHECKOUT.replaceAll('/', '-')}`);
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
  await Promise.all(programs.map((program) => runCommand(process.execPath, [program, '--help'], { env })));

  const staging = join(folder, 'checkout');
  const node = nodePackage();
  for (const path of [...SOURCES, ...packages()]) {
    if (path !== node) cpSync(join(CHECKOUT, path), join(staging, path), { recursive: true, verbatimSymlinks: true });
  }
  if (node) mkdirSync(join(staging, node), { recursive: true });
  cpSync(compiled, join(staging, COMPILED), { recursive: true });
  const image = join(folder, 'checkout.disk');
  await makeDisk(staging, image);
  rmSync(staging, { recursive: true });
  return { image, node, environment: { NODE_COMPILE_CACHE: join(CHECKOUT, COMPILED) } };
}

/** Paths of the installed packages that are needed at run time, by the lock file. */
function packages(): string[] {
  const lock = JSON.parse(readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && !dev && existsSync(join(CHECKOUT, path)))
    .map(([path]) => path);
}

function nodePackage(): string | undefined {
  const path = relative(CHECKOUT, dirname(dirname(process.execPath)));
  return path.startsWith('node_modules/') ? path : undefined;
}
