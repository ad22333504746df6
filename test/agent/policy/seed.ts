/** Seed of this file's property tests; printed, and repeated with PICKET_SEED=N. */
export function propertySeed(name: string): number {
  const seed = Number(process.env.PICKET_SEED ?? Date.now() % 2 ** 31);
  console.log(`${name}: PICKET_SEED=${seed}`);
  return seed;
}
