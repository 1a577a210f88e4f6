/** The types of wsproto.js. Times are in milliseconds unless the server says them. */

export declare const SUBPROTOCOL: "wsproto.v1.json";

/** An event as it came: protocol, section 3. */
export interface EventMessage<P = unknown> {
  msg_id: string;
  /** Only for the connection that asked. */
  req_id?: string;
  /** Rises by one for each event of this connection. */
  seq: number;
  event: string;
  recipient: string;
  recipient_id: string;
  payload: P;
  topic?: string;
  offset?: number;
  epoch?: string;
}

/** A problem as it came: protocol, section 4 (RFC 9457). */
export interface ProblemMessage {
  msg_id: string;
  req_id?: string;
  type: string;
  title: string;
  status: number;
  detail?: string;
  instance?: string;
  code: string;
  retryable?: boolean;
  /** Seconds. */
  retry_after?: number;
  errors?: Array<{ pointer: string; detail: string; code?: string }>;
  [member: string]: unknown;
}

/** The payload of `ws.ready`; the intervals are in seconds. */
export interface Ready {
  connection_id: string;
  user_id: string | number | null;
  expires_at?: string | number;
  ping_interval?: number | null;
  max_message_bytes?: number | null;
}

export interface Reply<P = unknown> {
  req_id: string;
  /** The first event of the answer; null when the action answered with none. */
  event: EventMessage<P> | null;
  /** All events of the answer. In the plain form of the protocol this is the first one only. */
  events: EventMessage<P>[];
}

export type Status = "connecting" | "open" | "waiting" | "closed";

export interface StatusChange {
  status: Status;
  /** The close code that led here (`waiting`, `closed`), else null. */
  code: number | null;
  reason: string;
  /** Milliseconds until the next attempt (`waiting`), else null. */
  retryIn: number | null;
  /** Attempts since the connection was last stable. */
  attempt: number;
}

export interface Gap {
  expected: number;
  received: number;
  missed: number;
}

/** A user who is present, with one meta for each of its connections. */
export interface Member {
  user_id: string | number;
  /** What the server says of it, such as a name. */
  info?: any;
  metas: Array<{ ref: string }>;
}

export interface PresenceChange {
  topic: string;
  /** Everybody who is present now, each user once. */
  members: Member[];
  /** Who came, who went, and whose connections are others than before; all empty when the list is new. */
  joins: Member[];
  leaves: Member[];
  updates: Member[];
}

export interface CallOptions {
  /** Reject with CallTimeoutError after so long; 0 or null waits for ever. 30 seconds by default. */
  timeout?: number | null;
  signal?: AbortSignal;
}

export interface ConnectOptions {
  /**
   * Subprotocols to offer, and to insist on. By default `wsproto.v1.json` is offered; where two handshakes with it fail
   * one after the other, a third goes without. The next attempt begins with it again.
   */
  protocols?: readonly string[];
  /**
   * An access token, or what gets a fresh one for each handshake. It travels as a subprotocol, never in the URL; one
   * with characters that a subprotocol cannot carry closes the client.
   */
  token?: string | null | (() => string | null | Promise<string | null>);
  /** How long a call waits by default. 30,000. */
  timeout?: number | null;
  /** How long a connection may take to open. 10,000. */
  connectTimeout?: number;
  /**
   * How long nothing may come after `health` before the connection counts as lost; 0 is for ever. In `wsproto.v1.json`
   * the server is then asked once more, with `ws.cancel`, for as long again or 10 seconds. 45,000.
   */
  healthTimeout?: number;
  /** Send `health` after so much silence where the server names no interval of its own. Off by default. */
  pingInterval?: number | null;
  /** The n-th attempt waits a random time of up to `min(max, base * 2 ** n)`. 500 and 30,000. */
  backoff?: { base?: number; max?: number };
  /** Whether to come back after a close; by default the protocol's table of close codes decides. */
  shouldReconnect?: (code: number, reason: string) => boolean;

  // What a test holds still, and what an older Node lacks.
  WebSocket?: new (url: string, protocols?: string[]) => any;
  crypto?: { randomUUID?: () => string; getRandomValues: (bytes: any) => any };
  random?: () => number;
  setTimeout?: (fn: () => void, ms: number) => any;
  clearTimeout?: (id: any) => void;
}

export interface Client {
  readonly status: Status;
  /** What `ws.ready` said; null in the plain form of the protocol and while there is no connection. */
  readonly info: Ready | null;
  /** Resolves as soon as the connection is open; rejects with DisconnectedError when it is closed for good. */
  ready(): Promise<void>;
  /**
   * Do an action and wait for its answer. Rejects with ProblemError (the server refused), DisconnectedError
   * (not connected, or lost before the answer: nothing is ever sent twice), CallTimeoutError, or the
   * signal's reason. In the plain form of the protocol the answer is the first event, so an action that
   * answers with none needs `send`.
   */
  call<P = any>(action: string, payload?: object, options?: CallOptions): Promise<Reply<P>>;
  /** Send an action and wait for nothing; returns its req_id. Throws DisconnectedError when not connected. */
  send(action: string, payload?: object): string;
  /** Hear every event of that name, also those that answer a call. Returns what ends it. */
  on<P = any>(event: string, listener: (payload: P, event: EventMessage<P>) => void): () => void;
  onStatus(listener: (change: StatusChange) => void): () => void;
  /** Problems that no call waits for: of `send`, of a message that could not be read, after an answer. */
  onProblem(listener: (problem: ProblemMessage) => void): () => void;
  /** A hole in `seq`: events for this connection were lost. */
  onGap(listener: (gap: Gap) => void): () => void;
  /** Frames that are neither an event nor a problem. */
  onRaw(listener: (data: unknown) => void): () => void;
  /** Who is on a topic, whenever that is told or changes: `ws.presence_state` and `ws.presence_diff`. */
  onPresence(listener: (change: PresenceChange) => void): () => void;
  /** Who is on a topic now, by its name as in `room/lobby`; empty after a reconnect, until the server says it anew. */
  members(topic: string): Member[];
  /** While waiting for the next attempt: try now. */
  reconnect(): void;
  /** Close for good. Calls that wait are rejected. */
  close(code?: number, reason?: string): void;
}

/** Connect, and stay connected until `close()` or a close that says not to come back. */
export declare function connect(url: string | URL, options?: ConnectOptions): Client;

/** The server refused a message, and said why. */
export declare class ProblemError extends Error {
  constructor(problem: ProblemMessage);
  readonly problem: ProblemMessage;
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly errors: NonNullable<ProblemMessage["errors"]>;
  readonly retryable: boolean;
}

/** There is no connection, or it was lost before the answer came. */
export declare class DisconnectedError extends Error {
  constructor(message: string, code?: number | null, reason?: string);
  readonly code: number | null;
  readonly reason: string;
}

/** No answer in time. It does not mean that the action did not happen. */
export declare class CallTimeoutError extends Error {
  constructor(action: string, timeout: number);
}
