// Starts, asks and stops the server under test.
//
// PEERPIGEON_BIN names it. A name that ends in `.js` or `.mjs` is run by Node: that is how these clients are checked
// against their authors' own servers.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 30_000;
const LOG_LINES_KEPT = 200;

/** Polls `condition` until it gives something truthy, and returns that; fails with `what` at the deadline. */
export async function until(what, condition, deadlineMs = DEADLINE_MS) {
  const end = performance.now() + deadlineMs;
  let last;
  while (performance.now() < end) {
    last = await condition();
    if (last) return last;
    await delay(20);
  }
  const text = typeof what === 'function' ? await what() : what;
  throw new Error(`not within ${deadlineMs} ms: ${text}`);
}

/** A port of the loopback that is free now; a server that is to come back on its port needs a fixed one. */
export async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}

/** The words that start the server under test. */
export function serverCommand() {
  const bin = process.env.PEERPIGEON_BIN;
  if (!bin) throw new Error('PEERPIGEON_BIN must name the server to test');
  return /\.m?js$/.test(bin) ? [process.execPath, bin] : [bin];
}

/** One server process. */
export class Server {
  #child;
  #log = [];

  constructor(port) {
    this.port = port;
    this.url = `ws://127.0.0.1:${port}`;
  }

  /** Starts one on `port`, or on any free one, and waits until it answers `/health`. */
  static async start({ port, settings = {} } = {}) {
    const server = new Server(port ?? (await freePort()));
    const [command, ...args] = serverCommand();
    const env = { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(server.port), ...settings };
    server.#child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [server.#child.stdout, server.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        server.#log.push(...text.trimEnd().split('\n'));
        server.#log.splice(0, server.#log.length - LOG_LINES_KEPT);
      });
    }
    await until(
      () => `an answer to /health; the server said:\n${server.log}`,
      () => {
        if (server.#child.exitCode !== null) throw new Error(`the server ended: ${server.log}`);
        return server.health().catch(() => null);
      },
    );
    return server;
  }

  /** What it wrote last. */
  get log() {
    return this.#log.join('\n');
  }

  /** The body of `/health`. */
  async health() {
    const answer = await fetch(`http://127.0.0.1:${this.port}/health`);
    return answer.json();
  }

  /** Stops it by SIGTERM; it must end with status 0. */
  async stop() {
    if (this.#child.exitCode !== null) throw new Error(`the server had ended by itself: ${this.log}`);
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [code, signal] = await ended;
    if (code !== 0) throw new Error(`the server ended with ${code ?? signal}: ${this.log}`);
  }

  /** Asks it to end by SIGTERM, whatever its status is then. */
  async terminate() {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }

  /** Ends it in any case, for clean-up. */
  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
