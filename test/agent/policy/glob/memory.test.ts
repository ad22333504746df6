import { describe, expect, it } from 'vitest';
import { Budget } from '../../../../agent/policy/glob/bounds.ts';
import { chainOf, type Tail, tailOf } from '../../../../agent/policy/glob/chain.ts';
import { AutomatonMemory } from '../../../../agent/policy/glob/memory.ts';
import { tokensOf } from '../../../../agent/policy/glob/token.ts';

const tails = (...patterns: string[]): Tail[] =>
  patterns.map((pattern) => tailOf(chainOf(tokensOf(pattern)), Buffer.from('/')) ?? expect.unreachable());

describe('AutomatonMemory', () => {
  it('gives the automaton that was made before, at the same price', () => {
    const memory = new AutomatonMemory(1 << 20);
    const [first, second] = [new Budget(), new Budget()];
    const made = memory.make(tails('/a*', '/*b'), [0, 1], first);
    expect(memory.make(tails('/a*', '/*b'), [0, 1], second)).toBe(made);
    expect(second.left).toBe(first.left);
    expect(first.left).toBeLessThan(new Budget().left);
    expect(memory.make(tails('/a*', '/*b'), [0, 0], new Budget()).accepts).toEqual([[], [0]]);
    expect(memory.make(tails('/a*', '/*c'), [0, 1], new Budget())).not.toBe(made);
  });

  it('makes it in bits where the budget does not reach, remembered or not', () => {
    const memory = new AutomatonMemory(1 << 20);
    const poor = () => memory.make(tails('/a*b*c'), [0], new Budget(10));
    expect(poor().form).toBe('bits');
    expect(memory.make(tails('/a*b*c'), [0], new Budget()).form).toBe('table');
    expect(poor().form).toBe('bits');
    expect(memory.make(tails('/a*b*c'), [0], new Budget()).form).toBe('table');
  });

  it('forgets what was not asked for longest when it is full', () => {
    const memory = new AutomatonMemory(2000);
    const budget = new Budget();
    const made = memory.make(tails('/first*'), [0], budget);
    for (let i = 0; i < 20; i++) {
      memory.make(tails(`/other${i}*`), [0], budget);
      expect(memory.make(tails('/first*'), [0], budget)).toBe(made);
      expect(memory.bytes).toBeLessThanOrEqual(2000);
    }
    for (let i = 0; i < 20; i++) memory.make(tails(`/other${i}*`), [0], budget);
    expect(memory.make(tails('/first*'), [0], budget)).not.toBe(made);
  });
});
