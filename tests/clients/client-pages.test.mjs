// The client module in pages of Chromium and Firefox: what they forbid, and how they put pages to sleep.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';

import { SignalingClient } from '../../server-mio/client/client.js';
import { Browser } from './browser.mjs';
import { Firefox } from './firefox.mjs';
import { Server, freePort, until } from './server.mjs';

const MODULE = await readFile(new URL('../../server-mio/client/client.js', import.meta.url));
const PAGE = '<!doctype html><meta charset="utf-8"><script type="module">import * as m from "/client.js"; globalThis.module = m;</script>';
const WORKER = `
  import { SignalingClient } from '/client.js';
  onmessage = ({ data }) => {
    const client = new SignalingClient(data);
    client.addEventListener('state', ({ detail }) => postMessage(detail.state));
    client.start();
  };
`;

/** A web server with one page, whose policy allows connections to `allowed` alone. */
async function startSite() {
  const site = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://site');
    const scripts = { '/client.js': MODULE, '/worker.js': WORKER };
    const [type, body] = scripts[pathname] ? ['text/javascript', scripts[pathname]] : ['text/html', PAGE];
    const allowed = searchParams.get('allowed');
    response.writeHead(200, { 'content-type': type, ...(allowed && { 'content-security-policy': `connect-src ${allowed}` }) });
    response.end(body);
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  site.url = `http://127.0.0.1:${site.address().port}`;
  return site;
}

/** Starts a client in the page, which stays there as `client` with the states it had. */
async function startIn(page, urls, network) {
  await until('the module', () => page.evaluate(() => Boolean(globalThis.module)));
  await page.evaluate(({ urls, network }) => {
    const client = new globalThis.module.SignalingClient(urls, { network, backoff: { first: 100, most: 500 } });
    globalThis.client = client;
    globalThis.states = [];
    client.addEventListener('state', ({ detail }) => globalThis.states.push(detail));
    client.start();
  }, { urls, network });
}

const statesIn = (page) => page.evaluate(() => globalThis.states);
const isOpenIn = (page) =>
  until(async () => `open: ${JSON.stringify(await statesIn(page))}`, async () => (await statesIn(page))?.at(-1)?.state === 'open');

/** Somebody in that network, who keeps what it hears. */
function observer(url, network) {
  const client = new SignalingClient(url, { network, WebSocket, backoff: { first: 100, most: 500 } });
  client.heard = [];
  for (const type of ['peer-discovered', 'peer-disconnected']) client.addEventListener(type, () => client.heard.push(type));
  client.start();
  return client;
}
const hears = (client, ...events) =>
  until(() => `${events}: ${client.heard}`, () => JSON.stringify(client.heard) === JSON.stringify(events));

const BROWSERS = {
  Chromium: async () => {
    // Playwright switches the cache for going back off.
    const browser = await Browser.launch({ ignoreDefaultArgs: ['--disable-back-forward-cache'] });
    const page = await browser.visit('about:blank');
    return { page, tab: (url) => browser.tab(url), close: () => browser.close() };
  },
  Firefox: async () => {
    const page = await Firefox.launch();
    return { page, close: () => page.close() };
  },
};

/** All at once, since each takes some seconds. */
const launched = Object.fromEntries(Object.entries(BROWSERS).map(([name, launch]) => [name, launch()]));
for (const browser of Object.values(launched)) browser.catch(() => {});

for (const [name, launching] of Object.entries(launched)) {
  describe(`the client module in ${name}`, () => {
    let server;
    let site;
    let browser;
    let page;

    before(async () => {
      [server, site, browser] = await Promise.all([Server.start(), startSite(), launching]);
      page = browser.page;
    });
    after(async () => {
      await (await launching).close();
      site?.close();
      site?.closeAllConnections();
      await server?.kill();
    });

    it('says that a policy forbids a server, and goes on to the next one', async () => {
      const forbidden = await Server.start();
      try {
        await page.goto(`${site.url}/?allowed=${server.url}`);
        await startIn(page, [forbidden.url, server.url]);
        await isOpenIn(page);
        const [dial, next, open] = await statesIn(page);
        assert.equal(new URL(dial.url).port, String(forbidden.port));
        assert.match(next.failure.reason, /^(?!.*within)./, 'not by a time-out');
        assert.equal(new URL(open.url).port, String(server.port));
        assert.equal((await forbidden.health()).connections, 0);
      } finally {
        await forbidden.kill();
      }
    });

    it('takes a malformed URL for a server that cannot be reached', async () => {
      await page.goto(site.url);
      await startIn(page, ['wss://[/?token=s3cret', 'wss://user:s3cret@127.0.0.1:1', 'ftp://127.0.0.1?token=s3cret', server.url]);
      await isOpenIn(page);
      const states = await statesIn(page);
      assert.match(states[1].failure.reason, /^SyntaxError: /);
      assert.ok(!JSON.stringify(states).includes('s3cret'), JSON.stringify(states));
    });

    it('is gone for others when the page is left, and back when one goes back to it', async () => {
      const other = observer(server.url, 'left');
      try {
        await until('open', () => other.state === 'open');
        await page.goto(site.url);
        await startIn(page, server.url, 'left');
        await hears(other, 'peer-discovered');
        await page.goto(`${site.url}/another`);
        await hears(other, 'peer-discovered', 'peer-disconnected');
        // Firefox does not keep a page that has had a WebSocket: it is loaded anew.
        if (name !== 'Chromium') return;
        await page.goBack({ waitUntil: 'commit' });
        await hears(other, 'peer-discovered', 'peer-disconnected', 'peer-discovered');
        const states = (await statesIn(page)).map(({ state }) => state);
        assert.deepEqual(states, ['connecting', 'open', 'suspended', 'connecting', 'open'], 'it is the same page');
      } finally {
        other.stop();
      }
    });

    it('connects from a worker', async () => {
      await page.goto(site.url);
      const states = await page.evaluate(
        (url) =>
          new Promise((resolve) => {
            const states = [];
            const worker = new Worker('/worker.js', { type: 'module' });
            worker.onmessage = ({ data }) => states.push(data) === 2 && resolve(states);
            worker.postMessage(url);
          }),
        server.url,
      );
      assert.deepEqual(states, ['connecting', 'open']);
    });

    if (name !== 'Chromium') return;

    it('says that content would be mixed, and goes on to the next server', async () => {
      // A secure page without certificates: its answers come from here.
      await page.route('https://app.example/**', (route) =>
        route.request().url().endsWith('.js')
          ? route.fulfill({ body: MODULE.toString(), contentType: 'text/javascript' })
          : route.fulfill({ body: PAGE, contentType: 'text/html' }),
      );
      await page.context().grantPermissions(['local-network-access'], { origin: 'https://app.example' }).catch(() => {});
      await page.goto('https://app.example/');
      await startIn(page, ['ws://signaling.example?token=s3cret', server.url]);
      await isOpenIn(page);
      const [, next] = await statesIn(page);
      assert.match(next.failure.reason, /^SecurityError: .*insecure WebSocket/);
      assert.ok(!next.failure.reason.includes('s3cret'));
    });

    it('is nobody to others while the page is frozen, and back at once when it is resumed', async () => {
      const port = await freePort();
      let own = await Server.start({ port });
      const other = observer(own.url, 'frozen');
      try {
        await until('open', () => other.state === 'open');
        const tab = await browser.tab(site.url);
        await startIn(tab, own.url, 'frozen');
        await hears(other, 'peer-discovered');
        await tab.freeze();
        await hears(other, 'peer-discovered', 'peer-disconnected');
        await own.kill();
        own = await Server.start({ port });
        await until('open again', () => other.state === 'open');
        await tab.resume();
        await hears(other, 'peer-discovered', 'peer-disconnected', 'peer-discovered');
        const states = (await statesIn(tab)).map(({ state }) => state);
        assert.deepEqual(states, ['connecting', 'open', 'suspended', 'connecting', 'open']);
      } finally {
        other.stop();
        await own.kill();
      }
    });
  });
}
