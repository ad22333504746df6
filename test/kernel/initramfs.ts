import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { cached } from './cache.ts';
import type { KernelImage } from './image.ts';

const MODULES = ['virtio_pci', 'virtiofs', 'overlay', 'virtio_net', 'virtio_console', 'virtio_blk', 'ext4'];

interface File {
  path: string;
  mode: number;
  content: Buffer;
}

/** Builds (once per kernel and content of `init.sh`) the file system that a guest starts from: busybox, `init.sh`, the modules. */
export async function buildInitramfs(kernel: KernelImage): Promise<string> {
  const directory = (path: string): File => ({ path, mode: 0o040755, content: Buffer.alloc(0) });
  const busybox = await readFile('/bin/busybox').catch((cause) => {
    throw new Error('/bin/busybox is missing: install the Debian package busybox-static', { cause });
  });
  const modules = await resolveModules(kernel);
  const files: File[] = [
    ...['bin', 'modules', 'proc', 'sys', 'dev', 'host', 'rw', 'root'].map(directory),
    { path: 'bin/busybox', mode: 0o100755, content: busybox },
    { path: 'init', mode: 0o100755, content: await readFile(new URL('init.sh', import.meta.url)) },
    ...(await Promise.all(
      modules.map(async (path, i) => ({
        // init loads them in the order of their names
        path: `modules/${String(i).padStart(2, '0')}-${basename(path)}`,
        mode: 0o100644,
        content: await readFile(path),
      })),
    )),
  ];
  const archive = gzipSync(packCpio(files), { level: 1 });
  const entry = await cached(
    `initramfs-${kernel.release}-${createHash('sha256').update(archive).digest('hex').slice(0, 16)}`,
    (folder) => writeFile(join(folder, 'initramfs.gz'), archive),
  );
  return join(entry, 'initramfs.gz');
}

/** Paths of the modules with what they depend on, each after its dependencies; what is built into the kernel has no file. */
async function resolveModules(kernel: KernelImage): Promise<string[]> {
  const root = join(kernel.modulesRoot, 'lib/modules', kernel.release);
  const dependencies = new Map<string, string[]>();
  for (const line of (await readFile(join(root, 'modules.dep'), 'utf8')).split('\n')) {
    const [file, rest] = line.split(':');
    if (file && rest !== undefined) dependencies.set(file, rest.trim().split(/\s+/).filter(Boolean));
  }
  const ordered = new Set<string>();
  const add = (file: string): void => {
    for (const dependency of dependencies.get(file) ?? []) add(dependency);
    ordered.add(join(root, file));
  };
  for (const name of MODULES) {
    const file = [...dependencies.keys()].find((path) => basename(path).replace(/\.ko(\.\w+)?$/, '') === name);
    if (file) add(file);
  }
  return [...ordered];
}

/** The "newc" form of cpio (kernel: Documentation/driver-api/early-userspace/buffer-format.rst), owned by root. */
function packCpio(files: File[]): Buffer {
  const parts: Buffer[] = [];
  const pad = (length: number) => Buffer.alloc((4 - (length % 4)) % 4);
  const trailer: File = { path: 'TRAILER!!!', mode: 0, content: Buffer.alloc(0) };
  [...files, trailer].forEach(({ path, mode, content }, i) => {
    const name = Buffer.from(`${path}\0`);
    const fields = [i + 1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const header = Buffer.from(`070701${fields.map((n) => n.toString(16).padStart(8, '0')).join('')}`);
    parts.push(header, name, pad(header.length + name.length), content, pad(content.length));
  });
  return Buffer.concat(parts);
}
