// @ts-self-types="./client.d.ts"
// A signaling client for the PeerPigeon mesh: one file without dependencies, for browsers, workers, Node and React Native.
//
//   import { SignalingClient } from 'https://signaling.example/client.js';
//
//   const client = new SignalingClient(['wss://signaling.example', 'wss://backup.example']);
//   client.addEventListener('peer-discovered', ({ detail }) => dial(detail.peerId));
//   client.addEventListener('signal', ({ detail: { type, from, data } }) => answer(type, from, data));
//   client.start();
//   client.send('offer', peerId, pc.localDescription);
//
// It stays connected until stop(). A connection that is lost is made again after 1 s, 2 s, 4 s … 30 s, each time
// at a random moment of the second half of that, so that thousands do not come back at once. Servers are tried in
// their order: what cannot be reached through the first is tried through the next one at once. A server that has
// failed three times in a row is left alone for 30 s (circuit breaker). A client on a backup looks every minute
// whether an earlier server is back, since peers meet only on the same server. A page that is frozen or put into the
// back/forward cache says goodbye, and connects again when it is shown.
//
// Events, by addEventListener(type, listener, { once, signal }); what is named here is in their `detail`:
//
//   state              { state, url, retryMs, failure }
//                                               'connecting', 'open', 'waiting' (for retryMs), 'suspended' (as long as
//                                               the page is), 'stopped', 'replaced' (the same id has connected elsewhere)
//                                               or 'refused'; `failure` is { url, reason, code } of the dial or the
//                                               connection that has just failed. No token is ever shown.
//   peer-discovered    { peerId, … }            with what that peer announced
//   peer-disconnected  { peerId, reason }       its signaling is gone; links to it may live on
//   goodbye            { peerId }               it has left
//   signal             { type, from, data }     'offer', 'answer', 'ice-candidate', …
//   error              { code, message, type }  a message was refused

/** Of this module, semantic: see CHANGELOG.md. */
export const version = '1.0.0';

/** How it behaves; each can be given in the second argument of the constructor. Times are milliseconds. */
export const DEFAULTS = {
  /** 40 hex digits; a new one where none is given. */
  peerId: undefined,
  /** Only peers of the same network see each other. */
  network: 'global',
  /** What other peers are told of this one, an object. */
  data: {},
  /** How many peers it wants to know. */
  maxPeers: 10,
  /** For servers that ask for one: a text, or a function of the server's URL that returns one or a promise of one;
   *  it is asked at each dial. */
  token: undefined,
  /** The class to dial with, where there is no global one. */
  WebSocket: undefined,
  backoff: { first: 1_000, most: 30_000 },
  breaker: { failures: 3, rest: 30_000 },
  /** From dialling to the server's first message. */
  dialTimeout: 10_000,
  /** Silence after which the server is asked for a sign of life, and after which it counts as gone. A page that was
   *  asleep asks at once, and waits for `woken`. */
  silence: { ping: 30_000, gone: 45_000, woken: 5_000 },
  /** How often a client on a backup looks for an earlier server. */
  returnInterval: 60_000,
};

/** A random peer id. */
export function newPeerId() {
  if (!globalThis.crypto?.getRandomValues) throw new TypeError('crypto.getRandomValues is missing: give a peerId');
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Starts a timer. Runtimes fire one at once that is longer than they can count. */
const after = (ms, action) => setTimeout(action, Math.min(ms, 2 ** 31 - 1));

/** Milliseconds of a clock that nobody sets, where there is one. */
const now = () => globalThis.performance?.now?.() ?? Date.now();

/** Between half of `ms` and all of it. */
const spread = (ms) => ms * (0.5 + Math.random() / 2);

/** Without what may be secret in a URL: user, password and query. */
const withoutSecrets = (text) => text.replace(/\/\/[^/\s?#]*@/g, '//').replace(/[?#]\S*/g, '');

/** The URL of a server, absolute where this is a page, and for a WebSocket. */
function absolute(url) {
  let text = url;
  try {
    if (!/^[a-z][a-z\d+.-]*:/i.test(url)) text = new URL(url, globalThis.location.href).href;
  } catch {
    // The WebSocket says what is wrong with it.
  }
  return text.replace(/^http/i, 'ws').replace(/\s/g, encodeURIComponent);
}

/** The URL to dial; of parameters that come twice, the server takes the first. Made as text: React Native's URL is read-only. */
function target(url, parameters) {
  const [, base, query] = /^([^?#]*)\??([^#]*)/.exec(absolute(url));
  const given = Object.entries(parameters).filter(([, value]) => value);
  const pairs = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  if (query) pairs.push(query);
  return `${base.replace(/^(wss?:\/\/[^/]+)$/i, '$1/')}?${pairs.join('&')}`;
}

/** The options with the defaults of those that are missing. */
function complete(options) {
  const over = (defaults, given = {}) =>
    Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, given[name] ?? value]));
  const check = (name, value) => {
    if (!(typeof value === 'number' && value >= 0)) throw new TypeError(`${name} is ${value}; a number from 0 is allowed`);
  };
  const all = over(DEFAULTS, options);
  for (const group of ['backoff', 'breaker', 'silence']) {
    all[group] = over(DEFAULTS[group], all[group]);
    for (const [name, value] of Object.entries(all[group])) check(`${group}.${name}`, value);
  }
  for (const name of ['dialTimeout', 'returnInterval']) check(name, all[name]);
  const { ping, gone } = all.silence;
  if (gone <= ping) throw new TypeError(`silence.gone is ${gone}; more than silence.ping, ${ping}, is allowed`);
  return all;
}

/**
 * One connection, from dialling to its end; the differences between runtimes end here. Its owner hears
 * `opened()` at the server's first message, `heard(message)` and once `ended({ reason, code })`; nothing after close().
 */
class Connection {
  #owner;
  #socket;
  #timeout;

  /** Dials a moment later, so that a client that is started and stopped at once never dials. `open` returns what makes the socket. */
  constructor(open, timeoutMs, owner) {
    this.#owner = owner;
    this.#timeout = after(timeoutMs, () => this.#end(`the server has not let us in within ${timeoutMs} ms`));
    this.#dial(open);
  }

  async #dial(open) {
    try {
      const make = await open();
      if (!this.#owner) return;
      const socket = make();
      this.#socket = socket;
      socket.onmessage = ({ data }) => this.#hear(data);
      socket.onclose = ({ code, reason }) => this.#end(reason || `the connection was closed with ${code}`, code);
      // Node 22 tells of a failed dial by this alone. Of a clean close, whose code matters, nobody tells by an error.
      socket.onerror = ({ message }) => this.#end(message || 'the connection failed');
    } catch (error) {
      // A token that cannot be had, or a WebSocket that must not be: mixed content, a policy, a malformed URL.
      this.#end(String(error));
    }
  }

  #hear(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (typeof message?.type !== 'string') return;
    if (message.type !== 'connected') return this.#owner?.heard(message);
    clearTimeout(this.#timeout);
    this.#owner?.opened();
  }

  #end(reason, code) {
    const owner = this.#owner;
    this.close();
    owner?.ended({ reason: withoutSecrets(reason), code });
  }

  /** False where the socket is closing, of which it tells later. */
  send(text) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(text);
    return true;
  }

  close() {
    clearTimeout(this.#timeout);
    const socket = this.#socket;
    this.#owner = this.#socket = undefined;
    socket?.close();
  }
}

export class SignalingClient {
  #options;
  #servers;
  #state = 'stopped';
  /** The server in use or being dialled, and the connection to it. */
  #server;
  #connection;
  /** To an earlier server, while on a backup. */
  #probe;
  /** What the server is told of this peer, as JSON. */
  #announcement;
  /** Servers that were tried since the last pause, and how many pauses there were. */
  #tried = new Set();
  #pauses = 0;
  #timers = {};
  #listeners = new Map();
  #emitted = 0;

  /** `urls`: one or several, the preferred one first; ws, wss, http or https, or a path of this site. */
  constructor(urls, options = {}) {
    this.#options = complete(options);
    this.peerId = this.#options.peerId ?? newPeerId();
    this.announce(this.#options.data);
    this.#servers = [urls].flat().map((url) => ({ url: String(url ?? '').trim(), failures: 0, restsUntil: 0 }));
    if (!this.#servers.length || this.#servers.some(({ url }) => !url)) throw new TypeError('the URL of a server is missing');
  }

  /** See the event `state`. */
  get state() {
    return this.#state;
  }

  /** Connects, and stays so. */
  start() {
    if (this.#isActive) return;
    if (!this.#WebSocket) throw new TypeError('WebSocket is missing: give one in the options');
    this.#followPage('addEventListener');
    this.#pauses = 0;
    this.#dialAnew();
  }

  /** Says goodbye and ends. No event comes after it. */
  stop() {
    if (!this.#isActive && this.#state !== 'suspended') return;
    this.#write(this.#text({ type: 'goodbye' }));
    this.#end('stopped');
  }

  /**
   * Looks at once whether the connection is still there, or dials at once. Pages do so by themselves; call it where
   * a runtime tells otherwise that it was asleep or that the network is back (React Native's AppState).
   */
  wake() {
    if (this.#state === 'waiting' || this.#state === 'suspended') return this.#dialAnew();
    if (this.#state === 'open' && !this.#timers.woken) this.#ask('woken', this.#options.silence.woken);
  }

  /** Sends a signal. False where there is no connection: signals are perishable, so none is kept. */
  send(type, targetPeerId, data) {
    return this.#write(this.#text({ type, targetPeerId, data }));
  }

  /** Tells others something new about this peer. */
  announce(data) {
    this.#announcement = this.#text({ type: 'announce', data, maxPeers: this.#options.maxPeers });
    return this.#write(this.#announcement);
  }

  /** As that of EventTarget, which React Native lacks; the event has `type`, `detail` and `target`. */
  addEventListener(type, listener, options) {
    const ofType = this.#listeners.get(type) ?? new Map();
    if (!listener || options?.signal?.aborted) return;
    this.#listeners.set(type, ofType.set(listener, options?.once));
    options?.signal?.addEventListener('abort', () => this.removeEventListener(type, listener));
  }

  removeEventListener(type, listener) {
    this.#listeners.get(type)?.delete(listener);
  }

  get #isActive() {
    return ['connecting', 'open', 'waiting'].includes(this.#state);
  }

  get #WebSocket() {
    return this.#options.WebSocket ?? globalThis.WebSocket;
  }

  #dialAnew() {
    for (const server of this.#servers) server.restsUntil = 0;
    this.#tried.clear();
    this.#clearTimers('retry');
    this.#dialNext();
  }

  #dialNext(failure) {
    const next = this.#servers.find((server) => !this.#tried.has(server) && this.#restMs(server) === 0);
    if (!next) return this.#pause(failure);
    this.#tried.add(next);
    this.#server = next;
    this.#connection = this.#connect(next);
    this.#become('connecting', { failure });
  }

  /** Where all of them rest, it waits for the first that does not. */
  #pause(failure) {
    const { first, most } = this.#options.backoff;
    const backoffMs = spread(Math.min(most, first * 2 ** Math.min(this.#pauses, 30)));
    // Node's timers can be early by a part of a millisecond.
    const restMs = Math.min(...this.#servers.map((server) => this.#restMs(server))) + 1;
    const retryMs = Math.max(backoffMs, restMs);
    this.#pauses += 1;
    this.#tried.clear();
    this.#timer('retry', retryMs, () => this.#dialNext());
    this.#become('waiting', { retryMs, failure });
  }

  /** How long a server is left alone. More than it was told to rest means that the clock was set back. */
  #restMs(server) {
    const ms = server.restsUntil - now();
    return ms > 0 && ms <= this.#options.breaker.rest ? ms : 0;
  }

  /** Dials `server`; a mere look at it calls `unreachable` when it fails. */
  #connect(server, unreachable) {
    const connection = new Connection(() => this.#prepare(server), this.#options.dialTimeout, {
      opened: () => this.#open(server, connection),
      heard: (message) => connection === this.#connection && this.#hear(message),
      ended: (why) => (connection === this.#connection ? this.#lost(why) : unreachable()),
    });
    return connection;
  }

  /** Asks for the token; then the socket can be made. */
  async #prepare({ url }) {
    const { token } = this.#options;
    const given = typeof token === 'function' ? await token(url) : token;
    if (typeof (given ?? '') !== 'string') throw new TypeError('the token is not a string');
    return () => new this.#WebSocket(target(url, { peerId: this.peerId, token: given }));
  }

  /** A server has let us in: the one that was dialled, or an earlier one that is back. */
  #open(server, connection) {
    if (connection !== this.#connection) {
      this.#probe = undefined;
      this.#release();
      this.#connection = connection;
      this.#server = server;
    }
    server.failures = 0;
    this.#pauses = 0;
    this.#tried.clear();
    this.#state = 'open';
    this.#write(this.#announcement);
    this.#watch();
    this.#lookBack();
    this.#become('open');
  }

  #hear({ type, fromPeerId: from, data }) {
    this.#watch();
    if (type === 'error') this.#emit('error', { ...data });
    else if (type === 'goodbye') this.#emit(type, { peerId: from });
    else if (type === 'peer-discovered' || type === 'peer-disconnected') this.#emit(type, { ...data });
    else if (type !== 'pong') this.#emit('signal', { type, from, data });
  }

  /** Asks for a sign of life after some silence. Timers tell of it, not clocks, which may be set. */
  #watch() {
    const { ping, gone } = this.#options.silence;
    this.#clearTimers('gone', 'woken');
    this.#timer('ping', ping, () => this.#ask('gone', gone - ping));
  }

  /** Only who was asked can be gone: this page may have slept itself. */
  #ask(name, ms) {
    this.#write(this.#text({ type: 'ping' }));
    this.#timer(name, ms, () => this.#lost({ reason: 'the server does not answer any more' }));
  }

  /** Moves to an earlier server as soon as there is one. */
  #lookBack() {
    const earlier = this.#servers.slice(0, this.#servers.indexOf(this.#server));
    const probe = ([server, ...rest]) => {
      this.#probe = undefined;
      if (!server) return this.#lookBack();
      this.#probe = this.#connect(server, () => probe(rest));
    };
    if (earlier.length) this.#timer('back', spread(this.#options.returnInterval), () => probe(earlier));
  }

  #lost({ reason, code }) {
    const failure = { url: this.#url, reason, code };
    // Where the earlier server is the same as this one, it is our own probe that replaces us.
    const isReplaced = code === 4001 && !this.#probe;
    const wasOpen = this.#state === 'open';
    this.#release();
    if (isReplaced) return this.#end('replaced', failure);
    if (code === 1008 && reason.startsWith('Invalid peerId')) return this.#end('refused', failure);
    if (wasOpen) {
      // The server has just worked: it gets a moment before others are tried, else a blink would part the peers.
      this.#tried = new Set(this.#servers);
    } else {
      const { failures, rest } = this.#options.breaker;
      this.#server.failures += 1;
      if (this.#server.failures >= failures) this.#server.restsUntil = now() + spread(rest);
    }
    this.#dialNext(failure);
  }

  /** A page that cannot answer is no peer: it is introduced to nobody until it is shown again. */
  #suspend = () => {
    if (!this.#isActive) return;
    this.#write(this.#text({ type: 'goodbye' }));
    this.#release();
    this.#become('suspended');
  };

  #wakePage = ({ type }) => {
    if (type !== 'visibilitychange' || document.visibilityState === 'visible') this.wake();
  };

  /** Adds the listeners to what pages and workers tell of their life, or removes them. */
  #followPage(change) {
    const { document } = globalThis;
    for (const type of ['online', 'pageshow']) globalThis[change]?.(type, this.#wakePage);
    for (const type of ['resume', 'visibilitychange']) document?.[change]?.(type, this.#wakePage);
    globalThis[change]?.('pagehide', this.#suspend);
    document?.[change]?.('freeze', this.#suspend);
  }

  #end(state, failure) {
    this.#followPage('removeEventListener');
    this.#release();
    this.#become(state, { failure });
  }

  /** Lets go of the connections and of everything that waits. */
  #release() {
    this.#clearTimers(...Object.keys(this.#timers));
    this.#connection?.close();
    this.#probe?.close();
    this.#connection = this.#probe = undefined;
  }

  /** `message` as JSON; what cannot be written so throws here, where the app sees it. */
  #text(message) {
    return JSON.stringify({ ...message, networkName: this.#options.network });
  }

  #write(text) {
    return this.#state === 'open' && this.#connection.send(text);
  }

  get #url() {
    return this.#server && withoutSecrets(absolute(this.#server.url));
  }

  /** Tells of a state; what calls it does nothing after it, since a listener may have started or stopped this. */
  #become(state, detail) {
    this.#state = state;
    this.#emit('state', { state, url: this.#url, ...detail });
  }

  /** Tells all listeners, whatever one of them throws. What one of them causes overtakes the rest: it is newer. */
  #emit(type, detail) {
    const emitted = (this.#emitted += 1);
    const ofType = this.#listeners.get(type);
    for (const [listener, once] of [...(ofType ?? [])]) {
      if (emitted !== this.#emitted) return;
      if (!ofType.has(listener)) continue;
      if (once) ofType.delete(listener);
      try {
        const event = { type, detail, target: this };
        if (typeof listener === 'function') listener.call(this, event);
        else listener.handleEvent(event);
      } catch (error) {
        setTimeout(() => {
          throw error;
        });
      }
    }
  }

  /** Starts a timer anew. */
  #timer(name, ms, action) {
    this.#clearTimers(name);
    this.#timers[name] = after(ms, () => {
      delete this.#timers[name];
      action();
    });
  }

  #clearTimers(...names) {
    for (const name of names) {
      clearTimeout(this.#timers[name]);
      delete this.#timers[name];
    }
  }
}
