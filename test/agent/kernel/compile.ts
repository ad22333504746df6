import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What is missing for building BPF C, or undefined. */
export const missingClang =
  spawnSync('clang', ['--version']).error === undefined ? undefined : 'clang (apt-get install clang libbpf-dev)';

/** What is missing for loading BPF programs made here, or undefined; tests name it when they skip. */
export const missingForKernel =
  process.platform !== 'linux' ? 'Linux' : process.getuid?.() !== 0 ? 'root' : missingClang;

/** Builds BPF C with Debian's clang and libbpf's headers, as bpf/ is built; `include`: a folder with further headers. */
export function compileBpf(source: string, { types = true, include = '' } = {}): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'picket-bpf-'));
  try {
    const [input, output] = [join(folder, 'test.c'), join(folder, 'test.o')];
    writeFileSync(input, source);
    const [define, multiarch] =
      process.arch === 'arm64'
        ? ['-D__TARGET_ARCH_arm64', '-I/usr/include/aarch64-linux-gnu']
        : ['-D__TARGET_ARCH_x86', '-I/usr/include/x86_64-linux-gnu'];
    const flags = [...(types ? ['-g'] : []), '-O2', '-target', 'bpf', define, multiarch, '-Wall', '-Werror'];
    if (include !== '') flags.push('-mcpu=v3', '-Wno-unused-function', `-I${include}`);
    execFileSync('clang', [...flags, '-c', input, '-o', output], { stdio: ['ignore', 'ignore', 'pipe'] });
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `name`, or `name (missing: what)` for a group of tests that skips. */
export function named(name: string, missing: string | undefined): string {
  return missing === undefined ? name : `${name} (missing: ${missing})`;
}
