import { parseBtf } from './btf.ts';
import { Constants } from './constants.ts';
import { KernelError } from './error.ts';
import type { KernelHooks } from './hook.ts';
import { addressOf, call, copyMemory, type Handle } from './libbpf.ts';
import { Link } from './link.ts';
import { withLog } from './log.ts';
import { BpfMap, createMap, type MapShape } from './map.ts';

export interface ProgramInfo {
  name: string;
  /** ELF section, such as `lsm/file_open`: it tells type and hook. */
  section: string;
  autoload: boolean;
  autoattach: boolean;
}

/**
 * A BPF object: opened, adjusted, loaded into the kernel, attached; closing takes the programs out again in reverse order.
 *
 * ```ts
 * using object = openObject(readFileSync('bpf/picket.bpf.o'), 'picket');
 * object.setAutoload('picket_lsm_open', backend === 'lsm');
 * object.constants.set('picket_hash_r1', r1);
 * object.load();
 * object.attachAll();
 * ```
 *
 * @throws KernelError from every method; `closed` after close
 */
export class BpfObject implements Disposable {
  readonly name: string;
  /** The `const volatile` globals: to be set before `load`, read-only for everyone afterwards. */
  readonly constants: Constants;
  #object: Handle | undefined;
  #loaded = false;
  readonly #programs = new Map<string, Handle>();
  readonly #mapHandles = new Map<string, Handle>();
  readonly #maps = new Map<string, BpfMap>();
  readonly #innerShapes = new Map<string, MapShape>();
  readonly #links: Link[] = [];

  constructor(file: Uint8Array, name: string) {
    this.name = name;
    // struct bpf_object_open_opts, its first two fields: size, object_name. Kernel names of .rodata and the like begin with it.
    const text = Buffer.from(`${name}\0`);
    const options = new BigUint64Array([16n, addressOf(text)]);
    const object = withLog(() =>
      call('bpf_object__open_mem', `opening BPF object ${name}`, file, file.byteLength, new Uint8Array(options.buffer)),
    );
    this.#object = object;
    const doing = `listing BPF object ${name}`;
    for (let at: Handle | null = null; ; ) {
      at = call('bpf_object__next_program', doing, object, at);
      if (at === null) break;
      this.#programs.set(call('bpf_program__name', doing, at), at);
    }
    for (let at: Handle | null = null; ; ) {
      at = call('bpf_object__next_map', doing, object, at);
      if (at === null) break;
      const map = call('bpf_map__name', doing, at);
      this.#mapHandles.set(map, at);
      const inner = call('bpf_map__inner_map', doing, at); // libbpf forgets it when the outer map is made
      if (inner !== null) this.#innerShapes.set(map, readShape(map, inner));
    }
    this.constants = new Constants(this.#readBtf(object), (write) => this.#writeConstants(write));
  }

  get programs(): ProgramInfo[] {
    return [...this.#programs.keys()].map((name) => {
      const program = this.#program(name);
      const doing = `describing program ${name}`;
      return {
        name,
        section: call('bpf_program__section_name', doing, program),
        autoload: call('bpf_program__autoload', doing, program),
        autoattach: call('bpf_program__autoattach', doing, program),
      };
    });
  }

  get maps(): MapShape[] {
    return [...this.#mapHandles.keys()].map((name) => this.#shape(name));
  }

  /** Whether `load` loads the program. Programs of hooks that this kernel lacks must be left out: one refusal fails them all. */
  setAutoload(program: string, load: boolean): void {
    this.#beforeLoad(`choosing program ${program}`);
    call('bpf_program__set_autoload', `choosing program ${program}`, this.#program(program), load);
  }

  /** Leaves out the programs whose hook this kernel does not have, and returns their names. */
  leaveOutUnknown(hooks: KernelHooks): string[] {
    const unknown = this.programs.filter((program) => !hooks.has(program.section)).map((program) => program.name);
    for (const program of unknown) this.setAutoload(program, false);
    return unknown;
  }

  /** Whether `attachAll` attaches the program. */
  setAutoattach(program: string, attach: boolean): void {
    call('bpf_program__set_autoattach', `choosing program ${program}`, this.#program(program), attach);
  }

  setMaxEntries(map: string, maxEntries: number): void {
    this.#beforeLoad(`sizing map ${map}`);
    call('bpf_map__set_max_entries', `sizing map ${map}`, this.#mapHandle(map), maxEntries);
  }

  /** Takes a map that is in the kernel already, of the same shape, in place of a new one. */
  reuseMap(map: string, pinned: BpfMap): void {
    this.#beforeLoad(`taking over map ${map}`);
    call('bpf_map__reuse_fd', `taking over map ${map}`, this.#mapHandle(map), pinned.fd);
  }

  /** Has a tracing program loaded for another function of the kernel than its section names. */
  setTarget(program: string, target: string): void {
    this.#beforeLoad(`giving program ${program} a target`);
    call('bpf_program__set_attach_target', `giving program ${program} a target`, this.#program(program), 0, target);
  }

  /** The instructions of a program as they were loaded: the same can be loaded again for another target. */
  instructions(program: string): Uint8Array {
    const doing = `reading program ${program}`;
    const handle = this.#program(program);
    return copyMemory(call('bpf_program__insns', doing, handle), call('bpf_program__insn_cnt', doing, handle) * 8);
  }

  /** Gives a map of maps the shape of its inner maps, where the object's source does not tell it. */
  setInnerMap(map: string, shape: BpfMap): void {
    this.#beforeLoad(`shaping map ${map}`);
    call('bpf_map__set_inner_map_fd', `shaping map ${map}`, this.#mapHandle(map), shape.fd);
  }

  /** Whether `load` makes the map; one that this kernel does not know can be left out with the programs that use it. */
  setAutocreate(map: string, create: boolean): void {
    this.#beforeLoad(`choosing map ${map}`);
    call('bpf_map__set_autocreate', `choosing map ${map}`, this.#mapHandle(map), create);
  }

  /**
   * Makes the maps and has the verifier check every chosen program.
   *
   * @returns milliseconds it took
   * @throws KernelError `rejected` with the verifier's last lines
   */
  load(): number {
    this.#beforeLoad('loading');
    const started = performance.now();
    withLog(() => call('bpf_object__load', `loading BPF object ${this.name}`, this.#open()));
    this.#loaded = true;
    return performance.now() - started;
  }

  /**
   * Attaches one loaded program to the hook that its section names, programs of cgroups to the cgroup with this path. Closing
   * the link, or the object, takes it off again.
   */
  attach(program: string, cgroup?: string): Link {
    const link = this.#link(program, cgroup);
    this.#links.push(link);
    return link;
  }

  /** Attaches every program that was loaded and not excepted by `setAutoattach`, in the order of the object. */
  attachAll(): Link[] {
    return this.programs.filter((p) => p.autoload && p.autoattach).map((p) => this.attach(p.name));
  }

  /** The file descriptor of a loaded program. */
  programFd(program: string): number {
    return call('bpf_program__fd', `finding program ${program}`, this.#program(program));
  }

  /** A map by its name in the source. It belongs to the object and closes with it. */
  map(name: string): BpfMap {
    this.#open();
    if (!this.#loaded) throw new KernelError('failed', `map ${name} is used before the object is loaded`);
    let map = this.#maps.get(name);
    if (map === undefined) {
      const fd = call('bpf_map__fd', `finding map ${name}`, this.#mapHandle(name));
      map = new BpfMap(fd, this.#shape(name), false);
      this.#maps.set(name, map);
    }
    return map;
  }

  /** A new inner map for a map of maps, shaped as the object's source says, with room for `maxEntries`. The caller closes it. */
  createInner(outer: string, maxEntries: number): BpfMap {
    const shape = this.#innerShapes.get(outer);
    if (shape === undefined)
      throw new KernelError('bad-object', `map ${outer} is no map of maps with a shape of its own`);
    return createMap({ ...shape, maxEntries });
  }

  /** Runs an iterator program (`iter/…`) over everything it iterates, and returns what it wrote. */
  iterate(program: string): Buffer {
    using link = this.#link(program);
    return link.iterate();
  }

  /** Links first, in the reverse order of their making, then maps, then the object; the rest is closed even when one fails. */
  [Symbol.dispose](): void {
    const object = this.#object;
    if (object === undefined) return;
    using stack = new DisposableStack();
    stack.defer(() => call('bpf_object__close', `closing BPF object ${this.name}`, object));
    for (const map of this.#maps.values()) stack.use(map);
    for (const link of this.#links) stack.use(link);
    this.#object = undefined;
  }

  #open(): Handle {
    if (this.#object === undefined)
      throw new KernelError('closed', `BPF object ${this.name} was used after it was closed`);
    return this.#object;
  }

  #link(program: string, cgroup?: string): Link {
    if (!this.#loaded) throw new KernelError('failed', `attaching program ${program}: the object is not loaded`);
    return withLog(() => new Link(program, this.#program(program), cgroup));
  }

  #beforeLoad(tried: string): void {
    this.#open();
    if (this.#loaded) throw new KernelError('failed', `${tried}: BPF object ${this.name} is already loaded`);
  }

  #program(name: string): Handle {
    this.#open(); // libbpf frees the programs with the object
    return found(this.#programs, 'program', name);
  }

  #mapHandle(name: string): Handle {
    this.#open();
    return found(this.#mapHandles, 'map', name);
  }

  #shape(name: string): MapShape {
    return readShape(name, this.#mapHandle(name));
  }

  /** libbpf fills in the offsets of globals while opening; in the ELF file itself they are still zero. */
  #readBtf(object: Handle) {
    const size = new Uint32Array(1);
    const btf = call('bpf_object__btf', `reading the types of ${this.name}`, object);
    const data = call('btf__raw_data', `reading the types of ${this.name}`, btf, new Uint8Array(size.buffer));
    return parseBtf(copyMemory(data, size[0] ?? 0));
  }

  #writeConstants(write: (bytes: Uint8Array) => void): void {
    this.#beforeLoad('setting a constant');
    const name = [...this.#mapHandles.keys()].find((map) => map.endsWith('.rodata'));
    const map = found(this.#mapHandles, 'map', name ?? '.rodata');
    const size = new BigUint64Array(1);
    const value = call('bpf_map__initial_value', 'reading constants', map, new Uint8Array(size.buffer));
    const bytes = copyMemory(value, Number(size[0]));
    write(bytes);
    call('bpf_map__set_initial_value', 'writing constants', map, bytes, bytes.byteLength);
  }
}

/** Opens a BPF object from the bytes of its ELF file; nothing enters the kernel before `load`. */
export function openObject(file: Uint8Array, name: string): BpfObject {
  return new BpfObject(file, name);
}

function readShape(name: string, map: Handle): MapShape {
  const doing = `describing map ${name}`;
  return {
    name,
    type: call('bpf_map__type', doing, map),
    keyBytes: call('bpf_map__key_size', doing, map),
    valueBytes: call('bpf_map__value_size', doing, map),
    maxEntries: call('bpf_map__max_entries', doing, map),
    flags: call('bpf_map__map_flags', doing, map),
  };
}

function found(handles: ReadonlyMap<string, Handle>, kind: string, name: string): Handle {
  const handle = handles.get(name);
  if (handle !== undefined) return handle;
  throw new KernelError(
    'bad-object',
    `the BPF object has no ${kind} ${name}; it has ${[...handles.keys()].join(', ')}`,
  );
}
