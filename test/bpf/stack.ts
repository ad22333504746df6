import { execFileSync } from 'node:child_process';

/** A call chain: what it needs of the stack, and the functions with their own share, the program first. */
export interface Chain {
  bytes: number;
  functions: string[];
}

interface Code {
  name: string;
  bytes: number;
  calls: Set<Code>;
}

/**
 * The deepest call chain of each program of an object, as the kernel counts it before it knows the processor's JIT
 * (check_max_stack_depth() in kernel/bpf/verifier.c): each function's share rounded up to 32 bytes. Callbacks count as called.
 */
export function deepestChains(object: string): Map<string, Chain> {
  const text = execFileSync('llvm-objdump-14', ['-d', '-r', '--no-show-raw-insn', object], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const byName = new Map<string, Code>();
  const shared = new Map<number, Code>(); // of .text, by instruction
  const programs: Code[] = [];
  const later: (() => void)[] = [];
  let section = '';
  let code: Code | undefined;
  let instruction: { at: number; text: string } = { at: 0, text: '' };
  for (const line of text.split('\n')) {
    const [, opened] = /^Disassembly of section (.*):$/.exec(line) ?? [];
    const [, address, label] = /^([0-9a-f]+) <(.*)>:$/.exec(line) ?? [];
    const [, at, operation] = /^\s+(\d+):\s+(.*)$/.exec(line) ?? [];
    const [, relocated] = /R_BPF_64_(?:32|64)\s+(\S+)$/.exec(line) ?? [];
    if (opened !== undefined) section = opened;
    else if (address !== undefined && label !== undefined) {
      if (label.startsWith('LBB')) continue;
      code = { name: label, bytes: 0, calls: new Set() };
      byName.set(label, code);
      if (section === '.text') shared.set(Number.parseInt(address, 16) / 8, code);
      else programs.push(code);
    } else if (relocated !== undefined && code !== undefined) {
      const [caller, of] = [code, instruction];
      later.push(() => add(caller, relocated === '.text' ? shared.get(target(of.text)) : byName.get(relocated)));
    } else if (at !== undefined && operation !== undefined && code !== undefined) {
      instruction = { at: Number(at), text: operation };
      const [, below] = /r10 - (\d+)/.exec(operation) ?? /^r\d+ \+= -(\d+)$/.exec(operation) ?? [];
      if (below !== undefined && Number(below) <= 512) code.bytes = Math.max(code.bytes, Number(below));
      const [, offset] = /^call (-?\d+)$/.exec(operation) ?? [];
      if (offset === undefined || section !== '.text') continue;
      const [caller, target] = [code, Number(at) + 1 + Number(offset)];
      later.push(() => add(caller, shared.get(target)));
    }
  }
  for (const link of later) link();
  return new Map(programs.map((program) => [program.name, deepest(program)]));
}

function add(caller: Code, called: Code | undefined): void {
  if (called !== undefined && called !== caller) caller.calls.add(called);
}

/** Where in .text: the instruction that is called, or the byte whose address is taken. */
function target(operation: string): number {
  const [, offset] = /^call (-?\d+)$/.exec(operation) ?? [];
  if (offset !== undefined) return Number(offset) + 1;
  return Number(/= (\d+) ll$/.exec(operation)?.[1] ?? Number.NaN) / 8;
}

function deepest({ name, bytes, calls }: Code): Chain {
  const own = Math.max(32, Math.ceil(bytes / 32) * 32);
  let below: Chain = { bytes: 0, functions: [] };
  for (const called of calls) {
    const chain = deepest(called);
    if (chain.bytes > below.bytes) below = chain;
  }
  return { bytes: own + below.bytes, functions: [`${name}:${bytes}`, ...below.functions] };
}
