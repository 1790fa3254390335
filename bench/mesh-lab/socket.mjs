// What the library sees as WebSocket: a real one, that behaves as a browser's and has the latency of a network.

import { createRequire } from 'node:module';
import path from 'node:path';

import { real } from './clock.mjs';
import { currentPage, runAs } from './page.mjs';

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

/** All sockets of the process, and their meetings with the server. */
export class Network {
  #server;
  #latency;
  #clock;
  /** What came from the server in this exchange. */
  #arrivals = [];
  /** What pages do at the server's end in this step, by page. */
  #departures = new Map();
  /** Sockets whose request has not been sent yet. */
  #dialing = new Set();
  #open = new Set();

  /** `latency`: milliseconds each way. `traffic`: is told of what goes over the wire. `packages`: where `ws` is. */
  constructor({ server, clock, latency, traffic, packages }) {
    this.#server = server;
    this.#clock = clock;
    this.#latency = latency;
    this.traffic = traffic;
    this.Inner = createRequire(path.resolve(packages, 'index.js'))('ws').WebSocket;
  }

  /** The class for `globalThis.WebSocket`. */
  socketClass() {
    const network = this;
    return class extends PageSocket {
      constructor(url) {
        super(network, currentPage(), url);
      }
    };
  }

  /**
   * The server's turn, at `now`: until everything that was sent to it has come, it has done all that there is to do, and
   * everything from it has come.
   */
  async exchange(now) {
    // One page after the other: when several sockets are readable at once, the kernel may show them in any order.
    for (const tasks of this.#departures.values()) {
      for (const task of tasks) task();
      await this.#settle(now);
    }
    if (!this.#departures.size) await this.#settle(now);
    this.#departures.clear();
    const arrivals = this.#arrivals.splice(0).sort((a, b) => a.page.number - b.page.number);
    for (const { page, task } of arrivals) {
      this.#clock.later(() => {
        if (!page.isGone) runAs(page, task);
      }, this.#latency);
    }
  }

  async #settle(now) {
    let count;
    do {
      count = this.#arrivals.length;
      await this.#server.turn(now);
      // What the server wrote is read before this.
      await new Promise((done) => real.setImmediate(done));
      // The kernel ends the connections of a server that is gone; all of them have to be seen.
    } while (this.#arrivals.length > count || this.#dialing.size || (!this.#server.isRunning && this.#open.size));
  }

  dials(socket) {
    this.#dialing.add(socket);
  }

  hasDialed(socket) {
    this.#dialing.delete(socket);
  }

  isOpen(socket) {
    this.#open.add(socket);
  }

  isClosed(socket) {
    this.#dialing.delete(socket);
    this.#open.delete(socket);
  }

  /** `task` happens to `page` when what came just now has come through the network. */
  arrives(page, task) {
    this.#arrivals.push({ page, task });
  }

  /** `task` happens at the server's end when what `page` does just now has come there; `come` is called at that moment. */
  departs(page, task, come) {
    const depart = () => {
      come?.();
      const tasks = this.#departures.get(page);
      if (tasks) tasks.push(task);
      else this.#departures.set(page, [task]);
    };
    this.#clock.later(depart, this.#latency);
  }
}

class PageSocket {
  static CONNECTING = STATES.CONNECTING;
  static OPEN = STATES.OPEN;
  static CLOSING = STATES.CLOSING;
  static CLOSED = STATES.CLOSED;

  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  readyState = STATES.CONNECTING;
  #network;
  #page;
  #inner;
  #hasFailed = false;

  constructor(network, page, url) {
    this.#network = network;
    this.#page = page;
    page.socket = this;
    network.dials(this);
    this.#inner = new network.Inner(url, { perMessageDeflate: false, finishRequest: (request) => this.#finish(request) });
    const arrives = (task) => network.arrives(page, task);
    this.#inner.on('open', () => {
      network.isOpen(this);
      arrives(() => this.#opened());
    });
    this.#inner.on('message', (data) => arrives(() => this.#heard(data.toString())));
    this.#inner.on('error', () => { this.#hasFailed = true; });
    this.#inner.on('close', (code, reason) => {
      network.isClosed(this);
      arrives(() => this.#closed(code, String(reason)));
    });
  }

  send(text) {
    if (this.readyState === STATES.CONNECTING) throw new Error('InvalidStateError: still connecting');
    if (this.readyState !== STATES.OPEN) return;
    this.#network.traffic.said(this.#page, text);
    const send = () => {
      if (this.#inner.readyState === STATES.OPEN) this.#inner.send(text);
    };
    this.#network.departs(this.#page, send, () => this.#network.traffic.reached(this.#page, text));
  }

  close(code, reason) {
    if (this.readyState >= STATES.CLOSING) return;
    this.readyState = STATES.CLOSING;
    this.#network.departs(this.#page, () => this.#inner.close(code, reason));
  }

  /** The connection is lost, at both ends. */
  drop() {
    this.#inner.terminate();
  }

  #finish(request) {
    request.once('socket', (socket) => socket.once('connect', () => this.#network.hasDialed(this)));
    request.end();
  }

  #opened() {
    if (this.readyState !== STATES.CONNECTING) return;
    this.readyState = STATES.OPEN;
    this.onopen?.({});
  }

  #heard(text) {
    if (this.readyState !== STATES.OPEN) return;
    this.#network.traffic.heard(this.#page, text);
    this.onmessage?.({ data: text });
  }

  /** The state changes before both events, which makes some versions of the library count one refusal twice. */
  #closed(code, reason) {
    this.readyState = STATES.CLOSED;
    this.#network.traffic.closed(this.#page, code);
    if (this.#hasFailed) this.onerror?.({});
    this.onclose?.({ code, reason, wasClean: !this.#hasFailed && code !== 1006 });
  }
}
