/** A schema as nodes. What is nested is drawn when somebody opens it, so a schema may hold itself. */

import { codeBlock, h } from "./dom.js";
import { inline } from "./markdown.js";

const href = (kind, name) => `#/${kind}/${encodeURIComponent(name)}`;

const DEEPEST_VIEW = 40; // levels, for schemas that lead to themselves and nowhere else

/** The members, alternatives or kind of a value. */
export function schemaView(schemas, schema, depth = 0) {
  if (depth > DEEPEST_VIEW) return h("p", { class: "quiet-text" }, "And so on.");
  const found = schemas.resolve(schema);
  const { list, nullable } = schemas.variants(schema);
  if (list.length > 1) return alternatives(schemas, list, nullable, depth);
  if (list.length === 1 && list[0] !== schema) return schemaView(schemas, list[0], depth + 1);
  if (found.allOf) return h("div", {}, found.allOf.map((part) => schemaView(schemas, part, depth + 1)));
  const properties = Object.entries(found.properties ?? {});
  const required = new Set(Array.isArray(found.required) ? found.required : []);
  if (properties.length || found.type === "object") {
    const rows = properties.map(([name, each]) => row(schemas, name, each, required.has(name), depth));
    const others = found.additionalProperties;
    if (others && others !== true) rows.push(row(schemas, "any other name", others, false, depth, true));
    if (!rows.length) return h("p", { class: "quiet-text" }, found.additionalProperties === true ? "An object with any members." : "An empty object.");
    return h("ul", { class: "members" }, rows);
  }
  return h("ul", { class: "members" }, row(schemas, null, schema, false, depth));
}

function alternatives(schemas, list, nullable, depth) {
  return h(
    "div",
    { class: "alternatives" },
    h("p", { class: "quiet-text" }, nullable ? "null, or one of:" : "One of:"),
    h("ul", { class: "members" }, list.map((each) => row(schemas, null, each, false, depth))),
  );
}

function row(schemas, name, schema, required, depth, anyName = false) {
  const found = schemas.resolve(schema);
  const linked = linkedName(schemas, schema);
  const type = schemas.typeText(schema);
  const head = h(
    "div",
    { class: "member" },
    name === null ? null : h("span", { class: anyName ? "member-name any" : "member-name" }, name),
    " ",
    linked ? h("a", { class: "type", href: href("schema", linked) }, type) : h("span", { class: "type" }, type),
    required ? [" ", h("span", { class: "required" }, "required")] : null,
    found.deprecated ? [" ", h("span", { class: "badge deprecated" }, "deprecated")] : null,
  );
  const rules = schemas.constraints(schema);
  const description = found.description ?? (found.title && found.title !== name ? null : undefined);
  return h(
    "li",
    {},
    head,
    description ? h("div", { class: "member-about" }, inline(description)) : null,
    rules.length ? h("ul", { class: "rules", "aria-label": "Rules" }, rules.map((rule) => h("li", {}, rule))) : null,
    enumView(schemas, schema),
    Array.isArray(found.examples) && found.examples.length
      ? h("div", { class: "member-about" }, "For example ", found.examples.slice(0, 3).flatMap((each, index) => [index ? ", " : "", h("code", {}, JSON.stringify(each))]))
      : null,
    nested(schemas, schema, name ?? type, depth),
  );
}

function linkedName(schemas, schema, depth = 0) {
  if (depth > 5) return null;
  const name = schemas.nameOf(schema);
  if (name) return name;
  const found = schemas.resolve(schema);
  if (found.type === "array" && found.items) return linkedName(schemas, found.items, depth + 1);
  const { list } = schemas.variants(schema);
  return list.length === 1 && list[0] !== schema ? linkedName(schemas, list[0], depth + 1) : null;
}

function enumView(schemas, schema) {
  const { list } = schemas.variants(schema);
  const values = schemas.resolve(list.length === 1 ? list[0] : schema).enum;
  if (!Array.isArray(values)) return null;
  const shown = values.slice(0, 100).map((value) => h("li", {}, h("code", {}, JSON.stringify(value))));
  return h("ul", { class: "enum", "aria-label": "Values" }, shown, values.length > 100 ? h("li", {}, `and ${values.length - 100} more`) : null);
}

/** The inside of a value that has one, to be opened. */
function nested(schemas, schema, name, depth) {
  const inside = innermost(schemas, schema);
  if (!inside || depth > DEEPEST_VIEW) return null;
  const details = h("details", { class: "nested" }, h("summary", {}, `${inside.words} of ${name}`));
  const fill = () => {
    if (details.childElementCount === 1) details.append(schemaView(schemas, inside.schema, depth + 1));
  };
  details.addEventListener("toggle", fill, { once: true });
  if (depth < 1) {
    details.open = true;
    fill();
  }
  return details;
}

function innermost(schemas, schema, depth = 0) {
  const found = schemas.resolve(schema);
  const { list } = schemas.variants(schema);
  if (depth > 5) return null;
  if (list.length > 1) return list.some((each) => innermost(schemas, each, depth + 1)) ? { schema, words: "Alternatives" } : null;
  if (list.length === 1 && list[0] !== schema) return innermost(schemas, list[0], depth + 1);
  if (found.type === "array") return found.items ? innermost(schemas, found.items, depth + 1) : null;
  if (found.allOf) return { schema, words: "Members" };
  if (Object.keys(found.properties ?? {}).length) return { schema, words: "Members" };
  if (found.additionalProperties && found.additionalProperties !== true) return innermost(schemas, found.additionalProperties, depth + 1);
  return null;
}

/** Examples of a message, or one made from its schema. */
export function exampleView(schemas, message, label) {
  const given = message.examples.filter((example) => (message.kind === "problem" ? example.envelope : example.payload) !== undefined);
  if (given.length) {
    return given.map((example) => [
      example.summary || example.name ? h("p", { class: "quiet-text" }, example.summary || example.name) : null,
      codeBlock(JSON.stringify(message.kind === "problem" ? example.envelope : example.payload, null, 2), label),
    ]);
  }
  const schema = message.kind === "problem" ? message.envelope : message.payload;
  return [codeBlock(JSON.stringify(schemas.sample(schema ?? {}, { all: true }), null, 2), label)];
}

export { href };
