/** The page: loads the document, shows what the address names, and keeps the console beside it. */

import { $, button, h } from "./dom.js";
import { Console } from "./console.js";
import { Contract } from "./contract.js";
import { Navigation } from "./navigation.js";
import { view } from "./reference.js";

const NARROW = matchMedia("(max-width: 760px)");
const WIDE = matchMedia("(min-width: 1180px)");
let contract = null;
let navigation = null;
let live = null;

/** What the address names: `#/action/chat.say` is `["action", "chat.say"]`. */
function route() {
  const [, kind = "", ...rest] = location.hash.slice(1).split("/");
  let name = rest.join("/");
  try {
    name = decodeURIComponent(name);
  } catch {
    // a link that was cut
  }
  return [kind, name];
}

function show(moved) {
  const where = route();
  const title = contract.info.title || "WebSocket API";
  $("content").replaceChildren(...view(contract, where, tryIt).filter(Boolean));
  document.title = where[1] ? `${where[1]} · ${title}` : title;
  navigation.mark(where);
  $("list-home").toggleAttribute("aria-current", where[0] === "");
  if (where[0] === "") $("list-home").setAttribute("aria-current", "page");
  if (!moved) return;
  if (!WIDE.matches) openConsole(false);
  openList(false);
  $("main").scrollTop = 0;
  scrollTo(0, 0);
  $("content").querySelector("h1")?.focus({ preventScroll: true });
}

function tryIt(name, payload) {
  live.choose(name, payload);
  openConsole(true);
  $("connect").focus();
  const field = document.querySelector("#form input, #form select, #form textarea");
  if (live.connection.state === "open") (field ?? $("send")).focus();
}

function openConsole(open) {
  document.body.classList.toggle("with-console", open);
  $("console").hidden = !open;
  $("console-toggle").setAttribute("aria-expanded", String(open));
  // Where it takes the place of the reference, it is what the page is about.
  const alone = open && !WIDE.matches;
  $("console").setAttribute("role", alone ? "main" : "complementary");
  $("console-title").setAttribute("role", "heading");
  $("console-title").setAttribute("aria-level", alone ? "1" : "2");
}

function openList(open) {
  document.body.classList.toggle("with-list", open);
  $("list-toggle").setAttribute("aria-expanded", String(open));
  // On a narrow screen the list covers the page, which must not be reached behind it.
  for (const id of ["main", "console"]) $(id).inert = open && NARROW.matches;
  if (open) $("search").focus();
  else if ($("nav").contains(document.activeElement) && NARROW.matches) $("list-toggle").focus();
}

function theme() {
  const kept = () => {
    try {
      return localStorage.getItem("asyncapi-theme");
    } catch {
      return null; // where the browser keeps nothing
    }
  };
  const dark = () => document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const label = () => $("theme").setAttribute("aria-label", dark() ? "Change to light colours" : "Change to dark colours");
  if (["light", "dark"].includes(kept())) document.documentElement.dataset.theme = kept();
  label();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    label();
    try {
      localStorage.setItem("asyncapi-theme", document.documentElement.dataset.theme);
    } catch {
      // then it lasts as long as the page
    }
  });
}

function shortcuts(event) {
  const writing = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    if (NARROW.matches) openList(true);
    $("search").focus();
    $("search").select();
  } else if (event.key === "Escape" && document.body.classList.contains("with-list")) openList(false);
}

async function load() {
  const address = document.querySelector("meta[name='asyncapi-document']").content;
  $("content").replaceChildren(h("p", { class: "quiet-text" }, "Loading the document…"));
  try {
    const answer = await fetch(address, { headers: { accept: "application/json" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${address} answered ${answer.status}.`);
    contract = new Contract(await answer.json());
  } catch (error) {
    $("content").replaceChildren(h("div", { role: "alert" }, h("h1", {}, "The document cannot be shown"), h("p", {}, String(error.message))), button("Try again", load, { class: "primary" }));
    return;
  }
  const { info } = contract;
  $("brand").textContent = info.title || "WebSocket API";
  $("version").textContent = info.version ?? "";
  $("document-link").href = new URL(address, location.href).href;
  navigation = new Navigation(contract);
  live = new Console(contract);
  $("console-toggle").hidden = false;
  openConsole(WIDE.matches);
  show(false);
  addEventListener("hashchange", () => show(true));
}

theme();
$("console-toggle").addEventListener("click", () => {
  openConsole($("console").hidden);
  if (!$("console").hidden) $("connect").focus();
});
$("console-close").addEventListener("click", () => {
  openConsole(false);
  $("console-toggle").focus();
});
$("list-toggle").addEventListener("click", () => openList(!document.body.classList.contains("with-list")));
$("veil").addEventListener("click", () => openList(false));
// The skip links lead to places, not to routes.
for (const link of document.querySelectorAll(".skip")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    if (link.dataset.to === "console" && live) openConsole(true);
    if (link.dataset.to === "main" && !WIDE.matches) openConsole(false);
    (link.dataset.to === "console" ? $("connect") : $("content").querySelector("h1") ?? $("main")).focus();
  });
}
// A link to the view that is shown already changes no address, and still has to lead there.
$("list").addEventListener("click", ({ target }) => {
  if (target.closest("a")?.hash === location.hash && contract) show(true);
});
document.addEventListener("keydown", shortcuts);
WIDE.addEventListener("change", () => openConsole(!$("console").hidden));
NARROW.addEventListener("change", () => openList(false));
load();
