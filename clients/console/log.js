/** What went over the connection. Only the lines in view are nodes, so ten thousand cost as much as ten. */

import { $, announce, download, h, jsonNodes } from "./dom.js";

const LINES = 10_000; // kept; the oldest give way
const SPARE_LINES = 500; // more, until that is done
const CHARACTERS = 32 * 1024 * 1024; // of frames kept; where they are more, half of them gives way
const ROW = 30; // pixels; style.css says the same
const SPARE = 8; // lines above and below what is seen

const MARKS = { sent: "↑", event: "↓", problem: "!", note: "·", raw: "↓" };
const WORDS = { sent: "Sent", event: "Event", problem: "Problem", note: "Connection", raw: "Other" };

/** Lines, the oldest of which give way when there are too many, or they are too long together. */
export class Lines {
  constructor() {
    this.all = [];
    this.size = 0; // characters
  }

  /** @returns {number} how many gave way */
  add(entry) {
    this.all.push(entry);
    this.size += entry.text.length;
    if (this.all.length <= LINES + SPARE_LINES && this.size <= CHARACTERS) return 0;
    const most = this.size > CHARACTERS ? CHARACTERS / 2 : CHARACTERS;
    let drop = 0;
    for (; drop < this.all.length - 1 && (this.all.length - drop > LINES || this.size > most); drop += 1) this.size -= this.all[drop].text.length;
    this.all = this.all.slice(drop);
    return drop;
  }
}

export class Log {
  constructor() {
    this.lines = new Lines();
    this.shown = [];
    this.held = new Lines(); // while it is paused
    this.drawn = new Map(); // the nodes in view, by number
    this.number = 0;
    this.dropped = 0;
    this.chosen = null;
    this.pinned = true;
    this.paused = false;
    this.list = $("log");
    this.canvas = $("log-canvas");
    this.list.addEventListener("scroll", () => {
      this.pinned = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < ROW;
      this.#soon();
    });
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("click", ({ target }) => {
      const row = target.closest("[data-number]");
      if (row) this.choose(this.shown.find(({ number }) => number === Number(row.dataset.number)));
    });
    new ResizeObserver(() => this.#soon()).observe(this.list);
    $("log-filter").addEventListener("input", () => this.#refilter());
    $("log-kind").addEventListener("change", () => this.#refilter());
    $("log-clear").addEventListener("click", () => this.clear());
    $("log-pause").addEventListener("click", () => this.pause(!this.paused));
    $("log-export").addEventListener("click", () => this.#export());
    $("inspect-only").addEventListener("click", () => this.filter(this.chosen.reqId));
    $("inspect-close").addEventListener("click", () => {
      this.choose(null);
      this.list.focus();
    });
  }

  /**
   * @param {{kind: "sent" | "event" | "problem" | "note" | "raw", name: string, text?: string, reqId?: string, ms?: number,
   *   quiet?: boolean, bad?: boolean, preview?: string}} line
   */
  add(line) {
    this.number += 1;
    const entry = { number: this.number, at: new Date(), text: "", preview: "", ...line };
    if (this.paused) {
      this.dropped += this.held.add(entry);
      $("log-pause").textContent = `Resume (${this.held.all.length})`;
    } else this.#take(entry);
    return entry;
  }

  #take(entry) {
    const dropped = this.lines.add(entry);
    if (dropped) {
      this.dropped += dropped;
      const first = this.lines.all[0].number;
      this.shown = this.shown.filter(({ number }) => number >= first);
    }
    if (this.#matches(entry)) this.shown.push(entry);
    this.#soon();
  }

  clear() {
    this.lines = new Lines();
    this.shown = [];
    this.held = new Lines();
    this.dropped = 0;
    this.choose(null);
    this.pause(false);
    announce("The log is empty");
    this.#soon();
  }

  pause(paused) {
    this.paused = paused;
    $("log-pause").textContent = paused ? "Resume" : "Pause";
    $("log-pause").setAttribute("aria-pressed", String(paused));
    const held = this.held.all;
    this.held = new Lines();
    for (const entry of held) this.#take(entry);
    this.#soon();
  }

  filter(text) {
    $("log-filter").value = text ?? "";
    this.#refilter();
  }

  #matches(entry) {
    const kind = $("log-kind").value;
    if (kind && entry.kind !== kind) return false;
    const words = $("log-filter").value.trim().toLowerCase();
    return !words || `${entry.name} ${entry.preview} ${entry.reqId ?? ""} ${entry.text}`.toLowerCase().includes(words);
  }

  #refilter() {
    this.shown = this.lines.all.filter((entry) => this.#matches(entry));
    this.pinned = true;
    this.#soon();
  }

  #soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const { shown, list, canvas } = this;
    const all = this.lines.all.length;
    $("log-count").textContent = `${shown.length === all ? "" : `${shown.length} of `}${all} ${all === 1 ? "line" : "lines"}${this.dropped ? `, ${this.dropped} older ones dropped` : ""}`;
    $("log-empty").hidden = shown.length > 0;
    $("log-empty").textContent = all ? "No line fits the filter." : "What is sent and received appears here.";
    list.hidden = shown.length === 0;
    canvas.style.height = `${shown.length * ROW}px`;
    if (list.hidden || !list.clientHeight) return;
    if (this.pinned) list.scrollTop = list.scrollHeight;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
    const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
    const wanted = new Map(shown.slice(first, last).map((entry, index) => [entry.number, this.#row(entry, first + index)]));
    // A node that stays is not touched: a click that has begun on it ends on it.
    for (const [number, node] of this.drawn) if (!wanted.has(number)) node.remove();
    let at = canvas.firstChild;
    for (const node of wanted.values()) {
      if (node === at) at = at.nextSibling;
      else canvas.insertBefore(node, at);
    }
    this.drawn = wanted;
    const chosen = wanted.get(this.chosen?.number);
    if (chosen) list.setAttribute("aria-activedescendant", chosen.id);
    else list.removeAttribute("aria-activedescendant");
  }

  #row(entry, index) {
    const node = this.drawn.get(entry.number) ?? h(
      "div",
      { class: `row ${entry.kind}${entry.quiet ? " quiet" : ""}${entry.bad ? " bad" : ""}`, role: "option", id: `line-${entry.number}`, "data-number": entry.number },
      h("span", { class: "at" }, clock(entry.at)),
      h("span", { class: "mark", "aria-hidden": "true" }, MARKS[entry.kind]),
      h("span", { class: "hidden-text" }, ` ${WORDS[entry.kind]} `),
      h("span", { class: "row-name" }, entry.name),
      entry.ms === undefined ? null : h("span", { class: "ms" }, milliseconds(entry.ms)),
      h("span", { class: "preview" }, entry.preview.slice(0, 200)),
    );
    node.style.top = `${index * ROW}px`;
    node.setAttribute("aria-selected", String(entry === this.chosen));
    node.setAttribute("aria-setsize", String(this.shown.length));
    node.setAttribute("aria-posinset", String(index + 1));
    return node;
  }

  choose(entry) {
    this.chosen = entry ?? null;
    $("inspect").hidden = !entry;
    if (entry) {
      $("inspect-title").textContent = `${WORDS[entry.kind]}: ${entry.name}`;
      $("inspect-about").textContent = [entry.at.toLocaleTimeString(), entry.ms === undefined ? "" : `after ${milliseconds(entry.ms)}`, entry.about].filter(Boolean).join(" · ");
      $("inspect-text").replaceChildren(...jsonNodes(pretty(entry.text) || entry.preview));
      $("inspect-only").hidden = !entry.reqId;
    }
    this.#soon();
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || !this.shown.length) return;
    event.preventDefault();
    const at = this.shown.indexOf(this.chosen);
    const from = at < 0 ? (step > 0 ? -1 : this.shown.length) : at;
    const next = Math.min(this.shown.length - 1, Math.max(0, from + step));
    const { list } = this;
    if (next * ROW < list.scrollTop) list.scrollTop = next * ROW;
    else if ((next + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (next + 1) * ROW - list.clientHeight;
    this.pinned = next === this.shown.length - 1;
    this.choose(this.shown[next]);
  }

  #export() {
    const lines = this.lines.all.map(({ at, kind, name, reqId, ms, text, preview }) => JSON.stringify({ at: at.toISOString(), kind, name, req_id: reqId, ms, message: parsed(text) ?? preview }));
    download("websocket-log.jsonl", `${lines.join("\n")}\n`, "application/jsonl");
    announce(`${lines.length} lines exported`);
  }
}

export const milliseconds = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`);

const two = (number) => String(number).padStart(2, "0");
const clock = (at) => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** JSON text with line breaks; made from the text, so that long numbers stay as they came. */
function pretty(text) {
  const value = parsed(text);
  if (value === undefined || text.length > 500_000) return text.slice(0, 500_000);
  let made = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "{" || token === "[") {
      depth += 1;
      made += token + line();
    } else if (token === "}" || token === "]") {
      depth -= 1;
      made = /[{[]\s*$/.test(made.slice(-200)) ? made.trimEnd() + token : made + line() + token;
    } else if (token === ",") made += token + line();
    else made += token === ":" ? ": " : token;
  }
  return made;
}
