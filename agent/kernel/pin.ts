import { closeSync } from 'node:fs';
import { errno } from './errno.ts';
import { call, callUnless } from './libbpf.ts';
import { BpfMap } from './map.ts';

/** What a descriptor of a kernel object refers to. */
export interface ObjectInfo {
  type: number;
  id: number;
  /** Of a link: its program. */
  programId: number;
}

/** Gives a program, map or link a name in a BPF file system; from then on it lives without any process. */
export function pin(fd: number, path: string): void {
  call('bpf_obj_pin', `pinning ${path}`, fd, path);
}

/** A new descriptor of a pinned object, the caller's to close; undefined: there is no such pin. */
export function openPinned(path: string): number | undefined {
  return callUnless(errno.ENOENT, 'bpf_obj_get', `opening the pin ${path}`, path);
}

/** A pinned map; undefined: there is no such pin. */
export function openPinnedMap(path: string, name: string): BpfMap | undefined {
  const fd = openPinned(path);
  if (fd === undefined) return undefined;
  try {
    // struct bpf_map_info (linux/bpf.h): type, id, key_size, value_size, max_entries, map_flags, ...
    const [type = 0, , keyBytes = 0, valueBytes = 0, maxEntries = 0, flags = 0] = readInfo(fd, name, 24);
    return new BpfMap(fd, { name, type, keyBytes, valueBytes, maxEntries, flags }, true);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Type and id of a program, map or link. */
export function objectInfo(fd: number): ObjectInfo {
  // struct bpf_link_info: type, id, prog_id; struct bpf_map_info and bpf_prog_info begin with type and id as well.
  const [type = 0, id = 0, programId = 0] = readInfo(fd, 'a kernel object', 12);
  return { type, id, programId };
}

/** Whether the kernel still has the object. */
export function isThere(kind: 'prog' | 'map' | 'link', id: number): boolean {
  const fd = callUnless(errno.ENOENT, `bpf_${kind}_get_fd_by_id`, `looking for ${kind} ${id}`, id);
  if (fd === undefined) return false;
  closeSync(fd);
  return true;
}

function readInfo(fd: number, what: string, bytes: number): Uint32Array {
  const info = new Uint32Array(bytes / 4);
  const length = new Uint32Array([bytes]);
  const view = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer);
  call('bpf_obj_get_info_by_fd', `describing ${what}`, fd, view(info), view(length));
  return info;
}
