import { closeSync } from 'node:fs';
import { errno } from './errno.ts';
import { KernelError } from './error.ts';
import { call, callUnless } from './libbpf.ts';

/** enum bpf_map_type, as far as Picket uses it. */
export const mapTypes = {
  hash: 1,
  array: 2,
  perCpuHash: 5,
  perCpuArray: 6,
  lruHash: 9,
  arrayOfMaps: 12,
  hashOfMaps: 13,
  ring: 27,
  taskStorage: 29,
} as const;

/** Flags of BPF_MAP_CREATE. */
export const mapFlags = { noPrealloc: 1, mmapable: 1 << 10 } as const;

/** When an update may happen: BPF_ANY, BPF_NOEXIST, BPF_EXIST. */
export const updateModes = { any: 0, create: 1, replace: 2 } as const;
export type UpdateMode = keyof typeof updateModes;

export interface MapShape {
  name: string;
  type: number;
  keyBytes: number;
  valueBytes: number;
  maxEntries: number;
  flags: number;
}

const perCpuTypes: readonly number[] = [mapTypes.perCpuHash, mapTypes.perCpuArray];
const mapOfMapsTypes: readonly number[] = [mapTypes.arrayOfMaps, mapTypes.hashOfMaps];

/**
 * A BPF map in the kernel, keys and values as bytes in the machine's order. Every method checks the sizes: the kernel reads and
 * writes as many bytes as the map says, whatever the buffer has.
 *
 * @throws KernelError from every method: `closed` after close, `failed` for a buffer of the wrong size, else after the errno
 */
export class BpfMap implements Disposable {
  readonly shape: Readonly<MapShape>;
  /** Bytes that a look-up writes: in a per-CPU map one value, rounded up to 8, for each possible CPU. */
  readonly lookupBytes: number;
  readonly #owned: boolean;
  #fd: number;

  /** Takes over the descriptor when `owned`; else its owner (the object) closes it and calls `close` here first. */
  constructor(fd: number, shape: MapShape, owned: boolean) {
    this.#fd = fd;
    this.#owned = owned;
    this.shape = shape;
    this.lookupBytes = perCpuTypes.includes(shape.type)
      ? roundUp8(shape.valueBytes) * possibleCpus()
      : mapOfMapsTypes.includes(shape.type)
        ? 4
        : shape.valueBytes;
  }

  /** The file descriptor, for a ring reader or a map of maps. */
  get fd(): number {
    if (this.#fd < 0) throw new KernelError('closed', `map ${this.shape.name} was used after it was closed`);
    return this.#fd;
  }

  /** The value, or undefined when the map has no such key. In a map of maps: the inner map's id, 4 bytes. */
  lookup(key: Uint8Array): Uint8Array | undefined {
    const value = new Uint8Array(this.lookupBytes);
    return this.lookupInto(key, value) ? value : undefined;
  }

  /** Writes the value into `value`, without allocating; false when the map has no such key. */
  lookupInto(key: Uint8Array, value: Uint8Array): boolean {
    this.#checkKey(key);
    this.#checkSize('value', value, this.lookupBytes);
    return callUnless(errno.ENOENT, 'bpf_map_lookup_elem', this.#tried('look-up'), this.fd, key, value) !== undefined;
  }

  /** Sets the value of a key. With `create` the key must be new, with `replace` it must exist. */
  update(key: Uint8Array, value: Uint8Array, mode: UpdateMode = 'any'): void {
    this.#checkKey(key);
    this.#checkSize('value', value, this.lookupBytes);
    call('bpf_map_update_elem', this.#tried('update'), this.fd, key, value, updateModes[mode]);
  }

  /**
   * Sets `count` elements whose keys and values lie one behind the other; 0.5 µs per element instead of 2 µs.
   *
   * @throws KernelError naming how many elements were written before the failure; those stay
   */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): void {
    if (count === 0) return;
    this.#checkSize('keys', keys, this.shape.keyBytes * count);
    this.#checkSize('values', values, this.lookupBytes * count);
    const done = new Uint32Array([count]);
    try {
      call(
        'bpf_map_update_batch',
        this.#tried('batch update'),
        this.fd,
        keys,
        values,
        new Uint8Array(done.buffer),
        null,
      );
    } catch (cause) {
      if (!(cause instanceof KernelError)) throw cause;
      const message = `${cause.message}, after ${done[0]} of ${count} elements`;
      throw new KernelError(cause.code, message, { errno: cause.errno, cause });
    }
  }

  /** Puts a map into a map of maps; the outer map holds it from then on, also after `inner` is closed here. */
  updateInner(key: Uint8Array, inner: BpfMap): void {
    const fd = new Uint32Array([inner.fd]);
    this.update(key, new Uint8Array(fd.buffer));
  }

  /** Removes a key; false when it was not there. */
  delete(key: Uint8Array): boolean {
    this.#checkKey(key);
    return callUnless(errno.ENOENT, 'bpf_map_delete_elem', this.#tried('delete'), this.fd, key) !== undefined;
  }

  /**
   * The keys at present, each a fresh copy. The element just handed out may be deleted; when others delete meanwhile, the kernel
   * may begin again from the first key, so a key can come twice.
   */
  *keys(): Generator<Uint8Array> {
    let key: Uint8Array | null = null;
    for (;;) {
      const next: Uint8Array = new Uint8Array(this.shape.keyBytes);
      const tried = this.#tried('iteration');
      // The next key is asked for before the caller may delete this one.
      if (callUnless(errno.ENOENT, 'bpf_map_get_next_key', tried, this.fd, key, next) === undefined) break;
      if (key !== null) yield key;
      key = next;
    }
    if (key !== null) yield key;
  }

  /** Keys with their values; elements removed meanwhile are left out. */
  *entries(): Generator<[key: Uint8Array, value: Uint8Array]> {
    for (const key of this.keys()) {
      const value = this.lookup(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /** Per-CPU map: the value's 64-bit words, each added up over all CPUs; undefined when the map has no such key. */
  sumPerCpu(key: Uint8Array): bigint[] | undefined {
    if (!perCpuTypes.includes(this.shape.type) || this.shape.valueBytes % 8 !== 0)
      throw new KernelError('failed', `${this.#tried('sum')}: it is no per-CPU map of 64-bit words`);
    const value = this.lookup(key);
    if (value === undefined) return undefined;
    const words = new BigUint64Array(value.buffer);
    const sums = new Array<bigint>(this.shape.valueBytes / 8).fill(0n);
    words.forEach((word, index) => {
      const at = index % sums.length;
      sums[at] = BigInt.asUintN(64, (sums[at] ?? 0n) + word);
    });
    return sums;
  }

  /** Ends the use of the map from here; harmless when repeated. The kernel keeps it as long as a program or map refers to it. */
  close(): void {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0 && this.#owned) closeSync(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #tried(what: string): string {
    return `${what} in map ${this.shape.name}`;
  }

  #checkKey(key: Uint8Array): void {
    this.#checkSize('key', key, this.shape.keyBytes);
  }

  #checkSize(what: string, bytes: Uint8Array, size: number): void {
    if (bytes.byteLength !== size)
      throw new KernelError(
        'failed',
        `map ${this.shape.name}: ${what} has ${bytes.byteLength} bytes, ${size} are needed`,
      );
  }
}

/**
 * Makes a map of its own, such as the inner map of a map of maps.
 *
 * `flags`: `mapFlags`. `types`: loaded BTF and the numbers of key and value in it, which local storage asks for. The name is cut to the 15 characters that the kernel keeps.
 */
export function createMap(shape: MapShape, types?: { fd: number; key: number; value: number }): BpfMap {
  // struct bpf_map_create_opts of libbpf 1.1: size u64, three BTF ids, btf_vmlinux id, inner_map_fd, map_flags, map_extra u64, ...
  const options = new DataView(new ArrayBuffer(48));
  options.setBigUint64(0, 48n, true);
  options.setUint32(28, shape.flags, true);
  if (types !== undefined) {
    options.setUint32(8, types.fd, true);
    options.setUint32(12, types.key, true);
    options.setUint32(16, types.value, true);
  }
  const fd = call(
    'bpf_map_create',
    `creating map ${shape.name}`,
    shape.type,
    shape.name.slice(0, 15),
    shape.keyBytes,
    shape.valueBytes,
    shape.maxEntries,
    new Uint8Array(options.buffer),
  );
  return new BpfMap(fd, shape, true);
}

let cpus: number | undefined;

/** CPUs that may ever come online; a per-CPU value has one part for each. */
export function possibleCpus(): number {
  cpus ??= call('libbpf_num_possible_cpus', 'counting the CPUs');
  return cpus;
}

export function roundUp8(bytes: number): number {
  return (bytes + 7) & ~7;
}
