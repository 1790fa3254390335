// Virtual time: setTimeout, setInterval, Date.now and performance.now of this process, and, by virtual_clock.c, of the
// server. It goes forward by steps, as fast as the machine allows. Within a step everything that is due happens in the
// order in which it is due, each in a task of its own and at exactly its moment; between two steps the server has its
// turn, and takes no time. So a busy machine makes a run longer, and changes nothing else.

import { currentPage, runAs } from './page.mjs';
import { TimerQueue } from './timer_queue.mjs';

/** The process's own, for what has to wait for the server or the kernel. */
export const real = {
  now: performance.now.bind(performance),
  setImmediate: globalThis.setImmediate,
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
};

/** When virtual time begins: the same for library and server, and in every run. */
export const EPOCH_MS = Date.UTC(2026, 0, 1);

export class VirtualClock {
  #queue = new TimerQueue();
  #set = 0;
  #now = 0;
  #target = 0;
  #step;
  #exchange;
  #failed;
  #isStopped = false;

  /** How many timers have fired. */
  fired = 0;

  /** `step`: milliseconds between two turns of the server. `exchange(now)`: gives it one, and is over with it. */
  constructor(step, exchange) {
    this.#step = step;
    this.#exchange = exchange;
  }

  /** Milliseconds since the beginning. */
  now = () => this.#now;

  /** Calls `task` in `ms` milliseconds, whatever becomes of the page that is running now. */
  later = (task, ms) => this.#add({ task, page: null, every: 0 }, ms);

  /** Is over in `ms` milliseconds after the beginning. */
  until = (ms) => new Promise((done) => this.later(done, ms - this.#now));

  /** Puts itself in the place of the process's own clock. */
  install() {
    Date.now = () => Math.floor(EPOCH_MS + this.#now);
    performance.now = () => this.#now;
    const add = (task, rest, every, ms) => this.#add({ task: () => task(...rest), page: currentPage(), every }, ms);
    globalThis.setTimeout = (task, ms, ...rest) => add(task, rest, 0, ms);
    globalThis.setInterval = (task, ms, ...rest) => {
      const every = Math.max(1, Number(ms) || 0);
      return add(task, rest, every, every);
    };
    // What was set before the clock was installed is the process's own.
    const clear = (timer) => {
      if (timer instanceof Timer) timer.task = null;
      else real.clearTimeout(timer);
    };
    globalThis.clearTimeout = clear;
    globalThis.clearInterval = clear;
  }

  /** Lets time pass. The promise fails when an exchange does. */
  start() {
    return new Promise((_, failed) => {
      this.#failed = failed;
      this.#nextStep();
    });
  }

  /** Time stands still from now on. */
  stop() {
    this.#isStopped = true;
  }

  #nextStep() {
    this.#target += this.#step;
    this.#nextTask();
  }

  #nextTask() {
    if (this.#isStopped) return;
    const timer = this.#queue.first;
    if (!timer || timer.due > this.#target) {
      this.#now = this.#target;
      this.#exchange(this.#now).then(() => this.#nextStep(), this.#failed);
      return;
    }
    this.#queue.pop();
    if (timer.task && !timer.page?.isGone) this.#fire(timer);
    // Whatever waits for a promise comes first.
    real.setImmediate(() => this.#nextTask());
  }

  #fire(timer) {
    this.#now = timer.due;
    this.fired += 1;
    const { task, page, every } = timer;
    if (every) this.#enqueue(timer, timer.due + every);
    if (page) runAs(page, task);
    else task();
  }

  #add(fields, ms) {
    const timer = Object.assign(new Timer(), fields);
    this.#enqueue(timer, this.#now + Math.max(0, Number(ms) || 0));
    return timer;
  }

  #enqueue(timer, due) {
    timer.due = timer.page ? timer.page.wakeUp(due) : due;
    timer.order = this.#set;
    this.#set += 1;
    this.#queue.push(timer);
  }
}

/** What `setTimeout` gives, as far as the library uses Node's. */
class Timer {
  ref() {
    return this;
  }

  unref() {
    return this;
  }
}
