import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why BPF programs cannot be built and loaded here, or undefined: kernel tests say it when they skip. */
export function missingForKernelTests(): string | undefined {
  if (process.platform !== 'linux') return 'Linux';
  if (process.getuid?.() !== 0) return 'root';
  const clang = spawnSync('clang', ['--print-targets'], { encoding: 'utf8' });
  if (clang.error !== undefined) return 'clang (apt-get install clang libbpf-dev)';
  return undefined;
}

/** Builds BPF C with Debian's clang and libbpf's headers, as bpf/ is built. */
export function compileBpf(source: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'picket-bpf-'));
  try {
    const [input, output] = [join(folder, 'test.c'), join(folder, 'test.o')];
    writeFileSync(input, source);
    const arch = process.arch === 'arm64' ? 'arm64' : 'x86';
    const multiarch = `/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
    const flags = ['-g', '-O2', '-target', 'bpf', `-D__TARGET_ARCH_${arch}`, `-I${multiarch}`, '-Wall', '-Werror'];
    execFileSync('clang', [...flags, '-c', input, '-o', output], { stdio: ['ignore', 'ignore', 'pipe'] });
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
