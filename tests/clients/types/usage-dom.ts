// What an app may write in a page.

import { SignalingClient } from 'peerpigeon-signaling-client';

const client = new SignalingClient(new URL('/', location.href), { WebSocket });
const abort = new AbortController();
client.addEventListener('state', ({ detail }) => document.body.append(detail.state), { signal: abort.signal });
abort.abort();
