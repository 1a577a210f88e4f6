/** Where to, and as whom. Secrets stay in their field, and are stored nowhere. */

import { $, h } from "./dom.js";
import { Form } from "./form.js";
import { parsed } from "./log.js";

export const V1 = "wsproto.v1.json";

const TOKEN_CHARACTERS = /^[!#$%&'*+.^_`|~\w-]+$/; // RFC 9110, section 5.6.2

/** Ways in, as the page can take them. A browser sets no headers on a WebSocket. */
const WAYS = {
  none: { label: "Nothing, or the browser's cookies", secret: null },
  subprotocol: { label: "Token, as a subprotocol", secret: "Token" },
  ticket: { label: "One-time ticket", secret: "Ticket, or the path that issues one by POST" },
  message: { label: "Token, in the first message (ws.authenticate)", secret: "Token" },
  query: { label: "Token, in the query", secret: "Token" },
};

export class Settings {
  /** @param {() => void} changed is called when what a call looks like as code may have changed */
  constructor(contract, changed) {
    this.contract = contract;
    this.changed = changed;
    const sockets = contract.sockets.filter(({ kind }) => kind !== "foreign");
    $("socket").replaceChildren(...sockets.map(({ address, title }, index) => h("option", { value: String(index) }, title && title !== address ? `${address} (${title})` : address)));
    $("socket").parentElement.hidden = sockets.length < 2;
    $("socket").addEventListener("change", () => this.#chooseSocket(sockets[$("socket").selectedIndex]));
    this.#offerForms();
    this.#offerWays();
    $("way").addEventListener("change", () => this.#chooseWay());
    for (const id of ["address", "protocol"]) $(id).addEventListener("change", changed);
    $("secret-show").addEventListener("click", () => {
      const shown = $("secret").type === "text";
      $("secret").type = shown ? "password" : "text";
      $("secret-show").setAttribute("aria-pressed", String(!shown));
    });
    this.#chooseSocket(sockets[0]);
    this.#chooseWay();
  }

  get way() {
    return $("way").value;
  }

  get protocols() {
    return $("protocol").value ? [$("protocol").value] : [];
  }

  /** The parameter of the query that carries the secret, where one does. */
  get parameter() {
    return this.contract.ways.find(({ way }) => way === this.way)?.parameter || (this.way === "ticket" ? "ticket" : "token");
  }

  /** @throws {TypeError} what is written is no address */
  url() {
    const url = new URL($("address").value, location.href);
    url.protocol = url.protocol.replace(/^http/, "ws");
    url.hash = "";
    for (const [name, value] of Object.entries(this.query?.read() ?? {})) url.searchParams.set(name, typeof value === "object" ? JSON.stringify(value) : value);
    return url;
  }

  /**
   * What a connection needs; null, with a complaint at its field, where something is missing.
   *
   * @returns {{target: () => Promise<{url: string, protocols: string[]}>, comeBack: boolean, login: string | null} | null}
   */
  prepare() {
    const { way, parameter } = this;
    const secret = $("secret").value.trim();
    $("secret-problem").hidden = true;
    if (WAYS[way].secret && !secret) return this.#complain("Fill this in, or choose another way.");
    if (way === "subprotocol" && !TOKEN_CHARACTERS.test(secret)) return this.#complain("A subprotocol cannot carry these characters: choose another way.");
    const target = async () => {
      const url = this.url();
      if (way === "ticket") url.searchParams.set(parameter, await ticket(secret));
      if (way === "query") url.searchParams.set(parameter, secret);
      return { url: url.href, protocols: way === "subprotocol" ? [...this.protocols, "access-token", secret] : this.protocols };
    };
    // A ticket opens one connection; only where new ones can be had is there a way back.
    const comeBack = $("come-back").checked && !(way === "ticket" && !isAddress(secret));
    return { target, comeBack, login: way === "message" ? secret : null };
  }

  #complain(words) {
    $("settings").open = true;
    $("secret-problem").textContent = words;
    $("secret-problem").hidden = false;
    $("secret").focus();
    return null;
  }

  #offerForms() {
    const offered = this.contract.protocol.subprotocols ?? [V1];
    const forms = [...(offered.includes(V1) ? [[V1, `${V1}: with an end for each call`]] : []), ["", "plain: no subprotocol"]];
    $("protocol").replaceChildren(...forms.map(([value, words]) => h("option", { value }, words)));
  }

  #offerWays() {
    const known = new Set(this.contract.ways.map(({ way }) => way));
    const tokens = ["subprotocol", "ticket", "message", "query"].filter((way) => known.has(way));
    // Where the document says nothing of tokens, the usual ways are offered: the server will say.
    const ways = ["none", ...(tokens.length || known.size ? tokens : ["subprotocol", "message"])];
    // Who takes a token in a header takes it as a subprotocol too.
    if ((known.has("bearer") || known.has("basic")) && !ways.includes("subprotocol")) ways.splice(1, 0, "subprotocol");
    $("way").replaceChildren(...ways.map((way) => h("option", { value: way }, WAYS[way].label)));
    if (ways.includes("subprotocol") && known.size && !known.has("cookie")) $("way").value = "subprotocol";
  }

  #chooseSocket(socket) {
    const page = new URL(location.href);
    const address = socket?.address ?? "/ws/";
    const path = (prefix) => `${(prefix ?? "").replace(/\/$/, "")}/${address.replace(/^\//, "")}`;
    const { servers, schemas, ways } = this.contract;
    const here = `${page.protocol === "https:" ? "wss:" : "ws:"}//${page.host}${path(servers.find(({ host }) => host === page.host)?.pathname)}`;
    const elsewhere = servers.filter(({ host }) => host && host !== page.host).map(({ protocol, host, pathname }) => `${protocol ?? "wss"}://${host}${path(pathname)}`);
    $("address").value = here;
    $("addresses").replaceChildren(...[here, ...elsewhere].map((value) => h("option", { value })));
    const { properties = {}, ...rest } = socket?.query ? schemas.resolve(socket.query) : {};
    const secrets = new Set([...ways.map(({ parameter }) => parameter), "ticket"]);
    const asked = Object.entries(properties).filter(([name]) => !secrets.has(name));
    this.query = asked.length ? new Form(schemas, { ...rest, type: "object", properties: Object.fromEntries(asked) }, {}, this.changed) : null;
    $("query").replaceChildren(...(this.query ? [h("h3", {}, "Query"), this.query.node] : []));
    this.changed();
  }

  #chooseWay() {
    const { secret } = WAYS[this.way];
    $("secret-field").hidden = !secret;
    $("secret-label").textContent = secret ?? "";
    $("secret-problem").hidden = true;
    this.changed();
  }
}

const isAddress = (text) => /^(\/|https?:)/.test(text);

/** A ticket, or one that is fetched from where the application issues them. */
async function ticket(text) {
  if (!isAddress(text)) return text;
  const answer = await fetch(new URL(text, location.href), { method: "POST", credentials: "same-origin" });
  if (!answer.ok) throw new Error(`No ticket: ${text} answered ${answer.status}.`);
  const body = await answer.text();
  const value = parsed(body);
  return typeof value === "string" ? value : (value?.ticket ?? body.trim());
}
