/** Pod labels as the alert has them, `k=v` sorted by key and joined by commas, taken apart by key. */
export function parseLabels(labels: string): Map<string, string> {
  const parsed = new Map<string, string>();
  for (const label of labels.split(',')) {
    const at = label.indexOf('=');
    if (at > 0) parsed.set(label.slice(0, at), label.slice(at + 1));
  }
  return parsed;
}

/** The other way round. */
export function joinLabels(labels: ReadonlyMap<string, string>): string {
  return [...labels.keys()]
    .sort()
    .map((key) => `${key}=${labels.get(key)}`)
    .join(',');
}

/** An image reference as declared: name, tag and digest. Put together again they are the reference, whatever it was. */
export interface Image {
  name: string;
  tag?: string;
  digest?: string;
}

export function parseImage(image: string): Image {
  // A colon before the last slash belongs to the registry's port.
  const match = /^([^@]*?[^/:@])(?::([^/:@]+))?(?:@([^@]+))?$/s.exec(image);
  if (match === null) return { name: image };
  const [, name, tag, digest] = match;
  return {
    name: name as string,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

export function joinImage({ name, tag, digest }: Image): string {
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}
