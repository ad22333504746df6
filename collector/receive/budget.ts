/**
 * Bytes that all calls together may hold at a time. Full means refuse, not wait: a waiting call would keep its bytes,
 * and the sender has them on its disk anyway.
 */
export class ByteBudget {
  readonly limit: number;
  #used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** What one call takes; disposing gives everything back. */
  open(): BudgetShare {
    let held = 0;
    return {
      take: (bytes) => {
        if (this.#used + bytes > this.limit) return false;
        this.#used += bytes;
        held += bytes;
        return true;
      },
      [Symbol.dispose]: () => {
        this.#used -= held;
        held = 0;
      },
    };
  }
}

export interface BudgetShare extends Disposable {
  /** False when the budget has no room for that many bytes more; nothing is taken then. */
  take(bytes: number): boolean;
}
