/** Making nodes. Whatever comes from the document or the server goes in as text: there is no way to put HTML in. */

/** @returns {HTMLElement} the element of the page that has this id */
export const $ = (id) => document.getElementById(id);

/**
 * An element: `h("a", { class: "x", onclick: act }, "text", child)`. Attributes that are null, undefined or false are
 * left out, and so are such children. Names of tags and attributes are ours; an `href` goes through `safeHref`.
 */
export function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else if (name === "href") node.setAttribute(name, safeHref(value));
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A link that can only lead to a page: no `javascript:`, no `data:`. */
function safeHref(url) {
  const text = String(url);
  if (text.startsWith("#") || /^(https?:|mailto:)/i.test(text)) return text;
  return "#/";
}

export function outsideLink(url, ...children) {
  return /^(https?:|mailto:)/i.test(String(url ?? ""))
    ? h("a", { href: url, rel: "noopener noreferrer external" }, ...children)
    : h("span", {}, ...children);
}

export function button(text, act, attributes = {}) {
  return h("button", { type: "button", onclick: act, ...attributes }, text);
}

let numbers = 0;

/** An id that no other element of the page has. */
export const newId = (what) => `${what}-${(numbers += 1)}`;

/** Says something to who listens to the page instead of looking at it. */
export function announce(words) {
  $("announcements").textContent = words;
}

const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
const COLOURED = 60_000; // characters; more would be too many nodes

/** JSON text with its strings, names, numbers and words told apart. */
export function jsonNodes(text) {
  if (text.length > COLOURED) return [text];
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(TOKENS)) {
    const [whole, string, colon, word] = found;
    const kind = colon ? "j-name" : string ? "j-string" : word ? "j-word" : "j-number";
    nodes.push(text.slice(at, found.index), h("span", { class: kind }, string ?? whole), colon ?? "");
    at = found.index + whole.length;
  }
  return [...nodes, text.slice(at)];
}

/** A block of code with a button that copies it. */
export function codeBlock(text, label, { json = true } = {}) {
  const code = h("pre", { tabindex: "0", role: "region", "aria-label": label }, h("code", {}, json ? jsonNodes(text) : text));
  return h("div", { class: "code" }, code, copyButton(() => code.textContent, label));
}

export function copyButton(text, what) {
  const copy = async ({ currentTarget }) => {
    const copied = await copyText(text());
    currentTarget.textContent = copied ? "Copied" : "Select it and copy";
    announce(copied ? `${what} copied` : "The browser does not let this page copy");
    setTimeout(() => (currentTarget.textContent = "Copy"), 2_000);
  };
  return button("Copy", (event) => copy({ currentTarget: event.currentTarget }), { class: "copy", "aria-label": `Copy: ${what}` });
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // on plain http of any host but the loopback there is no clipboard
  }
}

/** A file for the visitor to keep. */
export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
