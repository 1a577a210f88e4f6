/** JSON Schema as pydantic writes it: references, what a schema says in words, and values that fit it. */

import { validate } from "./validate.js";

const NESTED = 12; // levels; below that a value is not made up any more

const own = (object, name) => (object !== null && typeof object === "object" && Object.hasOwn(object, name) ? object[name] : undefined);

/** What a reference inside the document points at (RFC 6901, as a URI fragment); undefined where it is nowhere. */
export function pointed(document, reference) {
  if (typeof reference !== "string" || !reference.startsWith("#")) return undefined;
  let found = document;
  for (const part of reference.split("/").slice(1)) {
    let name = part;
    try {
      name = decodeURIComponent(part);
    } catch {
      // a percent sign of its own
    }
    found = own(found, name.replaceAll("~1", "/").replaceAll("~0", "~"));
  }
  return found;
}

/** Follow the references of an object of the document, also one to another; what stands beside `$ref` is kept. */
export function resolved(document, object) {
  let found = object;
  const beside = {};
  for (let step = 0; typeof own(found, "$ref") === "string"; step += 1) {
    const { $ref, ...rest } = found;
    for (const [name, value] of Object.entries(rest)) beside[name] ??= value;
    found = step < 50 ? pointed(document, $ref) : undefined;
  }
  return found === undefined || found === null || typeof found !== "object" ? { ...beside } : found === object ? object : { ...found, ...beside };
}

/** The schemas of one document. */
export class Schemas {
  constructor(document) {
    this.document = document;
  }

  /** A schema without `$ref`; `true` is the schema that takes everything. */
  resolve(schema) {
    if (schema === false) return { not: {} };
    if (schema === null || typeof schema !== "object") return {};
    let found = resolved(this.document, schema);
    for (let step = 0; step < 20 && found.allOf?.length === 1; step += 1) {
      const { allOf, ...rest } = found;
      found = { ...resolved(this.document, allOf[0]), ...rest };
    }
    // Draft 7, which AsyncAPI speaks, has other words for the items of a tuple.
    if (Array.isArray(found.items)) found = { ...found, prefixItems: found.items, items: found.additionalItems ?? undefined };
    return found;
  }

  /** The name of the schema that is referred to, for a link. */
  nameOf(schema) {
    const reference = own(schema, "$ref") ?? own(own(schema, "allOf")?.length === 1 ? schema.allOf[0] : null, "$ref");
    const name = /^#\/components\/schemas\/([^/]+)$/.exec(reference ?? "")?.[1];
    return name === undefined ? null : decodeURIComponent(name.replaceAll("~1", "/").replaceAll("~0", "~"));
  }

  /** The alternatives of a schema but null, and whether null is one: `string | null` is a string that may be null. */
  variants(schema) {
    const found = this.resolve(schema);
    const all = found.anyOf ?? found.oneOf;
    if (Array.isArray(found.type)) {
      const types = found.type.filter((type) => type !== "null");
      return { nullable: types.length < found.type.length, list: types.map((type) => ({ ...found, type })) };
    }
    if (!Array.isArray(all)) return { nullable: found.type === "null", list: [schema] };
    const list = all.filter((each) => this.resolve(each).type !== "null");
    return { nullable: list.length < all.length, list };
  }

  /** What kind of value it takes, in a few words. */
  typeText(schema, depth = 0) {
    const found = this.resolve(schema);
    const name = this.nameOf(schema);
    const { nullable, list } = this.variants(schema);
    if (found.type === "null") return "null";
    if (list.length !== 1 || list[0] !== schema) {
      if (depth > 3) return "…";
      const words = [...new Set(list.map((each) => this.typeText(each, depth + 1)))];
      return [...words, ...(nullable ? ["null"] : [])].join(" or ");
    }
    if (Object.hasOwn(found, "const")) return JSON.stringify(found.const);
    if (Array.isArray(found.enum)) return name ?? "one of";
    if (found.type === "array") {
      return depth > 3 || !found.items ? "array" : `array of ${this.typeText(found.items, depth + 1)}`;
    }
    if (name) return name;
    if (found.format && found.type) return `${found.type} (${found.format})`;
    if (found.type === "object" && found.additionalProperties && !found.properties) {
      return depth > 3 || found.additionalProperties === true ? "object" : `object of ${this.typeText(found.additionalProperties, depth + 1)}`;
    }
    return typeof found.type === "string" ? found.type : found.properties ? "object" : "any";
  }

  /** What a value must keep to, a few words for each rule. */
  constraints(schema, depth = 0) {
    const { nullable, list } = this.variants(schema);
    const found = this.resolve(schema);
    if (list.length === 1 && list[0] !== schema && nullable && depth < NESTED) return [...this.constraints(list[0], depth + 1), ...this.#rules({ default: found.default })];
    return this.#rules(found);
  }

  #rules(found) {
    const rules = [];
    const range = (low, high, unit) => {
      if (low !== undefined && low === high) rules.push(`exactly ${low} ${unit}`.trim());
      else if (low !== undefined && high !== undefined) rules.push(`${low} to ${high} ${unit}`.trim());
      else if (low !== undefined) rules.push(`at least ${low} ${unit}`.trim());
      else if (high !== undefined) rules.push(`at most ${high} ${unit}`.trim());
    };
    range(found.minLength, found.maxLength, "characters");
    range(found.minItems, found.maxItems, "items");
    range(found.minProperties, found.maxProperties, "members");
    range(found.minimum, found.maximum, "");
    if (found.exclusiveMinimum !== undefined) rules.push(`above ${found.exclusiveMinimum}`);
    if (found.exclusiveMaximum !== undefined) rules.push(`below ${found.exclusiveMaximum}`);
    if (found.multipleOf !== undefined) rules.push(`a multiple of ${found.multipleOf}`);
    if (found.uniqueItems) rules.push("no item twice");
    if (found.pattern !== undefined && found.format !== "uuid") rules.push(`matches ${found.pattern}`);
    if (found.contentEncoding) rules.push(found.contentEncoding);
    if (found.additionalProperties === false && found.properties) rules.push("no other members");
    if (found.default !== undefined && found.default !== null) rules.push(`default ${JSON.stringify(found.default)}`);
    return rules;
  }

  /** A value that fits, or nearly: what the schema suggests, else the simplest. With `all`, optional members too. */
  sample(schema, { all = false } = {}, depth = 0) {
    const found = this.resolve(schema);
    if (Object.hasOwn(found, "const")) return found.const;
    if (Array.isArray(found.examples) && found.examples.length) return found.examples[0];
    if (found.default !== undefined && !this.#oddDefault(schema)) return found.default;
    if (Array.isArray(found.enum)) return found.enum[0];
    if (depth > NESTED) return null;
    const { list, nullable } = this.variants(schema);
    if (list.length !== 1 || list[0] !== schema) {
      if (!list.length || (nullable && !all)) return null;
      return this.sample(list[0], { all }, depth + 1);
    }
    if (found.allOf) {
      const parts = found.allOf.map((part) => this.sample(part, { all }, depth + 1));
      return Object.assign({}, ...parts.filter((part) => part !== null && typeof part === "object"));
    }
    if (found.type === "object" || found.properties) return this.#sampleObject(found, all, depth);
    if (found.type === "array") return this.#sampleArray(found, all, depth);
    return sampleScalar(found, all);
  }

  /** Whether it has a default that does not fit: nobody checks them, and `note: str = None` only means that it may be left out. */
  #oddDefault(schema) {
    const { default: given } = this.resolve(schema);
    return given !== undefined && validate(this, schema, given).length > 0;
  }

  #sampleObject(found, all, depth) {
    const required = new Set(found.required ?? []);
    const entries = Object.entries(found.properties ?? {})
      // Optional members of optional members would never end where a schema holds itself.
      .filter(([name, schema]) => required.has(name) || (all && depth < 3 && !this.#oddDefault(schema)))
      .map(([name, schema]) => [name, this.sample(schema, { all }, depth + 1)]);
    if (all && depth < 3 && !entries.length && found.additionalProperties && found.additionalProperties !== true) {
      entries.push(["name", this.sample(found.additionalProperties, { all }, depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  #sampleArray(found, all, depth) {
    if (Array.isArray(found.prefixItems)) return found.prefixItems.map((item) => this.sample(item, { all }, depth + 1));
    const count = found.minItems ?? (all && depth < 3 ? 1 : 0);
    return Array.from({ length: Math.min(count, 20) }, () => this.sample(found.items ?? {}, { all }, depth + 1));
  }
}

const SAMPLES = {
  uuid: "3fa85f64-5717-4562-b3fc-2c963f66afa6",
  date: "2026-01-31",
  time: "12:30:00",
  "date-time": "2026-01-31T12:30:00Z",
  duration: "PT30S",
  email: "ada@example.com",
  uri: "https://example.com/",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
};

function sampleScalar(found, all) {
  switch (found.type) {
    case "string":
      return all ? (SAMPLES[found.format] ?? "text".padEnd(found.minLength ?? 0, "…").slice(0, found.maxLength)) : "";
    case "integer":
    case "number":
      return found.minimum ?? (found.exclusiveMinimum !== undefined ? found.exclusiveMinimum + 1 : Math.min(0, found.maximum ?? 0));
    case "boolean":
      return false;
    default:
      return null;
  }
}
