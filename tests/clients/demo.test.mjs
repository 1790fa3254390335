// The page /demo in real Chromium: pages meet, build WebRTC links, and chat.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';

import { Browser, MESH_DEADLINE_MS, serverAndBrowser } from './browser.mjs';
import { Server, until } from './server.mjs';

/** Where screenshots go, for people to look at. */
const PICTURES = process.env.PICTURES;

async function picture(page, name) {
  if (!PICTURES) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
}

/** Everything that a visitor of the page sees and does. */
class Visitor {
  constructor(page) {
    this.page = page;
    this.complaints = [];
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text());
    });
  }

  say(text) {
    return this.page.fill('#text', text).then(() => this.page.press('#text', 'Enter'));
  }

  state() {
    return this.page.textContent('#state');
  }

  links() {
    return this.page.locator('#picture line.own').count();
  }

  lines() {
    return this.page.locator('#log .chat').allTextContents();
  }

  async isLinkedTo(count) {
    const found = async () => `${count} links: ${await this.page.textContent('main')} ${this.complaints}`;
    await until(found, async () => (await this.links()) === count, MESH_DEADLINE_MS);
  }

  async hears(line) {
    await until(async () => `"${line}" in ${JSON.stringify(await this.lines())}`, async () => (await this.lines()).includes(line));
  }
}

/** Runs in the page: its first two connections find no candidates, as happens to Chromium on a very busy machine. */
function findNoWayTwice() {
  const Native = globalThis.RTCPeerConnection;
  globalThis.made = 0;
  globalThis.RTCPeerConnection = class extends Native {
    constructor(configuration) {
      globalThis.made += 1;
      super({ ...configuration, iceTransportPolicy: globalThis.made <= 2 ? 'relay' : 'all' });
    }
  };
}

/** Runs in the page: nothing of the picture is cut off, and the field to type in is on the screen. */
function everythingIsInView() {
  const isWithin = (inner, outer) =>
    inner.top >= outer.top && inner.bottom <= outer.bottom && inner.left >= outer.left && inner.right <= outer.right;
  const box = (selector) => document.querySelector(selector).getBoundingClientRect();
  const shapes = [...document.querySelectorAll('#picture *')].map((shape) => shape.getBoundingClientRect());
  const screen = { top: 0, left: 0, bottom: innerHeight, right: innerWidth };
  return shapes.every((shape) => isWithin(shape, box('section'))) && isWithin(box('form'), screen);
}

const site = (server) => `http://127.0.0.1:${server.port}`;

describe('the demo page', () => {
  const stage = serverAndBrowser();
  const visitors = [];

  const open = async (name, options) => {
    const visitor = new Visitor(await stage.browser.visit(`${site(stage.server)}/demo?name=${name}`, options));
    visitors.push(visitor);
    return visitor;
  };

  it('connects two visitors, who chat over WebRTC', async (test) => {
    const start = performance.now();
    const [ada, bob] = [await open('Ada'), await open('Bob')];
    await Promise.all([ada.isLinkedTo(1), bob.isLinkedTo(1)]);
    await ada.say('hello, is anybody there?');
    await bob.hears('Ada hello, is anybody there?');
    await bob.say('<b>yes</b>');
    await ada.hears('Bob <b>yes</b>');
    assert.deepEqual(await ada.lines(), ['hello, is anybody there?', 'Bob <b>yes</b>'], 'text stays text');
    test.diagnostic(`from the first page to the answer: ${Math.round(performance.now() - start)} ms`);
    assert.equal((await stage.server.health()).peers, 2);
  });

  it('lets the mesh grow, and everybody hears everything once', async () => {
    await open('Cleo', { colorScheme: 'dark' });
    await open('Dan', { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2 });
    await Promise.all(visitors.map((visitor) => visitor.isLinkedTo(3)));
    await visitors[2].say('four of us now');
    for (const visitor of visitors.filter((_, i) => i !== 2)) await visitor.hears('Cleo four of us now');
    await visitors[3].say('hi from a phone');
    for (const visitor of visitors) {
      await until('the last line', async () => (await visitor.lines()).some((line) => line.endsWith('hi from a phone')));
      assert.equal((await visitor.lines()).filter((line) => line.endsWith('four of us now')).length, 1);
      // Each has told whom it is linked to, so everybody draws the whole mesh.
      await until('six lines', async () => (await visitor.page.locator('#picture line').count()) === 6);
      assert.equal(await visitor.page.textContent('#count'), 'Connected to 3 peers');
      assert.equal(await visitor.state(), 'connected');
    }
    for (const { page } of visitors) assert.ok(await page.evaluate(everythingIsInView), 'on a phone, too');
    await picture(visitors[0].page, 'demo-light');
    await picture(visitors[2].page, 'demo-dark');
    await picture(visitors[3].page, 'demo-phone');
  });

  it('keeps its links and comes back when the server is restarted', async () => {
    await stage.server.stop();
    await until('they notice', async () => (await visitors[0].state()) !== 'connected');
    await visitors[1].say('who needs a server');
    await visitors[0].hears('Bob who needs a server');
    stage.server = await Server.start({ port: stage.server.port });
    await until('all are back', async () => (await stage.server.health()).peers === 4);
    for (const visitor of visitors) await visitor.isLinkedTo(3);
  });

  it('shows when somebody leaves', async () => {
    const dan = visitors.pop();
    await dan.page.close({ runBeforeUnload: true });
    for (const visitor of visitors) {
      await visitor.isLinkedTo(2);
      assert.match(await visitor.page.textContent('#log'), /Dan is gone/);
    }
  });

  it('complains about nothing but the server that was away', () => {
    for (const visitor of visitors) {
      const others = visitor.complaints.filter((text) => !text.includes('ERR_CONNECTION_REFUSED'));
      assert.deepEqual(others, []);
    }
  });
});

describe('the demo page on another server', () => {
  let servers = [];
  let browser;

  before(async () => {
    servers = [await Server.start(), await Server.start()];
    browser = await Browser.launch();
  });
  after(async () => {
    await browser?.close();
    for (const server of servers) await server.kill();
  });

  it('meets the peers of the server that ?api= names', async () => {
    const [here, there] = servers;
    const guest = new Visitor(await browser.visit(`${site(here)}/demo?name=Guest&api=${there.url}`));
    const host = new Visitor(await browser.visit(`${site(there)}/demo?name=Host`));
    await Promise.all([guest.isLinkedTo(1), host.isLinkedTo(1)]);
    await host.say('welcome');
    await guest.hears('Host welcome');
    assert.equal((await here.health()).peers, 0);
    assert.deepEqual([...guest.complaints, ...host.complaints], []);
  });
});

describe('the demo page in browsers that find no way at first', () => {
  const stage = serverAndBrowser();

  it('dials again until it is linked', async () => {
    const open = (name) => stage.browser.visit(`${site(stage.server)}/demo?name=${name}`, {}, findNoWayTwice);
    const visitors = [new Visitor(await open('Ada')), new Visitor(await open('Bob'))];
    await Promise.all(visitors.map((visitor) => visitor.isLinkedTo(1)));
    await visitors[0].say('third time lucky');
    await visitors[1].hears('Ada third time lucky');
    for (const { page } of visitors) assert.equal(await page.evaluate(() => globalThis.made), 3);
  });
});

describe('who may see the demo page', () => {
  const status = (server, path, headers = {}) => fetch(`${site(server)}${path}`, { headers }).then((answer) => answer.status);

  for (const [DEMO, here, throughProxy] of [
    ['loopback', 200, 404],
    ['on', 200, 200],
    ['off', 404, 404],
  ]) {
    it(`DEMO=${DEMO}`, async () => {
      const server = await Server.start({ settings: { DEMO } });
      try {
        for (const path of ['/demo', '/demo.js']) {
          assert.equal(await status(server, path), here);
          assert.equal(await status(server, path, { 'X-Forwarded-For': '192.0.2.1' }), throughProxy);
        }
        assert.equal(await status(server, '/client.js', { 'X-Forwarded-For': '192.0.2.1' }), 200);
      } finally {
        await server.kill();
      }
    });
  }
});
