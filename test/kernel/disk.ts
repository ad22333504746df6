import { runCommand } from './command.ts';

/** Makes an ext4 file system image with the content of a folder: owners, modes and extended attributes included. */
export async function makeDisk(folder: string, image: string): Promise<void> {
  const used = Number((await runCommand('du', ['--summarize', '--block-size=1M', folder])).split('\t')[0]);
  const size = `${Math.ceil(used * 1.2) + 32}M`;
  await runCommand('/sbin/mke2fs', ['-q', '-t', 'ext4', '-b', '4096', '-O', '^has_journal', '-d', folder, image, size]);
}
