import type { AnyValue, KeyValue } from '../otlp/attribute.ts';

/** Attributes under construction. What is empty or unknown is left out; a number is written even when it is 0. */
export class AttributeList {
  readonly pairs: KeyValue[] = [];

  text(key: string, value: string | undefined): void {
    if (value !== undefined && value !== '') this.pairs.push({ key, value: { kind: 'string', value } });
  }

  int(key: string, value: number | undefined): void {
    if (value !== undefined) this.pairs.push({ key, value: { kind: 'int', value } });
  }

  bool(key: string, value: boolean | undefined): void {
    if (value !== undefined) this.pairs.push({ key, value: { kind: 'bool', value } });
  }

  texts(key: string, values: readonly string[] | undefined): void {
    if (values === undefined || values.length === 0) return;
    this.pairs.push({ key, value: { kind: 'array', value: values.map((value) => ({ kind: 'string', value })) } });
  }

  /** Values with their counts, as a list of maps. */
  tally(key: string, tally: readonly { Value: string; Count: number }[] | undefined): void {
    if (tally === undefined || tally.length === 0) return;
    const value = tally.map(({ Value, Count }): AnyValue => {
      const entry = new AttributeList();
      entry.text('value', Value);
      entry.int('count', Count);
      return { kind: 'map', value: entry.pairs };
    });
    this.pairs.push({ key, value: { kind: 'array', value } });
  }
}

/** Attributes that were received. A value of another kind than asked for, and an empty text, count as absent. */
export class AttributeMap {
  readonly #values = new Map<string, AnyValue>();

  constructor(pairs: readonly KeyValue[]) {
    for (const { key, value } of pairs) this.#values.set(key, value);
  }

  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  text(key: string): string | undefined {
    const any = this.#values.get(key);
    return any?.kind === 'string' && any.value !== '' ? any.value : undefined;
  }

  /** The text even when it is empty. */
  anyText(key: string): string | undefined {
    const any = this.#values.get(key);
    return any?.kind === 'string' ? any.value : undefined;
  }

  /** A whole number from 0 up that JavaScript holds exactly. */
  count(key: string): number | undefined {
    const any = this.#values.get(key);
    return any?.kind === 'int' && typeof any.value === 'number' && any.value >= 0 ? any.value : undefined;
  }

  bool(key: string): boolean | undefined {
    const any = this.#values.get(key);
    return any?.kind === 'bool' ? any.value : undefined;
  }

  texts(key: string): string[] | undefined {
    const any = this.#values.get(key);
    if (any?.kind !== 'array') return undefined;
    const texts = any.value.flatMap((entry) => (entry.kind === 'string' && entry.value !== '' ? [entry.value] : []));
    return texts.length === 0 ? undefined : texts;
  }

  tally(key: string): { Value: string; Count: number }[] | undefined {
    const any = this.#values.get(key);
    if (any?.kind !== 'array') return undefined;
    const tally = any.value.flatMap((entry) => {
      if (entry.kind !== 'map') return [];
      const map = new AttributeMap(entry.value);
      const Value = map.text('value');
      const Count = map.count('count');
      return Value === undefined || Count === undefined ? [] : [{ Value, Count }];
    });
    return tally.length === 0 ? undefined : tally;
  }
}
