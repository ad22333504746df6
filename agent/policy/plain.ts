/** Bounds of one policy object; a policy of 20,000 rules with every field set stays inside. */
export const objectLimits = { depth: 32, values: 1_000_000 } as const;

/** The object is nested too deep, holds too many values, or holds something that is not data. */
export class ObjectRefused extends Error {}

/**
 * Copies data that came from outside, leaving out keys whose value is null: Kubernetes treats them as absent.
 * Shared parts (YAML aliases) are copied each time and counted each time. Throws ObjectRefused.
 */
export function copyPlain(value: unknown): unknown {
  let values = 0;
  function copy(from: unknown, depth: number): unknown {
    if (++values > objectLimits.values) throw new ObjectRefused(`an object with at most ${objectLimits.values} values`);
    if (depth > objectLimits.depth) throw new ObjectRefused(`an object nested at most ${objectLimits.depth} deep`);
    if (Array.isArray(from)) return from.map((item) => copy(item, depth + 1));
    if (typeof from !== 'object' || from === null) return from;
    const prototype = Object.getPrototypeOf(from);
    if (prototype !== Object.prototype && prototype !== null)
      throw new ObjectRefused('maps, lists, strings, numbers and booleans');
    const to: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(from)) {
      if (item === null || item === undefined) continue;
      // Not an assignment: a key named __proto__ must stay a key.
      Object.defineProperty(to, key, {
        value: copy(item, depth + 1),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return to;
  }
  return copy(value, 0);
}
