import type { FieldPath } from './field.ts';

/** Bounds of one policy object; a policy of 20,000 rules with every field set stays inside. */
export const objectLimits = { depth: 32, values: 1_000_000 } as const;

/** The object is nested too deep, holds too many values, or holds something that is not data; the message says what is allowed. */
export class ObjectRefused extends Error {
  readonly path: FieldPath;

  constructor(path: FieldPath, message: string) {
    super(message);
    this.path = path;
  }
}

/**
 * Copies data that came from outside, leaving out keys whose value is null: Kubernetes treats them as absent.
 * Shared parts (YAML aliases) are copied each time and counted each time. Throws ObjectRefused.
 */
export function copyPlain(value: unknown): unknown {
  let values = 0;
  const path: (string | number)[] = [];
  function copyAt(part: string | number, from: unknown): unknown {
    path.push(part);
    const to = copy(from);
    path.pop();
    return to;
  }
  function copy(from: unknown): unknown {
    if (++values > objectLimits.values)
      throw new ObjectRefused([...path], `an object with at most ${objectLimits.values} values`);
    if (path.length > objectLimits.depth)
      throw new ObjectRefused([...path], `an object nested at most ${objectLimits.depth} deep`);
    if (Array.isArray(from)) return from.map((item, i) => copyAt(i, item));
    if (typeof from !== 'object' || from === null) return from;
    const prototype = Object.getPrototypeOf(from);
    if (prototype !== Object.prototype && prototype !== null)
      throw new ObjectRefused([...path], 'maps, lists, strings, numbers and booleans');
    const to: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(from)) {
      if (item === null || item === undefined) continue;
      // Not an assignment: a key named __proto__ must stay a key.
      Object.defineProperty(to, key, {
        value: copyAt(key, item),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return to;
  }
  return copy(value);
}
