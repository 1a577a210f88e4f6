/**
 * A form made from a schema. Each field is `{node, read()}`; a value that was not touched is given back as it came, so
 * what a form cannot show is not lost. Below a depth, and where a schema says little, a field takes JSON.
 */

import { button, h, newId } from "./dom.js";
import { pointerTo } from "./validate.js";

const DEEPEST_FIELD = 8; // levels of fields; below that JSON

export class Form {
  /**
   * @param {import("./schemas.js").Schemas} schemas
   * @param {object} schema of the payload
   * @param {unknown} value to begin with
   * @param {() => void} changed is called when somebody has changed something
   */
  constructor(schemas, schema, value, changed) {
    this.schemas = schemas;
    this.changed = changed;
    this.fields = new Map(); // by JSON Pointer
    this.touched = new Set();
    this.root = this.#field(schema, value, "#", { required: true, depth: 0 });
    this.node = h("div", { class: "form" }, this.root.node);
  }

  read() {
    return this.root.read();
  }

  /**
   * Show what is wrong at its field. A problem that belongs to no field is shown at the nearest one around it.
   *
   * @param {{pointer: string, detail: string}[]} errors
   * @param {{all?: boolean}} [how] also at fields that nobody has touched yet
   * @returns the first field that has an error, to be focused
   */
  show(errors, { all = false } = {}) {
    const words = new Map();
    for (const { pointer, detail } of errors) {
      let at = pointer;
      while (!this.#live(at) && at.includes("/")) at = at.slice(0, at.lastIndexOf("/"));
      if (!this.#live(at) || (!all && ![...this.touched].some((touched) => at.startsWith(touched)))) continue;
      words.set(at, [...(words.get(at) ?? []), at === pointer ? detail : `${pointer}: ${detail}`]);
    }
    let first = null;
    for (const [pointer, { control, complaint }] of this.fields) {
      const said = words.get(pointer);
      complaint.textContent = said?.join(" ") ?? "";
      complaint.hidden = !said;
      if (said) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
      if (said && !first && this.#live(pointer)) first = control;
    }
    return first;
  }

  #live(pointer) {
    return this.fields.get(pointer)?.complaint.isConnected;
  }

  #touch(pointer) {
    this.touched.add(pointer);
    this.changed();
  }

  #field(schema, value, pointer, place) {
    const found = this.schemas.resolve(schema);
    const { list, nullable } = this.schemas.variants(schema);
    const about = { ...place, nullable: place.nullable || nullable, schema, found };
    if (place.depth > DEEPEST_FIELD) return this.#json(value, pointer, about);
    if (list.length === 1 && list[0] !== schema && !(place.inside > DEEPEST_FIELD)) {
      const description = place.description ?? found.description;
      return this.#field(list[0], value, pointer, { ...place, nullable: about.nullable, description, inside: (place.inside ?? 0) + 1 });
    }
    const simple = this.#simple(found, value, pointer, about, list);
    if (simple) return simple;
    if (!place.required || (about.nullable && value === null)) {
      if (place.depth > 0) return this.#optional(value, pointer, about);
    }
    return this.#compound(value, pointer, about, list);
  }

  #simple(found, value, pointer, about, list) {
    if (list.length > 1) return null;
    if (Object.hasOwn(found, "const")) return this.#choice([found.const], value, pointer, about);
    if (Array.isArray(found.enum)) return this.#choice(found.enum, value, pointer, about);
    if (found.type === "boolean") return this.#choice([true, false], value, pointer, about);
    if (found.type === "integer" || found.type === "number") return this.#text(value, pointer, about, numberFrom, "decimal");
    if (found.type === "string") return this.#text(value, pointer, about, (text) => text, null);
    if (found.type === undefined && !found.properties && !found.items && !found.prefixItems && !found.allOf) return this.#json(value, pointer, about);
    return null;
  }

  #compound(value, pointer, about, list) {
    if (list.length > 1) return this.#union(list, value, pointer, about);
    const { found } = about;
    if (found.type === "object" || found.properties) return this.#object(value, pointer, about);
    if (found.type === "array" && (found.items || found.prefixItems)) return this.#array(value, pointer, about);
    return this.#json(value, pointer, about);
  }

  /** A field with its label, its description and room for a complaint. */
  #labelled(control, pointer, about, kind = "label") {
    const { required, name } = about;
    const description = about.description ?? about.found.description;
    const rules = this.schemas.constraints(about.schema);
    const hint = h("p", { class: "hint", id: newId("hint"), hidden: !description && !rules.length }, [description, rules.join(", ")].filter(Boolean).join(" · "));
    const complaint = h("p", { class: "complaint", id: newId("complaint"), hidden: true });
    control.id = newId("field");
    control.setAttribute("aria-describedby", `${hint.id} ${complaint.id}`);
    control.dataset.pointer = pointer;
    if (required && control.matches("input, select, textarea")) control.setAttribute("aria-required", "true");
    this.fields.set(pointer, { control, complaint });
    const title = [h("span", { class: "field-name" }, name ?? "payload"), " ", h("span", { class: "type" }, this.schemas.typeText(about.schema)), required ? [" ", h("span", { class: "required" }, "required")] : null];
    return h("div", { class: "field" }, kind === "label" ? h("label", { for: control.id }, title) : null, control, complaint, hint);
  }

  #text(value, pointer, about, convert, mode) {
    const long = about.found.maxLength > 120 || (typeof value === "string" && value.length > 60);
    const shown = value === undefined || value === null ? "" : String(JSON.isRawJSON?.(value) ? value.rawJSON : value);
    const control = h(long && !mode ? "textarea" : "input", {
      value: shown,
      rows: long && !mode ? "2" : null,
      type: long && !mode ? null : "text",
      inputmode: mode,
      autocomplete: "off",
      spellcheck: "false",
      placeholder: about.found.format === "date-time" ? "2026-01-31T12:30:00Z" : about.found.format === "date" ? "2026-01-31" : null,
    });
    let touched = false;
    control.addEventListener("input", () => {
      touched = true;
      this.#touch(pointer);
    });
    const read = () => {
      if (!touched) return value === undefined && about.required && !about.nullable ? convert("") : value === undefined && about.required ? null : value;
      if (control.value !== "") return convert(control.value);
      if (!about.required) return undefined;
      return about.nullable ? null : "";
    };
    const uuid = about.found.format === "uuid" ? button("New UUID", () => { control.value = crypto.randomUUID?.() ?? ""; control.dispatchEvent(new Event("input")); }, { class: "small" }) : null;
    const node = this.#labelled(control, pointer, about);
    if (uuid) control.after(uuid);
    return { node, read };
  }

  #choice(values, value, pointer, about) {
    const options = values.map((each) => [typeof each === "string" ? each : JSON.stringify(each), each]);
    if (about.nullable && !values.includes(null)) options.push(["null", null]);
    if (!about.required) options.unshift(["(left out)", undefined]);
    const chosen = options.findIndex(([, each]) => JSON.stringify(each) === JSON.stringify(value));
    const odd = chosen < 0 && value !== undefined;
    if (odd) options.unshift([JSON.stringify(value), value]);
    const control = h("select", {}, options.map(([words], index) => h("option", { value: String(index) }, words)));
    control.selectedIndex = Math.max(0, odd ? 0 : chosen);
    control.addEventListener("change", () => this.#touch(pointer));
    return { node: this.#labelled(control, pointer, about), read: () => options[control.selectedIndex]?.[1] };
  }

  #json(value, pointer, about) {
    const control = h("textarea", { class: "mono", rows: "2", value: value === undefined ? "" : JSON.stringify(value), spellcheck: "false", autocomplete: "off" });
    let touched = false;
    control.addEventListener("input", () => {
      touched = true;
      this.#touch(pointer);
    });
    const read = () => {
      if (!touched) return value === undefined && about.required ? null : value;
      if (!control.value.trim()) return about.required ? null : undefined;
      try {
        return JSON.parse(control.value);
      } catch {
        return control.value; // text without quotation marks is meant as text
      }
    };
    return { node: this.#labelled(control, pointer, about), read };
  }

  /** What may be left out is left out until somebody adds it; so a schema may hold itself. */
  #optional(value, pointer, about) {
    const slot = h("div", { class: "optional" });
    let inside = null;
    const empty = value === null ? null : undefined;
    const name = about.name ?? "item";
    const add = (given) => {
      const { list } = this.schemas.variants(about.schema);
      inside = this.#compound(given, pointer, { ...about, required: true, remove }, list);
      slot.replaceChildren(inside.node);
    };
    const remove = () => {
      inside = null;
      slot.replaceChildren(offer);
      offer.firstElementChild.focus();
      this.#touch(pointer);
    };
    const offer = h("div", { class: "field offer" }, button(`Add ${name}`, () => {
      add(this.schemas.sample(about.schema));
      this.#touch(pointer);
      slot.querySelector("input, select, textarea, button")?.focus();
    }, { class: "small" }), " ", h("span", { class: "type" }, this.schemas.typeText(about.schema)));
    if (value === undefined || value === null) slot.replaceChildren(offer);
    else add(value);
    return { node: slot, read: () => (inside ? inside.read() : about.required ? null : empty) };
  }

  #group(pointer, about, ...children) {
    const title = h("legend", {}, h("span", { class: "field-name" }, about.name ?? "payload"), " ", h("span", { class: "type" }, this.schemas.typeText(about.schema)));
    const complaint = h("p", { class: "complaint", id: newId("complaint"), hidden: true });
    const set = h("fieldset", { tabindex: "-1", "aria-describedby": complaint.id, "data-pointer": pointer }, title, about.remove ? button("Remove", about.remove, { class: "small remove", "aria-label": `Remove ${about.name ?? "it"}` }) : null, complaint, ...children);
    this.fields.set(pointer, { control: set, complaint });
    return set;
  }

  #object(value, pointer, about) {
    const given = value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
    const { found } = about;
    const required = new Set(Array.isArray(found.required) ? found.required : []);
    const known = Object.entries(found.properties ?? {});
    const fields = known.map(([name, schema]) => [
      name,
      this.#field(schema, Object.hasOwn(given, name) ? given[name] : undefined, pointerTo(pointer, name), { name, required: required.has(name), depth: about.depth + 1 }),
    ]);
    const others = Object.entries(given).filter(([name]) => !Object.hasOwn(found.properties ?? {}, name));
    const open = found.additionalProperties && (found.additionalProperties !== true || !known.length);
    const map = open ? this.#members(others, pointer, about) : { nodes: [], read: () => others };
    const read = () => Object.fromEntries([...fields.map(([name, field]) => [name, field.read()]), ...map.read()].filter(([, each]) => each !== undefined));
    const children = [...fields.map(([, field]) => field.node), ...map.nodes];
    if (about.depth === 0) {
      // The payload itself needs no frame around it, only a place for what is wrong with all of it.
      const complaint = h("p", { class: "complaint", id: newId("complaint"), hidden: true });
      const node = h("div", { class: "fields", tabindex: "-1", role: "group", "aria-label": "Payload", "aria-describedby": complaint.id, "data-pointer": pointer }, complaint, ...(children.length ? children : [h("p", { class: "quiet-text" }, "It takes no payload.")]));
      this.fields.set(pointer, { control: node, complaint });
      return { node, read };
    }
    return { node: this.#group(pointer, about, ...children), read };
  }

  /** Members whose names are free. */
  #members(entries, pointer, about) {
    const rows = [];
    const holder = h("div", { class: "free-members" });
    const schema = about.found.additionalProperties === true ? {} : about.found.additionalProperties;
    const add = (name, value) => {
      const key = h("input", { type: "text", value: name, "aria-label": "Name of the member", autocomplete: "off", class: "key" });
      const field = this.#field(schema, value, pointerTo(pointer, name), { name: "value", required: true, depth: about.depth + 1 });
      const row = { key, field, node: null };
      key.addEventListener("input", () => this.#touch(pointer));
      row.node = h("div", { class: "item" }, h("div", { class: "item-fields" }, key, field.node), button("Remove", () => {
        rows.splice(rows.indexOf(row), 1);
        row.node.remove();
        adder.focus();
        this.#touch(pointer);
      }, { class: "small", "aria-label": `Remove ${name || "this member"}` }));
      rows.push(row);
      holder.append(row.node);
      return key;
    };
    const adder = button("Add a member", () => {
      add("", this.schemas.sample(schema)).focus();
      this.#touch(pointer);
    }, { class: "small" });
    for (const [name, value] of entries) add(name, value);
    return { nodes: [holder, adder], read: () => rows.map(({ key, field }) => [key.value, field.read()]) };
  }

  #array(value, pointer, about) {
    const { found } = about;
    const tuple = Array.isArray(found.prefixItems) ? found.prefixItems : [];
    let fields = [];
    const holder = h("div", { class: "items" });
    const draw = (values) => {
      fields = values.map((item, index) =>
        this.#field(tuple[index] ?? found.items ?? {}, item, pointerTo(pointer, index), { name: `${about.name ?? "item"} ${index + 1}`, required: true, depth: about.depth + 1 }),
      );
      holder.replaceChildren(...fields.map((field, index) => h("div", { class: "item" }, h("div", { class: "item-fields" }, field.node), index < tuple.length ? null : button("Remove", () => {
        draw(fields.map((each) => each.read()).toSpliced(index, 1));
        (adder ?? holder).focus();
        this.#touch(pointer);
      }, { class: "small", "aria-label": `Remove item ${index + 1}` }))));
    };
    const adder = (found.items || !tuple.length) && !(tuple.length && found.maxItems <= tuple.length)
      ? button("Add an item", () => {
          draw([...fields.map((each) => each.read()), this.schemas.sample(found.items ?? {})]);
          holder.lastElementChild.querySelector("input, select, textarea, button")?.focus();
          this.#touch(pointer);
        }, { class: "small" })
      : null;
    draw(Array.isArray(value) ? value : (this.schemas.sample(about.schema) ?? []));
    return { node: this.#group(pointer, about, holder, adder), read: () => fields.map((each) => each.read()) };
  }

  /** Alternatives: the one that the value fits is shown, another can be chosen. */
  #union(list, value, pointer, about) {
    const begin = value === undefined ? 0 : Math.max(0, list.findIndex((each) => this.#looksLike(each, value)));
    const select = h("select", { "aria-label": `Alternative of ${about.name ?? "the payload"}` }, list.map((each, index) => h("option", { value: String(index) }, this.#variantName(each))));
    const slot = h("div", { class: "variant" });
    let inside;
    const draw = (index, given) => {
      inside = this.#field(list[index], given, pointer, { name: about.name, required: true, depth: about.depth + 1, description: "" });
      slot.replaceChildren(inside.node);
    };
    select.selectedIndex = begin;
    draw(begin, value ?? this.schemas.sample(list[begin]));
    select.addEventListener("change", () => {
      draw(select.selectedIndex, this.schemas.sample(list[select.selectedIndex]));
      this.#touch(pointer);
    });
    const node = h("div", { class: "union" }, h("div", { class: "union-head" }, h("span", { class: "type" }, "one of"), select, about.remove ? button("Remove", about.remove, { class: "small", "aria-label": `Remove ${about.name ?? "it"}` }) : null), slot);
    return { node, read: () => inside.read() };
  }

  #variantName(schema) {
    const found = this.schemas.resolve(schema);
    const tag = Object.values(found.properties ?? {}).map((each) => this.schemas.resolve(each).const).find((each) => each !== undefined);
    return found.title && tag !== undefined ? `${found.title} (${tag})` : (found.title ?? this.schemas.typeText(schema));
  }

  #looksLike(schema, value) {
    const found = this.schemas.resolve(schema);
    if (Object.hasOwn(found, "const")) return found.const === value;
    if (value === null || typeof value !== "object") return [found.type].flat().includes(typeof value) || (typeof value === "number" && found.type === "integer");
    if (Array.isArray(value)) return found.type === "array";
    if (found.type === "array" || (found.type && found.type !== "object")) return false;
    return Object.entries(found.properties ?? {}).every(([name, each]) => {
      const member = this.schemas.resolve(each);
      if (Object.hasOwn(member, "const")) return value[name] === member.const;
      return Object.hasOwn(value, name) || !(found.required ?? []).includes(name);
    });
  }
}

/** The number that was written; text that is none is sent as text, and the server says what it thinks of it. */
function numberFrom(text) {
  const trimmed = text.trim();
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(trimmed)) return text;
  const number = Number(trimmed);
  // JavaScript would round it.
  if (/^-?\d+$/.test(trimmed) && !Number.isSafeInteger(number) && JSON.rawJSON) return JSON.rawJSON(trimmed);
  return number;
}
