// The way to the others: a signaling client for the PeerPigeon mesh, in one file without dependencies.
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
// failed three times in a row is left alone for 30 s (circuit breaker). Who is on a backup looks every minute
// whether an earlier server is back, since peers meet only on the same server.
//
// Events, each a CustomEvent; what is named here is in its `detail`:
//
//   state              { state, url, retryMs }  'connecting', 'open', 'waiting' (for retryMs), 'stopped',
//                                               'replaced' (the same id has connected elsewhere) or 'refused'
//   peer-discovered    { peerId, … }            with what that peer announced
//   peer-disconnected  { peerId, reason }       its signaling is gone; links to it may live on
//   goodbye            { peerId }               it has left
//   signal             { type, from, data }     'offer', 'answer', 'ice-candidate', …
//   error              { code, message, type }  a message was refused

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
  /** For servers that ask for one. */
  token: undefined,
  backoff: { first: 1_000, most: 30_000 },
  breaker: { failures: 3, rest: 30_000 },
  /** From dialling to the server's first message. */
  dialTimeout: 10_000,
  /** Silence after which the server is asked for a sign of life, and after which it counts as gone. */
  silence: { ping: 30_000, gone: 45_000 },
  /** How often who is on a backup looks for an earlier server. */
  returnInterval: 60_000,
};

/** A random peer id. */
export function newPeerId() {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Between half of `ms` and all of it. */
const spread = (ms) => ms * (0.5 + Math.random() / 2);

/** What fails is told by `close`; but Node's `ws` throws an error that nobody listens to. */
function newSocket(url) {
  const socket = new WebSocket(url);
  socket.onerror = () => {};
  return socket;
}

export class SignalingClient extends EventTarget {
  #options;
  #servers;
  #state = 'stopped';
  /** The socket in use or being dialled, and its server. */
  #socket;
  #server;
  /** Servers that were tried since the last pause, and how many pauses there were. */
  #tried = new Set();
  #pauses = 0;
  #heard = 0;
  #timers = {};

  /** `urls`: one or several, the preferred one first; ws, wss, http or https, or a path of this site. */
  constructor(urls, options = {}) {
    super();
    this.#options = { ...DEFAULTS, ...options };
    this.peerId = this.#options.peerId ?? newPeerId();
    this.#servers = [urls].flat().map((url) => ({ url: this.#address(url), failures: 0, restsUntil: 0 }));
  }

  /** See the event `state`. */
  get state() {
    return this.#state;
  }

  /** Connects, and stays so. */
  start() {
    if (['connecting', 'open', 'waiting'].includes(this.#state)) return;
    globalThis.addEventListener?.('online', this.#hurry);
    this.#dialNext();
  }

  /** Says goodbye and ends. */
  stop() {
    this.#write({ type: 'goodbye' });
    this.#end('stopped');
  }

  /** Sends a signal. False where there is no connection: signals are perishable, so none is kept. */
  send(type, targetPeerId, data) {
    return this.#write({ type, targetPeerId, data });
  }

  /** Tells others something new about this peer. */
  announce(data) {
    this.#options.data = data;
    return this.#write({ type: 'announce', data, maxPeers: this.#options.maxPeers });
  }

  #address(url) {
    const address = new URL(url, globalThis.location?.href);
    address.protocol = address.protocol.replace('http', 'ws');
    address.searchParams.set('peerId', this.peerId);
    if (this.#options.token) address.searchParams.set('token', this.#options.token);
    return address.href;
  }

  #dialNext() {
    const now = Date.now();
    const next = this.#servers.find((server) => !this.#tried.has(server) && server.restsUntil <= now);
    if (next) return this.#dial(next);
    const { first, most } = this.#options.backoff;
    let retryMs = spread(Math.min(most, first * 2 ** this.#pauses));
    // Where all of them rest, it waits for the first that does not.
    const restedMs = Math.min(...this.#servers.map((server) => server.restsUntil)) - now;
    retryMs = Math.max(retryMs, restedMs);
    this.#pauses += 1;
    this.#tried.clear();
    this.#timer('retry', retryMs, () => this.#dialNext());
    this.#become('waiting', { retryMs });
  }

  #dial(server) {
    this.#tried.add(server);
    this.#server = server;
    const socket = newSocket(server.url);
    this.#socket = socket;
    this.#timer('dial', this.#options.dialTimeout, () => this.#lost(socket));
    this.#listen(socket);
    this.#become('connecting');
  }

  #listen(socket) {
    socket.onopen = () => this.announce(this.#options.data);
    socket.onmessage = ({ data }) => socket === this.#socket && this.#hear(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
  }

  #hear(message) {
    this.#heard = Date.now();
    const { type, fromPeerId: from, data } = message;
    if (type === 'connected') this.#open();
    else if (type === 'error') this.#emit('error', { ...data });
    else if (type === 'goodbye') this.#emit(type, { peerId: from });
    else if (type === 'peer-discovered' || type === 'peer-disconnected') this.#emit(type, { ...data });
    else if (type !== 'pong') this.#emit('signal', { type, from, data });
  }

  #open() {
    this.#clear('dial', 'retry');
    this.#server.failures = 0;
    this.#pauses = 0;
    this.#tried.clear();
    this.#become('open');
    this.#watch();
    if (this.#server !== this.#servers[0]) this.#lookBack();
  }

  /** Asks for a sign of life after some silence. Only who was asked can be gone: this page may have slept itself. */
  #watch(wasAsked = false) {
    const { ping, gone } = this.#options.silence;
    const silent = Date.now() - this.#heard;
    if (silent < ping) return this.#timer('watch', ping - silent, () => this.#watch());
    if (wasAsked) return this.#lost(this.#socket);
    this.#write({ type: 'ping' });
    this.#timer('watch', gone - ping, () => this.#watch(true));
  }

  /** Moves to an earlier server as soon as there is one. */
  #lookBack() {
    this.#timer('back', spread(this.#options.returnInterval), () => {
      const earlier = this.#servers.slice(0, this.#servers.indexOf(this.#server));
      let pending = earlier.length;
      for (const server of earlier) {
        const probe = newSocket(server.url);
        const timeout = setTimeout(() => probe.close(), this.#options.dialTimeout);
        probe.onclose = () => {
          clearTimeout(timeout);
          pending -= 1;
          if (pending === 0 && this.#state === 'open') this.#lookBack();
        };
        probe.onmessage = () => {
          clearTimeout(timeout);
          if (this.#state !== 'open' || this.#servers.indexOf(this.#server) <= this.#servers.indexOf(server)) {
            return probe.close();
          }
          this.#release();
          this.#socket = probe;
          this.#server = server;
          this.#heard = Date.now();
          this.#listen(probe);
          this.announce(this.#options.data);
          this.#open();
        };
      }
    });
  }

  #lost(socket, code, reason) {
    if (socket !== this.#socket) return;
    this.#release();
    if (code === 4001) return this.#end('replaced');
    if (code === 1008 && reason.startsWith('Invalid peerId')) return this.#end('refused');
    const wasOpen = this.#state === 'open';
    if (wasOpen) {
      // The server has just worked: it gets a moment before others are tried, else a blink would part the peers.
      this.#tried = new Set(this.#servers);
    } else {
      const { failures, rest } = this.#options.breaker;
      this.#server.failures += 1;
      if (this.#server.failures >= failures) this.#server.restsUntil = Date.now() + spread(rest);
    }
    this.#dialNext();
  }

  #hurry = () => {
    if (this.#state !== 'waiting') return;
    for (const server of this.#servers) server.restsUntil = 0;
    this.#dialNext();
  };

  #end(state) {
    globalThis.removeEventListener?.('online', this.#hurry);
    this.#release();
    this.#become(state);
  }

  /** Lets go of the socket and of everything that waits. */
  #release() {
    this.#clear(...Object.keys(this.#timers));
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #write(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ ...message, networkName: this.#options.network }));
    return true;
  }

  #become(state, detail) {
    this.#state = state;
    this.#emit('state', { state, url: this.#server?.url, ...detail });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #timer(name, ms, action) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(action, ms);
  }

  #clear(...names) {
    for (const name of names) clearTimeout(this.#timers[name]);
  }
}
