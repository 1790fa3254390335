// Pages that come and go: there are always as many. Each stays for a time that is drawn, and is replaced when it leaves.

import { Page, runAs } from './page.mjs';
import { SETTLED_MS } from './looks.mjs';
import { exponential, generator, weighted } from './random.mjs';

/** The first ones come within this time. */
const OPENING_MS = 60_000;
const SHORTEST_LIFE_MS = 1_000;
const HOUR_MS = 3_600_000;
/** How often an app that wants to be linked to everybody dials, as PigeonWorld does. */
const DIAL_ALL_MS = 2_000;

export class Crowd {
  #here = new Set();
  #came = 0;

  /** By peer id, of all times. */
  pagesById = new Map();

  /** `options`: of the run. `clients`: what makes a mesh, by version. `left(page)`: is called when one has left. */
  constructor({ options, clients, clock, record, server, left }) {
    Object.assign(this, { options, clients, clock, record, server, left });
  }

  /** Those that are there. */
  get pages() {
    return [...this.#here];
  }

  open() {
    const random = generator(this.options.seed, 'opening');
    for (let i = 0; i < this.options.peers; i++) this.clock.later(() => this.#join(), random() * OPENING_MS);
  }

  /** There is a link between two connections. */
  linked = (a, b) => {
    this.record.add('links made');
    for (const end of [a, b]) {
      end.linkedAt = this.clock.now();
      const { page } = end;
      if (page.firstLink !== null) continue;
      page.firstLink = this.clock.now() - page.announcedAt;
      this.record.firstLink(page);
    }
  };

  /** The link between two connections has ended. */
  unlinked = (a, b) => {
    const isCut = !a.page.isLeaving && !b.page.isLeaving;
    this.record.add(isCut ? 'links ended: cut' : 'links ended: one left');
    const now = this.clock.now();
    if (isCut) this.record.cuts.push({ at: now, age: now - a.linkedAt });
  };

  /** How many have been there for a while without ever having had a link. */
  get neverLinked() {
    return this.pages.filter((page) => this.#neverHadALink(page)).length;
  }

  // ---- comings and goings

  #join() {
    const number = this.#came;
    this.#came += 1;
    // What a page draws depends on its number only: with one seed every server meets the same pages.
    const random = generator(this.options.seed, 'page', number);
    const page = new Page(number, idFrom(random), this.#kind(random), random());
    const life = Math.max(SHORTEST_LIFE_MS, exponential(random, this.options.life * 1000));
    page.saysGoodbye = random() < 0.5;
    this.#here.add(page);
    this.pagesById.set(page.id, page);
    runAs(page, () => this.#start(page)).catch((error) => {
      // Without a server that is to be expected, and the library tries again.
      if (this.server.isRunning) this.record.problem('join', error);
    });
    this.clock.later(() => this.#leave(page), life);
    if (this.options.drops) this.#dropAtTimes(page, generator(this.options.seed, 'drops', number));
  }

  /** What a page is drawn to be: its version of the library, how many links it takes, and its habits. */
  #kind(random) {
    const { options } = this;
    const version = weighted(random, options.client);
    const links = weighted(random, options.links);
    const isDialer = random() < options.dialers;
    const isAsleep = random() < options.asleep;
    const habits = `${isDialer ? ', dialer' : ''}${isAsleep ? ', asleep' : ''}`;
    return { version, links, isDialer, isAsleep, label: `${version}, ${links} links${habits}` };
  }

  async #start(page) {
    const { version, links, isDialer } = page.kind;
    const mesh = this.clients.get(version)(links, { peerId: page.id, ...this.options.mesh });
    page.mesh = mesh;
    mesh.addEventListener('peerDisconnected', ({ reason }) => {
      if (page.isLeaving) return;
      this.record.add(/^evicted/.test(reason) ? 'evictions' : `lost: ${reason}`);
    });
    mesh.addEventListener('peerEvicted', () => this.record.add('evicted and told so'));
    await mesh.init();
    if (isDialer) setInterval(() => this.#dialAll(mesh), DIAL_ALL_MS);
    await mesh.connect(this.server.url);
  }

  #dialAll(mesh) {
    for (const { peerId, isConnected } of mesh.getDiscoveredPeers()) {
      if (isConnected) continue;
      this.record.add('dials by an app');
      mesh.connectToPeer(peerId).catch((error) => this.record.problem('dial by an app', error));
    }
  }

  /** Its connection to the server is lost now and then. */
  #dropAtTimes(page, random) {
    const drop = () => {
      if (page.isGone) return;
      if (page.socket?.readyState === WebSocket.OPEN) {
        this.record.add('sockets dropped');
        page.socket.drop();
      }
      this.#dropAtTimes(page, random);
    };
    this.clock.later(drop, exponential(random, HOUR_MS / this.options.drops));
  }

  #leave(page) {
    this.record.add(page.saysGoodbye ? 'left: goodbye' : 'left: vanished');
    if (this.#neverHadALink(page)) this.record.add('left without ever a link');
    this.#here.delete(page);
    page.isLeaving = true;
    if (page.saysGoodbye) {
      try {
        runAs(page, () => page.mesh.disconnect());
      } catch (error) {
        this.record.problem('disconnect', error);
      }
    } else {
      for (const end of [...page.ends]) end.vanish();
      page.socket?.drop();
    }
    page.isGone = true;
    for (const end of [...page.ends]) end.close();
    page.forget();
    this.left(page);
    this.#join();
  }

  #neverHadALink(page) {
    return page.firstLink === null && this.record.isMeasured(page) && this.clock.now() - page.announcedAt > SETTLED_MS;
  }
}

/** A peer id: 40 hexadecimal digits. */
function idFrom(random) {
  const byte = () => Math.floor(random() * 256).toString(16).padStart(2, '0');
  return Array.from({ length: 20 }, byte).join('');
}
