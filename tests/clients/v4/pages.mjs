// The built page of PeerPigeon V4 in Chromium, one profile for each: a page keeps its former id in its storage.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { Browser } from '../browser.mjs';
import { until } from '../server.mjs';

const KINDS = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** A Chromium, and a little web server with the page. */
export class Pages {
  #browser;
  #site;
  #origin;
  #open = [];

  /** `folder`: the built page. */
  static async launch(folder) {
    const pages = new Pages();
    pages.#site = createServer(async (request, response) => {
      const { pathname } = new URL(request.url, 'http://localhost');
      const name = join(folder, normalize(pathname === '/' ? '/index.html' : pathname));
      const content = await readFile(name).catch(() => null);
      response.writeHead(content ? 200 : 404, { 'content-type': KINDS[extname(name)] ?? 'application/octet-stream' });
      response.end(content ?? '');
    }).listen(0, '127.0.0.1');
    await once(pages.#site, 'listening');
    pages.#origin = `http://127.0.0.1:${pages.#site.address().port}`;
    pages.#browser = await Browser.launch();
    return pages;
  }

  /** Opens one in this room. `ahead`: milliseconds by which its clock is. */
  async open(server, { network, session, minPeers = 2, maxPeers = 5, ahead = 0 }) {
    const query = new URLSearchParams({
      signalingServer: `${server.url}/ws`,
      networkName: network,
      sessionId: session,
      minPeers,
      maxPeers,
      tolerantPeers: 1,
      autostart: 1,
    });
    const page = await this.#browser.visit('about:blank', {}, preparation(ahead));
    const peer = new Page(page);
    this.#open.push(peer);
    await page.goto(`${this.#origin}/?${query}`);
    await peer.started();
    return peer;
  }

  /** Closes all pages, as a person closes tabs. */
  async clear() {
    await Promise.all(this.#open.splice(0).map((page) => page.close()));
  }

  async close() {
    await this.#browser?.close();
    this.#site?.close();
  }
}

/** What runs in a page before anything else: no ICE servers, since there is no network; its dials are counted; its clock is set. */
function preparation(ahead) {
  const prepare = (ahead) => {
    const Native = globalThis.RTCPeerConnection;
    globalThis.dials = 0;
    globalThis.RTCPeerConnection = class extends Native {
      constructor(configuration) {
        super({ ...configuration, iceServers: [] });
        globalThis.dials += 1;
      }
    };
    if (!ahead) return;
    const RealDate = Date;
    const now = () => RealDate.now() + ahead;
    globalThis.Date = new Proxy(RealDate, {
      construct: (target, args) => (args.length ? new target(...args) : new target(now())),
      apply: () => new RealDate(now()).toString(),
      get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
    });
  };
  return { content: `(${prepare})(${ahead})` };
}

/** One page. */
export class Page {
  #page;
  /** Its sockets so far, oldest first: when each opened, and when the server first said that it counts. */
  sockets = [];
  /** Lists that came: when, and the ids in them. */
  lists = [];

  constructor(page) {
    this.#page = page;
    page.on('websocket', (socket) => {
      const life = { opened: performance.now(), registered: undefined, closed: undefined };
      this.sockets.push(life);
      socket.on('framereceived', ({ payload }) => this.#hear(life, payload));
      socket.on('close', () => (life.closed = performance.now()));
    });
  }

  #hear(life, payload) {
    const { type, body } = JSON.parse(payload);
    if (type === 'peer_list') this.lists.push({ at: performance.now(), ids: (body?.peers ?? []).map((peer) => peer.peer_id) });
    // What the client takes for being registered.
    if (type === 'peer_list' || (type === 'ack' && body?.status === 'ok')) life.registered ??= performance.now();
  }

  /** Waits until its mesh runs, and keeps what it hears from then on. */
  async started() {
    await until('the page starts its mesh', () =>
      this.#page.evaluate(() => Boolean(globalThis.__gossip && globalThis.__mesh?.getClientId())),
    );
    this.id = await this.#page.evaluate(() => {
      globalThis.heard = [];
      globalThis.carried = [];
      globalThis.__mesh.on('peer:data', ({ peerId, data }) => {
        const text = typeof data === 'string' ? data : new TextDecoder().decode(data);
        if (text.startsWith('claim ')) globalThis.carried.push(`${peerId} ${text}`);
      });
      globalThis.__gossip.on('messageReceived', ({ message, local }) => {
        if (!local && typeof message.data?.claim === 'string') globalThis.heard.push(message.data.claim);
      });
      return globalThis.__mesh.getClientId();
    });
  }

  /** Its links, dead ones included, whom it knows, and how often it has dialled or was. */
  state() {
    return this.#page.evaluate(() => ({
      links: globalThis.__mesh.getConnectedPeers(),
      discovered: globalThis.__mesh.getDiscoveredPeers().map((peer) => peer.peerId ?? peer),
      dials: globalThis.dials,
    }));
  }

  /** Says something to the mesh. */
  say(text) {
    return this.#page.evaluate((claim) => globalThis.__gossip.broadcast({ claim }), text);
  }

  heard() {
    return this.#page.evaluate(() => globalThis.heard);
  }

  /** Sends this over each of its links. */
  tell(text) {
    return this.#page.evaluate((text) => {
      for (const id of globalThis.__mesh.getConnectedPeers()) {
        try {
          globalThis.__mesh.send(id, text);
        } catch {
          // A link that is going: it is told again.
        }
      }
    }, text);
  }

  /** What came over its links: the sender's id, and what it said. */
  carried() {
    return this.#page.evaluate(() => globalThis.carried);
  }

  /** Loads it anew, which gives it another id. */
  async reload() {
    await this.#page.reload();
    await this.started();
  }

  async close() {
    const context = this.#page.context();
    await this.#page.close({ runBeforeUnload: true });
    await context.close();
  }
}

/** Waits until each of these pages has a link to each other one; gives the time when it was so. */
export async function whole(pages, deadlineMs) {
  const states = () => Promise.all(pages.map((page) => page.state()));
  const story = ({ links, discovered, dials }) => `${links.length} links of ${dials} dials, ${discovered.length} known`;
  await until(
    async () => `${pages.length} pages are whole: ${(await states()).map(story).join('; ')}`,
    async () => (await states()).every(({ links }) => links.length >= pages.length - 1),
    deadlineMs,
  );
  return performance.now();
}

let rounds = 0;

/** Lets each page say something to the whole mesh, again and again, until each has heard something of all others. */
export function talk(pages, deadlineMs = 15_000) {
  const round = (rounds += 1);
  return eachFromEach(pages, deadlineMs, (page) => page.say(`${round} ${page.id}`), async (page, from) =>
    (await page.heard()).includes(`${round} ${from.id}`),
  );
}

/** The same over the links alone, all of which must be there: links that are dead count as connected, too. */
export function carry(pages, deadlineMs = 15_000) {
  const text = `claim ${(rounds += 1)}`;
  return eachFromEach(pages, deadlineMs, (page) => page.tell(text), async (page, from) =>
    (await page.carried()).includes(`${from.id} ${text}`),
  );
}

async function eachFromEach(pages, deadlineMs, say, has) {
  const pairs = pages.flatMap((page) => pages.filter((from) => from !== page).map((from) => [page, from]));
  const end = performance.now() + deadlineMs;
  let missing = pairs;
  while (performance.now() < end) {
    await Promise.all(pages.map(say));
    // Half a second for each round: what is lost is not repeated by itself.
    for (let look = 0; look < 10; look += 1) {
      const there = await Promise.all(missing.map(([page, from]) => has(page, from)));
      missing = missing.filter((_, n) => !there[n]);
      if (missing.length === 0) return;
      await delay(50);
    }
  }
  const names = missing.map(([page, from]) => `${pages.indexOf(from)} to ${pages.indexOf(page)}`);
  throw new Error(`no message passed from ${names.join(', ')}`);
}
