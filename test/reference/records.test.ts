import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kinds, operations, ways } from './records.ts';

const source = readFileSync(join(import.meta.dirname, 'exerciser.c'), 'utf8');

/** Names of an enum of exerciser.c with their numbers. */
function enumOf(name: string): Record<string, number> {
  const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(source)?.[1] ?? '';
  const numbers: Record<string, number> = {};
  let next = 0;
  for (const [, word = '', value] of body.replace(/\/\*.*?\*\//g, '').matchAll(/(\w+)(?: = (\d+))?/g)) {
    numbers[word] = value === undefined ? next : Number(value);
    next = (numbers[word] as number) + 1;
  }
  return numbers;
}

const other: Record<string, string> = { link: 'SYMBOLIC' };
it.for([
  ['operation', operations, {}],
  ['kind', kinds, other],
  ['way', ways, {}],
] as const)('exerciser.c has the same numbers for each %s', ([name, numbers, renamed]) => {
  const upper = (word: string) =>
    (renamed as Record<string, string>)[word] ?? word.replace(/[A-Z]/g, '_$&').toUpperCase();
  expect(enumOf(name)).toEqual(
    Object.fromEntries(Object.entries(numbers).map(([word, number]) => [upper(word), number])),
  );
});
