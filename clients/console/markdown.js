/** The basics of Markdown, as nodes: paragraphs, headings, lists, code, emphasis, links. Everything else is text. */

import { h, outsideLink } from "./dom.js";

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>()]+[^\s<>().,;:!?'"])/;

/** @param {number} level of the heading above; those in the text begin one below, and leave none out */
export function markdown(text, level = 2) {
  return h("div", { class: "prose" }, blocks(String(text ?? "").replaceAll("\r\n", "\n"), { above: level, last: level }));
}

function blocks(text, levels) {
  const found = [];
  // Fenced code first: blank lines belong to it.
  for (const [index, part] of text.split(/^```[^\n]*\n?/m).entries()) {
    if (index % 2) found.push(h("pre", { tabindex: "0" }, h("code", {}, part.replace(/\n$/, ""))));
    else found.push(...part.split(/\n\s*\n/).filter((each) => each.trim()).flatMap((each) => block(each, levels)));
  }
  return found;
}

function block(text, levels) {
  const lines = text.split("\n");
  const heading = /^\s*(#{1,6})\s+(.*)$/.exec(lines[0]);
  if (heading) {
    levels.last = Math.min(6, levels.last + 1, levels.above + heading[1].length);
    const tag = `h${levels.last}`;
    const rest = lines.slice(1).join("\n");
    return [h(tag, {}, inline(heading[2])), ...(rest.trim() ? block(rest, levels) : [])];
  }
  const first = lines.findIndex((line) => /^\s*([-*+]|\d+[.)])\s+/.test(line));
  if (first > 0) return [...block(lines.slice(0, first).join("\n"), levels), ...block(lines.slice(first).join("\n"), levels)];
  if (first === 0) {
    const items = [];
    for (const line of lines) {
      const item = /^\s*(?:[-*+]|\d+[.)])\s+(.*)$/.exec(line);
      if (item) items.push(item[1]);
      else items[items.length - 1] += ` ${line.trim()}`;
    }
    return [h(/^\s*\d/.test(lines[0]) ? "ol" : "ul", {}, items.map((item) => h("li", {}, inline(item))))];
  }
  return [h("p", {}, inline(lines.join(" ").trim()))];
}

export function inline(text) {
  const nodes = [];
  for (let rest = String(text ?? ""); rest; ) {
    const found = INLINE.exec(rest);
    if (!found) return [...nodes, rest];
    const [whole, code, strong, weak, words, target, url] = found;
    nodes.push(rest.slice(0, found.index));
    if (code) nodes.push(h("code", {}, code));
    else if (strong) nodes.push(h("strong", {}, strong));
    else if (weak) nodes.push(h("em", {}, weak));
    else nodes.push(outsideLink(target ?? url, words ?? url));
    rest = rest.slice(found.index + whole.length);
  }
  return nodes;
}
