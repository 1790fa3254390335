// Types of client.js, which says what everything does.

/** Version of the module, semantic. */
export const version: string;

/** A random peer id: 40 hex digits. */
export function newPeerId(): string;

export type State = 'connecting' | 'open' | 'waiting' | 'suspended' | 'stopped' | 'replaced' | 'refused';

/** Why a dial failed or a connection ended. */
export interface Failure {
  /** Of the server, without query, user and password. */
  readonly url: string;
  /** For people. */
  readonly reason: string;
  /** Of the close, where there was one. */
  readonly code?: number;
}

export interface StateDetail {
  readonly state: State;
  /** Of the server in use or dialled last, without query, user and password. */
  readonly url?: string;
  /** When it is `waiting`: for how many milliseconds. */
  readonly retryMs?: number;
  /** What has just failed. */
  readonly failure?: Failure;
}

/** The `detail` of each event. */
export interface Events {
  state: StateDetail;
  'peer-discovered': { readonly peerId: string; readonly [announced: string]: any };
  'peer-disconnected': { readonly peerId: string; readonly reason: string; readonly timestamp: number };
  goodbye: { readonly peerId: string };
  signal: { readonly type: string; readonly from: string; readonly data?: any };
  error: { readonly code: string; readonly message: string; readonly type?: string };
}

export interface SignalingEvent<Type extends keyof Events> {
  readonly type: Type;
  readonly detail: Events[Type];
  readonly target: SignalingClient;
}

export type Listener<Type extends keyof Events> =
  | ((event: SignalingEvent<Type>) => void)
  | { handleEvent(event: SignalingEvent<Type>): void };

export interface ListenerOptions {
  readonly once?: boolean | undefined;
  /** An AbortSignal. */
  readonly signal?: { readonly aborted: boolean; addEventListener(type: 'abort', listener: () => void): void } | undefined;
}

/** All times are milliseconds. */
export interface Defaults {
  peerId: string | undefined;
  network: string;
  data: object;
  maxPeers: number;
  token: string | ((url: string) => Token | Promise<Token>) | undefined;
  /** A class like that of browsers. */
  WebSocket: (new (url: string) => object) | undefined;
  backoff: { first: number; most: number };
  breaker: { failures: number; rest: number };
  dialTimeout: number;
  silence: { ping: number; gone: number; woken: number };
  returnInterval: number;
}

/** Without one it is dialled without. */
export type Token = string | null | undefined;

export type Options = {
  [Name in keyof Defaults]?:
    | (Name extends 'backoff' | 'breaker' | 'silence' ? { [Part in keyof Defaults[Name]]?: Defaults[Name][Part] | undefined } : Defaults[Name])
    | undefined;
};

export const DEFAULTS: Defaults;

export type Url = string | { readonly href: string };

export class SignalingClient {
  /** Throws a TypeError where no URL is given, or an option is not allowed. */
  constructor(urls: Url | readonly Url[], options?: Options);
  readonly peerId: string;
  get state(): State;
  /** Throws a TypeError where there is no WebSocket. */
  start(): void;
  stop(): void;
  wake(): void;
  /** Whether it was sent. */
  send(type: string, targetPeerId: string, data?: unknown): boolean;
  /** Whether it was sent at once; else it is when there is a connection. */
  announce(data: object): boolean;
  addEventListener<Type extends keyof Events>(type: Type, listener: Listener<Type> | null, options?: boolean | ListenerOptions): void;
  removeEventListener<Type extends keyof Events>(type: Type, listener: Listener<Type> | null): void;
}
