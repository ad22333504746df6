/** One of several things to do, with what was opened for it. */
export interface Prepared<Item, Opened> {
  item: Item;
  opened: Promise<Opened>;
}

/**
 * Opens what each item needs while the one before it is still being worked on, one item ahead. Not beside an item that is
 * to be `alone`. Whoever takes an item disposes of what was opened for it; what nobody took is disposed of here.
 */
export async function* openAhead<Item, Opened extends AsyncDisposable>(
  items: readonly Item[],
  open: (item: Item) => Promise<Opened>,
  alone: (item: Item) => boolean,
): AsyncGenerator<Prepared<Item, Opened>> {
  let ahead: Promise<Opened> | undefined;
  const begin = (item: Item): Promise<Opened> => {
    const opened = open(item);
    opened.catch(() => {}); // whoever takes it is told
    return opened;
  };
  try {
    for (const [i, item] of items.entries()) {
      const opened = ahead ?? begin(item);
      const next = items[i + 1];
      ahead = next !== undefined && !alone(item) && !alone(next) ? begin(next) : undefined;
      yield { item, opened };
    }
  } finally {
    const left = await ahead?.catch(() => undefined);
    await left?.[Symbol.asyncDispose]();
  }
}
