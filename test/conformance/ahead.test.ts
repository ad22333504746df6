import { describe, expect, test } from 'vitest';
import { openAhead } from './ahead.ts';

/** Tells what was opened, used and closed, in order. */
function scene(alone: number[] = [], broken: number[] = []) {
  const events: string[] = [];
  const open = async (item: number) => {
    events.push(`open ${item}`);
    if (broken.includes(item)) throw new Error(`${item} is broken`);
    return {
      async [Symbol.asyncDispose]() {
        events.push(`close ${item}`);
      },
    };
  };
  const begin = (items: number[]) => openAhead(items, open, (item) => alone.includes(item));
  return { events, begin };
}

describe('openAhead()', () => {
  test('opens the next item while one is used, and no further', async () => {
    const { events, begin } = scene();
    for await (const { item, opened } of begin([1, 2, 3])) {
      await using _ = await opened;
      events.push(`use ${item}`);
    }
    expect(events).toEqual(['open 1', 'open 2', 'use 1', 'close 1', 'open 3', 'use 2', 'close 2', 'use 3', 'close 3']);
  });

  test('opens nothing beside an item that is alone', async () => {
    const { events, begin } = scene([2]);
    for await (const { item, opened } of begin([1, 2, 3])) {
      await using _ = await opened;
      events.push(`use ${item}`);
    }
    expect(events).toEqual(['open 1', 'use 1', 'close 1', 'open 2', 'use 2', 'close 2', 'open 3', 'use 3', 'close 3']);
  });

  test('closes what nobody took when the loop is left', async () => {
    const { events, begin } = scene();
    for await (const { opened } of begin([1, 2, 3])) {
      await using _ = await opened;
      break;
    }
    expect(events).toEqual(['open 1', 'open 2', 'close 1', 'close 2']);
  });

  test('tells the one whose item could not be opened, and goes on', async () => {
    const { begin } = scene([], [2]);
    const told: (string | undefined)[] = [];
    for await (const { opened } of begin([1, 2, 3])) {
      told.push(
        await opened.then(
          () => undefined,
          (error: Error) => error.message,
        ),
      );
    }
    expect(told).toEqual([undefined, '2 is broken', undefined]);
  });

  test('has nothing to do without items', async () => {
    for await (const prepared of scene().begin([])) expect.fail(JSON.stringify(prepared));
  });
});
