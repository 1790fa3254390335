// RTCPeerConnection and RTCDataChannel as far as the PeerPigeon library uses them, in memory: an offer and its answer
// carry the numbers by which the two ends find each other in this process. Nothing is sent anywhere.
//
// As in a browser: descriptions are taken or refused by the signaling state; a link comes only where each end has the
// other's own description (an answer to an older offer never connects, and fails in time), and at least one end has a
// candidate of the other. Whoever closes a connection tells the other end over the link, if there is one; whoever
// vanishes does not.

import { runAs } from './page.mjs';

/** Milliseconds of virtual time. */
export const TIMES = {
  /** createOffer, createAnswer, set…Description. */
  description: 5,
  /** After setLocalDescription, one candidate each: host, server reflexive. Browsers have up to ten. */
  candidates: [10, 80],
  /** ICE, from the moment at which a link is possible. */
  checks: 150,
  dtls: 100,
  channel: 50,
  /** Over a link, also for its end. */
  message: 40,
  /** Until ICE says `disconnected` of an end that is not there any more. */
  vanished: 6_000,
  /** From the first check, or from `disconnected`, until ICE says `failed`. */
  hopeless: 15_000,
};

/** All connections of the process. */
export class WebRtc {
  #connections = new Map();
  #created = 0;

  /**
   * `later(task, ms)`: in virtual time. `onLink(a, b)` and `onLinkEnd(a, b)`: what became of two connections.
   * `isBlocked(pageA, pageB)`: no link between these two ever comes, as between two strict NATs.
   */
  constructor({ later, onLink, onLinkEnd, isBlocked }) {
    Object.assign(this, { later, onLink, onLinkEnd, isBlocked });
  }

  /** A new connection of `page`. */
  create(page) {
    this.#created += 1;
    const connection = new PeerConnection(this, page, this.#created);
    this.#connections.set(this.#created, connection);
    page.ends.add(connection);
    return connection;
  }

  find(number) {
    return this.#connections.get(number);
  }

  remove(connection) {
    this.#connections.delete(connection.number);
    connection.page.ends.delete(connection);
  }
}

class DataChannel {
  readyState = 'connecting';
  bufferedAmount = 0;
  binaryType = 'arraybuffer';
  onopen = null;
  onclose = null;
  onmessage = null;
  onerror = null;

  constructor(connection, label) {
    this.connection = connection;
    this.label = label;
  }

  send(data) {
    if (this.readyState !== 'open') throw invalidState('the channel is not open');
    const other = this.connection.partner();
    this.connection.webRtc.later(() => {
      const { channel } = other ?? {};
      if (channel?.readyState === 'open') other.fire(() => channel.onmessage?.({ data }));
    }, TIMES.message);
  }

  close() {
    this.connection.endChannel();
  }
}

class PeerConnection {
  signalingState = 'stable';
  connectionState = 'new';
  iceConnectionState = 'new';
  iceGatheringState = 'new';
  localDescription = null;
  remoteDescription = null;
  channel = null;
  /** There is a link by it. */
  isUp = false;
  #otherNumber = null;
  #hasCandidate = false;
  #isLinking = false;
  #isGone = false;

  constructor(webRtc, page, number) {
    Object.assign(this, { webRtc, page, number });
  }

  // ---- what the library calls

  createDataChannel(label) {
    this.channel = new DataChannel(this, label);
    return this.channel;
  }

  addTransceiver(kind, { direction }) {
    return { direction, sender: { track: null, replaceTrack: async () => {} }, receiver: { track: { kind } } };
  }

  getTransceivers() {
    return [];
  }

  getSenders() {
    return [];
  }

  getReceivers() {
    return [];
  }

  restartIce() {}

  async createOffer() {
    await this.#moment();
    return this.#description('offer');
  }

  async createAnswer() {
    await this.#moment();
    if (this.signalingState !== 'have-remote-offer') throw invalidState('there is no offer');
    return this.#description('answer');
  }

  async setLocalDescription(description) {
    await this.#moment();
    const isOffer = description.type === 'offer';
    this.#expect(description, isOffer ? ['stable', 'have-local-offer'] : ['have-remote-offer']);
    this.localDescription = description;
    this.#signaling(isOffer ? 'have-local-offer' : 'stable');
    this.#gather();
    this.#startChecks();
  }

  async setRemoteDescription(description) {
    await this.#moment();
    const isOffer = description.type === 'offer';
    this.#expect(description, isOffer ? ['stable', 'have-remote-offer'] : ['have-local-offer']);
    const [, own, meant] = /a=fake:(\d+) (\d+)/.exec(description.sdp) ?? [];
    this.remoteDescription = description;
    // An answer that was meant for an older offer belongs to no connection.
    this.#otherNumber = isOffer || Number(meant) === this.number ? Number(own) : null;
    this.#signaling(isOffer ? 'have-remote-offer' : 'stable');
    this.#startChecks();
  }

  async addIceCandidate() {
    if (!this.remoteDescription) throw invalidState('there is no remote description');
    this.#hasCandidate = true;
    this.#link();
  }

  close() {
    if (this.signalingState === 'closed') return;
    const other = this.#end();
    if (other) this.webRtc.later(() => other.endChannel(), TIMES.message);
  }

  // ---- what the laboratory calls

  /** The page is not there any more: the other end is told nothing. */
  vanish() {
    const other = this.#end();
    if (!other) return;
    this.webRtc.later(() => other.#states('disconnected', 'disconnected'), TIMES.vanished);
    const failed = () => {
      if (other.iceConnectionState === 'disconnected') other.#states('failed', 'failed');
    };
    this.webRtc.later(failed, TIMES.vanished + TIMES.hopeless);
  }

  /** The other end, if each of the two has the description of the other. */
  partner() {
    const other = this.webRtc.find(this.#otherNumber);
    return other && other.#otherNumber === this.number ? other : null;
  }

  /** Something happens at this end, in a task of its page. */
  fire(task) {
    if (!this.#isGone && !this.page.isGone) runAs(this.page, task);
  }

  /** Closes the channel here, and then at the other end. */
  endChannel() {
    const { channel } = this;
    if (channel && channel.readyState !== 'closed') {
      channel.readyState = 'closed';
      this.fire(() => channel.onclose?.({}));
    }
    const other = this.partner();
    if (other?.channel?.readyState === 'open') this.webRtc.later(() => other.endChannel(), TIMES.message);
  }

  // ---- within

  #expect({ type }, states) {
    if (!states.includes(this.signalingState)) throw invalidState(`${type} in ${this.signalingState}`);
  }

  #moment() {
    return new Promise((done) => this.webRtc.later(() => this.fire(done), TIMES.description));
  }

  #description(type) {
    const meant = type === 'answer' ? this.#otherNumber : 0;
    const lines = [
      'v=0', `o=- ${this.number} 2 IN IP4 127.0.0.1`, 's=-', 't=0 0', 'a=group:BUNDLE 0',
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', `a=fake:${this.number} ${meant}`,
      'a=mid:0', 'a=sctp-port:5000', '',
    ];
    return { type, sdp: lines.join('\r\n') };
  }

  #signaling(state) {
    this.signalingState = state;
    this.webRtc.later(() => this.fire(() => this.onsignalingstatechange?.({})), 0);
  }

  #gather() {
    const tell = (candidate) => this.fire(() => this.onicecandidate?.({ candidate }));
    TIMES.candidates.forEach((ms, index) => this.webRtc.later(() => tell(candidateOf(this.number, index)), ms));
    this.webRtc.later(() => tell(null), Math.max(...TIMES.candidates) + 5);
  }

  #states(ice, connection) {
    if (this.signalingState === 'closed') return;
    const [wasIce, wasConnection] = [this.iceConnectionState, this.connectionState];
    this.iceConnectionState = ice;
    this.connectionState = connection;
    if (wasIce !== ice) this.fire(() => this.oniceconnectionstatechange?.({}));
    if (wasConnection !== connection) this.fire(() => this.onconnectionstatechange?.({}));
  }

  /** Once both descriptions are there, ICE begins. */
  #startChecks() {
    const hasBoth = this.localDescription && this.remoteDescription && this.signalingState === 'stable';
    if (!hasBoth || this.iceConnectionState !== 'new') return;
    this.#states('checking', 'connecting');
    const failed = () => {
      if (this.iceConnectionState === 'checking') this.#states('failed', 'failed');
    };
    this.webRtc.later(failed, TIMES.hopeless);
    this.#link();
  }

  #link() {
    const other = this.partner();
    const isChecking = (end) => end && !end.#isGone && end.iceConnectionState === 'checking';
    if (!isChecking(this) || !isChecking(other) || this.#isLinking) return;
    if (!this.#hasCandidate && !other.#hasCandidate) return;
    if (this.webRtc.isBlocked(this.page, other.page)) return;
    this.#isLinking = true;
    other.#isLinking = true;
    const both = (task) => {
      if (!this.#isGone && !other.#isGone) [this, other].forEach(task);
    };
    const { later } = this.webRtc;
    later(() => both((end) => end.#states('connected', 'connecting')), TIMES.checks);
    later(() => both((end) => end.#states('connected', 'connected')), TIMES.checks + TIMES.dtls);
    later(() => this.#openChannels(other, both), TIMES.checks + TIMES.dtls + TIMES.channel);
  }

  #openChannels(other, both) {
    if (this.#isGone || other.#isGone) return;
    this.isUp = true;
    other.isUp = true;
    both((end) => {
      if (end.channel) return;
      end.channel = new DataChannel(end, 'messages');
      end.fire(() => end.ondatachannel?.({ channel: end.channel }));
    });
    both((end) => {
      const { channel } = end;
      if (channel.readyState !== 'connecting') return;
      channel.readyState = 'open';
      const open = () => {
        if (channel.readyState === 'open') channel.onopen?.({});
      };
      this.webRtc.later(() => end.fire(open), 0);
    });
    this.webRtc.onLink(this, other);
  }

  /** Ends this end; gives the other one if there was a link. */
  #end() {
    if (this.#isGone) return null;
    this.#isGone = true;
    this.signalingState = 'closed';
    this.connectionState = 'closed';
    this.iceConnectionState = 'closed';
    if (this.channel) this.channel.readyState = 'closed';
    this.webRtc.remove(this);
    const other = this.webRtc.find(this.#otherNumber);
    const wasUp = this.isUp && other?.isUp;
    this.isUp = false;
    if (!wasUp) return null;
    other.isUp = false;
    this.webRtc.onLinkEnd(this, other);
    return other;
  }
}

const invalidState = (why) => new Error(`InvalidStateError: ${why}`);

function candidateOf(number, index) {
  const type = index < 1 ? 'host' : 'srflx';
  const address = `192.0.2.${index + 1}`;
  return {
    candidate: `candidate:${number} 1 udp ${2113937151 - index} ${address} ${40000 + index} typ ${type} generation 0`,
    sdpMid: '0',
    sdpMLineIndex: 0,
    usernameFragment: `f${number}`,
    type,
    protocol: 'udp',
    address,
  };
}
