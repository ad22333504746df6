import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from '../../../../agent/policy/glob/arena.ts';
import type { Automaton } from '../../../../agent/policy/glob/automaton.ts';
import { groupGlobs } from '../../../../agent/policy/glob/group.ts';
import { propertySeed } from '../seed.ts';

function automaton(...patterns: string[]): Automaton {
  const [group] = groupGlobs(patterns.map((pattern, id) => ({ pattern, id })));
  if (group === undefined) throw new Error('the patterns match nothing');
  return group.automaton;
}
const at = (memory: Buffer, place: number, { bytes }: Automaton) => memory.subarray(place, place + bytes.length);

describe('Arena', () => {
  it('places equal automata once, wherever their patterns stand', () => {
    const memory = Buffer.alloc(8192);
    const arena = new Arena(memory);
    const first = arena.place(automaton('/a/*.x'));
    expect(first).toBeGreaterThan(0);
    expect(arena.place(automaton('/b/*.x'))).toBe(first);
    const other = arena.place(automaton('/b/*.y'));
    expect(other).not.toBe(first);
    expect(at(memory, first, automaton('/a/*.x'))).toEqual(automaton('/a/*.x').bytes);
    expect(at(memory, other, automaton('/b/*.y'))).toEqual(automaton('/b/*.y').bytes);
  });

  it('leaves an automaton where it is until its last user is gone and the caller says that nobody reads it', () => {
    const memory = Buffer.alloc(2048);
    const arena = new Arena(memory);
    const made = automaton('/a/*.x');
    const place = arena.place(made);
    arena.place(made);
    arena.release(place);
    arena.collect();
    expect(at(memory, place, made)).toEqual(made.bytes);
    arena.release(place);
    expect(at(memory, place, made)).toEqual(made.bytes);
    expect(arena.place(made)).toBe(place); // taken again before it was collected
    arena.release(place);
    arena.collect();
    expect(arena.used).toBe(0);
    expect(() => arena.release(place)).toThrow(`no automaton is in use at ${place}`);
  });

  it('says how full it is when there is no room, and keeps what it has', () => {
    const memory = Buffer.alloc(960);
    const arena = new Arena(memory);
    const places = [automaton('/a/*.x'), automaton('/a/*.y')].map((made) => arena.place(made));
    const before = Buffer.from(memory);
    expect(() => arena.place(automaton('/a/*.z'))).toThrow(
      /^an automaton of \d+ bytes does not fit into the arena for patterns: \d+ of 960 bytes are in use$/,
    );
    expect(memory).toEqual(before);
    arena.release(places[0] as number);
    arena.collect();
    expect(arena.place(automaton('/a/*.z'))).toBe(places[0]);
  });

  it('takes over what an earlier agent left, at the same places', () => {
    const memory = Buffer.alloc(16384);
    const former = new Arena(memory);
    const made = ['x', 'y', 'z', 'long*name', '**/[a-z]'].map((end) => automaton(`/a/*.${end}`));
    const places = made.map((one) => former.place(one));
    former.release(places[1] as number);
    former.collect();
    const arena = new Arena(memory);
    expect(arena.used).toBe(former.used);
    const kept = [0, 2, 3, 4];
    expect(kept.map((i) => arena.place(made[i] as Automaton))).toEqual(kept.map((i) => places[i]));
    arena.release(places[4] as number);
    arena.collect();
    expect(new Arena(memory).used).toBe(arena.used);
  });

  it('never gives two automata a common byte, and finds all of them again after any number of changes', () => {
    const made = Array.from({ length: 12 }, (_, i) => automaton(`/a/${'ab'.repeat(i)}*${'x'.repeat(i * i)}`));
    const step = fc.record({
      which: fc.nat(made.length - 1),
      what: fc.constantFrom('place', 'place', 'release', 'collect'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const memory = Buffer.alloc(6144);
        let arena = new Arena(memory);
        const users = new Map<number, number[]>();
        for (const { which, what } of steps) {
          const held = users.get(which) ?? [];
          if (what === 'release') {
            const place = held.pop();
            if (place !== undefined) arena.release(place);
          } else if (what === 'collect') arena.collect();
          else
            try {
              held.push(arena.place(made[which] as Automaton));
            } catch (error) {
              expect(String(error)).toContain('does not fit');
            }
          users.set(which, held);
          for (const [i, places] of users)
            for (const place of places) expect(at(memory, place, made[i] as Automaton)).toEqual(made[i]?.bytes);
        }
        arena = new Arena(memory);
        for (const [i, places] of users)
          if (places[0] !== undefined) expect(arena.place(made[i] as Automaton)).toBe(places[0]);
      }),
      { numRuns: 300, seed: propertySeed('arena') },
    );
  });
});
