/** The document as the page needs it: actions, events, problems, topics and sockets by name. */

import { Schemas, pointed, resolved } from "./schemas.js";

const list = (value) => (Array.isArray(value) ? value : []);
const entries = (value) => (value !== null && typeof value === "object" ? Object.entries(value) : []);
const text = (value) => (typeof value === "string" ? value : "");

export class Contract {
  /** @param {object} document an AsyncAPI 3 document, as JSON.parse gives it; nothing in it is trusted */
  constructor(document) {
    this.document = document;
    this.schemas = new Schemas(document);
    this.info = document.info ?? {};
    this.protocol = document["x-wsproto"] ?? {};
    this.servers = entries(document.servers).map(([name, server]) => ({ name, ...resolved(document, server) }));
    this.ways = entries(document.components?.securitySchemes).map(([name, scheme]) => this.#way(name, scheme));
    this.actions = new Map();
    this.events = new Map();
    this.problems = new Map();
    this.channels = entries(document.channels).map(([key, channel]) => this.#channel(key, resolved(document, channel)));
    this.sockets = this.channels.filter(({ kind }) => kind !== "topic");
    this.topics = this.channels.filter(({ kind }) => kind === "topic");
    for (const [, message] of entries(document.components?.messages)) this.#message(message);
    for (const [, operation] of entries(document.operations)) this.#operation(resolved(document, operation));
    for (const action of this.actions.values()) {
      for (const { name } of action.answers) this.events.get(name)?.answersTo.push(action.name);
    }
    this.namedSchemas = entries(document.components?.schemas).map(([name, schema]) => ({ name, schema, ...about(schema) }));
  }

  /** The events that a client may get, of which a topic or a socket speaks. */
  eventsOf(channel) {
    return channel.messages.map((message) => this.#message(message)).filter(({ kind }) => kind === "event");
  }

  #channel(key, channel) {
    const binding = resolved(this.document, channel.bindings?.ws ?? {});
    return {
      key,
      kind: text(channel["x-wsproto-kind"]) || (channel.parameters ? "topic" : "socket"),
      address: text(channel.address) || key,
      query: binding.query ?? null,
      headers: binding.headers ?? null,
      parameters: entries(channel.parameters).map(([name, parameter]) => ({ name, ...resolved(this.document, parameter) })),
      messages: entries(channel.messages).map(([, message]) => message),
      ...about(channel),
    };
  }

  #way(name, scheme) {
    const found = resolved(this.document, scheme);
    return { key: name, way: text(found["x-wsproto-way"]) || "other", parameter: text(found.name), ...about(found) };
  }

  /** A message becomes an action's, an event or a problem, by what its envelope says. */
  #message(reference) {
    const message = resolved(this.document, this.#last(reference));
    const envelope = message.payload?.schemaFormat ? message.payload.schema : message.payload;
    const members = this.schemas.resolve(envelope).properties ?? {};
    const constant = (name) => this.schemas.resolve(members[name])?.const;
    const shared = { ...about(message), envelope: envelope ?? {}, payload: members.payload ?? null, examples: examplesOf(message) };
    if (typeof constant("action") === "string") return { kind: "action", ...shared, name: constant("action") };
    if (message["x-wsproto-status"] !== undefined || typeof constant("code") === "string") {
      const code = text(message["x-wsproto-code"]) || text(constant("code")) || text(message.name);
      return this.#once(this.problems, code, () => ({
        kind: "problem",
        ...shared,
        name: code,
        status: message["x-wsproto-status"] ?? constant("status"),
        slug: text(message["x-wsproto-slug"]),
        retryable: message["x-wsproto-retryable"] === true,
        type: constant("type"),
        raisedBy: [],
      }));
    }
    const name = typeof constant("event") === "string" ? constant("event") : text(message.name);
    return this.#once(this.events, name, () => ({ kind: "event", ...shared, name, answersTo: [], channels: [], builtin: false }));
  }

  #once(map, name, make) {
    if (!map.has(name)) map.set(name, make());
    return map.get(name);
  }

  /** A message of an operation refers to one of a channel, which refers to one of the components. */
  #last(reference) {
    let found = reference;
    for (let step = 0; step < 10 && typeof found?.$ref === "string"; step += 1) found = pointed(this.document, found.$ref);
    return found ?? {};
  }

  #operation(operation) {
    const messages = list(operation.messages).map((message) => this.#message(message));
    const channel = this.channels.find(({ key }) => operation.channel?.$ref === `#/channels/${pointerPart(key)}`);
    if (operation.action === "send") {
      for (const event of messages) {
        if (event.kind !== "event") continue;
        Object.assign(event, prefer(about(operation), event));
        event.builtin ||= operation["x-wsproto-builtin"] === true;
        if (channel) event.channels.push(channel);
      }
      return;
    }
    const message = messages.find(({ kind }) => kind === "action");
    const name = text(operation["x-wsproto-action"]) || message?.name;
    if (!name) return;
    const replies = list(operation.reply?.messages).map((each) => this.#message(each));
    if (this.actions.has(name)) {
      this.actions.get(name).channels.push(channel);
      return;
    }
    const action = {
      ...(message ?? { envelope: {}, payload: null, examples: [] }),
      ...prefer(about(operation), message ?? about({})),
      kind: "action",
      name,
      builtin: operation["x-wsproto-builtin"] === true,
      requires: list(operation["x-wsproto-requires"]).map(String),
      answers: replies.filter(({ kind }) => kind === "event"),
      problems: replies.filter(({ kind }) => kind === "problem"),
      channels: channel ? [channel] : [],
    };
    for (const problem of action.problems) problem.raisedBy.push(name);
    this.actions.set(name, action);
  }
}

export const pointerPart = (name) => encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));

function about(object) {
  return {
    title: text(object?.title),
    summary: text(object?.summary),
    description: text(object?.description),
    deprecated: object?.["x-deprecated"] === true || object?.deprecated === true,
    tags: list(object?.tags).map((tag) => text(tag?.name)).filter(Boolean),
  };
}

function prefer(first, second) {
  return {
    title: first.title || second.title,
    summary: first.summary || second.summary,
    description: first.description || second.description,
    deprecated: first.deprecated || second.deprecated,
    tags: [...new Set([...first.tags, ...second.tags])],
  };
}

function examplesOf(message) {
  return list(message.examples).map((example) => ({
    name: text(example?.name),
    summary: text(example?.summary),
    envelope: example?.payload,
    payload: example?.payload?.payload,
  }));
}
