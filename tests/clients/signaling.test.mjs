// The library's own signaling client in Node, with the `ws` package as WebSocket.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';

import { Server, until } from './server.mjs';

globalThis.WebSocket = WebSocket;

const clientOf = async (library) =>
  (await import(new URL(`./node_modules/${library}/src/SignalingClient.js`, import.meta.url))).SignalingClient;
const Newest = await clientOf('peerpigeon');
const Older = await clientOf('peerpigeon-0.1.1');

const CLIENTS = 200;
const CANDIDATES = 5;

const newId = () => randomBytes(20).toString('hex');

/** A signaling client that keeps what it hears. */
class Listener {
  constructor(Client, id = newId(), networkName = undefined) {
    this.id = id;
    this.heard = [];
    // What the client asks of the mesh it belongs to.
    const mesh = networkName && { networkName, connectionManager: { getConnectedPeerCount: () => 0 } };
    this.client = new Client(id, 10, mesh ?? null);
    this.client.addEventListener('signalingMessage', (message) => this.heard.push(message));
  }

  static async connected(server, ...args) {
    const listener = new Listener(...args);
    await listener.client.connect(server.url);
    return listener;
  }

  send(type, target, data) {
    return this.client.sendSignalingMessage({ type, data, targetPeerId: target.id });
  }

  /** The signals from `other`, in the order of their arrival. */
  from(other) {
    return this.heard.filter((message) => message.fromPeerId === other.id && message.type !== 'goodbye');
  }

  discovered() {
    return new Set(this.heard.filter((m) => m.type === 'peer-discovered').map((m) => m.data.peerId));
  }

  /** The socket is gone, without goodbye and without a close frame. The client comes back by itself. */
  vanish() {
    this.client.websocket.terminate();
  }

  disconnect() {
    this.client.disconnect();
    // The newest client's keep-alive and the older one's would outlive the test.
    this.client.stopKeepAlive?.();
  }
}

/** Every even client dials the next one: an offer, its answer, and candidates both ways. */
async function everyPairSignals(listeners, round) {
  const pairs = [];
  for (let i = 0; i + 1 < listeners.length; i += 2) pairs.push([listeners[i], listeners[i + 1]]);

  const offer = (dialler) => ({ type: 'offer', sdp: `v=0\r\n${round} ${dialler.id}\r\n` });
  const answer = (answerer) => ({ type: 'answer', sdp: `v=0\r\n${round} ${answerer.id}\r\n` });
  const candidate = (sender, n) => ({ candidate: `candidate:${n} ${round} ${sender.id}`, sdpMLineIndex: 0 });

  await Promise.all(pairs.map(([dialler, answerer]) => dialler.send('offer', answerer, offer(dialler))));
  await until('every offer', () => pairs.every(([dialler, answerer]) => answerer.from(dialler).length === 1));
  await Promise.all(
    pairs.map(async ([dialler, answerer]) => {
      await answerer.send('answer', dialler, answer(answerer));
      for (let n = 0; n < CANDIDATES; n += 1) {
        await dialler.send('ice-candidate', answerer, candidate(dialler, n));
        await answerer.send('ice-candidate', dialler, candidate(answerer, n));
      }
    }),
  );
  const all = 1 + CANDIDATES;
  await until('every answer and candidate', () =>
    pairs.every(([a, b]) => a.from(b).length === all && b.from(a).length === all),
  );
  for (const [dialler, answerer] of pairs) {
    const candidates = (sender) => Array.from({ length: CANDIDATES }, (_, n) => candidate(sender, n));
    assert.deepEqual(answerer.from(dialler).map((m) => m.data), [offer(dialler), ...candidates(dialler)]);
    assert.deepEqual(dialler.from(answerer).map((m) => m.data), [answer(answerer), ...candidates(answerer)]);
  }
}

describe(`${CLIENTS} signaling clients of the newest library`, () => {
  let server;
  let listeners;

  before(async () => {
    server = await Server.start();
    listeners = Array.from({ length: CLIENTS }, () => new Listener(Newest));
  });
  after(async () => {
    listeners.forEach((listener) => listener.disconnect());
    await server.kill();
  });

  const allAnnounced = () =>
    until(
      async () => `${CLIENTS} announced peers: ${JSON.stringify(await server.health())}`,
      async () => (await server.health()).peers === CLIENTS,
    );

  it('connect and announce themselves', async () => {
    await Promise.all(listeners.map((listener) => listener.client.connect(server.url)));
    await allAnnounced();
  });

  it('are introduced to each other', async () => {
    await until('everybody knows somebody', () => listeners.every((listener) => listener.discovered().size > 0));
    const ids = new Set(listeners.map((listener) => listener.id));
    for (const listener of listeners) {
      for (const id of listener.discovered()) assert.ok(ids.has(id) && id !== listener.id, `knows ${id}`);
    }
  });

  it('exchange offers, answers and candidates', () => everyPairSignals(listeners, 'first'));

  it('vanish without goodbye and come back with the same id', async () => {
    const sockets = listeners.map((listener) => listener.client.websocket);
    for (const listener of listeners) {
      listener.heard.length = 0;
      listener.vanish();
    }
    await until('all are back', () =>
      listeners.every(({ client }, i) => client.websocket !== sockets[i] && client.isConnected()),
    );
    await allAnnounced();
    await until('everybody knows somebody', () => listeners.every((listener) => listener.discovered().size > 0));
    for (const listener of listeners) {
      assert.equal(listener.heard.filter((m) => m.type === 'goodbye').length, 0, 'nobody said goodbye');
    }
  });

  it('exchange offers, answers and candidates after that as before', () => everyPairSignals(listeners, 'second'));

  it('were told no error', () => {
    for (const listener of listeners) {
      assert.deepEqual(listener.heard.filter((message) => message.type === 'error'), []);
    }
  });
});

for (const [name, Client] of [['1.0.6', Newest], ['0.1.1', Older]]) {
  describe(`a signaling client of ${name}`, () => {
    let server;
    let listeners = [];

    after(async () => {
      listeners.forEach((listener) => listener.disconnect());
      await server?.kill();
    });

    it('returns by itself when the server is restarted', async () => {
      server = await Server.start();
      listeners = [await Listener.connected(server, Client), await Listener.connected(server, Client)];
      await until('they know each other', () => listeners.every((l) => l.discovered().size === 1));
      await server.stop();
      server = await Server.start({ port: server.port });
      listeners.forEach((listener) => (listener.heard.length = 0));
      await until('they know each other again', () => listeners.every((l) => l.discovered().size === 1));
      await everyPairSignals(listeners, 'after the restart');
    });

    it('is told when another says goodbye', async () => {
      const [first, second] = listeners;
      second.client.sendGoodbyeMessage();
      await until('a goodbye', () => first.heard.some((m) => m.type === 'goodbye' && m.fromPeerId === second.id));
    });
  });
}

describe('signaling clients in two networks', () => {
  let server;
  let listeners = [];

  after(async () => {
    listeners.forEach((listener) => listener.disconnect());
    await server?.kill();
  });

  it('never hear of each other', async () => {
    server = await Server.start();
    const reds = [await Listener.connected(server, Newest, newId(), 'red')];
    const blues = [await Listener.connected(server, Newest, newId(), 'blue')];
    reds.push(await Listener.connected(server, Newest, newId(), 'red'));
    blues.push(await Listener.connected(server, Newest, newId(), 'blue'));
    listeners = [...reds, ...blues];
    for (const [one, other] of [reds, blues]) {
      await until('they know each other', () => one.discovered().has(other.id) && other.discovered().has(one.id));
    }
    for (const listener of listeners) assert.equal(listener.discovered().size, 1);
  });
});
