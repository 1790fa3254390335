// The tests of the client module on Node with a WebSocket of its own: 22, which tells of failed dials otherwise, and 24.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TESTS = ['client.test.mjs', 'client-runtimes.test.mjs', 'client-life.test.mjs'];

/** Runs tests by another Node; returns its exit status and what it wrote. */
async function testBy(version) {
  const node = fileURLToPath(new URL(`node_modules/node-${version}-${process.arch}/bin/node`, import.meta.url));
  // Without it, it takes itself for a part of this run and tests nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(node, ['--test', '--test-concurrency=1', '--test-timeout=60000', '--test-reporter=tap', ...TESTS], {
    cwd: HERE,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  const [status] = await once(child, 'close');
  return { status, output };
}

describe('the client module on another Node', { concurrency: true }, () => {
  for (const version of [22, 24]) {
    it(`passes its tests on Node ${version}`, async () => {
      const { status, output } = await testBy(version);
      // Indented, so that nobody takes these results for more than one test.
      assert.equal(status, 0, output.replace(/^/gm, '  | '));
      assert.ok(Number(/^# pass (\d+)$/m.exec(output)[1]) > 80, output.replace(/^/gm, '  | '));
    });
  }
});
