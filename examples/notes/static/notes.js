import { connect } from "./wsproto.js";

const $ = (id) => document.getElementById(id);
const words = { connecting: "Connecting…", open: "Connected", waiting: "Reconnecting…", closed: "Disconnected" };
const time = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const nodes = new Map(); // by the id of the note
const client = connect("/ws/");

client.onStatus(({ status }) => {
  $("status").textContent = words[status];
  for (const button of document.querySelectorAll("button")) button.disabled = status !== "open";
  if (status === "open") begin();
});
client.onGap(begin);

// A subscription begins with all notes, each as an event like those that follow.
async function begin() {
  try {
    await client.call("ws.unsubscribe", { topic: "notes" });
    for (const id of [...nodes.keys()]) remove(id);
    await client.call("ws.subscribe", { topic: "notes" });
  } catch (error) {
    tell(error);
  }
}

client.on("note.saved", ({ id, text, pinned, at }) => {
  const node = nodes.get(id) ?? make(id);
  node.classList.toggle("pinned", pinned);
  node.querySelector("p").textContent = text;
  node.querySelector("time").textContent = time.format(new Date(at));
  node.querySelector(".pin").setAttribute("aria-pressed", String(pinned));
  node.querySelector(".pin").textContent = pinned ? "Let go" : "Keep on top";
});

client.on("note.removed", ({ id }) => remove(id));

function make(id) {
  const node = $("note").content.firstElementChild.cloneNode(true);
  node.querySelector(".pin").addEventListener("click", ({ target }) => {
    client.call("note.pin", { id, pinned: target.getAttribute("aria-pressed") !== "true" }).catch(tell);
  });
  node.querySelector(".remove").addEventListener("click", () => client.call("note.remove", { id }).catch(tell));
  nodes.set(id, node);
  $("notes").prepend(node);
  return node;
}

function remove(id) {
  nodes.get(id)?.remove();
  nodes.delete(id);
}

function tell(error) {
  $("problem").hidden = !error;
  $("problem").textContent = error ? error.message : "";
}

$("new").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await client.call("note.add", { text: $("text").value });
    $("text").value = "";
    tell(null);
  } catch (error) {
    tell(error);
  }
});
