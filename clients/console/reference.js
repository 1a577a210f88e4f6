/** What is read: an overview, and a view for each action, event, problem, topic, schema and tag. */

import { button, codeBlock, h, outsideLink } from "./dom.js";
import { markdown } from "./markdown.js";
import { exampleView, href, schemaView } from "./schemaview.js";

export const KINDS = {
  action: { title: "Action", all: "Actions" },
  event: { title: "Event", all: "Events" },
  topic: { title: "Topic", all: "Topics" },
  problem: { title: "Problem", all: "Problems" },
  schema: { title: "Schema", all: "Schemas" },
};

/** The nodes of a route: `["action", "chat.say"]`. `tryIt` opens the console with what can be tried. */
export function view(contract, [kind, name], tryIt) {
  const { schemas } = contract;
  switch (kind) {
    case "":
      return overview(contract);
    case "action":
      return contract.actions.has(name) ? actionView(contract, contract.actions.get(name), tryIt) : missing(kind, name);
    case "event":
      return contract.events.has(name) ? eventView(schemas, contract.events.get(name)) : missing(kind, name);
    case "problem":
      return contract.problems.has(name) ? problemView(schemas, contract.problems.get(name)) : missing(kind, name);
    case "topic": {
      const topic = contract.topics.find(({ address }) => address === name);
      return topic ? topicView(contract, topic, tryIt) : missing(kind, name);
    }
    case "schema": {
      const found = contract.namedSchemas.find((each) => each.name === name);
      return found ? namedSchemaView(schemas, found) : missing(kind, name);
    }
    case "tag":
      return tagView(contract, name);
    default:
      return missing(kind, name);
  }
}

function heading(kind, name, about = {}) {
  return h(
    "header",
    { class: "heading" },
    h("p", { class: "kind" }, kind),
    h("h1", { tabindex: "-1", class: about.prose ? "" : "name" }, name, about.deprecated ? [" ", h("span", { class: "badge deprecated" }, "deprecated")] : null),
    about.summary ? h("p", { class: "summary" }, about.summary) : null,
  );
}

function tags(names) {
  return names.map((name) => h("li", {}, h("a", { class: "tag", href: href("tag", name) }, name)));
}

function section(title, ...children) {
  return h("section", {}, h("h2", {}, title), ...children);
}

function overview(contract) {
  const { info, protocol } = contract;
  const sizes = protocol.maxMessageBytes ? [["Messages", `at most ${protocol.maxMessageBytes.toLocaleString("en")} bytes`]] : [];
  const login = protocol.authenticationTimeout ? [["Login", `by ws.authenticate within ${protocol.authenticationTimeout} s where it comes later`]] : [];
  return [
    heading(info.version ? `Version ${info.version}` : "WebSocket API", info.title || "WebSocket API", { prose: true, summary: info.summary }),
    info.description ? markdown(info.description, 1) : null,
    contactLine(info),
    section(
      "Connect",
      contract.sockets.length
        ? h("ul", { class: "cards" }, contract.sockets.map((socket) => socketCard(contract, socket)))
        : h("p", { class: "quiet-text" }, "The document names no socket."),
      pairs([
        ["Subprotocols", protocol.subprotocols?.length ? protocol.subprotocols.map((each, index) => [index ? ", " : "", h("code", {}, each)]) : "none: the plain form"],
        ["Ids", protocol.requireIds === false ? "msg_id and req_id may be left out" : "msg_id and req_id (UUIDs) come with every message"],
        ...sizes,
        ...login,
        ...(protocol.problemTypeBaseUrl ? [["Problem types", h("code", {}, protocol.problemTypeBaseUrl)]] : []),
      ]),
    ),
    contract.ways.length ? section("Authentication", h("dl", { class: "pairs" }, contract.ways.map(({ key, way, description }) => [h("dt", {}, key), h("dd", {}, description ? markdown(description) : way)]))) : null,
    contract.servers.length
      ? section("Servers", h("dl", { class: "pairs" }, contract.servers.map((server) => [h("dt", {}, server.name), h("dd", {}, h("code", {}, `${server.protocol ?? "wss"}://${server.host ?? ""}${server.pathname ?? ""}`), server.description ? markdown(server.description) : null)])))
      : null,
    table("Actions", "action", [...contract.actions.values()].filter(({ builtin }) => !builtin)),
    table("Built-in actions", "action", [...contract.actions.values()].filter(({ builtin }) => builtin)),
  ];
}

function contactLine({ contact, license, termsOfService }) {
  const parts = [];
  if (contact?.url || contact?.email || contact?.name) parts.push(outsideLink(contact.url ?? (contact.email ? `mailto:${contact.email}` : ""), contact.name || contact.email || contact.url));
  if (license?.name) parts.push(outsideLink(license.url, license.name));
  if (termsOfService) parts.push(outsideLink(termsOfService, "Terms of service"));
  return parts.length ? h("p", { class: "quiet-text separated" }, parts) : null;
}

function socketCard(contract, socket) {
  const foreign = socket.kind === "foreign";
  return h(
    "li",
    { class: "card" },
    h("code", { class: "address" }, socket.address),
    foreign ? h("p", { class: "quiet-text" }, "A WebSocket of the application that does not speak this protocol.") : null,
    socket.title && socket.title !== socket.address ? h("p", {}, socket.title) : null,
    socket.description ? markdown(socket.description) : null,
    socket.query ? [h("p", { class: "quiet-text" }, "In the query"), schemaView(contract.schemas, socket.query)] : null,
  );
}

function pairs(list) {
  return h("dl", { class: "pairs" }, list.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function table(title, kind, rows) {
  if (!rows.length) return null;
  const list = rows.map((each) =>
    h("li", {}, h("a", { class: each.deprecated ? "name old" : "name", href: href(kind, each.name) }, each.name), h("span", { class: "quiet-text" }, each.summary || each.title)),
  );
  return section(title, h("ul", { class: "index" }, list));
}

function actionView(contract, action, tryIt) {
  const { schemas } = contract;
  const sockets = contract.sockets.length > 1 ? action.channels.filter(Boolean) : [];
  return [
    h(
      "div",
      { class: "headline" },
      heading(action.builtin ? "Built-in action" : KINDS.action.title, action.name, action),
      button("Try it", () => tryIt(action.name), { class: "primary try" }),
    ),
    action.tags.length || action.requires.length
      ? h("ul", { class: "chips" }, tags(action.tags), action.requires.map((scope) => h("li", {}, h("span", { class: "tag plain" }, "needs ", h("code", {}, scope)))))
      : null,
    action.description && action.description !== action.summary ? markdown(action.description, 1) : null,
    sockets.length ? h("p", { class: "quiet-text" }, "On ", sockets.map((socket, index) => [index ? ", " : "", h("code", {}, socket.address)])) : null,
    section("Payload", payloadOf(schemas, action)),
    answersView(schemas, action),
    action.problems.length ? section("Problems", problemTable(action.problems)) : null,
    section("On the wire", codeBlock(JSON.stringify(envelopeSample(schemas, action), null, 2), "The whole message")),
  ];
}

function answersView(schemas, action) {
  const ends = action.answers.some(({ name }) => name === "ws.complete");
  const answers = action.answers.filter(({ name }) => name !== "ws.complete");
  if (!answers.length && !ends) return null;
  return section(
    "Answers",
    h("div", { class: "stack" }, answers.map((event) => answerOf(schemas, event))),
    ends ? h("p", { class: "quiet-text after" }, answers.length ? "Then, in " : "Only, in ", h("code", {}, "wsproto.v1.json"), ", the end: ", h("a", { href: href("event", "ws.complete") }, "ws.complete"), ".") : null,
  );
}

function payloadOf(schemas, message) {
  const found = message.payload === null ? {} : schemas.resolve(message.payload);
  const empty = message.payload === null || (found.type === "object" && !Object.keys(found.properties ?? {}).length && !found.additionalProperties && !found.anyOf && !found.oneOf && !found.allOf);
  if (empty) return h("p", { class: "quiet-text" }, "None.");
  const name = schemas.nameOf(message.payload);
  return h(
    "div",
    { class: "beside" },
    h("div", {}, found.description && name ? markdown(found.description) : null, schemaView(schemas, message.payload)),
    h("div", {}, exampleView(schemas, message, `An example of ${message.name}`)),
  );
}

function envelopeSample(schemas, action) {
  const example = action.examples.find(({ envelope }) => envelope !== undefined)?.envelope;
  if (example) return example;
  const ids = { msg_id: "5b1f7b1e-8f0e-4b0a-9c39-0f2a7a1f3c11", req_id: "0d4c2a9e-3f8b-4b6e-8a55-7c1f0f6b2d44" };
  return { ...ids, action: action.name, ...(action.payload === null ? {} : { payload: schemas.sample(action.payload, { all: true }) }) };
}

function answerOf(schemas, event) {
  const details = h("details", { class: "answer" }, h("summary", {}, h("span", { class: "name" }, event.name), event.summary ? h("span", { class: "quiet-text" }, event.summary) : null));
  details.addEventListener("toggle", () => details.append(payloadOf(schemas, event), h("p", {}, h("a", { href: href("event", event.name) }, "More about this event"))), { once: true });
  return details;
}

function problemTable(problems) {
  const rows = problems.map((problem) => h("li", {}, h("span", { class: "status-number" }, problem.status), h("a", { class: "name", href: href("problem", problem.name) }, problem.name), h("span", { class: "quiet-text" }, problem.title || problem.summary)));
  return h("ul", { class: "index problems" }, rows);
}

function eventView(schemas, event) {
  return [
    heading(KINDS.event.title, event.name, event),
    event.tags.length ? h("ul", { class: "chips" }, tags(event.tags)) : null,
    event.description && event.description !== event.summary ? markdown(event.description, 1) : null,
    section("Payload", payloadOf(schemas, event)),
    event.answersTo.length ? section("Answers to", names("action", event.answersTo)) : null,
    event.channels.some(({ kind }) => kind === "topic") ? section("On the topics", names("topic", event.channels.filter(({ kind }) => kind === "topic").map(({ address }) => address))) : null,
    section("Envelope", folded("What is around the payload", () => schemaView(schemas, event.envelope))),
  ];
}

function folded(title, make) {
  const details = h("details", { class: "answer" }, h("summary", {}, title));
  details.addEventListener("toggle", () => details.append(make()), { once: true });
  return details;
}

function names(kind, list) {
  return h("ul", { class: "chips" }, [...new Set(list)].map((name) => h("li", {}, h("a", { class: "tag", href: href(kind, name) }, name))));
}

function problemView(schemas, problem) {
  return [
    heading(`${KINDS.problem.title} ${problem.status ?? ""}`, problem.name, { ...problem, summary: problem.title || problem.summary }),
    problem.description ? markdown(problem.description, 1) : null,
    pairs([
      ["Status", String(problem.status ?? "")],
      ["Code", h("code", {}, problem.name)],
      ["Slug", h("code", {}, problem.slug)],
      ...(typeof problem.type === "string" ? [["Type", outsideLink(problem.type, problem.type)]] : []),
      ["Again", problem.retryable ? "The same request may succeed later." : "The same request would fail again."],
    ]),
    section("Members", h("div", { class: "beside" }, schemaView(schemas, problem.envelope), h("div", {}, exampleView(schemas, problem, `An example of ${problem.name}`)))),
    problem.raisedBy.length ? section("Actions that may end so", names("action", problem.raisedBy)) : null,
  ];
}

function topicView(contract, topic, tryIt) {
  const events = contract.eventsOf(topic);
  return [
    h("div", { class: "headline" }, heading(KINDS.topic.title, topic.address, topic), button("Subscribe…", () => tryIt("ws.subscribe", { topic: topic.address }), { class: "primary try" })),
    topic.description ? markdown(topic.description, 1) : null,
    topic.parameters.length
      ? section("Parameters", h("dl", { class: "pairs" }, topic.parameters.map(({ name, description, enum: values, examples }) => [h("dt", {}, h("code", {}, name)), h("dd", {}, description ? markdown(description) : null, [values, examples].filter(Array.isArray).map((list) => h("code", {}, list.join(", "))))])))
      : null,
    events.length ? section("Events", h("div", { class: "stack" }, events.map((event) => answerOf(contract.schemas, event)))) : null,
  ];
}

function namedSchemaView(schemas, { name, schema, description }) {
  return [
    heading(KINDS.schema.title, name, {}),
    description ? markdown(description, 1) : null,
    section("Members", h("div", { class: "beside" }, h("div", {}, schemaView(schemas, schema)), codeBlock(JSON.stringify(schemas.sample(schema, { all: true }), null, 2), `An example of ${name}`))),
    section("As JSON Schema", folded("Show it", () => codeBlock(JSON.stringify(schema, null, 2), `The JSON Schema of ${name}`))),
  ];
}

function tagView(contract, name) {
  const tagged = (map) => [...map.values()].filter((each) => each.tags.includes(name));
  const actions = tagged(contract.actions);
  const events = tagged(contract.events);
  if (!actions.length && !events.length) return missing("tag", name);
  return [heading("Tag", name, { prose: true }), table("Actions", "action", actions), table("Events", "event", events)];
}

function missing(kind, name) {
  return [heading("Not found", name || kind, {}), h("p", {}, `The document has no ${KINDS[kind]?.title.toLowerCase() ?? "such page"} of this name. `, h("a", { href: "#/" }, "To the overview"))];
}
