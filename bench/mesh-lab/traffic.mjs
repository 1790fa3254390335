// What goes over the wire between pages and server, and what it says of the dialling.

/** Until then an offer waits for its answer. */
const UNANSWERED_MS = 20_000;
const SOON_MS = 6_000;
const LATER_MS = 30_000;

export class Traffic {
  #clock;
  #record;
  #pages;
  /** When an offer came to the server, by the ids of both peers. */
  #offersAtServer = new Map();

  /** `pages`: of all times, by peer id. `announced(page)`: is called for each announcement. */
  constructor({ clock, record, pages, announced }) {
    this.#clock = clock;
    this.#record = record;
    this.#pages = pages;
    this.announced = announced;
  }

  /** A page sends. */
  said(page, text) {
    const message = JSON.parse(text);
    this.#count('up', message.type, text);
    if (message.type === 'announce') this.#announce(page);
    if (message.type === 'connection-rejected') this.#record.add(`rejected: ${message.data?.reason}`);
    if (message.type === 'offer') this.#dial(page, message.targetPeerId);
  }

  /** What a page sent comes to the server. */
  reached(page, text) {
    const { type, targetPeerId } = JSON.parse(text);
    if (type === 'offer') this.#offersAtServer.set(page.id + targetPeerId, this.#clock.now());
  }

  /** What the server sent comes to a page. */
  heard(page, text) {
    const message = JSON.parse(text);
    const { type, fromPeerId } = message;
    this.#count('down', type, text);
    if (type === 'peer-discovered' && page.mesh?.peerDiscovery) this.#introduced(page, message.data.peerId);
    if (type === 'offer') this.#relayed(fromPeerId + page.id);
    if (['answer', 'connection-rejected', 'goodbye'].includes(type) && page.openOffers.delete(fromPeerId)) {
      this.#record.add(`offer ended: ${type === 'connection-rejected' ? message.data?.reason : type}`);
    }
  }

  /** A socket was closed, and its page did not want that. */
  closed(page, code) {
    if (!page.isLeaving) this.#record.add(`socket closed: ${code}`);
  }

  /** Gives up on answers that do not come. */
  expire(page) {
    for (const [target, at] of page.openOffers) {
      if (this.#clock.now() - at <= UNANSWERED_MS) continue;
      page.openOffers.delete(target);
      this.#record.add('offer ended: no answer');
    }
  }

  #count(way, type, text) {
    this.#record.add(way);
    this.#record.add(`${way} ${type}`);
    this.#record.add(`${way} bytes`, text.length);
  }

  #announce(page) {
    this.#record.add(page.announcedAt === null ? 'joins' : 'announced again');
    page.announcedAt ??= this.#clock.now();
    this.announced(page);
  }

  #relayed(ids) {
    const { since, relays } = this.#record;
    if (since !== null && this.#offersAtServer.has(ids)) relays.push(this.#clock.now() - this.#offersAtServer.get(ids));
  }

  #introduced(page, id) {
    const isAgain = page.told.has(id);
    const isListed = page.mesh.peerDiscovery.hasPeer(id);
    this.#record.add(`told ${isAgain ? 'again' : 'first'}: ${isListed ? 'ignored' : 'heard'}`);
    if (isAgain && isListed && page.mesh.connectionManager.hasPeer(id)) {
      this.#record.add('told again: ignored, linked or linking');
    }
    page.told.add(id);
  }

  #dial(page, target) {
    const count = (name) => this.#record.add(name);
    const now = this.#clock.now();
    const past = page.dialled.get(target);
    count('offers');
    count(`offers: ${ordinal((past?.count ?? 0) + 1)}`);
    if (past) {
      count('offers: again');
      count(`offers: again ${waited(now - past.at)}`);
    }
    if (page.id < target) count('offers: by the smaller id');
    if (!page.linkCount) count('offers: by a page without links');
    count(`offers: to ${whereabouts(this.#pages.get(target))}`);
    page.dialled.set(target, { count: (past?.count ?? 0) + 1, at: now });
    if (page.openOffers.has(target)) count('offer ended: no answer');
    page.openOffers.set(target, now);
  }
}

function ordinal(count) {
  if (count <= 2) return ['1st', '2nd'][count - 1];
  return count <= 5 ? '3rd to 5th' : count <= 10 ? '6th to 10th' : '11th and more';
}

function waited(ms) {
  return ms < SOON_MS ? 'within 6 s' : ms < LATER_MS ? 'within 30 s' : 'later';
}

function whereabouts(page) {
  if (!page) return 'nobody';
  if (!page.isLeaving) return 'somebody who is there';
  return page.saysGoodbye ? 'somebody who said goodbye' : 'somebody who vanished';
}
