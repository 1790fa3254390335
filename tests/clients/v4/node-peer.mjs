// PeerPigeon V4 in Node on werift: a process that tells what it sees, a JSON object on each line.
//
//     node-peer.mjs FOLDER URL NETWORK SESSION
//
// FOLDER holds the built library as `dist/index.js` and what it imports in `node_modules`.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, url, networkId, sessionId] = process.argv.slice(2);
const library = join(folder, 'dist/index.js');
const require = createRequire(pathToFileURL(library));
const tell = (what) => console.log(JSON.stringify(what));

const werift = require('werift');
globalThis.WebSocket = require('ws').WebSocket;
globalThis.RTCSessionDescription = werift.RTCSessionDescription;
globalThis.RTCIceCandidate = werift.RTCIceCandidate;
globalThis.RTCPeerConnection = class extends werift.RTCPeerConnection {
  constructor(configuration) {
    super({ ...configuration, iceServers: [], iceCandidatePoolSize: 0, iceUseIpv6: false });
  }
};

const { PeerPigeonNode } = await import(pathToFileURL(library));
const node = new PeerPigeonNode({
  crypto: false,
  networkId,
  sessionId,
  minPeers: 1,
  maxPeers: 5,
  tolerantPeers: 0,
  automaticSignalingServer: false,
  signalingServer: url,
  signalingServers: [url],
  iceServers: [],
});
node.on('error', (error) => tell({ error: String(error) }));
node.on('message', ({ data, local }) => local || tell({ heard: data?.claim }));
await node.start();
let links = '';
setInterval(() => {
  node.broadcast({ claim: node.getClientId() });
  const now = JSON.stringify(node.getConnectedPeers());
  if (now !== links) tell({ id: node.getClientId(), links: node.getConnectedPeers() });
  links = now;
}, 200);
