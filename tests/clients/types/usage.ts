// What an app may write, and behind each `@ts-expect-error` what it may not.

import { DEFAULTS, SignalingClient, newPeerId, version } from 'peerpigeon-signaling-client';
import type { Failure, Options, State } from 'peerpigeon-signaling-client';

const options: Options = {
  peerId: newPeerId(),
  network: 'team',
  token: async (url: string) => `for ${url}`,
  backoff: { first: 2 * DEFAULTS.backoff.first },
  silence: { woken: undefined },
  maxPeers: undefined,
};
const client = new SignalingClient(['wss://a.example', 'wss://b.example'] as const, options);
new SignalingClient('wss://a.example');
new SignalingClient('wss://a.example', { token: 'text' });
new SignalingClient('wss://a.example', { token: () => undefined });

client.addEventListener('state', ({ detail, target }) => {
  const state: State = detail.state;
  const failure: Failure | undefined = detail.failure;
  const text: string = `${state} ${detail.url} ${failure?.reason} ${failure?.code?.toFixed()} ${detail.retryMs?.toFixed()}`;
  if (target.state === 'waiting') target.wake();
  // @ts-expect-error: no such state
  if (state === 'closed') return text;
  return undefined;
});
client.addEventListener('peer-discovered', ({ detail: { peerId, name } }) => client.send('offer', peerId, { name }));
client.addEventListener('signal', ({ detail: { type, from, data } }) => client.send(`re-${type}`, from, data), { once: true });
client.addEventListener('error', { handleEvent: ({ detail }) => void detail.code.length });
client.addEventListener('goodbye', null);
client.start();
const isSent: boolean = client.announce({ name: version });
client.stop();

// @ts-expect-error: no such event
client.addEventListener('close', () => isSent);
// @ts-expect-error: a goodbye has no data
client.addEventListener('goodbye', ({ detail }) => detail.data);
// @ts-expect-error: no URL
new SignalingClient();
// @ts-expect-error: no such option
new SignalingClient('wss://a.example', { retry: 5 });
// @ts-expect-error: a number of milliseconds
new SignalingClient('wss://a.example', { dialTimeout: '5s' });
// @ts-expect-error: a token is a text
new SignalingClient('wss://a.example', { token: async () => 5 });
// @ts-expect-error: a target is missing
client.send('offer');
// @ts-expect-error: an object
client.announce('me');
// @ts-expect-error: it is read
client.state = 'open';
