const p = 2n ** 61n - 1n;

/** The path hash from its definition, a second time: bytes spread into one padded buffer, no caching. */
export function slowHash(path: Buffer, name: bigint, pathKey: bigint): bigint {
  let hash = 1n;
  for (const component of path
    .toString('latin1')
    .split('/')
    .filter((part) => part !== '')) {
    const chunks = Math.ceil(component.length / 7);
    const padded = Buffer.alloc(chunks * 7 + 1);
    padded.write(component, 'latin1');
    let h = BigInt(component.length) + 1n;
    for (let i = 0; i < chunks; i++) h = (h * name + (padded.readBigUInt64LE(i * 7) & 0xff_ffff_ffff_ffffn)) % p;
    hash = (hash * pathKey + h) % p;
  }
  return hash;
}
