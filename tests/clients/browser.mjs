// Chromium with pages that run the library's browser bundle.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';

import { Server, until } from './server.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Chromium may need several attempts on a busy machine. */
export const MESH_DEADLINE_MS = 120_000;
const SETTLED_MS = 500;
const REOPEN_AFTER_MS = 30_000;
const PAGE = '<!doctype html><meta charset="utf-8"><title>peer</title><script src="/peerpigeon.js"></script>';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // WebRTC on one machine: loopback candidates with their addresses, and nothing is looked up outside.
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];

/** A running Chromium and the little web server that its pages come from. */
export class Browser {
  #chromium;
  #site;
  #origin;

  /** `library`: the package whose bundle its pages run. `options` are added to those that Chromium is launched with. */
  static async launch({ library = 'peerpigeon', ...options } = {}) {
    const browser = new Browser();
    const bundle = await readFile(new URL(`./node_modules/${library}/dist/peerpigeon-browser.js`, import.meta.url));
    browser.#site = createServer((request, response) => {
      const isScript = request.url === '/peerpigeon.js';
      response.writeHead(200, { 'content-type': isScript ? 'text/javascript; charset=utf-8' : 'text/html' });
      response.end(isScript ? bundle : PAGE);
    }).listen(0, '127.0.0.1');
    await once(browser.#site, 'listening');
    browser.#origin = `http://127.0.0.1:${browser.#site.address().port}`;
    browser.#chromium = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS, ...options });
    return browser;
  }

  /** Opens a page as a person would and lets it join the mesh; `options` are those of the library. */
  async peer(server, options = {}) {
    const context = await this.#chromium.newContext({ permissions: ['camera', 'microphone'] });
    // The only thing changed in the page: no STUN servers, since there is no network.
    await context.addInitScript(() => {
      const Native = globalThis.RTCPeerConnection;
      globalThis.RTCPeerConnection = class extends Native {
        constructor(configuration) {
          super({ ...configuration, iceServers: [] });
        }
      };
    });
    const peer = new Peer(await context.newPage(), this.#origin, server.url, options);
    await peer.open();
    return peer;
  }

  /** Opens any page in a profile of its own; `options` are those of the profile. `prepare` runs in it before anything else. */
  async visit(url, options = {}, prepare = () => {}) {
    const context = await this.#chromium.newContext({ permissions: ['camera', 'microphone'], ...options });
    const page = await context.newPage();
    await page.addInitScript(prepare);
    await page.goto(url);
    return page;
  }

  /** Opens a page that can be hidden and frozen: playwright keeps its own ones visible. */
  async tab(url) {
    return Tab.open(await this.#chromium.newBrowserCDPSession(), url);
  }

  async close() {
    await this.#chromium?.close();
    this.#site?.close();
  }
}

/** A page that playwright knows nothing of, by the DevTools protocol. */
class Tab {
  #devtools;
  #sessionId;
  #ids = 0;
  #pending = new Map();

  static async open(devtools, url) {
    const tab = new Tab();
    tab.#devtools = devtools;
    devtools.on('Target.receivedMessageFromTarget', ({ message }) => {
      const { id, result, error } = JSON.parse(message);
      const waiting = tab.#pending.get(id);
      tab.#pending.delete(id);
      if (error) waiting?.reject(new Error(error.message));
      else waiting?.resolve(result);
    });
    const { targetId } = await devtools.send('Target.createTarget', { url });
    tab.#sessionId = (await devtools.send('Target.attachToTarget', { targetId, flatten: false })).sessionId;
    return tab;
  }

  async #command(method, params) {
    const id = (this.#ids += 1);
    const answer = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    const message = JSON.stringify({ id, method, params });
    await this.#devtools.send('Target.sendMessageToTarget', { sessionId: this.#sessionId, message });
    return answer;
  }

  async evaluate(action, argument = null) {
    const expression = `(${action})(${JSON.stringify(argument)})`;
    const { result, exceptionDetails } = await this.#command('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value;
  }

  /** Hides it behind another one, as only hidden pages are frozen, and freezes it. */
  async freeze() {
    const another = await this.#devtools.send('Target.createTarget', { url: 'about:blank' });
    await this.#devtools.send('Target.activateTarget', another);
    await until('it is hidden', () => this.evaluate(() => document.visibilityState === 'hidden'));
    await this.#command('Page.setWebLifecycleState', { state: 'frozen' });
  }

  async resume() {
    await this.#command('Page.setWebLifecycleState', { state: 'active' });
  }
}

/** What most suites need: a server and a browser, there while their tests run. */
export function serverAndBrowser() {
  const stage = {};
  before(async () => {
    stage.server = await Server.start();
    stage.browser = await Browser.launch();
  });
  after(async () => {
    await stage.browser?.close();
    await stage.server?.kill();
  });
  return stage;
}

/** One page. */
export class Peer {
  #page;
  #origin;
  #signalingUrl;
  #options;

  constructor(page, origin, signalingUrl, options) {
    this.#page = page;
    this.#origin = origin;
    this.#signalingUrl = signalingUrl;
    this.#options = options;
    /** How often it was opened. */
    this.opened = 0;
    /** What went over its WebSocket: `{ sent, type, from, to, data }`. */
    this.frames = [];
    page.on('websocket', (socket) => {
      const keep = (sent) => ({ payload }) => {
        const { type, fromPeerId, targetPeerId, data } = JSON.parse(payload);
        this.frames.push({ sent, type, from: fromPeerId, to: targetPeerId, data });
      };
      socket.on('framesent', keep(true));
      socket.on('framereceived', keep(false));
    });
  }

  /** Loads the page, again if need be, and joins the mesh. */
  async open() {
    this.opened += 1;
    await this.#page.goto(this.#origin);
    this.id = await this.#page.evaluate(
      async ({ url, options }) => {
        const mesh = new globalThis.PeerPigeonMesh(options);
        globalThis.mesh = mesh;
        globalThis.heard = [];
        globalThis.lost = [];
        mesh.addEventListener('messageReceived', ({ from, content, direct }) =>
          globalThis.heard.push({ from, content, direct: direct === true }),
        );
        mesh.addEventListener('peerDisconnected', ({ peerId }) => globalThis.lost.push(peerId));
        await mesh.init();
        await mesh.connect(url);
        return mesh.peerId;
      },
      { url: this.#signalingUrl, options: this.#options },
    );
  }

  /** Where it stands: its links, whether its signaling is up, whom it has ever met. */
  state() {
    return this.#page.evaluate(() => ({
      id: globalThis.mesh.peerId,
      signaling: globalThis.mesh.signalingClient.isConnected() === true,
      links: globalThis.mesh.connectionManager.getConnectedPeers().map((peer) => peer.peerId),
      discovered: globalThis.mesh.getDiscoveredPeers().map((peer) => peer.peerId),
      lost: globalThis.lost,
    }));
  }

  broadcast(text) {
    return this.#page.evaluate((text) => globalThis.mesh.sendMessage(text), text);
  }

  tell(other, text) {
    return this.#page.evaluate(([id, text]) => globalThis.mesh.sendDirectMessage(id, text), [other.id, text]);
  }

  /** What it got from others. */
  async heard() {
    const heard = await this.#page.evaluate(() => globalThis.heard);
    return heard.filter((message) => message.from !== this.id);
  }

  /** Closes the page as a person closes a tab: its unload handlers run. */
  async close() {
    const context = this.#page.context();
    await this.#page.close({ runBeforeUnload: true });
    await context.close();
  }
}

/** The same states as if the peer with this id had never been there. */
export function without(states, id) {
  const rest = states.filter((state) => state.id !== id);
  return rest.map((state) => ({ ...state, links: state.links.filter((other) => other !== id) }));
}

/** Whether the links of these peers are mutual, among themselves only, and make them one piece. */
export function isOnePiece(states) {
  const links = new Map(states.map(({ id, links }) => [id, new Set(links)]));
  for (const [id, others] of links) {
    for (const other of others) if (!links.get(other)?.has(id)) return false;
  }
  const reached = new Set([states[0].id]);
  for (const id of reached) for (const other of links.get(id)) reached.add(other);
  return reached.size === states.length;
}

/** Waits until these peers are one mesh and stay so for a moment. */
export async function oneMesh(peers) {
  let states;
  let since;
  let seen;
  await until(
    () => `one mesh: ${JSON.stringify(states, null, 1)}\n${peers.map(story).join('\n\n')}`,
    async () => {
      states = await Promise.all(peers.map((peer) => peer.state()));
      if (!states.every((state) => state.signaling) || !isOnePiece(states)) {
        seen = undefined;
        return false;
      }
      // Links that exclude each other can be dialled at the same time: then some go again.
      const links = JSON.stringify(states.map((state) => state.links));
      if (seen !== links) since = performance.now();
      seen = links;
      return performance.now() - since > SETTLED_MS;
    },
    MESH_DEADLINE_MS,
  );
}

/**
 * Waits until the last of these peers, just opened, has a link to another one.
 *
 * On a very busy machine Chromium now and then finds no candidates of its own for a connection, and the library does
 * not try again (observed with every signal delivered). Then the page is opened anew, as a person would do it; but a
 * signal that was lost is a failure.
 */
export async function linked(peers) {
  const newcomer = peers.at(-1);
  let opened = performance.now();
  await until(
    () => `a link of ${newcomer.id}\n${peers.map(story).join('\n\n')}`,
    async () => {
      if ((await newcomer.state()).links.length > 0) return true;
      if (performance.now() - opened > REOPEN_AFTER_MS) {
        await everySignalArrived(peers);
        await newcomer.open();
        opened = performance.now();
      }
      return false;
    },
    MESH_DEADLINE_MS,
  );
}

/** Every signal that these peers sent to each other has arrived, as it was sent and in order. */
export async function everySignalArrived(peers) {
  const isSignal = ({ type }) => /^(offer|answer|ice-candidate|connection-rejected|(renegotiation|ice-restart|recovery)-)/.test(type);
  const kindAndData = ({ type, data }) => ({ type, data });
  // A page that was opened twice has lost what was on its way.
  const steady = peers.filter((peer) => peer.opened === 1);
  for (const from of steady) {
    for (const to of steady) {
      const sent = () => from.frames.filter((frame) => isSignal(frame) && frame.sent && frame.to === to.id);
      const got = () => to.frames.filter((frame) => isSignal(frame) && !frame.sent && frame.from === from.id);
      await until(
        () => `all signals from ${from.id} to ${to.id}\n${story(from)}\n\n${story(to)}`,
        () => got().length >= sent().length,
      );
      assert.deepEqual(got().map(kindAndData), sent().map(kindAndData));
    }
  }
}

/** What went over the WebSocket of a peer, for the message when something fails. */
function story({ id, frames }) {
  const short = (text) => text?.slice(0, 6) ?? '';
  const lines = frames.map(
    ({ sent, type, from, to, data }) =>
      `${sent ? '>' : '<'} ${type} ${short(from)} -> ${short(to)} ${data?.reason ?? data?.candidate ?? short(data?.peerId)}`,
  );
  return [id, ...lines].join('\n');
}
