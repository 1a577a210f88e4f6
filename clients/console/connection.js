/** One WebSocket at a time, and the way back to it. Knows nothing of the page. */

/** What close codes mean, and whether a client comes back after them (protocol, section 11). */
export const CLOSES = {
  1000: ["Normal end", false],
  1001: ["The server goes away", true],
  1002: ["The server saw a violation of the WebSocket protocol", false],
  1003: ["The server does not take this kind of data", false],
  1005: ["The end, without a reason", false],
  1006: ["No close at all: the network, a killed server, or a refused handshake", true],
  1007: ["What was sent was not UTF-8", false],
  1008: ["Against the server's policy: an origin, or a limit", false],
  1009: ["The message was too big", false],
  1011: ["The server failed, or missed our pongs", true],
  1012: ["The server restarts", true],
  1013: ["Try again later: too many connections, or this one read too slowly", true],
  1014: ["A gateway failed", true],
  3000: ["Unauthorised: a credential is missing, bad or has expired", false],
  3003: ["Forbidden", false],
  3008: ["A time limit of the server: for the login, silence, or age", true],
};

const SHORTEST = 500; // milliseconds until the first attempt to come back, at most; doubled for each further one
const LONGEST = 30_000;
const PATIENCE = 10_000; // milliseconds for a handshake

export class Connection {
  #socket = null;
  #generation = 0;
  #attempt = 0;
  #timers = new Set();
  #notBefore = 0;

  /**
   * @param {{status: (change: object) => void, frame: (data: unknown) => void}} listeners
   */
  constructor(listeners) {
    this.listeners = listeners;
    this.state = "closed";
  }

  get protocol() {
    return this.#socket?.protocol ?? "";
  }

  get waiting() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /**
   * @param {() => Promise<{url: string, protocols: string[]}>} target says where to, for each attempt anew: a ticket is spent
   * @param {boolean} comeBack after a lost connection
   */
  open(target, comeBack) {
    this.close();
    this.target = target;
    this.comeBack = comeBack;
    this.wasOpen = false;
    this.#attempt = 0;
    this.#open();
  }

  close() {
    const socket = this.#socket;
    this.#drop();
    socket?.close(1000);
    if (this.state !== "closed") this.#tell("closed", { code: 1000, reason: "", asked: true });
  }

  /** Do not wait for the next attempt. */
  retry() {
    if (this.state === "waiting") this.#open();
  }

  send(frame) {
    this.#socket.send(frame);
  }

  /** The server has said when it wants to be asked again. */
  holdOff(seconds) {
    this.#notBefore = Math.min(Math.max(0, Number(seconds) || 0), 600) * 1_000;
  }

  async #open() {
    this.#drop();
    const generation = this.#generation;
    const stale = () => generation !== this.#generation;
    this.#tell("connecting");
    let socket;
    try {
      const { url, protocols } = await this.target();
      if (stale()) return;
      socket = new WebSocket(url, protocols);
    } catch (error) {
      if (stale()) return;
      if (this.wasOpen && !(error instanceof SyntaxError)) this.#lost(1006, error.message, true);
      else this.#tell("closed", { code: null, reason: error.message });
      return;
    }
    let opened = false;
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    this.#later(PATIENCE, () => {
      if (opened) return;
      this.#drop();
      socket.close();
      this.#lost(1006, "no answer to the handshake in time", false);
    });
    socket.onopen = () => {
      if (stale()) return;
      opened = this.wasOpen = true;
      // A server that accepts and closes at once must not be asked again at full speed.
      this.#later(5_000, () => (this.#attempt = 0));
      this.#tell("open", { protocol: socket.protocol });
    };
    socket.onmessage = ({ data }) => {
      if (!stale()) this.listeners.frame(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (!stale()) this.#lost(code, reason, opened);
    };
  }

  #lost(code, reason, opened) {
    this.#drop();
    const again = CLOSES[code]?.[1] ?? false;
    const details = { code, reason, refused: !opened };
    if (!this.comeBack || !again || !this.wasOpen) {
      this.#tell("closed", details);
      return;
    }
    // Full jitter: those who lost the same server do not come back all at once.
    const retryIn = this.#notBefore + Math.random() * Math.min(LONGEST, SHORTEST * 2 ** this.#attempt);
    this.#notBefore = 0;
    this.#attempt += 1;
    this.#later(retryIn, () => this.#open());
    this.#tell("waiting", { ...details, retryIn });
  }

  #drop() {
    this.#generation += 1;
    this.#socket = null;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #later(ms, act) {
    const generation = this.#generation;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (generation === this.#generation) act();
    }, ms);
    this.#timers.add(timer);
  }

  #tell(state, more = {}) {
    this.state = state;
    this.listeners.status({ state, attempt: this.#attempt, ...more });
  }
}

/** A random UUID, also on plain http of hosts other than the loopback, where browsers leave `randomUUID` out. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
