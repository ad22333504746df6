/** Bits of mmap(2)'s argument `prot`, the same on all architectures (include/uapi/asm-generic/mman-common.h). */
export const protectionFlags: readonly FlagName[] = [
  [0x1n, 'PROT_READ'],
  [0x2n, 'PROT_WRITE'],
  [0x4n, 'PROT_EXEC'],
  [0x8n, 'PROT_SEM'],
  [0x01000000n, 'PROT_GROWSDOWN'],
  [0x02000000n, 'PROT_GROWSUP'],
];

/** Bits of its argument `flags` on x86-64 and arm64 (include/uapi/asm-generic/mman.h). */
export const mapFlags: readonly FlagName[] = [
  [0x1n, 'MAP_SHARED'],
  [0x2n, 'MAP_PRIVATE'],
  [0x10n, 'MAP_FIXED'],
  [0x20n, 'MAP_ANONYMOUS'],
  [0x40n, 'MAP_32BIT'],
  [0x100n, 'MAP_GROWSDOWN'],
  [0x800n, 'MAP_DENYWRITE'],
  [0x1000n, 'MAP_EXECUTABLE'],
  [0x2000n, 'MAP_LOCKED'],
  [0x4000n, 'MAP_NORESERVE'],
  [0x8000n, 'MAP_POPULATE'],
  [0x10000n, 'MAP_NONBLOCK'],
  [0x20000n, 'MAP_STACK'],
  [0x40000n, 'MAP_HUGETLB'],
  [0x80000n, 'MAP_SYNC'],
  [0x100000n, 'MAP_FIXED_NOREPLACE'],
];

export type FlagName = readonly [bit: bigint, name: string];

/** Names of the bits that are set, joined by `|`; what has no name in hexadecimal. `0` for none. */
export function flagNames(bits: bigint, names: readonly FlagName[]): string {
  const set = names.filter(([bit]) => bits & bit);
  const rest = set.reduce((left, [bit]) => left & ~bit, bits);
  const words = set.map(([, name]) => name);
  if (rest !== 0n) words.push(`0x${rest.toString(16)}`);
  return words.join('|') || '0';
}
