// The client library, several versions of it in one process: each is a module graph of its own.

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { currentPage } from './page.mjs';

/** The folders of the package `peerpigeon` in a `node_modules`, whatever they are called there, by version. */
export function findClients(packages) {
  const found = new Map();
  const names = fs.existsSync(packages) ? fs.readdirSync(packages) : [];
  for (const name of names.filter((name) => name.startsWith('peerpigeon'))) {
    const folder = path.resolve(packages, name);
    const { version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    found.set(version, folder);
  }
  return found;
}

/** What the library looks for in a browser. */
export function installBrowser(WebSocket, webRtc) {
  const create = () => webRtc.create(currentPage());
  globalThis.WebSocket = WebSocket;
  // 1.0.6 and 1.1.3 take WebRTC from there; 0.1.1 from the browser itself.
  const adapter = { isSupported: () => true, getAdapterName: () => 'mesh-lab', createPeerConnection: create };
  globalThis.__PEERPIGEON_PIGEONRTC__ = { createPigeonRTC: async () => adapter };
  globalThis.RTCPeerConnection = function RTCPeerConnection() {
    return create();
  };
}

/** Loads the version in `folder`, and returns what makes a mesh of it. */
export async function loadClient(folder) {
  const load = (name) => import(pathToFileURL(path.join(folder, 'src', `${name}.js`)).href);
  // The library's own arithmetic takes a fifth of a whole run; this one gives the same.
  for (const name of ['PeerDiscovery', 'MeshOptimizer', 'EvictionManager']) {
    (await load(name))[name].prototype.calculateXorDistance = xorDistance;
  }
  const { PeerPigeonMesh } = await load('PeerPigeonMesh');
  return (links, options) => {
    const mesh = new PeerPigeonMesh({
      maxPeers: links, networkName: 'global', enableCrypto: false, enableWebDHT: false, ...options,
    });
    // 0.1.1 takes it by this method only.
    if (mesh.maxPeers !== links) mesh.setMaxPeers(links);
    return mesh;
  };
}

const numbers = new Map();

function xorDistance(one, two) {
  return toNumber(one) ^ toNumber(two);
}

function toNumber(id) {
  let number = numbers.get(id);
  if (number === undefined) {
    number = BigInt(`0x${id}`);
    numbers.set(id, number);
  }
  return number;
}
