/** The live console: send, and see what comes back. */

import { $, announce, button, codeBlock, h } from "./dom.js";
import { CLOSES, Connection, uuid } from "./connection.js";
import { Form } from "./form.js";
import { Log, milliseconds, parsed } from "./log.js";
import { Settings, V1 } from "./settings.js";
import { snippets } from "./snippets.js";
import { Subscriptions } from "./subscriptions.js";
import { validate } from "./validate.js";

const LOGIN = "ws.authenticate";
const ANNOUNCE_EVERY = 1_000; // milliseconds; more would be noise to who listens to the page

export class Console {
  constructor(contract) {
    this.contract = contract;
    this.calls = new Map(); // by req_id
    this.mode = "form";
    this.action = null;
    this.announced = 0;
    this.log = new Log();
    this.connection = new Connection({ status: (change) => this.#status(change), frame: (data) => this.#received(data) });
    this.settings = new Settings(contract, () => this.#snippets());
    this.subscriptions = new Subscriptions(contract, () => this.connection.state === "open", (...message) => this.#transmit(...message));
    $("connect").addEventListener("click", () => (this.connection.state === "closed" ? this.connect() : this.connection.close()));
    $("retry").addEventListener("click", () => this.connection.retry());
    $("settings-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.connection.state === "closed") this.connect();
    });
    this.#composer();
    setInterval(() => this.#countDown(), 1_000);
  }

  // The connection

  connect() {
    const prepared = this.settings.prepare();
    if (!prepared) return;
    this.login = prepared.login;
    this.connection.open(prepared.target, prepared.comeBack);
  }

  #status({ state, code = null, reason = "", asked = false, refused = false, retryIn = null, protocol = "" }) {
    const words = { connecting: "Connecting…", open: "Connected", waiting: "Reconnecting…", closed: "Not connected" };
    for (const node of document.querySelectorAll("[data-status]")) {
      node.dataset.status = state;
      node.querySelector(".status-words").textContent = words[state];
    }
    $("connect").textContent = state === "closed" ? "Connect" : state === "open" ? "Disconnect" : "Stop";
    $("connect").className = state === "closed" ? "primary" : "secondary";
    $("retry").hidden = state !== "waiting";
    this.retryAt = retryIn === null ? null : Date.now() + retryIn;
    this.v1 = protocol === V1;
    $("send").disabled = state !== "open";
    clearTimeout(this.heartbeat);
    const meaning = closeMeaning(code, reason, refused);
    $("connection-note").hidden = state === "open" || state === "connecting" || asked || (!code && !reason);
    $("connection-note").textContent = meaning;
    if (state === "open") {
      this.log.add({ kind: "note", name: "connected", preview: protocol ? `subprotocol ${protocol}` : "plain form, no subprotocol" });
      $("settings").open = false;
      if (this.login !== null) this.#transmit(LOGIN, JSON.stringify({ token: this.login }), { own: true });
      else this.subscriptions.again();
    } else if (state !== "connecting") {
      this.log.add({ kind: "note", name: asked ? "disconnected" : "closed", preview: asked ? "by this page" : meaning, bad: !asked });
      for (const call of this.calls.values()) this.#settle(call, "The connection ended before the answer: it may have happened or not.", true);
      this.calls.clear();
      this.subscriptions.lost();
    }
    announce(state === "closed" || state === "waiting" ? `${words[state]}. ${asked ? "" : meaning}` : words[state]);
    if (this.action && state === "open" && this.connection.wasOpen) this.#showState();
  }

  #countDown() {
    if (this.connection.state !== "waiting" || !this.retryAt) return;
    const seconds = Math.ceil((this.retryAt - Date.now()) / 1_000);
    for (const node of document.querySelectorAll("[data-status] .status-words")) node.textContent = seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting…";
  }

  // What is sent

  #composer() {
    const { actions } = this.contract;
    const groups = new Map();
    for (const action of actions.values()) {
      const title = action.builtin ? "Built in" : (action.tags[0] ?? "Actions");
      groups.set(title, [...(groups.get(title) ?? []), action]);
    }
    const sorted = [...groups].sort(([a], [b]) => (a === "Built in") - (b === "Built in"));
    $("action").replaceChildren(...sorted.map(([label, list]) => h("optgroup", { label }, list.map(({ name, deprecated }) => h("option", { value: name }, deprecated ? `${name} (deprecated)` : name)))));
    $("action").addEventListener("change", () => this.choose($("action").value));
    for (const mode of ["form", "json", "raw"]) {
      $(`mode-${mode}`).addEventListener("click", () => this.#switch(mode));
      $(`mode-${mode}`).addEventListener("keydown", (event) => this.#tabKey(event));
    }
    $("json").addEventListener("input", () => this.#changed());
    $("raw").addEventListener("input", () => this.#changed());
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    $("composer").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.send();
    });
    $("as-code").addEventListener("toggle", () => this.#snippets());
    $("code-kind").addEventListener("change", () => this.#snippets());
    const first = sorted[0]?.[1][0];
    $("composer").hidden = !first;
    if (first) this.choose(first.name);
  }

  /** Choose an action; with a payload, or with what the document has as an example. */
  choose(name, payload) {
    const action = this.contract.actions.get(name);
    if (!action) return;
    this.action = action;
    $("action").value = name;
    $("action-about").textContent = action.summary;
    const example = action.examples.find((each) => each.payload !== undefined)?.payload;
    const value = payload ?? example ?? this.contract.schemas.sample(action.payload ?? {});
    $("outcome").replaceChildren();
    this.#write(value ?? {});
    if (this.mode === "raw") this.#switch("raw", true);
    this.#showState();
  }

  get #schema() {
    return this.action.payload ?? { type: "object", properties: {} };
  }

  #write(value) {
    this.form = new Form(this.contract.schemas, this.#schema, value, () => this.#changed());
    $("form").replaceChildren(this.form.node);
    $("json").value = JSON.stringify(value, null, 2);
  }

  #tabKey(event) {
    const modes = ["form", "json", "raw"];
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = modes[(modes.indexOf(this.mode) + step + 3) % 3];
    this.#switch(next);
    $(`mode-${next}`).focus();
  }

  #switch(mode, anew = false) {
    if (mode === this.mode && !anew) return;
    if (this.mode === "form") $("json").value = JSON.stringify(this.form.read() ?? {}, null, 2);
    if (mode === "form") {
      const value = parsed($("json").value);
      if (value !== undefined) this.#write(value);
    }
    if (mode === "raw") $("raw").value = this.#frame(uuid(), uuid(), this.action.name, this.#payloadText(), 2);
    this.mode = mode;
    for (const each of ["form", "json", "raw"]) {
      $(`mode-${each}`).setAttribute("aria-selected", String(each === mode));
      $(`mode-${each}`).tabIndex = each === mode ? 0 : -1;
      $(`pane-${each}`).hidden = each !== mode;
    }
    this.#showState();
  }

  #payloadText() {
    return this.mode === "form" ? JSON.stringify(this.form.read() ?? {}) : $("json").value.trim() || "{}";
  }

  /** The message as text: the payload goes in as it was written, so long numbers stay whole. */
  #frame(msgId, reqId, action, payload, indent = 0) {
    const members = [["msg_id", JSON.stringify(msgId)], ["req_id", JSON.stringify(reqId)], ["action", JSON.stringify(action)], ["payload", indent ? payload.replaceAll("\n", "\n  ") : payload]];
    const lines = members.map(([name, value]) => `${" ".repeat(indent)}"${name}":${indent ? " " : ""}${value}`);
    return indent ? `{\n${lines.join(",\n")}\n}` : `{${lines.join(",")}}`;
  }

  /** What is wrong with what would be sent, as far as the schema tells. */
  #warnings() {
    if (this.mode === "raw") {
      const message = parsed($("raw").value);
      if (message === undefined) return [{ pointer: "#", detail: "This is no JSON." }];
      return validate(this.contract.schemas, this.action.envelope, message);
    }
    const value = this.mode === "form" ? this.form.read() : parsed($("json").value.trim() || "{}");
    if (value === undefined && this.mode === "json") return [{ pointer: "#", detail: "This is no JSON." }];
    return validate(this.contract.schemas, this.#schema, value ?? {});
  }

  #changed() {
    this.#showState();
  }

  #showState() {
    if (!this.action) return;
    const warnings = this.#warnings();
    if (this.mode === "form") this.form.show(warnings);
    const field = this.mode === "form" ? null : $(this.mode);
    if (field) field.setAttribute("aria-invalid", String(warnings.length > 0));
    const shown = warnings.slice(0, 5).map(({ pointer, detail }) => h("li", {}, h("code", {}, pointer), " ", detail));
    $("warnings").hidden = !warnings.length || this.mode === "form";
    $("warnings").replaceChildren(...shown, ...(warnings.length > 5 ? [h("li", {}, `and ${warnings.length - 5} more`)] : []));
    $("send").textContent = warnings.length ? "Send anyway" : "Send";
    $("send").classList.toggle("doubtful", warnings.length > 0);
    const doubt = warnings.length === 1 ? "1 thing does not fit the schema" : `${warnings.length} things do not fit the schema`;
    $("send-note").textContent = this.connection.state !== "open" ? "Connect first." : warnings.length ? `${doubt}; the server decides.` : "";
    this.#snippets();
  }

  send() {
    if (this.connection.state !== "open") {
      announce("Connect first");
      $("connect").focus();
      return;
    }
    const warnings = this.#warnings();
    if (this.mode === "form") this.form.show(warnings, { all: true });
    if (this.mode === "raw") this.#sendRaw($("raw").value);
    else this.#transmit(this.action.name, this.#payloadText(), { form: this.mode === "form" ? this.form : null, shown: true });
  }

  #sendRaw(text) {
    const message = parsed(text);
    const reqId = typeof message?.req_id === "string" ? message.req_id.toLowerCase() : undefined;
    const action = typeof message?.action === "string" ? message.action : "raw frame";
    this.#begin({ reqId, action, secret: mayLogIn(text), shown: true, form: null }, text);
  }

  #transmit(action, payload, call) {
    const reqId = uuid();
    this.#begin({ reqId, action, secret: action === LOGIN, ...call }, this.#frame(uuid(), reqId, action, payload), payload);
  }

  #begin(call, frame, payload = frame) {
    call.at = performance.now();
    call.events = 0;
    if (call.reqId) this.calls.set(call.reqId, call);
    if (this.calls.size > 1_000) this.calls.delete(this.calls.keys().next().value);
    if (call.shown) {
      this.current = call;
      $("outcome").replaceChildren(h("p", { class: "outcome" }, `${call.action}: waiting for the answer…`));
    }
    this.log.add({
      kind: "sent",
      name: call.action,
      text: !call.secret ? frame : call.reqId ? JSON.stringify({ req_id: call.reqId, action: call.action, payload: { token: "•••" } }) : "",
      preview: call.secret ? "the token is not shown" : payload.replace(/\s+/g, " ").slice(0, 200),
      reqId: call.reqId,
      quiet: call.quiet,
    });
    this.connection.send(frame);
    if (call.shown && !call.reqId) $("outcome").replaceChildren(h("p", { class: "outcome" }, "Sent, without a req_id that an answer could carry: see the log."));
    this.#armHeartbeat();
  }

  /** A client that has been silent for `ping_interval` sends `health` (protocol, section 5). */
  #armHeartbeat() {
    clearTimeout(this.heartbeat);
    const ms = Math.min(this.pingInterval * 1_000, 2 ** 31 - 1); // a longer timer would fire at once
    if (ms > 0) this.heartbeat = setTimeout(() => this.connection.state === "open" && this.#transmit("health", "{}", { quiet: true }), ms);
  }

  // What comes back

  #received(data) {
    if (typeof data !== "string") {
      this.log.add({ kind: "raw", name: "binary frame", preview: `${data.byteLength} bytes` });
      return;
    }
    const message = parsed(data);
    const call = typeof message?.req_id === "string" ? this.calls.get(message.req_id) : undefined;
    const line = { text: data, reqId: typeof message?.req_id === "string" ? message.req_id : undefined, ms: call && performance.now() - call.at, quiet: call?.quiet };
    if (typeof message?.event === "string") this.#event(message, call, line);
    else if (typeof message?.status === "number" || typeof message?.code === "string") this.#problem(message, call, line);
    else this.log.add({ ...line, kind: "raw", name: "message of no kind", preview: data.slice(0, 200) });
  }

  #event(message, call, line) {
    const { event, payload } = message;
    const lost = Number.isInteger(message.seq) && message.seq > this.seq + 1 ? message.seq - this.seq - 1 : 0;
    this.seq = event === "ws.ready" ? message.seq : Number.isInteger(message.seq) ? message.seq : this.seq;
    const complete = event === "ws.complete";
    const whom = message.recipient === "websocket" ? "this connection" : `${message.recipient} ${message.recipient_id ?? ""}`;
    const about = [message.recipient && `to ${whom}`, message.seq && `seq ${message.seq}`].filter(Boolean).join(", ");
    this.log.add({ ...line, kind: "event", name: event, preview: preview(payload), about, quiet: line.quiet || complete, bad: lost > 0 });
    if (lost) this.log.add({ kind: "note", name: "gap", preview: `${lost} events before this one did not arrive`, bad: true });
    if (event === "ws.ready") {
      this.pingInterval = payload?.ping_interval ?? null;
      this.#armHeartbeat();
    } else if (event === "ws.drain") this.connection.holdOff(payload?.retry_after);
    if (event === "ws.subscribed" || event === "ws.unsubscribed") this.subscriptions.answered(payload?.topic, event === "ws.subscribed");
    if (!call) return this.#sayNow(`Event ${event}`);
    if (event === "ws.authenticated" && call.own) this.subscriptions.again();
    call.first ??= line.ms;
    if (!complete) call.events += 1;
    const many = `${call.events} ${call.events === 1 ? "event" : "events"}`;
    if (complete || !this.v1) this.#settle(call, `answered in ${milliseconds(call.first)} with ${many}${complete && call.events > 1 ? `, complete after ${milliseconds(line.ms)}` : ""}`, false, payload, event);
    else if (call.shown && call === this.current) this.#outcome(call, `${many} so far`, false);
    if (complete) this.calls.delete(call.reqId);
  }

  #problem(message, call, line) {
    const words = `${message.status ?? ""} ${message.code ?? ""}`.trim();
    this.log.add({ ...line, kind: "problem", name: words, preview: String(message.detail ?? message.title ?? "") });
    if (call) {
      this.calls.delete(call.reqId);
      if (call.topic !== undefined) this.subscriptions.answered(call.topic, false, message);
      this.#settle(call, `${words} after ${milliseconds(line.ms)}`, true, message);
    } else this.#sayNow(`Problem ${words}`);
  }

  #settle(call, words, bad, message, event) {
    if (!call.shown || call !== this.current) return;
    this.#outcome(call, words, bad, message, event);
    announce(`${call.action}: ${words}`);
    $("outcome").scrollIntoView({ block: "nearest" });
    if (!bad || !Array.isArray(message?.errors)) return;
    const errors = message.errors
      .filter((error) => typeof error?.pointer === "string")
      .map(({ pointer, detail }) => ({ pointer: pointer.replace(/^#\/payload(?=\/|$)/, "#"), detail: String(detail ?? "") }));
    if (call.form && call.form === this.form && this.mode === "form") call.form.show(errors, { all: true })?.focus();
  }

  #outcome(call, words, bad, message, event) {
    const problem = bad && message ? message : null;
    const errors = Array.isArray(problem?.errors) ? problem.errors : [];
    const known = problem && this.contract.problems.has(problem.code);
    $("outcome").replaceChildren(
      h("p", { class: bad ? "outcome bad" : "outcome good" }, h("strong", {}, call.action), " ", words, " ", call.reqId ? button("Show in the log", () => this.log.filter(call.reqId), { class: "small" }) : null),
      ...(problem ? [h("p", {}, String(problem.detail ?? problem.title ?? ""), known ? [" ", h("a", { href: `#/problem/${encodeURIComponent(problem.code)}` }, "What it means")] : null)] : []),
      ...(errors.length ? [h("ul", { class: "warnings" }, errors.slice(0, 10).map((error) => h("li", {}, h("code", {}, String(error?.pointer ?? "")), " ", String(error?.detail ?? ""))))] : []),
      ...(event && event !== "ws.complete" ? [h("p", { class: "quiet-text" }, "First event: ", event)] : []),
    );
  }

  /** What comes unasked is told now and then, and the last word of a burst is left out. */
  #sayNow(words) {
    const now = Date.now();
    if (now - this.announced < ANNOUNCE_EVERY || this.log.paused) return;
    this.announced = now;
    announce(words);
  }

  // As code

  #snippets() {
    if (!this.action || !$("as-code").open) return;
    const raw = this.mode === "raw" ? $("raw").value : null;
    const message = raw === null ? { action: this.action.name } : parsed(raw);
    const text = raw === null ? this.#payloadText() : JSON.stringify(message?.payload ?? {});
    // What is written counts: it may be another action than the one that was chosen.
    const action = typeof message?.action === "string" ? message.action.trim() : this.action.name;
    const login = raw === null ? action === LOGIN : mayLogIn(raw);
    const { way, protocols, parameter } = this.settings;
    let url = $("address").value;
    try {
      url = this.settings.url().href;
    } catch {
      // shown as it was written
    }
    const cookie = way === "none" && this.contract.ways.some((each) => each.way === "cookie");
    const payload = parsed(text);
    const all = snippets({ url, protocols, way: cookie ? "cookie" : way, parameter, action, login, payload, text });
    const kind = $("code-kind").value;
    $("code").replaceChildren(codeBlock(all[kind], `The call for ${kind}`, { json: false }));
  }
}

/** Whether a frame may carry a token: also with a slip of the pen, so that the server would not take it for a login. */
function mayLogIn(text) {
  const action = parsed(text)?.action;
  return /\bws.?aut/i.test(typeof action === "string" ? action : text);
}

function preview(payload) {
  return payload === undefined ? "" : JSON.stringify(payload).slice(0, 200);
}

function closeMeaning(code, reason, refused) {
  if (code === null) return reason;
  if (refused) {
    return `The handshake failed. The server is away, or it refused: the credential, the origin, the path, a limit. The browser does not tell which; the server's log does.${reason ? ` (${reason})` : ""}`;
  }
  const meaning = CLOSES[code]?.[0] ?? (code >= 4000 ? "A code of the application" : "An unknown code");
  return `${code}: ${meaning}.${reason ? ` The server says: ${reason}` : ""}`;
}
