/** The list of everything, and the search in it. */

import { $, announce, h } from "./dom.js";
import { KINDS } from "./reference.js";
import { href } from "./schemaview.js";

export class Navigation {
  constructor(contract) {
    this.entries = [];
    this.groups = [];
    const { actions, events, topics, problems, namedSchemas } = contract;
    const own = [...actions.values()].filter(({ builtin }) => !builtin);
    // Words that describe a payload lead to its action too.
    const fields = (message) => Object.keys(contract.schemas.resolve(message.payload ?? {}).properties ?? {});
    for (const [tag, list] of byTag(own)) this.#group("action", tag || KINDS.action.all, list, fields);
    this.#group("event", KINDS.event.all, [...events.values()].filter(({ builtin }) => !builtin), fields);
    this.#group("topic", KINDS.topic.all, topics.map((topic) => ({ ...topic, name: topic.address })));
    this.#group("problem", KINDS.problem.all, [...problems.values()]);
    this.#group("action", "Built-in actions", [...actions.values()].filter(({ builtin }) => builtin), fields);
    this.#group("event", "Built-in events", [...events.values()].filter(({ builtin }) => builtin), fields);
    this.#group("schema", KINDS.schema.all, namedSchemas, () => [], true);
    $("list").replaceChildren(...this.groups.map(({ node }) => node));
    $("search").addEventListener("input", () => this.search($("search").value));
    $("search").addEventListener("keydown", (event) => this.#key(event));
    $("list").addEventListener("keydown", (event) => this.#key(event));
  }

  #group(kind, title, list, fields = () => [], folded = false) {
    if (!list.length) return;
    const items = list.map((each) => {
      const link = h("a", { href: href(kind, each.name), class: each.deprecated ? "old" : null }, each.name, kind === "problem" && each.status ? h("span", { class: "status-number" }, each.status) : null);
      const entry = {
        name: each.name.toLowerCase(),
        words: [each.name, each.title, each.summary, each.description, each.slug, each.status, ...(each.tags ?? []), ...fields(each)].join(" ").toLowerCase(),
        route: `${kind}/${each.name}`,
        link,
        node: h("li", {}, link),
      };
      this.entries.push(entry);
      return entry;
    });
    const details = h("details", { open: !folded }, h("summary", {}, title, " ", h("span", { class: "number" }, list.length)), h("ul", {}, items.map(({ node }) => node)));
    this.groups.push({ node: details, items, folded });
  }

  search(text) {
    const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { node, items, folded } of this.groups) {
      let here = 0;
      for (const entry of items) {
        const shown = words.every((word) => entry.words.includes(word));
        entry.node.hidden = !shown;
        here += shown;
      }
      node.hidden = here === 0;
      if (words.length) node.open = here > 0;
      else node.open = !folded;
      found += here;
    }
    $("nothing").hidden = found > 0;
    if (words.length) announce(`${found} found`);
  }

  /** From the search to the links with the arrows, and to the best one with Enter. */
  #key(event) {
    const shown = this.entries.filter(({ node, link }) => !node.hidden && link.checkVisibility());
    const at = shown.findIndex(({ link }) => link === document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? $("search") : (shown[next]?.link ?? document.activeElement)).focus();
    } else if (event.key === "Enter" && event.target === $("search")) {
      const text = $("search").value.trim().toLowerCase();
      const best = shown.find(({ name }) => name === text) ?? shown.find(({ name }) => name.includes(text)) ?? shown[0];
      best?.link.click();
    } else if (event.key === "Escape" && $("search").value) {
      $("search").value = "";
      this.search("");
      $("search").focus();
    }
  }

  mark([kind, name]) {
    for (const { route, link } of this.entries) {
      const current = route === `${kind}/${name}`;
      if (current !== link.hasAttribute("aria-current")) link.toggleAttribute("aria-current");
      if (current) {
        link.setAttribute("aria-current", "page");
        link.closest("details").open = true;
        link.scrollIntoView({ block: "nearest" });
      }
    }
  }
}

function byTag(actions) {
  const groups = new Map();
  for (const action of actions) {
    const tag = action.tags[0] ?? "";
    groups.set(tag, [...(groups.get(tag) ?? []), action]);
  }
  return [...groups].sort(([a], [b]) => (a === "" ? -1 : b === "" ? 1 : a.localeCompare(b)));
}
