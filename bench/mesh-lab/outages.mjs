// The server ends as by a crash, and a new one takes its place; what becomes of the pages and their links.

/** Links that are cut so long after the end of a server count as its work. */
const AFTERMATH_MS = 120_000;

export class Outages {
  #clock;
  #server;
  #crowd;
  #record;
  #current = null;
  #all = [];

  /** Is over when no server is just being ended or started: time has to wait for that. */
  pending = Promise.resolve();

  constructor({ clock, server, crowd, record }) {
    this.#clock = clock;
    this.#server = server;
    this.#crowd = crowd;
    this.#record = record;
  }

  /** Ends the server at each `at` seconds after `since`, for `away` seconds. */
  schedule(list, since) {
    for (const { at, away } of list) {
      const wait = since + at * 1000 - this.#clock.now();
      this.#clock.later(() => this.#begin(at, away), wait);
      this.#clock.later(() => this.#end(), wait + away * 1000);
    }
  }

  /** A page has announced itself. */
  announced(page) {
    if (this.#current && this.#current.start !== null) this.#settle(page);
  }

  /** A page has left, and needs not come back. */
  left(page) {
    if (this.#current) this.#settle(page);
  }

  /** One line for each outage. */
  results() {
    return this.#all.map(({ at, away, end, start, pages, waiting, back }) => {
      const cutWithin = (from) => this.#record.cuts.filter((cut) => cut.at >= from && cut.at < from + AFTERMATH_MS).length;
      return {
        at,
        away,
        pages,
        // Seconds from the start of the new server until the last of them had announced itself again.
        back: back === null ? null : (back - start) / 1000,
        notBack: waiting.size,
        cutBefore: cutWithin(end - AFTERMATH_MS),
        cutAfter: cutWithin(end),
      };
    });
  }

  #begin(at, away) {
    const waiting = new Set(this.#crowd.pages.filter((page) => page.announcedAt !== null));
    this.#current = { at, away, end: this.#clock.now(), start: null, pages: waiting.size, waiting, back: null };
    this.#all.push(this.#current);
    this.pending = this.#server.kill();
  }

  #end() {
    this.#current.start = this.#clock.now();
    this.pending = this.#server.start();
  }

  #settle(page) {
    const { waiting } = this.#current;
    if (waiting.delete(page) && !waiting.size) this.#current.back = this.#clock.now();
  }
}
