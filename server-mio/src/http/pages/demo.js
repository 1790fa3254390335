// The demo: peers that are introduced by the server connect by WebRTC and chat over data channels.
//
//   ?api=ws://…      another signaling server; several with commas, the preferred one first
//   ?network=…       who shares it meets; `demo` where it is missing
//   ?name=…          what others see
//   ?token=…         for servers that ask for one
//   ?stun=stun:…     for peers behind different routers; without it nobody but the signaling server is asked

import { SignalingClient } from './client.js';

const query = new URLSearchParams(location.search);
const ANIMALS = 'Otter Heron Lynx Finch Badger Marten Wren Hare Ibex Stoat Robin Seal Magpie Vole Newt Crane'.split(' ');
const COLOURS = 'Amber Azure Coral Ivory Jade Lilac Olive Ruby'.split(' ');

/** A name that can be told from an id, so that nobody is nameless before it has introduced itself. */
const nameOf = (id) =>
  `${COLOURS[parseInt(id.slice(0, 4), 16) % COLOURS.length]} ${ANIMALS[parseInt(id.slice(4, 8), 16) % ANIMALS.length]}`;
const colourOf = (id) => `hsl(${parseInt(id.slice(0, 4), 16) % 360} 62% var(--tint))`;

const client = new SignalingClient((query.get('api') ?? './').split(','), {
  network: query.get('network') ?? 'demo',
  token: query.get('token') ?? undefined,
  maxPeers: 16,
});
const me = { id: client.peerId, name: (query.get('name') ?? nameOf(client.peerId)).slice(0, 40) };

/** Everybody who is known, by id: name, link, and whom they are linked to. */
const peers = new Map();
/** Chat messages that have been shown and passed on, so that each comes once however many ways there are. */
const seen = new Set();

/** How long the first dial may take, the second twice that, and so on: browsers now and then find no way at first. */
const DIAL_MS = 4_000;
const DIALS = 6;
/** Who was dialled waits for as long as the last dial takes. */
const ANSWER_MS = DIALS * DIAL_MS;
const SEEN_MESSAGES = 1_000;

function peerOf(id) {
  if (!peers.has(id)) peers.set(id, { id, name: nameOf(id), links: [], link: undefined, dials: 0 });
  return peers.get(id);
}

const linked = () => [...peers.values()].filter((peer) => peer.link?.isOpen);

/** One WebRTC connection with its data channel. */
class Link {
  /** It has said who it is. */
  isGreeted = false;
  #pc;
  #channel;
  /** Candidates that came before the description that they belong to. */
  #early = [];
  #timer;

  constructor(peer, patienceMs) {
    this.peer = peer;
    const stun = query.get('stun');
    this.#pc = new RTCPeerConnection({ iceServers: stun ? [{ urls: stun }] : [] });
    this.#pc.onicecandidate = ({ candidate }) => candidate && this.#signal('ice-candidate', candidate.toJSON());
    this.#pc.onconnectionstatechange = () => this.#pc.connectionState === 'failed' && drop(this);
    this.#pc.ondatachannel = ({ channel }) => this.#take(channel);
    this.#timer = setTimeout(() => drop(this), patienceMs);
  }

  get isOpen() {
    return this.#channel?.readyState === 'open';
  }

  async dial() {
    this.#take(this.#pc.createDataChannel('demo'));
    await this.#pc.setLocalDescription();
    this.#signal('offer', this.#pc.localDescription.toJSON());
  }

  async answer(offer) {
    await this.#describe(offer);
    await this.#pc.setLocalDescription();
    this.#signal('answer', this.#pc.localDescription.toJSON());
  }

  async hear(type, data) {
    if (type === 'answer') await this.#describe(data);
    else if (this.#pc.remoteDescription) await this.#pc.addIceCandidate(data);
    else this.#early.push(data);
  }

  tell(message) {
    if (this.isOpen) this.#channel.send(JSON.stringify(message));
  }

  close() {
    clearTimeout(this.#timer);
    this.#pc.close();
  }

  async #describe(description) {
    await this.#pc.setRemoteDescription(description);
    for (const candidate of this.#early.splice(0)) await this.#pc.addIceCandidate(candidate);
  }

  #take(channel) {
    this.#channel = channel;
    channel.onopen = () => {
      clearTimeout(this.#timer);
      this.peer.dials = 0;
      introduce();
    };
    channel.onmessage = ({ data }) => receive(this.peer, JSON.parse(data));
    channel.onclose = () => drop(this);
  }

  #signal(type, data) {
    client.send(type, this.peer.id, data);
  }
}

/** Of two peers the one with the larger id dials, as in the PeerPigeon library. */
function dial(peer) {
  if (peer.link || me.id < peer.id) return;
  peer.dials += 1;
  const link = new Link(peer, peer.dials * DIAL_MS);
  peer.link = link;
  link.dial().catch(() => drop(link));
  draw();
}

/** A link is gone; who dialled it tries again a few times. */
function drop(link) {
  const { peer } = link;
  if (peer.link !== link) return;
  peer.link = undefined;
  if (link.isGreeted) news(peer, 'is gone');
  link.close();
  if (peer.isDiscovered && peer.dials < DIALS) setTimeout(() => peer.isDiscovered && dial(peer), 1_000 * peer.dials);
  if (!peer.isDiscovered) peers.delete(peer.id);
  introduce();
}

function forget(id) {
  const peer = peers.get(id);
  if (!peer) return;
  peer.isDiscovered = false;
  if (!peer.link) peers.delete(id);
  draw();
}

/** Tells all others who this is and whom it is linked to. */
function introduce() {
  const links = linked().map((peer) => peer.id);
  for (const { link } of linked()) link.tell({ kind: 'hello', name: me.name, links });
  draw();
}

function receive(peer, message) {
  if (message.kind === 'hello') {
    peer.name = String(message.name).slice(0, 40);
    peer.links = [message.links].flat().slice(0, 100);
    if (peer.link && !peer.link.isGreeted) news(peer, 'is connected');
    if (peer.link) peer.link.isGreeted = true;
    draw();
  } else if (message.kind === 'chat') {
    spread(message);
  }
}

/** Shows a message and passes it on, once: not everybody is linked to everybody. */
function spread(message) {
  if (seen.has(message.key)) return;
  seen.add(message.key);
  if (seen.size > SEEN_MESSAGES) seen.delete(seen.values().next().value);
  for (const { link } of linked()) link.tell(message);
  show(message);
}

client.addEventListener('peer-discovered', ({ detail: { peerId } }) => {
  const peer = peerOf(peerId);
  peer.isDiscovered = true;
  dial(peer);
  draw();
});
client.addEventListener('peer-disconnected', ({ detail }) => forget(detail.peerId));
client.addEventListener('goodbye', ({ detail }) => {
  forget(detail.peerId);
  const link = peers.get(detail.peerId)?.link;
  if (link) drop(link);
});
client.addEventListener('signal', async ({ detail: { type, from, data } }) => {
  const peer = peerOf(from);
  try {
    if (type === 'offer') {
      peer.link?.close();
      peer.link = new Link(peer, ANSWER_MS);
      await peer.link.answer(data);
    } else {
      await peer.link?.hear(type, data);
    }
  } catch (error) {
    console.warn(`${type} from ${from}:`, error);
  }
  draw();
});
client.addEventListener('error', ({ detail }) => console.warn(`${detail.code}: ${detail.message}`));
client.addEventListener('state', ({ detail: { state, url, retryMs } }) => {
  const texts = {
    connecting: 'connecting…',
    open: 'connected',
    waiting: `trying again in ${Math.ceil(retryMs / 1000)} s`,
    suspended: 'asleep',
    stopped: 'not connected',
    replaced: 'open elsewhere',
    refused: 'refused',
  };
  element('state').textContent = texts[state];
  element('state').dataset.state = state;
  element('server').textContent = url ? `Signaling by ${new URL(url).host}.` : '';
});

// What is on the page.

function element(id) {
  return document.getElementById(id);
}

function line(kind, ...parts) {
  const log = element('log');
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const item = document.createElement('li');
  item.className = kind;
  item.append(...parts);
  log.append(item);
  if (log.children.length > 300) log.firstChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function bold(text, colour) {
  const name = document.createElement('b');
  name.textContent = text;
  if (colour) name.style.color = colour;
  return name;
}

const news = (peer, what) => line('news', bold(peer.name), ` ${what}`);

function show({ from, name, text }) {
  if (from === me.id) line('chat mine', String(text).slice(0, 500));
  else line('chat', bold(`${String(name).slice(0, 40)} `, colourOf(String(from))), String(text).slice(0, 500));
}

/** The mesh as a circle of peers; this one is the lowest, so that it stays where it is. */
function draw() {
  const everybody = [...peers.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const places = new Map([[me.id, [0, 110]]]);
  everybody.forEach((peer, i) => {
    const angle = Math.PI / 2 + (2 * Math.PI * (i + 1)) / (everybody.length + 1);
    places.set(peer.id, [110 * Math.cos(angle), 110 * Math.sin(angle)]);
  });
  const edges = everybody.flatMap((peer) => {
    const others = peer.links.filter((id) => id !== me.id && id > peer.id && places.has(id));
    const own = peer.link && [me.id, peer.id, peer.link.isOpen ? 'own' : 'dialling'];
    return [...others.map((id) => [peer.id, id, '']), ...(own ? [own] : [])];
  });
  const lines = edges.map(([a, b, kind]) => {
    const [[x1, y1], [x2, y2]] = [places.get(a), places.get(b)];
    return svg('line', { x1, y1, x2, y2, class: kind });
  });
  const nodes = [{ ...me, isMe: true }, ...everybody].flatMap(({ id, name, isMe }) => {
    const [cx, cy] = places.get(id);
    const label = svg('text', { x: cx, y: cy < -1 ? cy - 18 : cy + 28 });
    label.textContent = isMe ? 'you' : name;
    const circle = svg('circle', { cx, cy, r: isMe ? 13 : 11, class: isMe ? 'me' : '' });
    circle.style.fill = colourOf(id);
    return [circle, label];
  });
  element('picture').replaceChildren(...lines, ...nodes);
  const count = linked().length;
  element('count').textContent =
    count === 0 ? 'Nobody else yet' : count === 1 ? 'Connected to one peer' : `Connected to ${count} peers`;
}

function svg(name, attributes) {
  const shape = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
  return shape;
}

element('me').append('You are ', bold(me.name));
// A name belongs to one tab.
const another = new URL(location.href);
another.searchParams.delete('name');
element('another').href = another;
element('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = element('text').value.trim();
  element('text').value = '';
  if (text) spread({ kind: 'chat', key: `${me.id} ${crypto.getRandomValues(new Uint32Array(2))}`, from: me.id, name: me.name, text });
});
client.start();
draw();
