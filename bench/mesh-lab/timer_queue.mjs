// Timers in the order in which they are due, and of those due at once in the order in which they were set: a binary heap.

export class TimerQueue {
  #heap = [];

  get first() {
    return this.#heap[0];
  }

  /** A timer has `due` and `order`. */
  push(timer) {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!isBefore(timer, heap[up])) break;
      heap[at] = heap[up];
      at = up;
    }
    heap[at] = timer;
  }

  /** Takes the first one out. */
  pop() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!heap.length) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1], heap[down])) down += 1;
      if (!isBefore(heap[down], last)) break;
      heap[at] = heap[down];
      at = down;
    }
    heap[at] = last;
    return first;
  }
}

const isBefore = (a, b) => a.due < b.due || (a.due === b.due && a.order < b.order);
