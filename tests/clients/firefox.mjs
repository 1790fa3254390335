// Debian's Firefox by WebDriver BiDi, with as much of playwright's interface as is needed: playwright itself wants a newer one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** Nothing leaves the machine: whatever is not on the loopback goes to a proxy that is not there. */
const PREFERENCES = {
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
  'network.dns.disablePrefetch': true,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'app.update.auto': false,
  'browser.shell.checkDefaultBrowser': false,
};

/** A running Firefox with one page. */
export class Firefox {
  #process;
  #profile;
  #socket;
  #context;
  #ids = 0;
  #pending = new Map();

  static async launch() {
    const firefox = new Firefox();
    firefox.#profile = await mkdtemp(join(tmpdir(), 'peerpigeon-firefox-'));
    const lines = Object.entries(PREFERENCES).map((pair) => `user_pref(${pair.map((part) => JSON.stringify(part))});\n`);
    await writeFile(join(firefox.#profile, 'user.js'), lines.join(''));
    const flags = ['--headless', '--no-remote', '--remote-debugging-port=0', '--profile', firefox.#profile, 'about:blank'];
    firefox.#process = spawn(FIREFOX, flags, { stdio: ['ignore', 'ignore', 'pipe'] });
    await firefox.#attach(await addressOf(firefox.#process));
    return firefox;
  }

  async #attach(address) {
    this.#socket = new WebSocket(`${address}/session`);
    this.#socket.on('message', (text) => {
      const { id, result, error, message } = JSON.parse(text);
      const waiting = this.#pending.get(id);
      this.#pending.delete(id);
      if (error) waiting?.reject(new Error(`${error}: ${message}`));
      else waiting?.resolve(result);
    });
    await once(this.#socket, 'open');
    await this.#command('session.new', { capabilities: {} });
    const { contexts } = await this.#command('browsingContext.getTree', {});
    this.#context = contexts[0].context;
  }

  #command(method, params) {
    const id = (this.#ids += 1);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
  }

  async goto(url) {
    await this.#command('browsingContext.navigate', { context: this.#context, url, wait: 'complete' });
  }

  async goBack() {
    await this.#command('browsingContext.traverseHistory', { context: this.#context, delta: -1 });
  }

  /** What `action`, run in the page with `argument`, returns; both are JSON. */
  async evaluate(action, argument = null) {
    const expression = `Promise.resolve((${action})(${JSON.stringify(argument)})).then((value) => JSON.stringify(value) ?? 'null')`;
    const answer = await this.#command('script.evaluate', { expression, target: { context: this.#context }, awaitPromise: true });
    if (answer.type !== 'success') throw new Error(answer.exceptionDetails.text);
    return JSON.parse(answer.result.value);
  }

  async close() {
    this.#socket?.terminate();
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await ended;
    }
    await rm(this.#profile, { recursive: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** Where it listens, which it says when it does. */
async function addressOf(child) {
  const said = [];
  for await (const line of createInterface({ input: child.stderr })) {
    const address = /^WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1];
    if (address) {
      child.stderr.resume();
      return address;
    }
    said.push(line);
  }
  throw new Error(`Firefox ended: ${said.join('\n')}`);
}
