import { createHash } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { cached } from '../kernel/cache.ts';
import { runCommand } from '../kernel/command.ts';
import { makeDisk } from '../kernel/disk.ts';
import { compile } from './compile.ts';
import { ENTRIES, type Entry, PACKAGES, USER1 } from './fixture.ts';

const INPUTS = ['build.ts', 'compile.ts', 'fixture.ts', 'hello.c', 'readwrite.c'];

/**
 * The root file system of the fixture image: Debian 12 with what conformance cases rely on. Built once per cache and
 * content of this folder (about a minute); never write to it, lay an overlay over it. Needs root and the Debian packages
 * mmdebstrap, clang, libc6-dev.
 */
export async function buildImage(): Promise<string> {
  const hash = createHash('sha256');
  for (const name of INPUTS) hash.update(readFileSync(join(import.meta.dirname, name)));
  const entry = await cached(`image-${hash.digest('hex').slice(0, 16)}`, fill);
  return join(entry, 'rootfs');
}

/**
 * The same as a disk with an ext4 file system, for a guest: there the folder would be seen through virtiofs, which passes
 * no file capabilities on (ping has one) and asks this machine at every open.
 */
export async function buildImageDisk(): Promise<string> {
  const rootfs = await buildImage();
  const entry = await cached(`${basename(dirname(rootfs))}-disk`, (folder) => makeDisk(rootfs, join(folder, 'disk')));
  return join(entry, 'disk');
}

async function fill(folder: string): Promise<void> {
  const rootfs = join(folder, 'rootfs');
  await runCommand(
    'mmdebstrap',
    [
      '--mode=root',
      '--variant=minbase',
      '--format=directory',
      `--include=${PACKAGES.join(',')}`,
      // start-up files of user1 come with the skeleton
      '--customize-hook=chroot "$1" useradd --create-home --uid 1000 --user-group --shell /bin/bash user1',
      'bookworm',
      rootfs,
      ...(await debianSources()),
    ],
    { env: { ...process.env, LC_ALL: 'C.UTF-8', SOURCE_DATE_EPOCH: '0' } },
  );
  chmodSync(rootfs, 0o755);

  const programs = await mkdtemp(join(tmpdir(), 'picket-image-'));
  try {
    for (const name of ['hello', 'readwrite']) {
      await compile(join(import.meta.dirname, `${name}.c`), join(programs, name));
    }
    for (const entry of ENTRIES) put(rootfs, programs, entry);
  } finally {
    await rm(programs, { recursive: true });
  }
}

/** Debian 12's lines out of this machine's own package sources, as one-line entries. */
async function debianSources(): Promise<string[]> {
  const format = '$(REPO_URI) $(RELEASE) $(CODENAME) $(ORIGIN)';
  const targets = await runCommand('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const sources = targets
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , codename, origin]) => origin === 'Debian' && codename?.startsWith('bookworm'))
    .map(([uri, release]) => `deb ${uri} ${release} main`);
  if (sources.length === 0) throw new Error('no package source of Debian 12 (bookworm) is configured on this machine');
  return [...new Set(sources)];
}

function put(rootfs: string, programs: string, { path, owner, mode, content }: Entry): void {
  const target = join(rootfs, path);
  if (content === 'directory') mkdirSync(target, { recursive: true });
  else {
    rmSync(target, { force: true });
    if ('text' in content) writeFileSync(target, content.text);
    else copyFileSync('program' in content ? join(programs, content.program) : join(rootfs, content.copyOf), target);
  }
  const id = owner === 'user1' ? USER1 : 0;
  chownSync(target, id, id);
  chmodSync(target, mode);
  if (lstatSync(target).isSymbolicLink())
    throw new Error(`${path} is a link in the image; the fixture expects a plain file`);
}
