const p = 2n ** 61n - 1n;

/** The path hash from its definition, a second time: bytes spread into one padded buffer, no caching. */
export function slowHash(path: Buffer, name: bigint, pathKey: bigint): bigint {
  let hash = 1n;
  for (const component of path
    .toString('latin1')
    .split('/')
    .filter((part) => part !== ''))
    hash = (hash * pathKey + slowName(Buffer.from(component, 'latin1'), name)) % p;
  return hash;
}

/** The hash of one name, or of an argument. */
export function slowName(bytes: Buffer, name: bigint): bigint {
  const chunks = Math.ceil(bytes.length / 7);
  const padded = Buffer.alloc(chunks * 7 + 1);
  bytes.copy(padded);
  let h = BigInt(bytes.length) + 1n;
  for (let i = 0; i < chunks; i++) h = (h * name + (padded.readBigUInt64LE(i * 7) & 0xff_ffff_ffff_ffffn)) % p;
  return h;
}
