// The sample clients of the older guide: what they see, line by line.
//
// UPDATE_GOLDEN=1 writes the transcript anew; what changed is then to be held against the protocol document.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Server } from './server.mjs';

const at = (name) => fileURLToPath(new URL(`guide/${name}`, import.meta.url));
const DEADLINE_MS = 30_000;

/** What differs from run to run gets a name in the order of its coming. */
function normalized(text) {
  const ids = new Map();
  return text
    .replace(/"messageId":"([^"]+)"/g, (_, id) => {
      if (!ids.has(id)) ids.set(id, ids.size + 1);
      return `"messageId":"<${ids.get(id)}>"`;
    })
    .replace(/"timestamp":\d{13}\b/g, '"timestamp":<now>');
}

describe('the sample clients of the older guide', () => {
  let server;
  before(async () => { server = await Server.start(); });
  after(() => server.kill());

  // Debian's interpreter, since its `websockets` comes as a Debian package.
  for (const [library, command, script] of [
    ['ws', process.execPath, 'play.mjs'],
    ['websockets', '/usr/bin/python3', 'play.py'],
  ]) {
    it(`see with ${library} what the transcript says`, async () => {
      const url = `ws://127.0.0.1:${server.port}/signaling`;
      const { stdout } = await promisify(execFile)(command, [at(script), url], { timeout: DEADLINE_MS });
      const seen = normalized(stdout);
      if (process.env.UPDATE_GOLDEN) await writeFile(at('transcript.txt'), seen);
      assert.equal(seen, await readFile(at('transcript.txt'), 'utf8'));
    });
  }
});
