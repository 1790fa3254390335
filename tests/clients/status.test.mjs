// The page /status in real Chromium: what is on it, with and without JavaScript, and who may see it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';

import { Browser } from './browser.mjs';
import { Server, until } from './server.mjs';

/** Where screenshots go, for people to look at. */
const PICTURES = process.env.PICTURES;

async function picture(page, name) {
  if (!PICTURES) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
}

const idOf = (n) => n.toString(16).padStart(40, '0');

/** Peers that announce themselves and signal to each other for as long as they are wanted. */
class Flock {
  #sockets = [];
  #timer;

  async join(server, count) {
    const first = this.#sockets.length;
    for (let i = first; i < first + count; i += 1) {
      const socket = new WebSocket(`${server.url}/?peerId=${idOf(i)}`);
      await once(socket, 'open');
      this.#sockets.push(socket);
      socket.send(JSON.stringify({ type: 'announce', networkName: i % 3 ? 'blue' : 'red' }));
    }
  }

  chatter() {
    this.#timer = setInterval(() => {
      this.#sockets.forEach((socket, i) => {
        const data = { candidate: `candidate:${Math.random()}` };
        const networkName = i % 3 ? 'blue' : 'red';
        socket.send(JSON.stringify({ type: 'ice-candidate', targetPeerId: idOf((i + 3) % this.#sockets.length), data, networkName }));
      });
    }, 40);
  }

  refuse() {
    this.#sockets[0].send('nonsense');
  }

  leave() {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.terminate();
  }
}

describe('the status page', () => {
  let server;
  let browser;
  const flock = new Flock();

  before(async () => {
    server = await Server.start({ settings: { MAX_CONNECTIONS: '2000' } });
    browser = await Browser.launch();
    await flock.join(server, 30);
    flock.refuse();
    await until('thirty peers', async () => (await server.health()).peers === 30);
  });
  after(async () => {
    flock.leave();
    await browser?.close();
    await server?.kill();
  });

  const address = () => `http://127.0.0.1:${server.port}/status`;
  const shown = (page, what) => page.locator(`[data-show="${what}"]`).first().textContent();

  it('shows its figures without JavaScript', async () => {
    const page = await browser.visit(address(), { javaScriptEnabled: false });
    assert.equal(await shown(page, 'number peers'), '30');
    assert.equal(await shown(page, 'number networks'), '2');
    assert.equal(await shown(page, 'number activeConnections'), '30');
    assert.equal(await shown(page, 'number maxConnections'), '2\u202f000');
    assert.equal(await shown(page, 'text status'), 'healthy');
    assert.match(await shown(page, 'bytes memory.rss'), /^\d+\.\d [KM]iB$/);
    assert.match(await shown(page, 'text version'), /^\d+\.\d+\.\d+$/);
    assert.match(await page.textContent('[data-show="rows refusedTotal"]'), /invalid-json1/);
    assert.ok(await page.locator('.curves').isHidden(), 'nothing is drawn');
    await picture(page, 'status-without-javascript');
    await page.context().close();
  });

  it('follows the server and draws curves', async () => {
    const complaints = [];
    const page = await browser.visit(address());
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => complaints.push(message.text()));
    flock.chatter();
    await flock.join(server, 15);
    await until('45 peers on the page', async () => (await shown(page, 'number peers')) === '45');
    const points = async (id) => ((await page.locator(`#${id} path`).last().getAttribute('d')) ?? '').split(/[ML]/).length - 1;
    await until('a curve', async () => (await page.locator('#peers path').count()) === 2 && (await points('peers')) >= 4);
    assert.equal(await points('messages'), await points('peers'));
    await until('a rate', async () => Number((await page.textContent('#messages-now')).replace('\u202f', '')) > 100);
    assert.match(await page.textContent('[data-show="rows relayedTotal"]'), /^ice-candidate/);
    await picture(page, 'status-light');
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture(page, 'status-dark');
    assert.deepEqual(complaints, []);
    await page.setViewportSize({ width: 390, height: 780 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out on a phone');
    await picture(page, 'status-phone');
  });

  it('says so when the server does not answer', async () => {
    const page = await browser.visit(address());
    await server.stop();
    await until('a word about it', async () => (await page.textContent('#state')).startsWith('no answer'));
  });
});

describe('the status page with a token', () => {
  it('asks for it, and its curves have it too', async () => {
    const server = await Server.start({ settings: { METRICS_TOKEN: 's3cret' } });
    const browser = await Browser.launch();
    try {
      const address = `http://127.0.0.1:${server.port}/status`;
      assert.equal((await fetch(address)).status, 401);
      assert.equal((await fetch(`${address}?token=wrong`)).status, 401);
      const page = await browser.visit(`${address}?token=s3cret`);
      await until('curves', async () => page.locator('.curves').isVisible());
      assert.equal(await page.textContent('#state'), 'healthy');
    } finally {
      await browser.close();
      await server.kill();
    }
  });
});
