// What was counted in a run.

const PROBLEM_CHARACTERS = 400;

export class Record {
  /** By name. */
  counts = {};
  /** Milliseconds from a page's announcement to its first link, by the label of its kind. */
  firstLinks = new Map();
  /** Of each link that was cut while both ends stayed: when, and how old it was. */
  cuts = [];
  /** Milliseconds from an offer's arrival at the server to its arrival at the other page. */
  relays = [];
  /** What the library threw: how often, and one example. */
  problems = {};
  /** When the warm-up was over: what was counted before is forgotten. */
  since = null;

  begin(now) {
    this.since = now;
    this.counts = {};
  }

  add(name, count = 1) {
    this.counts[name] = (this.counts[name] ?? 0) + count;
  }

  problem(kind, error) {
    this.problems[kind] ??= { count: 0, example: String(error?.stack ?? error).slice(0, PROBLEM_CHARACTERS) };
    this.problems[kind].count += 1;
  }

  /** A page has its first link. Only those count that came after the warm-up. */
  firstLink(page) {
    if (!this.isMeasured(page)) return;
    const label = page.kind.label;
    if (!this.firstLinks.has(label)) this.firstLinks.set(label, []);
    this.firstLinks.get(label).push(page.firstLink);
  }

  /** Whether it came after the warm-up. */
  isMeasured(page) {
    return this.since !== null && page.announcedAt !== null && page.announcedAt >= this.since;
  }
}
