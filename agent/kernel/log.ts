import { errno } from './errno.ts';
import { KernelError } from './error.ts';
import { call, callUnless, copyMemory, type Handle, registerPrint, unregister } from './libbpf.ts';

const logBytes = 16 * 1024;
const printDebug = 2;

/**
 * Runs something that calls libbpf; when it fails, what libbpf and the verifier wrote meanwhile goes into the error.
 *
 * libbpf is silent otherwise. Its print function is one for the whole process, so objects are opened, loaded and attached by one thread
 * (readers of rings and maps may be others). The callback is taken back before this returns: one that outlives the worker which registered it
 * aborts the process at libbpf's next line.
 *
 * @throws KernelError of the call, with `log`; with the code `rejected` when the verifier spoke
 */
export function withLog<T>(run: () => T): T {
  let log = '';
  const print = (level: number, format: Handle, values: Handle): number => {
    if (level < printDebug) log = `${log}${formatLine(format, values)}`.slice(-logBytes);
    return 0;
  };
  const callback = registerPrint(print);
  call('libbpf_set_print', 'listening to libbpf', callback);
  try {
    return run();
  } catch (error) {
    throw error instanceof KernelError && log !== '' ? explain(error, log) : error;
  } finally {
    call('libbpf_set_print', 'silencing libbpf', null);
    unregister(callback);
  }
}

/** Renders C's format and va_list. A verifier log may have megabytes, and its end is what counts: so asprintf, not a fixed buffer. */
function formatLine(format: Handle, values: Handle): string {
  const slot = new BigUint64Array(1);
  const length = callUnless(errno.ENOMEM, 'vasprintf', 'reading libbpf’s log', bytesOf(slot), format, values);
  const text = slot[0];
  if (length === undefined || text === undefined || text === 0n) return '';
  const from = Math.max(0, length - logBytes);
  const line = Buffer.from(copyMemory(text + BigInt(from), length - from)).toString('utf8');
  call('free', 'reading libbpf’s log', text);
  return line;
}

function bytesOf(words: BigUint64Array): Uint8Array {
  return new Uint8Array(words.buffer);
}

/**
 * libbpf: prog 'picket_open': -- BEGIN PROG LOAD LOG --
 * ...
 * invalid access to map value
 * processed 12 insns (limit 1000000) ...
 * -- END PROG LOAD LOG --
 */
function explain(error: KernelError, log: string): KernelError {
  const end = log.lastIndexOf('-- END PROG LOAD LOG --');
  const program = /prog '([^']+)': (?:BPF program load failed|-- BEGIN PROG LOAD LOG --|failed to )/.exec(log)?.[1];
  const about = program === undefined ? '' : ` at program ${program}`;
  const options = { errno: error.errno, log: log.trimEnd() };
  if (end < 0) {
    const lines = log.trimEnd().split('\n');
    // The last lines only repeat that the object failed; the one that names a program says why.
    const last = lines.find((line) => /prog '[^']+': failed/.test(line)) ?? lines.at(-1) ?? '';
    return new KernelError(
      error.code,
      `${error.message}${about}; libbpf says: ${last.replace(/^libbpf: /, '')}`,
      options,
    );
  }
  const lines = log.slice(0, end).trimEnd().split('\n');
  while (lines.length > 1 && /^(processed|verification time|stack depth|max_states)/.test(lines.at(-1) ?? ''))
    lines.pop();
  return new KernelError('rejected', `${error.message}${about}; the verifier says: ${lines.at(-1)}`, options);
}
