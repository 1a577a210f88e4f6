import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CallTimeoutError,
  connect,
  DisconnectedError,
  ProblemError,
  SUBPROTOCOL,
} from "../../clients/typescript/wsproto.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Time that passes only when a test says so. */
class Timers {
  now = 0;
  #timers = new Map();
  #last = 0;

  setTimeout = (fn, ms) => {
    this.#timers.set(++this.#last, { at: this.now + ms, fn });
    return this.#last;
  };

  clearTimeout = (id) => void this.#timers.delete(id);

  get pending() {
    return this.#timers.size;
  }

  pass(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = due[1].at;
      due[1].fn();
    }
    this.now = end;
  }
}

/** A server and all the sockets that were opened to it. */
function harness(options = {}) {
  const sockets = [];
  class Socket {
    protocol = "";
    sent = [];
    closed = null;

    constructor(url, protocols = []) {
      this.url = url;
      this.protocols = protocols;
      sockets.push(this);
    }

    send(text) {
      this.sent.push(JSON.parse(text));
    }

    close(code, reason) {
      this.closed = { code, reason };
    }

    // What the server does:

    accept(protocol = "") {
      this.protocol = protocol;
      this.onopen();
    }

    say(message) {
      this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
    }

    event(event, payload = {}, more = {}) {
      this.seq = (this.seq ?? 0) + 1;
      this.say({ msg_id: "m", seq: this.seq, event, recipient: "room", recipient_id: "lobby", payload, ...more });
    }

    end(code, reason = "") {
      this.onclose({ code, reason });
    }
  }

  const timers = new Timers();
  const statuses = [];
  const client = connect("ws://server/ws/", {
    WebSocket: Socket,
    setTimeout: timers.setTimeout,
    clearTimeout: timers.clearTimeout,
    random: () => 1,
    ...options,
  });
  client.onStatus((change) => statuses.push(change));
  return { client, timers, statuses, sockets, socket: () => sockets.at(-1) };
}

function plain(options) {
  const all = harness(options);
  all.socket().accept();
  return all;
}

function v1(options) {
  const all = harness(options);
  all.socket().accept(SUBPROTOCOL);
  return all;
}

const problem = (more) => ({
  msg_id: "p",
  type: "about:blank",
  title: "Bad Request",
  status: 400,
  code: "unknown_websocket_action",
  retryable: false,
  ...more,
});

/** All promise callbacks that are due have run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("an action travels as an envelope with two fresh UUIDs", () => {
  const { client, socket } = plain();
  const reqId = client.send("chat.say", { text: "hi" });
  client.send("chat.say");
  const [first, second] = socket().sent;
  assert.deepEqual(Object.keys(first).sort(), ["action", "msg_id", "payload", "req_id"]);
  assert.equal(first.action, "chat.say");
  assert.deepEqual(first.payload, { text: "hi" });
  assert.deepEqual(second.payload, {});
  assert.equal(first.req_id, reqId);
  const ids = [first.msg_id, first.req_id, second.msg_id, second.req_id];
  for (const id of ids) assert.match(id, UUID);
  assert.equal(new Set(ids).size, 4);
});

test("UUIDs are made without randomUUID too", () => {
  const { client, socket } = plain({ crypto: { getRandomValues: (bytes) => crypto.getRandomValues(bytes) } });
  client.send("health");
  assert.match(socket().sent[0].msg_id, UUID);
  assert.notEqual(socket().sent[0].msg_id, socket().sent[0].req_id);
});

test("the page's address is what a relative URL is relative to", () => {
  globalThis.location = { href: "https://example.com/chat/index.html#top" };
  try {
    const urls = ["/ws/", "ws/", "http://other/ws/?a=1"].map((url) => {
      const seen = [];
      connect(url, { WebSocket: class { constructor(u) { seen.push(u); } close() {} } }).close();
      return seen[0];
    });
    assert.deepEqual(urls, ["wss://example.com/ws/", "wss://example.com/chat/ws/", "ws://other/ws/?a=1"]);
  } finally {
    delete globalThis.location;
  }
});

test("plain: a call resolves with the first event that carries its req_id", async () => {
  const { client, socket, timers } = plain();
  const first = client.call("chat.say", { text: "one" });
  const second = client.call("chat.say", { text: "two" });
  const [a, b] = socket().sent;
  socket().event("chat.said", { text: "somebody else" });
  socket().event("chat.said", { text: "two" }, { req_id: b.req_id });
  socket().event("chat.said", { text: "one" }, { req_id: a.req_id });
  const reply = await first;
  assert.equal(reply.req_id, a.req_id);
  assert.equal(reply.event.payload.text, "one");
  assert.deepEqual(reply.events, [reply.event]);
  assert.equal((await second).event.payload.text, "two");
  timers.pass(5_000);
  assert.equal(timers.pending, 0);
});

test("v1: a call resolves at ws.complete with all its events", async () => {
  const { client, socket } = v1();
  assert.equal(client.info, null);
  socket().event("ws.ready", { connection_id: "c", user_id: 7, ping_interval: null, max_message_bytes: 10 });
  assert.equal(client.info.user_id, 7);
  let done = false;
  const call = client.call("count").finally(() => (done = true));
  const { req_id } = socket().sent[0];
  socket().event("number", { n: 1 }, { req_id });
  socket().event("number", { n: 2 }, { req_id });
  await settled();
  assert.equal(done, false);
  socket().event("ws.complete", { events: 2 }, { req_id });
  const reply = await call;
  assert.deepEqual(reply.events.map((event) => event.payload.n), [1, 2]);
  assert.equal(reply.event, reply.events[0]);
});

test("v1: a call that is answered with nothing resolves without an event", async () => {
  const { client, socket } = v1();
  const call = client.call("quiet");
  socket().event("ws.complete", { events: 0 }, { req_id: socket().sent[0].req_id });
  assert.deepEqual(await call, { req_id: socket().sent[0].req_id, event: null, events: [] });
});

for (const [form, start] of [["plain", plain], ["v1", v1]]) {
  test(`${form}: a problem rejects the call that it belongs to`, async () => {
    const { client, socket } = start();
    const problems = [];
    client.onProblem((p) => problems.push(p));
    const call = client.call("chat.say", { text: "" });
    const errors = [{ pointer: "#/payload/text", detail: "too short", code: "string_too_short" }];
    socket().say(
      problem({ req_id: socket().sent[0].req_id, status: 422, code: "invalid_payload", detail: "No.", errors }),
    );
    const error = await call.then(assert.fail, (e) => e);
    assert.ok(error instanceof ProblemError);
    assert.equal(error.message, "No.");
    assert.equal(error.code, "invalid_payload");
    assert.equal(error.status, 422);
    assert.equal(error.title, "Bad Request");
    assert.equal(error.retryable, false);
    assert.deepEqual(error.errors, errors);
    assert.equal(error.problem.type, "about:blank");
    assert.deepEqual(problems, []);
  });
}

test("problems that no call waits for go to onProblem", () => {
  const { client, socket } = plain();
  const problems = [];
  const off = client.onProblem((p) => problems.push(p));
  const reqId = client.send("nonsense");
  socket().say(problem({ req_id: reqId }));
  socket().say(problem());
  off();
  socket().say(problem());
  assert.deepEqual(problems.map((p) => p.req_id), [reqId, undefined]);
});

test("events reach their listeners, before the call that they answer resolves", async () => {
  const { client, socket } = plain();
  const seen = [];
  const off = client.on("chat.said", (payload, event) => seen.push([payload.text, event.seq]));
  const call = client.call("chat.say").then(() => seen.push("call"));
  socket().event("chat.said", { text: "a" }, { req_id: socket().sent[0].req_id });
  await call;
  socket().event("chat.left");
  socket().event("chat.said", { text: "b" });
  off();
  off();
  socket().event("chat.said", { text: "c" });
  assert.deepEqual(seen, [["a", 1], "call", ["b", 3]]);
});

test("a listener that throws is reported and hinders nobody", () => {
  const { client, socket } = plain();
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  try {
    const seen = [];
    client.on("e", () => {
      throw new Error("listener");
    });
    client.on("e", () => seen.push(1));
    socket().event("e");
    socket().event("e");
    assert.deepEqual(seen, [1, 1]);
    assert.deepEqual(reported, ["listener", "listener"]);
  } finally {
    delete globalThis.reportError;
  }
});

test("frames that are neither event nor problem go to onRaw", () => {
  const { client, socket } = plain();
  const raw = [];
  client.onRaw((data) => raw.push(data));
  client.onProblem(() => assert.fail());
  const odd = ["not JSON", "null", "[]", '"text"', "{}", '{"event": 3}'];
  for (const text of odd) socket().say(text);
  const bytes = new ArrayBuffer(3);
  socket().onmessage({ data: bytes });
  assert.deepEqual(raw, [...odd, bytes]);
});

test("a hole in seq is told, and each connection counts from one", () => {
  const { client, socket, timers } = plain();
  const gaps = [];
  client.onGap((gap) => gaps.push(gap));
  socket().event("e");
  socket().event("e");
  socket().event("e", {}, { seq: 5 });
  socket().event("e", {}, { seq: 6 });
  socket().end(1012);
  timers.pass(500);
  socket().accept();
  socket().event("e");
  assert.deepEqual(gaps, [{ expected: 3, received: 5, missed: 2 }]);
});

test("a call that gets no answer in time is rejected", async () => {
  const { client, socket, timers } = plain();
  const call = client.call("slow", {}, { timeout: 1_000 });
  timers.pass(999);
  assert.equal(await Promise.race([call, settled().then(() => "pending")]), "pending");
  timers.pass(1);
  const error = await call.then(assert.fail, (e) => e);
  assert.ok(error instanceof CallTimeoutError);
  assert.match(error.message, /"slow" within 1000 ms/);
  // The late answer is still an event for whoever listens.
  const late = [];
  client.on("done", (payload) => late.push(payload));
  socket().event("done", {}, { req_id: socket().sent[0].req_id });
  assert.equal(late.length, 1);
  assert.equal(socket().sent.length, 1);
});

test("the time-out has a default, and can be switched off", async () => {
  const { client, socket, timers } = plain({ timeout: 2_000 });
  const limited = client.call("a");
  const unlimited = client.call("b", {}, { timeout: null });
  timers.pass(1_000_000);
  await assert.rejects(limited, CallTimeoutError);
  socket().event("done", {}, { req_id: socket().sent[1].req_id });
  await unlimited;
});

test("a time-out that is longer than a timer can be does not fire at once", async () => {
  const asked = [];
  const setTimeout = (fn, ms) => asked.push(ms);
  const { client } = plain({ setTimeout, clearTimeout: () => {} });
  client.call("slow", {}, { timeout: 2 ** 31 });
  client.call("slow", {}, { timeout: 60_000 });
  assert.deepEqual(asked.slice(-2), [2 ** 31 - 1, 60_000]);
});

test("a call can be aborted; v1 tells the server, whose last word is not a stray problem", async () => {
  const { client, socket, timers } = v1();
  client.onProblem(() => assert.fail());
  const controller = new AbortController();
  const call = client.call("slow", {}, { signal: controller.signal });
  const [slow] = socket().sent;
  controller.abort();
  await assert.rejects(call, { name: "AbortError" });
  const cancel = socket().sent[1];
  assert.equal(cancel.action, "ws.cancel");
  assert.deepEqual(cancel.payload, { req_id: slow.req_id });
  socket().say(problem({ req_id: slow.req_id, code: "cancelled", status: 499 }));
  socket().say(problem({ req_id: cancel.req_id }));
  timers.pass(60_000);
  assert.equal(socket().sent.length, 2);
});

test("a cancel that is not answered is not cancelled in turn", () => {
  const { client, socket, timers } = v1();
  client.call("slow").catch(() => {});
  timers.pass(1_000_000);
  assert.deepEqual(socket().sent.map(({ action }) => action), ["slow", "ws.cancel"]);
});

test("plain: an aborted call sends nothing, and one aborted before is not even sent", async () => {
  const { client, socket } = plain();
  const controller = new AbortController();
  const call = client.call("slow", {}, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(call, /enough/);
  await assert.rejects(client.call("slow", {}, { signal: controller.signal }), /enough/);
  assert.equal(socket().sent.length, 1);
});

test("what is not connected rejects calls and refuses to send, and keeps nothing for later", async () => {
  const { client, socket } = harness();
  assert.equal(client.status, "connecting");
  await assert.rejects(client.call("chat.say"), DisconnectedError);
  assert.throws(() => client.send("chat.say"), DisconnectedError);
  socket().accept();
  assert.deepEqual(socket().sent, []);
});

test("at a disconnect the calls that wait are rejected and never sent again", async () => {
  const { client, socket, sockets, timers } = plain();
  const call = client.call("chat.say");
  socket().end(1012, "restarting");
  const error = await call.then(assert.fail, (e) => e);
  assert.ok(error instanceof DisconnectedError);
  assert.equal(error.code, 1012);
  assert.match(error.message, /1012, restarting/);
  timers.pass(500);
  socket().accept();
  assert.equal(sockets.length, 2);
  assert.deepEqual(socket().sent, []);
});

for (const code of [1001, 1006, 1011, 1012, 1013, 1014, 3008]) {
  test(`after ${code} it reconnects`, () => {
    const { client, socket, sockets, timers, statuses } = plain();
    socket().end(code, "r");
    assert.equal(client.status, "waiting");
    timers.pass(500);
    assert.equal(sockets.length, 2);
    assert.equal(client.status, "connecting");
    socket().accept();
    assert.deepEqual(
      statuses.map(({ status, code: c, retryIn }) => [status, c, retryIn]),
      [["open", null, null], ["waiting", code, 500], ["connecting", null, null], ["open", null, null]],
    );
  });
}

for (const code of [1000, 1002, 1003, 1005, 1007, 1008, 1009, 3000, 3003, 4001]) {
  test(`after ${code} it stays closed`, async () => {
    const { client, socket, sockets, timers, statuses } = plain();
    const call = client.call("chat.say");
    socket().end(code, "because");
    await assert.rejects(call, DisconnectedError);
    assert.equal(client.status, "closed");
    assert.deepEqual([statuses.at(-1).code, statuses.at(-1).reason], [code, "because"]);
    await assert.rejects(client.ready(), { name: "DisconnectedError", code, reason: "because" });
    client.reconnect();
    assert.equal(timers.pending, 0);
    assert.equal(sockets.length, 1);
  });
}

test("an application decides about its own close codes", () => {
  const { client, socket } = plain({ shouldReconnect: (code, reason) => code === 4001 && reason === "later" });
  socket().end(4001, "later");
  assert.equal(client.status, "waiting");
});

test("the delays grow to the bound, with full jitter, and start over once a connection was stable", () => {
  const draws = [1, 0.5, 1, 1, 1, 0, 1, 1, 1];
  const random = () => draws.shift();
  const { socket, sockets, timers, statuses } = plain({ random, backoff: { base: 100, max: 1_000 } });
  const waits = () => statuses.filter(({ status }) => status === "waiting").map(({ retryIn }) => retryIn);
  socket().end(1006);
  for (let i = 0; i < 6; i += 1) {
    timers.pass(1_000);
    socket().end(1006);
  }
  assert.deepEqual(waits(), [100, 100, 400, 800, 1000, 0, 1000]);
  timers.pass(1_000);
  socket().accept(); // open, but not for long: the delay does not start over
  timers.pass(4_999);
  socket().end(1013);
  assert.equal(waits().at(-1), 1_000);
  timers.pass(1_000);
  socket().accept();
  timers.pass(5_000);
  socket().end(1006);
  assert.equal(waits().at(-1), 100);
  assert.equal(sockets.length, 9);
});

test("the retry_after of ws.drain comes before the jitter, once", () => {
  const { socket, timers, statuses } = v1();
  socket().event("ws.drain", { retry_after: 3 });
  socket().end(1012);
  assert.equal(statuses.at(-1).retryIn, 3_500);
  timers.pass(3_500);
  socket().accept(SUBPROTOCOL);
  socket().end(1006);
  assert.equal(statuses.at(-1).retryIn, 1_000);
});

test("reconnect() does not wait for the delay", () => {
  const { client, socket, sockets, timers } = plain();
  client.reconnect();
  assert.equal(sockets.length, 1);
  socket().end(1006);
  client.reconnect();
  assert.equal(sockets.length, 2);
  timers.pass(9_000);
  assert.equal(sockets.length, 2);
});

test("a browser that is online again tries at once", () => {
  const target = new EventTarget();
  globalThis.addEventListener = target.addEventListener.bind(target);
  globalThis.removeEventListener = target.removeEventListener.bind(target);
  try {
    const { client, socket, sockets } = plain();
    socket().end(1006);
    target.dispatchEvent(new Event("online"));
    assert.equal(sockets.length, 2);
    client.close();
    target.dispatchEvent(new Event("online"));
    assert.equal(sockets.length, 2);
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
});

test("a connection that does not open in time is given up and tried again", () => {
  const { client, sockets, timers } = harness({ connectTimeout: 1_000 });
  timers.pass(1_000);
  assert.equal(client.status, "waiting");
  assert.notEqual(sockets[0].closed, null);
  timers.pass(500);
  assert.equal(sockets.length, 2);
  sockets[0].accept(); // too late, nobody listens
  assert.equal(client.status, "connecting");
});

test("ready() waits for the connection, also across failures", async () => {
  const { client, socket, timers } = harness({ protocols: [] });
  let ready = false;
  const promise = client.ready().then(() => (ready = true));
  socket().end(1006);
  timers.pass(500);
  await settled();
  assert.equal(ready, false);
  socket().accept();
  await promise;
  await client.ready();
});

test("ready() waits until the server has introduced itself, where it does", async () => {
  const { client, socket } = harness();
  let ready = false;
  const promise = client.ready().then(() => (ready = true));
  socket().accept(SUBPROTOCOL);
  await settled();
  assert.equal(ready, false);
  socket().event("ws.ready", { connection_id: "c", user_id: 7, ping_interval: null, max_message_bytes: 10 });
  await promise;
  assert.equal(client.info.user_id, 7);
});

test("wsproto.v1.json is offered; where two handshakes fail for it, the plain form is tried", () => {
  const { client, socket, sockets, timers, statuses } = harness();
  assert.deepEqual(socket().protocols, [SUBPROTOCOL]);
  socket().end(1006);
  timers.pass(499);
  assert.equal(sockets.length, 1);
  timers.pass(1);
  assert.deepEqual(socket().protocols, [SUBPROTOCOL]);
  socket().end(1006);
  assert.equal(sockets.length, 3);
  assert.deepEqual(socket().protocols, []);
  assert.deepEqual(statuses, []);
  socket().end(1006); // it was not the subprotocol: the server is away
  assert.equal(client.status, "waiting");
  timers.pass(500);
  assert.deepEqual(socket().protocols, [SUBPROTOCOL]);
});

test("a handshake that failed once, for a reason that passed, costs nobody v1", () => {
  const { socket, timers, statuses } = harness();
  socket().end(1006);
  timers.pass(500);
  socket().accept(SUBPROTOCOL);
  assert.deepEqual(statuses.map(({ status }) => status), ["open"]);
});

test("after a connection in the plain form v1 is offered again", () => {
  const { client, socket, timers } = harness();
  for (const [protocols, selected] of [[[], ""], [[SUBPROTOCOL], SUBPROTOCOL]]) {
    socket().end(1006);
    timers.pass(500);
    if (!protocols.length) socket().end(1006);
    assert.deepEqual(socket().protocols, protocols);
    socket().accept(selected);
    assert.equal(client.status, "open");
    socket().end(1012);
    timers.pass(1_000);
    assert.deepEqual(socket().protocols, [SUBPROTOCOL]);
  }
});

test("close() between two handshakes ends it", () => {
  const { client, socket, sockets, timers } = harness();
  socket().end(1006);
  client.close();
  assert.equal(timers.pending, 0);
  assert.equal(sockets.length, 1);
  assert.equal(client.status, "closed");
});

test("once v1 was selected, a failed handshake does not lead to the plain form", () => {
  const { client, socket, sockets, timers } = v1();
  socket().end(1006);
  timers.pass(500);
  socket().end(1006);
  assert.equal(client.status, "waiting");
  timers.pass(1_000);
  assert.deepEqual(sockets.map(({ protocols }) => protocols), [[SUBPROTOCOL], [SUBPROTOCOL], [SUBPROTOCOL]]);
});

test("a server that selects nothing is spoken to in the plain form", async () => {
  const { client, socket } = plain();
  assert.deepEqual(socket().protocols, [SUBPROTOCOL]);
  const call = client.call("a");
  socket().event("done", {}, { req_id: socket().sent[0].req_id });
  await call;
});

test("protocols that the caller names are insisted on", () => {
  const { client, socket, sockets } = harness({ protocols: [SUBPROTOCOL] });
  socket().end(1006);
  assert.equal(client.status, "waiting");
  assert.equal(sockets.length, 1);
});

test("a token travels after its marker", () => {
  const { socket } = harness({ token: "abc" });
  assert.deepEqual(socket().protocols, [SUBPROTOCOL, "access-token", "abc"]);
});

test("a function is asked for a fresh token each time, and its failure is tried again", async () => {
  const tokens = ["one", new Error("offline"), "three"];
  const token = async () => {
    const next = tokens.shift();
    if (next instanceof Error) throw next;
    return next;
  };
  const { client, socket, sockets, timers, statuses } = harness({ token, protocols: [] });
  await settled();
  assert.deepEqual(socket().protocols, ["access-token", "one"]);
  socket().accept("access-token");
  socket().end(3008);
  timers.pass(500);
  await settled();
  assert.equal(client.status, "waiting");
  assert.equal(statuses.at(-1).reason, "no token: offline");
  timers.pass(1_000);
  await settled();
  assert.deepEqual(socket().protocols, ["access-token", "three"]);
  assert.equal(sockets.length, 2);
});

test("a token that comes after the end opens nothing", async () => {
  const { client, sockets } = harness({ token: async () => "late" });
  client.close();
  await settled();
  assert.equal(sockets.length, 0);
});

test("what no WebSocket can be made with ends it", () => {
  class Refuses {
    constructor() {
      throw new SyntaxError("bad subprotocol");
    }
  }
  const { client } = harness({ WebSocket: Refuses });
  assert.equal(client.status, "closed");
  assert.throws(() => connect("not a url"), TypeError);
});

test("a token that no subprotocol can carry is quoted nowhere", async () => {
  class Quotes {
    constructor(_url, protocols) {
      throw new SyntaxError(`The subprotocol '${protocols.at(-1)}' is invalid.`);
    }
  }
  for (const token of ["cGFkZGVk==", "żółw", "two words", "trailing\n", "access-token"]) {
    const { client } = harness({ WebSocket: Quotes, token });
    const error = await client.ready().then(assert.fail, (e) => e);
    assert.equal(client.status, "closed");
    assert.ok(error instanceof DisconnectedError);
    assert.ok(!`${error.message} ${error.reason}`.includes(token), error.message);
    assert.match(error.reason, token === "access-token" ? /^SyntaxError$/ : /characters/);
  }
});

test("silence for the ping interval sends health; anything sent starts it anew", () => {
  const { client, socket, timers } = v1();
  socket().event("ws.ready", { ping_interval: 20 });
  timers.pass(19_999);
  client.send("chat.say");
  timers.pass(19_999);
  assert.deepEqual(socket().sent.map(({ action }) => action), ["chat.say"]);
  timers.pass(1);
  assert.equal(socket().sent[1].action, "health");
  socket().event("health", { status: "ok" }, { req_id: socket().sent[1].req_id });
  socket().event("ws.complete", {}, { req_id: socket().sent[1].req_id });
  timers.pass(20_000);
  assert.equal(socket().sent.length, 3);
  assert.equal(client.status, "open");
});

test("without an interval nothing is sent, unless the caller names one", () => {
  const quiet = v1();
  quiet.socket().event("ws.ready", { ping_interval: null });
  quiet.timers.pass(1_000_000);
  assert.deepEqual(quiet.socket().sent, []);
  const own = plain({ pingInterval: 5_000 });
  own.timers.pass(5_000);
  assert.equal(own.socket().sent[0].action, "health");
});

test("a server that does not answer health is lost, and looked for again", async () => {
  const { client, socket, sockets, timers } = plain({ pingInterval: 5_000, healthTimeout: 10_000 });
  timers.pass(15_000);
  await settled();
  assert.equal(client.status, "waiting");
  assert.notEqual(sockets[0].closed, null);
  timers.pass(500);
  socket().accept();
  assert.equal(client.status, "open");
});

test("whatever comes is a sign of life, while health waits its turn", async () => {
  for (const start of [plain, v1]) {
    const { client, socket, timers } = start({ pingInterval: 5_000, healthTimeout: 10_000, timeout: null });
    const call = client.call("stream");
    const { req_id } = socket().sent[0];
    for (let at = 0; at < 60; at += 1) {
      timers.pass(4_000);
      socket().event("chunk", {}, { req_id: start === v1 ? req_id : undefined });
      await settled();
    }
    assert.equal(client.status, "open");
    socket().event("ws.complete", {}, { req_id });
    await call;
    timers.pass(25_000); // now nothing comes any more
    assert.notEqual(client.status, "open");
  }
});

test("v1: an action that says nothing for long is no lost server, as long as ws.cancel is answered", async () => {
  const { client, socket, timers } = v1({ pingInterval: 20_000, timeout: null });
  const call = client.call("report");
  const [report] = socket().sent;
  let answered = 0;
  for (let at = 0; at < 300; at += 1) {
    timers.pass(1_000);
    for (; answered < socket().sent.length; answered += 1) {
      const { action, req_id, payload } = socket().sent[answered];
      if (action !== "ws.cancel") continue;
      socket().say(problem({ req_id: payload.req_id, code: "cancelled", status: 499 }));
      socket().event("ws.complete", {}, { req_id });
    }
    await settled();
  }
  assert.equal(client.status, "open");
  socket().event("ws.complete", {}, { req_id: report.req_id });
  await call;
});

test("v1: a server that does not answer ws.cancel either is lost", async () => {
  const { client, socket, timers } = v1({ pingInterval: 5_000 });
  timers.pass(50_000);
  await settled();
  assert.equal(client.status, "open");
  assert.ok(socket().sent.some(({ action }) => action === "ws.cancel"));
  timers.pass(10_000);
  assert.equal(client.status, "waiting");
});

test("without a time limit for health no silence ends a connection", () => {
  const { client, timers } = plain({ pingInterval: 5_000, healthTimeout: 0 });
  timers.pass(1_000_000);
  assert.equal(client.status, "open");
  client.close();
});

test("a problem as the answer to health is an answer", async () => {
  const { client, socket, timers } = plain({ pingInterval: 5_000, healthTimeout: 10_000 });
  client.onProblem(() => assert.fail());
  timers.pass(5_000);
  socket().say(problem({ req_id: socket().sent[0].req_id, code: "unavailable", status: 503 }));
  timers.pass(10_000);
  await settled();
  assert.equal(client.status, "open");
});

test("close() ends it: calls are rejected, no timer is left, late frames are ignored", async () => {
  const { client, socket, timers, statuses } = plain({ pingInterval: 5_000 });
  client.on("e", () => assert.fail());
  const call = client.call("chat.say");
  client.close();
  client.close();
  await assert.rejects(call, DisconnectedError);
  assert.deepEqual(socket().closed, { code: 1000, reason: "" });
  socket().event("e");
  socket().end(1000);
  assert.equal(timers.pending, 0);
  assert.deepEqual(statuses.map(({ status }) => status), ["open", "closed"]);
});

test("close() while it waits to reconnect ends that", () => {
  const { client, socket, sockets, timers } = plain();
  socket().end(1006);
  client.close();
  timers.pass(1_000_000);
  assert.equal(sockets.length, 1);
  assert.equal(client.status, "closed");
});

test("close() in a status listener leaves nothing behind", () => {
  const { client, socket, timers } = harness({ pingInterval: 5_000 });
  client.onStatus(({ status }) => status === "open" && client.close());
  socket().accept();
  assert.equal(client.status, "closed");
  assert.equal(timers.pending, 0);
});

const member = (user_id, refs, info) => ({ user_id, ...(info ? { info } : {}), metas: refs.map((ref) => ({ ref })) });

test("members are kept from the state and the diffs, each user once", () => {
  const { client, socket } = v1();
  const told = [];
  client.onPresence((change) => told.push(change));
  socket().event("ws.presence_state", { topic: "room/lobby", members: [member(1, ["a"], { name: "Ann" })] });
  const diff = { topic: "room/lobby", joins: [member("bob", ["b"])], updates: [member(1, ["a", "c"])], leaves: [] };
  socket().event("ws.presence_diff", diff);
  assert.deepEqual(client.members("room/lobby"), [member(1, ["a", "c"]), member("bob", ["b"])]);
  assert.deepEqual(told[0], {
    topic: "room/lobby",
    members: [member(1, ["a"], { name: "Ann" })],
    joins: [],
    leaves: [],
    updates: [],
  });
  assert.deepEqual(told[1], { ...diff, members: client.members("room/lobby") });

  socket().event("ws.presence_diff", { topic: "room/lobby", joins: [], leaves: [member("1", ["a"])], updates: [] });
  assert.deepEqual(client.members("room/lobby"), [member("bob", ["b"])]);
  assert.deepEqual(client.members("room/attic"), []);
});

test("a new state replaces the list, and topics are kept apart", () => {
  const { client, socket } = v1();
  socket().event("ws.presence_state", { topic: "room/lobby", members: [member(1, ["a"])] });
  socket().event("ws.presence_state", { topic: "room/attic", members: [member(2, ["b"])] });
  socket().event("ws.presence_state", { topic: "room/lobby", members: [member(3, ["c"])] });
  assert.deepEqual(client.members("room/lobby"), [member(3, ["c"])]);
  assert.deepEqual(client.members("room/attic"), [member(2, ["b"])]);
});

test("members are forgotten with the subscription and with the connection", () => {
  const { client, socket, timers } = v1();
  let told = 0;
  client.onPresence(() => (told += 1));
  for (const topic of ["one", "two"]) socket().event("ws.presence_state", { topic, members: [member(1, ["a"])] });
  socket().event("ws.unsubscribed", { topic: "one" });
  assert.deepEqual(client.members("one"), []);
  socket().event("ws.presence_diff", { topic: "one", joins: [member(2, ["b"])], leaves: [], updates: [] });
  assert.deepEqual(client.members("one"), []);
  assert.equal(told, 2);

  socket().end(1012);
  assert.deepEqual(client.members("two"), []);
  timers.pass(1_000);
  socket().accept(SUBPROTOCOL);
  assert.deepEqual(client.members("two"), []);
});

test("a presence listener can be taken off, and sees the list that the event's own listeners see", () => {
  const { client, socket } = v1();
  const seen = [];
  const off = client.onPresence(({ members }) => seen.push(members.length));
  client.on("ws.presence_state", ({ topic }) => seen.push(client.members(topic).length));
  socket().event("ws.presence_state", { topic: "t", members: [member(1, ["a"])] });
  off();
  socket().event("ws.presence_state", { topic: "t", members: [] });
  assert.deepEqual(seen, [1, 1, 0]);
});
