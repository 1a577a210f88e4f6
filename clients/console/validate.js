/**
 * Whether a value fits a schema: the JSON Schema that pydantic writes. It says what the server will probably say; the
 * server decides. So what cannot be judged here (a pattern of another dialect, a format nobody knows) passes.
 */

const MOST_ERRORS = 50; // errors
const DEEPEST_VALUE = 100; // levels; a schema that refers to itself without end stops there

const FORMATS = {
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  date: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/,
  time: /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/i,
  "date-time": /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/i,
  email: /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/,
  uri: /^[a-z][a-z\d+.-]*:\S+$/i,
  ipv4: /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/,
};

/**
 * @param {import("./schemas.js").Schemas} schemas
 * @returns {{pointer: string, detail: string}[]} what does not fit, and where (RFC 6901)
 */
export function validate(schemas, schema, value, pointer = "#") {
  const errors = [];
  check({ schemas, errors }, schema, value, pointer, 0);
  return errors.slice(0, MOST_ERRORS);
}

export const pointerTo = (pointer, name) => `${pointer}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;

function check(run, schema, value, pointer, depth) {
  if (depth > DEEPEST_VALUE || run.errors.length >= MOST_ERRORS) return;
  const found = run.schemas.resolve(schema);
  const say = (detail) => run.errors.push({ pointer, detail });
  if (found.not && !fits(run, found.not, value, depth)) {
    // it must not fit, and does not
  } else if (found.not) {
    say("This is not allowed here.");
    return;
  }
  if (Object.hasOwn(found, "const") && !same(found.const, value)) {
    say(`This must be ${JSON.stringify(found.const)}.`);
    return;
  }
  if (Array.isArray(found.enum) && !found.enum.some((each) => same(each, value))) {
    say(`This must be one of ${found.enum.map((each) => JSON.stringify(each)).join(", ")}.`);
    return;
  }
  if (found.type !== undefined && ![found.type].flat().some((type) => isOf(type, value))) {
    say(value === undefined ? "This is required." : `This must be ${typeWords([found.type].flat())}.`);
    return;
  }
  for (const part of found.allOf ?? []) check(run, part, value, pointer, depth + 1);
  for (const choice of [found.anyOf, found.oneOf]) {
    if (Array.isArray(choice)) checkChoice(run, choice, value, pointer, depth, choice === found.oneOf);
  }
  const plain = numberOf(value) ?? value;
  if (typeof plain === "number") checkNumber(found, plain, say);
  else if (typeof plain === "string") checkString(found, plain, say);
  else if (Array.isArray(plain)) checkArray(run, found, plain, pointer, depth, say);
  else if (plain !== null && typeof plain === "object") checkObject(run, found, plain, pointer, depth, say);
}

function fits({ schemas }, schema, value, depth) {
  const errors = [];
  check({ schemas, errors }, schema, value, "#", depth + 1);
  return errors.length === 0;
}

function checkChoice({ schemas, errors }, choice, value, pointer, depth, exactlyOne) {
  const tried = choice.map((each) => {
    const run = { schemas, errors: [] };
    check(run, each, value, pointer, depth + 1);
    return run.errors;
  });
  const right = tried.filter((each) => each.length === 0).length;
  if (right === 1 || (right > 1 && !exactlyOne)) return;
  if (right > 1) errors.push({ pointer, detail: "This fits several of the alternatives, and must fit one." });
  else {
    // The alternative that was meant: whose members fail rather than its kind or its tag.
    const about = (list) => list.filter((error) => error.pointer === pointer || error.detail.startsWith("This must be \"")).length;
    const [nearest] = tried.toSorted((a, b) => about(a) - about(b) || a.length - b.length);
    if (nearest && !about(nearest)) errors.push(...nearest);
    else if (nearest && choice.length === 2 && tried.some((each) => each[0]?.detail === "This must be null.")) {
      errors.push(...tried.find((each) => each[0]?.detail !== "This must be null."));
    } else errors.push({ pointer, detail: "This fits none of the alternatives." });
  }
}

function checkNumber(found, value, say) {
  if (value < found.minimum) say(`This must be at least ${found.minimum}.`);
  if (value > found.maximum) say(`This must be at most ${found.maximum}.`);
  if (value <= found.exclusiveMinimum) say(`This must be above ${found.exclusiveMinimum}.`);
  if (value >= found.exclusiveMaximum) say(`This must be below ${found.exclusiveMaximum}.`);
  if (found.multipleOf > 0) {
    const times = value / found.multipleOf;
    if (Math.abs(times - Math.round(times)) > 1e-9 * Math.max(1, Math.abs(times))) say(`This must be a multiple of ${found.multipleOf}.`);
  }
}

function checkString(found, value, say) {
  const length = found.minLength === undefined && found.maxLength === undefined ? 0 : [...value].length;
  if (length < found.minLength) say(`This must have at least ${count(found.minLength, "character")}.`);
  if (length > found.maxLength) say(`This must have at most ${count(found.maxLength, "character")}.`);
  if (found.pattern !== undefined && !matches(found.pattern, value)) say(`This must match ${found.pattern}.`);
  const format = Object.hasOwn(FORMATS, found.format) ? FORMATS[found.format] : null;
  if (format && !format.test(value)) say(`This is no ${found.format}.`);
}

const patterns = new Map();

function matches(pattern, value) {
  if (!patterns.has(pattern)) {
    let made = null;
    try {
      made = new RegExp(pattern, "u");
    } catch {
      // Another dialect: the server knows better.
    }
    patterns.set(pattern, made);
  }
  // A pattern may be slow on a long value, and this is done with every key that is pressed.
  return value.length > 2_000 || (patterns.get(pattern)?.test(value) ?? true);
}

function checkArray(run, found, value, pointer, depth, say) {
  if (value.length < found.minItems) say(`This must have at least ${count(found.minItems, "item")}.`);
  if (value.length > found.maxItems) say(`This must have at most ${count(found.maxItems, "item")}.`);
  if (found.uniqueItems && new Set(value.map((item) => JSON.stringify(item))).size < value.length) say("No item may be there twice.");
  const first = found.prefixItems ?? [];
  value.forEach((item, index) => {
    const schema = index < first.length ? first[index] : found.items;
    if (schema !== undefined) check(run, schema, item, pointerTo(pointer, index), depth + 1);
  });
}

function checkObject(run, found, value, pointer, depth, say) {
  const members = Object.keys(value).filter((name) => value[name] !== undefined);
  for (const name of found.required ?? []) {
    if (!members.includes(name)) run.errors.push({ pointer: pointerTo(pointer, name), detail: "This is required." });
  }
  if (members.length < found.minProperties) say(`This must have at least ${count(found.minProperties, "member")}.`);
  if (members.length > found.maxProperties) say(`This must have at most ${count(found.maxProperties, "member")}.`);
  const properties = found.properties ?? {};
  const byPattern = Object.entries(found.patternProperties ?? {});
  for (const name of members) {
    const at = pointerTo(pointer, name);
    const patterned = byPattern.filter(([pattern]) => matches(pattern, name));
    if (found.propertyNames && !fits(run, found.propertyNames, name, depth)) run.errors.push({ pointer: at, detail: "This name is not allowed." });
    if (Object.hasOwn(properties, name)) check(run, properties[name], value[name], at, depth + 1);
    for (const [, schema] of patterned) check(run, schema, value[name], at, depth + 1);
    if (Object.hasOwn(properties, name) || patterned.length) continue;
    if (found.additionalProperties === false) run.errors.push({ pointer: at, detail: "There is no member of this name." });
    else if (found.additionalProperties !== undefined) check(run, found.additionalProperties, value[name], at, depth + 1);
  }
}

/** A number that JavaScript could not carry exactly is kept as its text. */
function numberOf(value) {
  return JSON.isRawJSON?.(value) ? Number(value.rawJSON) : null;
}

function isOf(type, value) {
  const plain = numberOf(value) ?? value;
  switch (type) {
    case "null":
      return value === null;
    case "integer":
      return Number.isInteger(plain);
    case "array":
      return Array.isArray(value);
    case "object":
      return value !== null && typeof value === "object" && !Array.isArray(value) && numberOf(value) === null;
    default:
      return typeof plain === type;
  }
}

const TYPE_WORDS = { object: "an object", array: "an array", integer: "a whole number", boolean: "true or false", null: "null" };
const typeWords = (types) => types.map((type) => TYPE_WORDS[type] ?? `a ${type}`).join(" or ");
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const same = (a, b) => a === b || (typeof a === "object" && a !== null && JSON.stringify(a) === JSON.stringify(b));
