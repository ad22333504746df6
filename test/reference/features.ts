/** What the generator may use. Everything that the page has is on; what one backend cannot see is switched off for it. */
export interface Features {
  links: boolean;
  mounts: boolean;
  overlay: boolean;
  globs: boolean;
  execname: boolean;
  allowedArgs: boolean;
  fromSource: boolean;
  /** Paths of up to 2,047 components. */
  deep: boolean;
  /** Paths of up to 4,095 bytes. */
  long: boolean;
  /** create, mkdir, unlink, rename, link, chmod, … */
  names: boolean;
  /** Through descriptors. */
  writes: boolean;
  temporary: boolean;
  /** io_uring */
  rings: boolean;
  memoryPrograms: boolean;
  presets: boolean;
  network: boolean;
  capabilities: boolean;
  /** Rules on system calls; they show in alerts alone. */
  syscalls: boolean;
  settings: boolean;
}

export const allFeatures: Features = {
  links: true,
  mounts: true,
  overlay: true,
  globs: true,
  execname: true,
  allowedArgs: true,
  fromSource: true,
  deep: true,
  long: true,
  names: true,
  writes: true,
  temporary: true,
  rings: true,
  memoryPrograms: true,
  presets: true,
  network: true,
  capabilities: true,
  syscalls: true,
  settings: true,
};

/** What the tracepoint backend prevents: opens and programs, both by SIGKILL. */
export const prevented: Features = {
  ...allFeatures,
  ...{ names: false, writes: false, temporary: false, rings: false, network: false, capabilities: false },
};

/** Those named in `list` (`+` or nothing: all) with `-NAME` taken away, as the command line has it. */
export function parseFeatures(list: string, all: Features = allFeatures): Features {
  const features = { ...all };
  for (const word of list.split(',').filter((each) => each !== '')) {
    const name = word.replace(/^-/, '');
    if (!(name in features)) throw new Error(`no such feature: ${name}; there are ${Object.keys(features).join(', ')}`);
    features[name as keyof Features] = !word.startsWith('-');
  }
  return features;
}
