// Runtimes that the client module may meet, played: time, network, and the life of a page are what a test says they are.

import { readFile } from 'node:fs/promises';
import { setImmediate as settled } from 'node:timers/promises';
import vm from 'node:vm';

const MODULE = new URL('../../server-mio/client/client.js', import.meta.url);
const EXPORTS = '({ version, DEFAULTS, newPeerId, SignalingClient })';

/** How servers behave when they are dialled; `up` is what they do where a test says nothing. */
export const UP = (socket) => socket.opens();
/** As browsers and the package `ws` tell of a dial that failed. */
export const REFUSED = (socket) => {
  socket.tells('error', {});
  socket.closes(1006);
};
/** As Node 22 does. */
export const ONLY_AN_ERROR = (socket) => socket.tells('error', { message: 'Received network error' });
export const MUTE = () => {};

/** One runtime, with a module of its own. Nothing happens in it but by the methods below. */
export class Runtime {
  #now = 0;
  #timers = new Map();
  #timerId = 0;
  /** By how much its timers fire too early: in Node by a part of a millisecond. */
  earlyMs = 0;
  /** What the clock on the wall was changed by. */
  wallOffset = 1_700_000_000_000;
  /** All sockets that were ever made, in order. */
  sockets = [];
  /** By the URL of a server without its query. */
  behaviour = {};
  /** What was thrown where nobody catches it. */
  uncaught = [];

  /** `globals` are added to those that every runtime has; `undefined` takes one away. */
  static async start(globals = {}) {
    const runtime = new Runtime();
    const source = (await readFile(MODULE, 'utf8')).replace(/^export /gm, '');
    const context = vm.createContext({ ...runtime.#globals(), ...globals });
    context.globalThis = context;
    // Every spread time is as long as it can be.
    vm.runInContext('Date.now = wall; Math.random = () => 1 - 2 ** -20', context);
    Object.assign(runtime, vm.runInContext(`${source}\n${EXPORTS}`, context));
    return runtime;
  }

  #globals() {
    const runtime = this;
    return {
      crypto,
      URL,
      EventTarget,
      CustomEvent,
      performance: { now: () => this.#now },
      wall: () => this.wallOffset + this.#now,
      setTimeout: (action, ms = 0) => {
        // As browsers and Node: what is no time, or too long a one, is none at all.
        const due = this.#now + (ms >= 1 && ms < 2 ** 31 ? ms : 1) - this.earlyMs;
        this.#timers.set((this.#timerId += 1), { due, action });
        return this.#timerId;
      },
      clearTimeout: (id) => this.#timers.delete(id),
      WebSocket: class extends FakeSocket {
        constructor(url) {
          super(url, runtime);
        }
      },
    };
  }

  /** A client that keeps the events that it was told, and what was thrown at it. */
  client(urls, options) {
    const client = new this.SignalingClient(urls, options);
    client.events = [];
    for (const type of ['state', 'peer-discovered', 'peer-disconnected', 'goodbye', 'signal', 'error']) {
      client.addEventListener(type, ({ detail }) => client.events.push({ event: type, ...detail }));
    }
    client.states = () => client.events.filter(({ event }) => event === 'state').map(({ state }) => state);
    return client;
  }

  /** A client that was started, when what it did first is done. */
  async started(urls, options) {
    const client = this.client(urls, options);
    client.start();
    await settled();
    return client;
  }

  /** Lets `ms` pass; what is due happens in its order. */
  async pass(ms) {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const [id, next] = [...this.#timers].sort(([, a], [, b]) => a.due - b.due)[0] ?? [];
      if (!next || next.due > end) break;
      this.#timers.delete(id);
      this.#now = Math.max(this.#now, next.due);
      try {
        next.action();
      } catch (error) {
        this.uncaught.push(error);
      }
    }
    this.#now = end;
    await settled();
  }

  /** Those that are neither closing nor closed. */
  get living() {
    return this.sockets.filter(({ readyState }) => readyState < 2);
  }

  get pendingTimers() {
    return this.#timers.size;
  }
}

/** A WebSocket whose other side is the test. */
class FakeSocket {
  static OPEN = 1;
  readyState = 0;
  /** Nothing comes from the other side any more, and nobody says so. */
  isDead = false;
  sent = [];

  constructor(url, runtime) {
    this.url = url;
    this.server = url.replace(/\/?\?.*/, '');
    const behave = runtime.behaviour[this.server] ?? UP;
    this.runtime = runtime;
    if (behave.throws) throw behave.throws(url);
    runtime.sockets.push(this);
    queueMicrotask(() => behave(this));
  }

  /** What the server would read. */
  get types() {
    return this.sent.map(({ type }) => type);
  }

  get query() {
    return new URL(this.url).searchParams;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
    if (this.types.at(-1) === 'ping' && !this.isDead) queueMicrotask(() => this.says({ type: 'pong' }));
  }

  close() {
    this.readyState = Math.max(this.readyState, 2);
  }

  opens() {
    this.readyState = 1;
    this.tells('open', {});
    this.says({ type: 'connected', data: {} });
  }

  says(message) {
    this.tells('message', { data: typeof message === 'string' ? message : JSON.stringify(message) });
  }

  closes(code, reason = '') {
    this.readyState = 3;
    this.tells('close', { code, reason });
  }

  tells(type, event) {
    this[`on${type}`]?.({ type, ...event });
  }
}

/** A constructor of WebSockets that throws, as that of a browser does for mixed content; `text` is made of the URL. */
export function throwing(name, text) {
  const behaviour = () => {};
  behaviour.throws = (url) => new DOMException(text(url), name);
  return behaviour;
}

/** Something that pages have and that tells of their life: `window` or `document`. */
export class Listened {
  listeners = new Set();

  addEventListener = (type, listener) => {
    if (![...this.listeners].some((one) => one.type === type && one.listener === listener)) {
      this.listeners.add({ type, listener });
    }
  };

  removeEventListener = (type, listener) => {
    for (const one of this.listeners) if (one.type === type && one.listener === listener) this.listeners.delete(one);
  };

  async tell(type, event = {}) {
    for (const one of [...this.listeners]) if (one.type === type) one.listener({ type, ...event });
    await settled();
  }
}

/** A runtime that is a page. */
export async function startPage() {
  const [page, document] = [new Listened(), new Listened()];
  document.visibilityState = 'visible';
  const { addEventListener, removeEventListener } = page;
  const runtime = await Runtime.start({ addEventListener, removeEventListener, document });
  return Object.assign(runtime, { page, document, listeners: () => page.listeners.size + document.listeners.size });
}

/** React Native: a URL that can only be read, and none of EventTarget, CustomEvent, `location` and `document`. */
export function startReactNative() {
  class ReadOnlyURL {
    #url;
    constructor(url, base) {
      this.#url = base ? new URL(url, base).href : url;
    }
    get href() {
      return this.#url;
    }
    get protocol() {
      return new URL(this.#url).protocol;
    }
    get searchParams() {
      const refuse = () => {
        throw new Error('URLSearchParams.set is not implemented');
      };
      return { set: refuse, get: refuse };
    }
  }
  return Runtime.start({ URL: ReadOnlyURL, EventTarget: undefined, CustomEvent: undefined });
}
