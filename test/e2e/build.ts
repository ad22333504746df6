import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../kernel/checkout.ts';

/**
 * Copies the agent to a folder and builds it anew: `same-abi`, with another object of the same contract; `next-abi`, with a
 * contract of the next number; `refused`, with a program that the verifier refuses. Returns the path of its program.
 */
export function buildAgent(folder: string, kind: 'same-abi' | 'next-abi' | 'refused'): string {
  for (const part of ['agent', 'bpf', 'otel', 'package.json'])
    cpSync(join(CHECKOUT, part), join(folder, part), { recursive: true });
  symlinkSync(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
  const change = (file: string, from: RegExp, to: string): void => {
    const text = readFileSync(join(folder, file), 'utf8');
    if (!from.test(text)) throw new Error(`${file} has no ${from}`);
    writeFileSync(join(folder, file), text.replace(from, to));
  };
  if (kind === 'next-abi') change('bpf/abi.h', /PICKET_ABI = \d+/, `PICKET_ABI = ${abiOf(CHECKOUT) + 1}`);
  else if (kind === 'refused')
    change('bpf/hook_task.h', /(int BPF_PROG\(picket_fork,[^{]*\{)/, '$1\n\t*(volatile int *)8 = 1;');
  else change('bpf/hook_task.h', /^/, '\n\n'); // the object tells the lines of its source
  execFileSync(join(folder, 'bpf/build.sh'), { stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync(process.execPath, [join(folder, 'agent/kernel/generate.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return join(folder, 'agent/picket.ts');
}

function abiOf(folder: string): number {
  return Number(/PICKET_ABI = (\d+)/.exec(readFileSync(join(folder, 'bpf/abi.h'), 'utf8'))?.[1]);
}
