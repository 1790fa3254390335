// Somebody who asks for the list of a room and joins nothing.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

import WebSocket from 'ws';

/** The ids that the server lists in this room. */
export async function listed(server, { network, session }) {
  const socket = new WebSocket(`${server.url}/ws?networkId=${network}&room=${session}`);
  try {
    await once(socket, 'open');
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(5_000) });
    socket.send(
      JSON.stringify({
        psp_version: '1.0',
        type: 'discover',
        network,
        from: 'observer',
        to: null,
        session_id: session,
        message_id: randomUUID(),
        timestamp: Date.now(),
        ttl_ms: null,
        reply_to: null,
        body: { exclude_peers: ['observer'], limit: 50 },
      }),
    );
    const { body } = JSON.parse((await answer)[0]);
    return body.peers.map((peer) => peer.peer_id);
  } finally {
    socket.close(4000);
  }
}
