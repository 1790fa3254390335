// One page with the library in it: a client that came, will leave, and has links.

import { AsyncLocalStorage } from 'node:async_hooks';

/** Whose code runs now: all pages share one process. */
const running = new AsyncLocalStorage();

/** The page whose code is running, or null: the laboratory's own. */
export const currentPage = () => running.getStore() ?? null;

/** Runs `task` as code of `page`. */
export const runAs = (page, task) => running.run(page, task);

const ASLEEP_MS = 60_000;

export class Page {
  /** The library's object. */
  mesh = null;
  /** The WebSocket that it opened last. */
  socket = null;
  /** Its ends of links, and of attempts. */
  ends = new Set();
  /** Whom it was told of. */
  told = new Set();
  /** Whom it has dialled: how often, and when last. */
  dialled = new Map();
  /** When it dialled those who have not answered yet. */
  openOffers = new Map();
  /** When it announced itself first. */
  announcedAt = null;
  /** Milliseconds from there to its first link. */
  firstLink = null;
  /** It is about to go: what ends from now on ends because of that. */
  isLeaving = false;
  /** It said goodbye; otherwise it vanishes. */
  saysGoodbye = false;
  /** Nothing of it runs any more. */
  isGone = false;

  /** `kind`: what it was drawn to be, see crowd.mjs. `phase`: when it wakes up, if it is asleep, from 0 to 1. */
  constructor(number, id, kind, phase) {
    this.number = number;
    this.id = id;
    this.kind = kind;
    this.phase = phase * ASLEEP_MS;
  }

  /**
   * When a timer that is due at `due` fires. In a background tab, Chromium aligns timers to whole minutes; whatever comes
   * from the network runs at once. See README.md on what it does otherwise.
   */
  wakeUp(due) {
    if (!this.kind.isAsleep) return due;
    return Math.ceil((due - this.phase) / ASLEEP_MS) * ASLEEP_MS + this.phase;
  }

  /** Frees what only a page that is there needs. */
  forget() {
    this.mesh = null;
    this.told.clear();
    this.dialled.clear();
    this.openOffers.clear();
  }

  /** Those to whom there is a link that both ends hold. */
  *linked() {
    for (const end of this.ends) {
      const other = end.isUp ? end.partner() : null;
      if (!other || other.page.isLeaving || other.page === this) continue;
      if (holds(end, other) && holds(other, end)) yield other.page;
    }
  }

  get linkCount() {
    return [...this.linked()].length;
  }
}

/** The library may have replaced or forgotten a connection that is still up. */
function holds(end, other) {
  const connection = end.page.mesh?.connectionManager.peers.get(other.page.id)?.connection;
  return connection === end && end.connectionState === 'connected';
}
