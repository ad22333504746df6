import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { runCommand } from './command.ts';

/** The kernels that tests boot, by series. */
export type KernelSeries = '6.1' | '6.12';

/** A Debian kernel, unpacked and never installed. */
export interface KernelImage {
  /** As `uname -r` prints it. */
  release: string;
  /** The bootable image. */
  vmlinuz: string;
  /** Holds `lib/modules/RELEASE` with `modules.dep`. */
  modulesRoot: string;
}

const PACKAGES: Record<KernelSeries, RegExp> = {
  '6.1': /^linux-image-6\.1\.0-\d+-cloud-amd64$/,
  '6.12': /^linux-image-6\.12\.\d+\+deb12-cloud-amd64$/,
};

/**
 * Brings the newest Debian 12 cloud kernel of a series from the configured mirrors (apt checks it against the signed
 * package lists), once per cache. Delete the folder `kernel-SERIES` of the cache to get a newer one.
 */
export async function fetchKernel(series: KernelSeries): Promise<KernelImage> {
  const directory = await cached(`kernel-${series}`, (folder) => unpackNewest(series, folder));
  const [release] = await readdir(join(directory, 'lib/modules'));
  if (!release) throw new Error(`${directory} holds no kernel modules; remove it and try again`);
  return { release, vmlinuz: join(directory, 'boot', `vmlinuz-${release}`), modulesRoot: directory };
}

async function unpackNewest(series: KernelSeries, folder: string): Promise<void> {
  const options = ['-q', '-o', 'APT::Sandbox::User=root'];
  const download = async () => {
    const name = await newestPackage(series);
    if (!name) throw new Error(`no package ${PACKAGES[series].source} in the package lists of this machine`);
    await runCommand('apt-get', [...options, 'download', name], { cwd: folder });
  };
  // Old lists name packages that the mirror has dropped since, and a fresh machine has no lists: ask for new ones once.
  await download().catch(async () => {
    await runCommand('apt-get', ['-q', 'update']);
    await download();
  });
  const deb = (await readdir(folder)).find((name) => name.endsWith('.deb'));
  if (!deb) throw new Error(`apt-get download left no package in ${folder}`);
  await runCommand('dpkg', ['-x', deb, '.'], { cwd: folder });
  await runCommand('rm', ['-rf', deb, 'usr'], { cwd: folder });
  const [release] = await readdir(join(folder, 'lib/modules'));
  await runCommand('/usr/sbin/depmod', ['-b', folder, String(release)]);
}

async function newestPackage(series: KernelSeries): Promise<string | undefined> {
  const names = (await runCommand('apt-cache', ['pkgnames', `linux-image-${series}.`])).split('\n');
  const numbers = (name: string) => name.match(/\d+/g)?.map(Number) ?? [];
  return names
    .filter((name) => PACKAGES[series].test(name))
    .sort((a, b) => numbers(a).reduce((order, n, i) => order || n - (numbers(b)[i] ?? 0), 0))
    .at(-1);
}
