import { connect, DisconnectedError, ProblemError } from "/wsproto.js";

const MAX_TEXT = 500; // only to count down: what is refused is the server's to say
const GROUP_WITHIN = 5 * 60_000;

const $ = (id) => document.getElementById(id);
const log = $("log");
const text = $("text");
const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

let me = null;
let room = null;
let topic = null; // under which the server says who is in the room
let rooms = {}; // how many people are in each
let listed = ""; // what the list of rooms shows of them
let joining = false;
let early = []; // messages that came before the room's earlier ones
let last = null; // the last message shown, for grouping
let unread = 0;
let pinned = true; // the end of the log is in view
const shown = new Set();
const writing = new Map();

const client = connect("/ws/", { token: visitor() });

// Who this tab is, across reloads and reconnects. A secret of its own making is enough for a demo.
function visitor() {
  let secret = sessionStorage.getItem("visitor");
  if (!secret) {
    secret = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("visitor", secret);
  }
  return secret;
}

// Everything that people wrote becomes a text node here, never markup.
function element(tag, { data = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  Object.assign(node.dataset, data);
  node.append(...children);
  return node;
}

function avatar({ id, name }) {
  const initials = name.split(/\s+/).slice(0, 2).map((word) => [...word][0]).join("").toUpperCase();
  const node = element("span", { className: "avatar", ariaHidden: "true" }, initials);
  node.style.setProperty("--hue", parseInt(id.slice(0, 4), 16) % 360);
  return node;
}

function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}

// What was refused, beside what caused it

const inputs = { "#/payload/name": $("name"), "#/payload/room": $("room"), "#/payload/text": text };

function showProblem(input, note, detail, code = "") {
  note.replaceChildren(detail, ...(code ? [element("code", {}, code)] : []));
  note.hidden = false;
  input?.setAttribute("aria-invalid", "true");
}

function clearProblem(input, note) {
  note.hidden = true;
  note.replaceChildren();
  input?.removeAttribute("aria-invalid");
}

function explain(error, show) {
  if (error instanceof ProblemError && error.errors.length) {
    for (const { pointer, detail } of error.errors) show(pointer, detail, `${error.status} ${error.code} ${pointer}`);
  } else if (error instanceof ProblemError) {
    show(null, error.message, `${error.status} ${error.code}`);
  } else if (error instanceof DisconnectedError) {
    show(null, error.code === null ? "Not connected. Nothing was sent." : "The connection was lost. It may not have arrived.");
  } else {
    show(null, error.message);
  }
}

// Entering rooms

async function enter(name, where, show) {
  if (joining) return false;
  joining = true;
  try {
    await client.call("chat.join", { name, room: where });
    return true;
  } catch (error) {
    explain(error, show);
    return false;
  } finally {
    joining = false;
    for (const { message, where } of early.splice(0)) if (where === room) showMessage(message);
  }
}

client.on("chat.welcome", (welcome) => {
  const again = room === welcome.room;
  me = welcome.you;
  sessionStorage.setItem("name", me.name);
  sessionStorage.setItem("inside", "yes");
  history.replaceState(null, "", `#${encodeURIComponent(welcome.room)}`);
  if (!again) {
    room = welcome.room;
    topic = welcome.topic;
    shown.clear();
    writing.clear();
    showTyping();
    log.replaceChildren();
    last = null;
    unread = 0;
  }
  // What was there before is not read out.
  log.ariaBusy = "true";
  for (const message of welcome.messages) showMessage(message, again);
  log.ariaBusy = "false";
  if (!again && !log.childElementCount) note(`This is the beginning of “${room}”. Say hello.`);
  if (!again) log.scrollTop = log.scrollHeight;
  $("title").textContent = room;
  $("door").hidden = true;
  $("chat").hidden = false;
  showPeople(client.members(topic));
  showUnread();
});

client.onPresence((change) => {
  if (change.topic !== topic || me === null) return;
  showPeople(change.members);
  for (const each of change.joins) if (each.user_id !== me.id) note(`${nameOf(each)} came in`);
  for (const each of change.leaves) if (each.user_id !== me.id) note(`${nameOf(each)} left`);
});

function nameOf({ info }) {
  return info?.name ?? "Somebody";
}

client.on("chat.rooms", (all) => {
  rooms = all.rooms;
  showRooms();
});

client.on("chat.counted", ({ room: name, people }) => {
  if (people === null) delete rooms[name];
  else rooms[name] = people;
  showRooms();
});

function showRooms() {
  // Of our own room we know best.
  const number = (name) => (name === room && client.members(topic).length) || rooms[name];
  const names = Object.keys(rooms).sort((a, b) => number(b) - number(a) || a.localeCompare(b));
  markCurrent();
  const list = JSON.stringify(names.map((name) => [name, number(name)]));
  if (list === listed) return; // nobody loses the button that they are about to press
  listed = list;
  const entry = (name) =>
    element(
      "button",
      { type: "button", ariaLabel: `${name}, ${plural(number(name), "person", "people")}`, data: { room: name } },
      element("span", { className: "label" }, name),
      element("span", { className: "number" }, number(name) || ""),
    );
  const focused = document.activeElement;
  $("rooms").replaceChildren(...names.map((name) => element("li", {}, entry(name))));
  markCurrent();
  $("suggestions").replaceChildren(...names.slice(0, 6).map(entry));
  if (focused?.dataset.room && !focused.isConnected) {
    const list = $("chat").hidden ? $("suggestions") : $("rooms");
    list.querySelector(`[data-room="${CSS.escape(focused.dataset.room)}"]`)?.focus();
  }
}

function markCurrent() {
  for (const button of $("rooms").querySelectorAll("button")) {
    button.ariaCurrent = button.dataset.room === room ? "true" : null;
  }
}

$("join").addEventListener("submit", async (event) => {
  event.preventDefault();
  for (const id of ["name", "room"]) clearProblem($(id), $(`${id}-problem`));
  clearProblem(null, $("join-problem"));
  const entered = await enter($("name").value, $("room").value, (pointer, ...problem) => {
    const input = inputs[pointer];
    showProblem(input, input ? $(`${input.id}-problem`) : $("join-problem"), ...problem);
    input?.focus();
  });
  if (entered) text.focus();
});

$("suggestions").addEventListener("click", ({ target }) => {
  const chosen = target.closest("button")?.dataset.room;
  if (!chosen) return;
  $("room").value = chosen;
  if ($("name").value) $("join").requestSubmit();
  else $("name").focus();
});

$("rooms").addEventListener("click", ({ target }) => {
  const chosen = target.closest("button")?.dataset.room;
  if (chosen) change(chosen);
});

$("create").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await change($("new-room").value)) $("new-room").value = "";
});

async function change(where) {
  const input = $("new-room");
  clearProblem(input, $("new-room-problem"));
  const entered =
    where === room ||
    (await enter(me.name, where, (pointer, ...problem) => {
      showProblem(pointer ? input : null, $("new-room-problem"), ...problem);
    }));
  if (entered) {
    openSide(false);
    text.focus();
  }
  return entered;
}

$("new-room").addEventListener("input", () => clearProblem($("new-room"), $("new-room-problem")));

$("leave").addEventListener("click", () => {
  sessionStorage.removeItem("inside");
  location.reload();
});

function showPeople(members) {
  const people = members.map((member) => ({ id: member.user_id, name: member.user_id === me.id ? me.name : nameOf(member) }));
  const sorted = [...people].sort((a, b) => (b.id === me.id) - (a.id === me.id) || a.name.localeCompare(b.name));
  $("people").replaceChildren(
    ...sorted.map((person) =>
      element(
        "li",
        {},
        avatar(person),
        element("span", { className: "label" }, person.name),
        ...(person.id === me.id ? [element("span", { className: "you" }, "you")] : []),
      ),
    ),
  );
  $("count").textContent = plural(people.length, "person here", "people here");
  showRooms();
}

// Messages

client.on("chat.said", (message, { recipient_id: where }) => {
  if (joining || where !== room) {
    early.push({ message, where });
    return;
  }
  stopWriting(message.by.id);
  showMessage(message);
});

function showMessage(message, counts = true) {
  if (shown.has(message.id)) return;
  shown.add(message.id);
  const mine = message.by.id === me.id;
  const atEnd = isAtEnd();
  const isNew = counts && !mine && !(atEnd && document.visibilityState === "visible");
  if (isNew && ++unread === 1) {
    log.querySelector(".unread")?.remove();
    log.append(element("div", { className: "unread" }, "New"));
    last = null;
  }
  const at = new Date(message.at);
  const more = last?.by.id === message.by.id && last.by.name === message.by.name && at - new Date(last.at) < GROUP_WITHIN;
  const who = element(
    "span",
    { className: "who" },
    element("span", { className: "label" }, message.by.name),
    element("time", { dateTime: message.at, title: at.toLocaleString() }, time.format(at)),
  );
  const node = element("div", { className: `message${mine ? " mine" : ""}${more ? " more" : " first"}` });
  node.append(...(more ? [] : [avatar(message.by)]), who, element("p", { className: "bubble" }, message.text));
  log.append(node);
  last = message;
  if (mine || (atEnd && !isNew)) log.scrollTop = log.scrollHeight;
  showUnread();
}

function note(words) {
  const atEnd = isAtEnd();
  log.append(element("p", { className: "note" }, words));
  last = null;
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function isAtEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 48;
}

function showUnread() {
  document.title = room === null ? "Chat" : `${unread ? `(${unread}) ` : ""}${room} · Chat`;
  const latest = $("latest");
  latest.hidden = !unread || isAtEnd();
  latest.textContent = `${plural(unread, "new message", "new messages")} ↓`;
}

function read() {
  if (!unread || document.visibilityState !== "visible" || !isAtEnd()) return;
  unread = 0;
  showUnread();
}

log.addEventListener("scroll", () => {
  pinned = isAtEnd();
  read();
});
// The log gets lower when what is below it gets higher: a long message, a problem, a keyboard on the screen.
new ResizeObserver(() => pinned && log.scrollTo(0, log.scrollHeight)).observe(log);
document.addEventListener("visibilitychange", () => {
  if (unread) log.querySelector(".unread")?.scrollIntoView({ block: "center" });
  read();
});
$("latest").addEventListener("click", () => {
  log.scrollTop = log.scrollHeight;
  text.focus();
});

// Writing

const sendButton = $("say").querySelector(".send");
let sending = false;
let toldAt = 0; // that a message is being written

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (sending) return;
  sending = true;
  const written = text.value;
  clearProblem(text, $("text-problem"));
  try {
    await client.call("chat.say", { text: written });
    if (text.value === written) text.value = "";
    toldAt = 0;
    countDown();
  } catch (error) {
    explain(error, (_pointer, ...problem) => showProblem(text, $("text-problem"), ...problem));
  } finally {
    sending = false;
  }
});

text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("say").requestSubmit();
});

text.addEventListener("input", () => {
  clearProblem(text, $("text-problem"));
  countDown();
  const now = Date.now();
  if (client.status !== "open" || !text.value.trim() || now - toldAt < 2_000) return;
  toldAt = now;
  client.send("chat.typing");
});

function countDown() {
  const left = MAX_TEXT - [...text.value.trim()].length;
  $("left").hidden = left > 100;
  $("left").classList.toggle("over", left < 0);
  $("left").textContent = String(left).replace("-", "−");
}

client.on("chat.typing", ({ by }, { recipient_id: where }) => {
  if (where !== room) return;
  stopWriting(by.id);
  writing.set(by.id, { name: by.name, timer: setTimeout(() => stopWriting(by.id), 4_000) });
  showTyping();
});

function stopWriting(id) {
  clearTimeout(writing.get(id)?.timer);
  if (writing.delete(id)) showTyping();
}

function showTyping() {
  const names = [...writing.values()].map(({ name }) => name);
  $("typing").textContent =
    names.length === 0 ? "" : names.length < 3 ? `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} writing…` : "Several people are writing…";
}

// The connection

const words = { connecting: "Connecting…", open: "Connected", waiting: "Reconnecting…", closed: "Disconnected" };

client.onStatus(({ status, reason }) => {
  for (const node of document.querySelectorAll(".status")) {
    node.dataset.status = status;
    node.firstElementChild.textContent = status === "closed" && reason ? `Disconnected: ${reason}` : words[status];
  }
  $("retry").hidden = status !== "waiting";
  sendButton.disabled = status !== "open";
  if (status !== "open") return;
  client.call("chat.rooms").catch(() => {});
  // Back in the room after a reconnect, or after the page was loaded anew.
  if (!sessionStorage.getItem("inside")) return;
  enter($("name").value, room ?? $("room").value, (_pointer, ...problem) => {
    if (room === null) showProblem(null, $("join-problem"), ...problem);
    else note(problem[0]);
  });
});

client.on("chat.server", ({ framework, process }) => {
  for (const node of document.querySelectorAll(".server")) {
    node.textContent = `${framework} · ${process}`;
    node.title = `Served by ${framework}, process ${process}`;
    node.hidden = false;
  }
});

// The room's last messages come with the welcome, so what was missed is asked for by entering again: where events of
// this connection were lost, and where those of other processes did not reach ours.
function catchUp() {
  if (room !== null) enter(me.name, room, () => {});
}
client.onGap(catchUp);
client.on("ws.gap", catchUp);

// What nobody could tell us: that all who were in another room went with their process.
setInterval(() => client.status === "open" && client.call("chat.rooms").catch(() => {}), 20_000);

$("retry").addEventListener("click", () => client.reconnect());

// Rooms and people on a narrow screen

function openSide(open) {
  $("side").classList.toggle("open", open);
  $("veil").hidden = !open;
  $("talk").inert = open;
  $("side-open").setAttribute("aria-expanded", String(open));
  if (open) $("side-close").focus();
  else if ($("side").contains(document.activeElement)) $("side-open").focus();
}

$("side-open").addEventListener("click", () => openSide(true));
$("side-close").addEventListener("click", () => openSide(false));
$("veil").addEventListener("click", () => openSide(false));
document.addEventListener("keydown", ({ key }) => key === "Escape" && openSide(false));
matchMedia("(max-width: 760px)").addEventListener("change", () => openSide(false));

$("name").value = sessionStorage.getItem("name") ?? "";
try {
  $("room").value = decodeURIComponent(location.hash.slice(1)) || "lobby";
} catch {
  $("room").value = "lobby"; // a link that was cut
}
if (!sessionStorage.getItem("inside")) $("name").select();
