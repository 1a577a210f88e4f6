/**
 * The browser's (and Node's) end of the wsproto protocol, version 1. One file, no dependencies.
 *
 *     import { connect } from "./wsproto.js";
 *
 *     const client = connect("/ws/");
 *     client.on("chat.said", (payload) => console.log(payload.text));
 *     await client.ready();
 *     const reply = await client.call("chat.say", { room: "lobby", text: "hi" });
 *
 * It speaks both forms of the protocol: the plain one, where a call ends with the first event that
 * carries its `req_id`, and `wsproto.v1.json`, where it ends with `ws.complete` and has all of them.
 * Times are in milliseconds, as everywhere in JavaScript; only what the server says is in seconds.
 *
 * The types are in wsproto.d.ts, beside this file.
 */

export const SUBPROTOCOL = "wsproto.v1.json";

const TOKEN_MARKER = "access-token";
const TOKEN_CHARACTERS = /^[!#$%&'*+.^_`|~\w-]+$/; // RFC 9110, section 5.6.2

const PLAIN_AFTER = 2; // failed handshakes that offered subprotocols
const LAST_QUESTION = 10_000; // milliseconds for the answer to `ws.cancel`, which waits for nothing
const LONGEST_TIMER = 2 ** 31 - 1; // milliseconds; a longer timer would fire at once

// Closes after which the same client may come back. Every other code says that it should not:
// the server meant it (1000, 3003, an application's own 4xxx), or the same would happen again
// (1003, 1007, 1008, 1009), or a new credential is needed first (3000).
const RECONNECT_AFTER = new Set([
  1001, // the server goes away
  1006, // no close at all: the network, a killed server, a refused handshake
  1011, // a server error
  1012, // the server restarts
  1013, // try again later
  1014, // a gateway's error
  3008, // a time limit of the server
]);

/** The server refused a message, and said why (RFC 9457). */
export class ProblemError extends Error {
  /** @param {import("./wsproto.js").ProblemMessage} problem */
  constructor(problem) {
    super(problem.detail ?? problem.title);
    this.name = "ProblemError";
    this.problem = problem;
    this.status = problem.status;
    this.code = problem.code;
    this.title = problem.title;
    this.errors = problem.errors ?? [];
    this.retryable = problem.retryable === true;
  }
}

/** There is no connection, or it was lost before the answer came. */
export class DisconnectedError extends Error {
  /**
   * @param {string} message
   * @param {number | null} [code] the close code, where there was one
   * @param {string} [reason] the close reason
   */
  constructor(message, code = null, reason = "") {
    super(message);
    this.name = "DisconnectedError";
    this.code = code;
    this.reason = reason;
  }
}

/** No answer in time. It does not mean that the action did not happen. */
export class CallTimeoutError extends Error {
  /**
   * @param {string} action
   * @param {number} timeout
   */
  constructor(action, timeout) {
    super(`no answer to "${action}" within ${timeout} ms; it may still happen`);
    this.name = "CallTimeoutError";
  }
}

/**
 * Connect, and stay connected until `close()` or a close that says not to come back.
 *
 * @param {string | URL} url absolute, or relative to the page
 * @param {import("./wsproto.js").ConnectOptions} [options]
 * @returns {import("./wsproto.js").Client}
 */
export function connect(url, options = {}) {
  return new Client(socketUrl(url), options);
}

class Client {
  #url;
  #settings;
  #protocols;
  #fallback; // may we try without subprotocols? Not once a handshake with them has succeeded.
  /** @type {import("./wsproto.js").Status} */
  #status = "connecting";
  /** @type {any} */
  #socket = null;
  #generation = 0; // changes whenever what is under way stops mattering
  #v1 = false;
  #lastSeq = 0;
  #attempt = 0;
  #end = { code: 1000, reason: "" };
  #notBefore = 0; // what ws.drain asked for, in milliseconds
  /** @type {number | null} */
  #pingInterval;
  /** @type {import("./wsproto.js").Ready | null} */
  #info = null;
  /** @type {Map<string, {events: any[], settle: (error: unknown, reply?: any) => void}>} */
  #calls = new Map();
  /** @type {Map<string, Set<Function>>} */
  #eventListeners = new Map();
  #statusListeners = new Set();
  #problemListeners = new Set();
  #gapListeners = new Set();
  #rawListeners = new Set();
  #presenceListeners = new Set();
  /** @type {Map<string, Map<string, import("./wsproto.js").Member>>} */
  #present = new Map(); // by topic, by user
  /** @type {Map<string, any>} */
  #timers = new Map();
  #wake = () => this.reconnect();

  /**
   * @param {string} url
   * @param {any} options
   */
  constructor(url, options) {
    this.#url = url;
    this.#settings = {
      token: /** @type {import("./wsproto.js").ConnectOptions["token"]} */ (null),
      timeout: 30_000,
      connectTimeout: 10_000,
      // In the plain form longer than the server's time limit for an action: health waits its turn behind one that runs.
      healthTimeout: 45_000,
      pingInterval: null,
      shouldReconnect: (/** @type {number} */ code, /** @type {string} */ _reason) => RECONNECT_AFTER.has(code),
      WebSocket: globalThis.WebSocket,
      crypto: globalThis.crypto,
      random: Math.random,
      setTimeout: (/** @type {() => void} */ fn, /** @type {number} */ ms) => globalThis.setTimeout(fn, ms),
      clearTimeout: (/** @type {any} */ id) => globalThis.clearTimeout(id),
      ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
      backoff: { base: 500, max: 30_000, ...options.backoff },
    };
    this.#protocols = options.protocols ?? [SUBPROTOCOL];
    this.#fallback = options.protocols === undefined;
    this.#pingInterval = this.#settings.pingInterval;
    globalThis.addEventListener?.("online", this.#wake);
    this.#open();
  }

  get status() {
    return this.#status;
  }

  get info() {
    return this.#info;
  }

  /**
   * Resolves as soon as the connection is open, at once when it is; rejects when it never will be. Where the server
   * introduces itself (`ws.ready`), `info` is known by then.
   */
  async ready() {
    while (this.#status !== "open" || (this.#v1 && this.#info === null)) {
      if (this.#status === "closed") {
        const { code, reason } = this.#end;
        throw new DisconnectedError(`the connection is closed (${because(code, reason)})`, code, reason);
      }
      await new Promise((resolve) => {
        const done = () => {
          offs.forEach((off) => off());
          resolve(undefined);
        };
        const offs = [this.onStatus(done), this.on("ws.ready", done)];
      });
    }
  }

  /**
   * Do an action and wait for its answer.
   *
   * @param {string} action
   * @param {object} [payload]
   * @param {import("./wsproto.js").CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(action, payload = {}, { timeout = this.#settings.timeout, signal } = {}) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const reqId = this.send(action, payload);
      const giveUp = (/** @type {unknown} */ error) => {
        settle(error);
        if (this.#v1 && action !== "ws.cancel") this.call("ws.cancel", { req_id: reqId }).catch(() => {});
      };
      const abort = () => giveUp(signal?.reason);
      const settle = (/** @type {unknown} */ error, /** @type {any} */ reply = null) => {
        this.#calls.delete(reqId);
        this.#stopTimer(reqId);
        signal?.removeEventListener("abort", abort);
        if (reply) resolve(reply);
        else reject(error);
      };
      this.#calls.set(reqId, { events: [], settle });
      signal?.addEventListener("abort", abort);
      if (timeout && timeout !== Infinity) {
        this.#startTimer(reqId, timeout, () => giveUp(new CallTimeoutError(action, timeout)));
      }
    });
  }

  /**
   * Send an action and wait for nothing. What it causes goes to the listeners of `on` and `onProblem`.
   *
   * @param {string} action
   * @param {object} [payload]
   * @returns {string} the req_id that its events and problems carry
   */
  send(action, payload = {}) {
    if (this.#status !== "open") throw new DisconnectedError(`not connected: "${action}" was not sent`);
    const reqId = uuid(this.#settings.crypto);
    this.#socket.send(JSON.stringify({ msg_id: uuid(this.#settings.crypto), req_id: reqId, action, payload }));
    // That a question was given up must not put off the next one.
    if (action !== "ws.cancel") this.#scheduleHealth();
    return reqId;
  }

  /**
   * @param {string} event
   * @param {(payload: any, event: any) => void} listener
   */
  on(event, listener) {
    const listeners = this.#eventListeners.get(event) ?? new Set();
    this.#eventListeners.set(event, listeners);
    return subscribe(listeners, listener);
  }

  /** @param {(change: any) => void} listener */
  onStatus(listener) {
    return subscribe(this.#statusListeners, listener);
  }

  /** @param {(problem: any) => void} listener */
  onProblem(listener) {
    return subscribe(this.#problemListeners, listener);
  }

  /** @param {(gap: any) => void} listener */
  onGap(listener) {
    return subscribe(this.#gapListeners, listener);
  }

  /** @param {(data: any) => void} listener */
  onRaw(listener) {
    return subscribe(this.#rawListeners, listener);
  }

  /** @param {(presence: any) => void} listener */
  onPresence(listener) {
    return subscribe(this.#presenceListeners, listener);
  }

  /**
   * Who is present on a topic, as far as the server has said so on this connection.
   *
   * @param {string} topic its name in `ws.presence_state`: a room's is `room/…`
   * @returns {import("./wsproto.js").Member[]}
   */
  members(topic) {
    return [...(this.#present.get(topic)?.values() ?? [])];
  }

  /** Do not wait for the next attempt: try now. Nothing happens unless the client is waiting. */
  reconnect() {
    if (this.#status === "waiting") this.#open();
  }

  close(code = 1000, reason = "") {
    if (this.#status === "closed") return;
    this.#socket?.close(code, reason);
    this.#drop();
    this.#finish(code, reason);
  }

  // One connection: open, receive, lose

  /** @param {number} refused how many handshakes of this attempt have failed */
  async #open(refused = 0) {
    const offered = refused < PLAIN_AFTER ? this.#protocols : [];
    const generation = ++this.#generation;
    const stale = () => generation !== this.#generation;
    this.#stopTimer("retry");
    this.#setStatus("connecting");
    let opened = false;
    // The time limit covers the token too: it may come from a server as well.
    this.#startTimer("connect", this.#settings.connectTimeout, () => {
      const socket = this.#socket;
      this.#lost(1006, "no connection in time");
      socket?.close();
    });

    let token = this.#settings.token;
    try {
      if (typeof token === "function") token = await token();
    } catch (error) {
      if (!stale()) this.#lost(1006, `no token: ${error instanceof Error ? error.message : error}`);
      return;
    }
    if (stale()) return;

    if (token && !TOKEN_CHARACTERS.test(token)) {
      this.#drop();
      this.#finish(1006, "the token has characters that a subprotocol cannot carry");
      return;
    }

    let socket;
    try {
      const protocols = token ? [...offered, TOKEN_MARKER, token] : offered;
      socket = new this.#settings.WebSocket(this.#url, protocols);
    } catch (error) {
      // A URL or a subprotocol that no WebSocket can be made with: it would not be better next time.
      this.#drop();
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      this.#finish(1006, token ? name : message); // browsers quote what they do not like
      return;
    }
    this.#socket = socket;
    socket.onopen = () => {
      if (stale()) return;
      opened = true;
      if (offered.length) this.#fallback = false;
      this.#stopTimer("connect");
      this.#v1 = socket.protocol === SUBPROTOCOL;
      this.#lastSeq = 0;
      this.#notBefore = 0;
      this.#pingInterval = this.#settings.pingInterval;
      // A server that accepts and closes at once must not be asked again at full speed.
      this.#startTimer("stable", 5_000, () => (this.#attempt = 0));
      this.#scheduleHealth();
      this.#setStatus("open");
    };
    socket.onmessage = (/** @type {{data: unknown}} */ { data }) => {
      if (stale()) return;
      this.#stopTimer("silence");
      this.#receive(data);
    };
    socket.onclose = (/** @type {{code: number, reason: string}} */ { code, reason }) => {
      if (stale()) return;
      if (!opened && this.#fallback && offered.length) this.#openAgain(refused + 1);
      else this.#lost(code, reason);
    };
  }

  /**
   * A browser fails the handshake when it offered subprotocols and the server selected none, and does not say so. But a
   * handshake also fails for any reason that passes: so only a second failure leads to one without subprotocols, and
   * the next attempt offers them anew.
   *
   * @param {number} refused
   */
  #openAgain(refused) {
    this.#stopTimer("connect");
    if (refused >= PLAIN_AFTER) this.#open(refused);
    else this.#startTimer("retry", this.#settings.random() * this.#settings.backoff.base, () => this.#open(refused));
  }

  /** @param {unknown} data */
  #receive(data) {
    const message = parse(data);
    if (typeof message?.event === "string") this.#receiveEvent(message);
    else if (typeof message?.status === "number" && typeof message.title === "string") this.#receiveProblem(message);
    else notify(this.#rawListeners, data);
  }

  /** @param {any} event */
  #receiveEvent(event) {
    if (Number.isInteger(event.seq)) {
      const expected = this.#lastSeq + 1;
      this.#lastSeq = event.seq;
      if (event.seq > expected) {
        notify(this.#gapListeners, { expected, received: event.seq, missed: event.seq - expected });
      }
    }
    if (event.event === "ws.ready") {
      this.#info = event.payload;
      if (event.payload.ping_interval != null) this.#pingInterval = event.payload.ping_interval * 1000;
      this.#scheduleHealth();
    } else if (event.event === "ws.drain") {
      this.#notBefore = (event.payload.retry_after ?? 0) * 1000;
    } else if (event.event === "ws.presence_state" || event.event === "ws.presence_diff") {
      this.#receivePresence(event.payload, event.event === "ws.presence_state");
    } else if (event.event === "ws.unsubscribed") {
      this.#present.delete(event.payload.topic);
    }
    notify(this.#eventListeners.get(event.event) ?? [], event.payload, event);

    const call = this.#calls.get(event.req_id);
    if (!call) return;
    const complete = this.#v1 && event.event === "ws.complete";
    if (!complete) call.events.push(event);
    if (complete || !this.#v1) {
      call.settle(null, { req_id: event.req_id, event: call.events[0] ?? null, events: call.events });
    }
  }

  /**
   * @param {any} payload
   * @param {boolean} all whether it is everybody, and not what has changed
   */
  #receivePresence({ topic, members = [], joins = [], leaves = [], updates = [] }, all) {
    const present = all ? new Map() : this.#present.get(topic);
    if (!present) return; // a diff of what nobody asked for, or not any more
    this.#present.set(topic, present);
    for (const member of leaves) present.delete(String(member.user_id));
    for (const member of [...members, ...joins, ...updates]) present.set(String(member.user_id), member);
    notify(this.#presenceListeners, { topic, members: this.members(topic), joins, leaves, updates });
  }

  /** @param {any} problem */
  #receiveProblem(problem) {
    const call = this.#calls.get(problem.req_id);
    if (call) call.settle(new ProblemError(problem));
    // The end of a call that was given up here, which nobody waits for any more.
    else if (problem.code !== "cancelled") notify(this.#problemListeners, problem);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #lost(code, reason) {
    const { backoff, random, shouldReconnect } = this.#settings;
    this.#drop();
    if (!shouldReconnect(code, reason)) {
      this.#finish(code, reason);
      return;
    }
    // Full jitter: the clients of a server that restarted come back spread out, not as a wave.
    const retryIn = this.#notBefore + random() * Math.min(backoff.max, backoff.base * 2 ** this.#attempt);
    this.#notBefore = 0;
    this.#attempt += 1;
    this.#startTimer("retry", retryIn, () => this.#open());
    this.#setStatus("waiting", { code, reason, retryIn });
    this.#rejectCalls(code, reason);
  }

  /** Let go of the connection, whatever it was doing. */
  #drop() {
    this.#generation += 1;
    this.#socket = null;
    this.#info = null;
    this.#present.clear();
    for (const name of ["connect", "stable", "ping", "silence", "retry"]) this.#stopTimer(name);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #finish(code, reason) {
    globalThis.removeEventListener?.("online", this.#wake);
    this.#end = { code, reason };
    this.#setStatus("closed", this.#end);
    this.#rejectCalls(code, reason);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #rejectCalls(code, reason) {
    for (const { settle } of [...this.#calls.values()]) {
      const message = `disconnected (${because(code, reason)}) before the answer; it may have happened or not`;
      settle(new DisconnectedError(message, code, reason));
    }
  }

  /**
   * @param {import("./wsproto.js").Status} status
   * @param {object} [more]
   */
  #setStatus(status, more) {
    if (status === this.#status && status === "connecting") return;
    this.#status = status;
    notify(this.#statusListeners, { status, code: null, reason: "", retryIn: null, attempt: this.#attempt, ...more });
  }

  /** A client that has been silent for the ping interval asks whether the server is still there. */
  #scheduleHealth() {
    if (!this.#pingInterval) return;
    this.#startTimer("ping", this.#pingInterval, () => {
      const timeout = this.#settings.healthTimeout;
      this.call("health", {}, { timeout }).catch(() => {});
      // Whatever comes is a sign of life. In v1 the ws.cancel of this health is one more question, which the server
      // answers also while an action runs that says nothing.
      if (!timeout || this.#timers.has("silence")) return;
      const patience = this.#v1 ? timeout + Math.min(timeout, LAST_QUESTION) : timeout;
      this.#startTimer("silence", patience, () => {
        const socket = this.#socket;
        this.#lost(1006, "the server does not answer");
        socket.close();
      });
    });
  }

  /**
   * @param {string} name
   * @param {number} ms
   * @param {() => void} fn
   */
  #startTimer(name, ms, fn) {
    this.#stopTimer(name);
    const timer = this.#settings.setTimeout(() => {
      this.#timers.delete(name);
      fn();
    }, Math.min(ms, LONGEST_TIMER));
    this.#timers.set(name, timer);
  }

  /** @param {string} name */
  #stopTimer(name) {
    if (!this.#timers.has(name)) return;
    this.#settings.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/**
 * @param {string | URL} url
 * @returns {string}
 */
function socketUrl(url) {
  const absolute = new URL(url, globalThis.location?.href);
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  absolute.hash = "";
  return absolute.href;
}

/**
 * @param {number} code
 * @param {string} reason
 * @returns {string}
 */
function because(code, reason) {
  return reason ? `${code}, ${reason}` : `${code}`;
}

/**
 * @param {unknown} data
 * @returns {any}
 */
function parse(data) {
  if (typeof data !== "string") return null;
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

/**
 * @template {Function} T
 * @param {Set<T>} listeners
 * @param {T} listener
 * @returns {() => void}
 */
function subscribe(listeners, listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/**
 * @param {Iterable<Function>} listeners
 * @param {...unknown} args
 */
function notify(listeners, ...args) {
  for (const listener of [...listeners]) {
    try {
      listener(...args);
    } catch (error) {
      // As with any event listener: it is reported, and neither the others nor the connection suffer.
      (globalThis.reportError ?? console.error)(error);
    }
  }
}

/**
 * @param {any} crypto
 * @returns {string}
 */
function uuid(crypto) {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Browsers leave randomUUID out on plain http of any host but the loopback.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (/** @type {number} */ byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
