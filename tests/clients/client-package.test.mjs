// The client module as a package: its version, its types, and that it can be packed, installed and used.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import * as client from '../../server-mio/client/client.js';
import { Server } from './server.mjs';

const PACKAGE = new URL('../../server-mio/client/', import.meta.url);
const HERE = new URL('.', import.meta.url);
const NAME = 'peerpigeon-signaling-client';
const run = promisify(execFile);
const text = (name) => readFile(new URL(name, PACKAGE), 'utf8');

describe('the package of the client module', () => {
  let folder;
  let packed;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerpigeon-package-'));
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder, fileURLToPath(PACKAGE)], { cwd: folder });
    [packed] = JSON.parse(stdout);
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, packed.filename)], { cwd: folder });
  });
  after(() => rm(folder, { recursive: true }));

  it('holds what it needs and nothing else, and depends on nothing', async () => {
    const files = packed.files.map(({ path }) => path).sort();
    assert.deepEqual(files, ['CHANGELOG.md', 'LICENSE', 'README.md', 'client.d.ts', 'client.js', 'package.json']);
    assert.deepEqual(packed.bundled, []);
    const { dependencies, peerDependencies } = JSON.parse(await text('package.json'));
    assert.deepEqual([dependencies, peerDependencies], [undefined, undefined]);
  });

  it('has one version, which its changes begin with', async () => {
    const newest = /^## (\S+)$/m.exec(await text('CHANGELOG.md'))[1];
    assert.match(newest, /^\d+\.\d+\.\d+$/);
    assert.deepEqual([client.version, packed.version], [newest, newest]);
  });

  it('connects to the server when it is installed', async () => {
    const server = await Server.start();
    try {
      const script = `
        import { SignalingClient } from '${NAME}';
        import WebSocket from '${new URL('node_modules/ws/wrapper.mjs', HERE)}';
        const client = new SignalingClient('${server.url}', { WebSocket });
        client.addEventListener('state', ({ detail }) => {
          console.log(detail.state);
          if (detail.state === 'open') client.stop();
        });
        client.start();
      `;
      await writeFile(join(folder, 'app.js'), script);
      const { stdout } = await run(process.execPath, ['app.js'], { cwd: folder, timeout: 30_000 });
      assert.deepEqual(stdout.trim().split('\n'), ['connecting', 'open', 'stopped']);
    } finally {
      await server.kill();
    }
  });

  it('is what the server serves', async () => {
    const server = await Server.start();
    try {
      for (const [name, type] of [['client.js', 'text/javascript'], ['client.d.ts', 'text/plain']]) {
        const answer = await fetch(`http://127.0.0.1:${server.port}/${name}`);
        assert.equal(answer.headers.get('content-type'), `${type}; charset=utf-8`);
        assert.equal(await answer.text(), await text(name));
      }
    } finally {
      await server.kill();
    }
  });

  for (const [where, lib] of [['a page', 'es2022,dom'], ['a runtime without DOM', 'es2022']]) {
    it(`has types that allow what is right and nothing else, in ${where}`, async () => {
      const usage = lib.includes('dom') ? ['usage.ts', 'usage-dom.ts'] : ['usage.ts'];
      for (const name of usage) await cp(new URL(`types/${name}`, HERE), join(folder, name));
      const tsc = fileURLToPath(new URL('node_modules/typescript/bin/tsc', HERE));
      const options = ['--strict', '--exactOptionalPropertyTypes', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--lib', lib];
      const { stdout } = await run(process.execPath, [tsc, ...options, ...usage], { cwd: folder }).catch((error) => error);
      assert.equal(stdout, '');
    });
  }

  it('has types of all that there is', async () => {
    const types = await text('client.d.ts');
    const exported = [...types.matchAll(/^export (?:const|function|class) (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(exported.sort(), Object.keys(client).sort());
    const body = (kind, name) => new RegExp(`^export ${kind} ${name} \\{\\n([^]*?)^\\}`, 'm').exec(types)[1];
    const members = (text) => [...text.matchAll(/^ {2}(?:readonly |get )?(\w+)[(:<]/gm)].map(([, name]) => name);
    assert.deepEqual(members(body('interface', 'Defaults')).sort(), Object.keys(client.DEFAULTS).sort());
    const methods = Object.getOwnPropertyNames(client.SignalingClient.prototype);
    assert.deepEqual(members(body('class', 'SignalingClient')).sort(), [...methods, 'peerId'].sort());
  });
});
