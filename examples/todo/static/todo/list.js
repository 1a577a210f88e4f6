import { connect } from "/wsproto.js";

const $ = (id) => document.getElementById(id);
const words = { connecting: "Connecting…", open: "Connected", waiting: "Reconnecting…", closed: "Disconnected" };

const list = Number($("items").dataset.list);
const topic = `list/${list}`;
const nodes = new Map(); // by the id of the item
const client = connect("/ws/"); // the cookie of the session says who it is

client.onStatus(({ status }) => {
  $("status").textContent = words[status];
  for (const button of document.querySelectorAll("main button")) button.disabled = status !== "open";
  if (status === "open") begin();
});
client.onGap(begin);

// A subscription begins with the members and all items, as events like those that follow.
async function begin() {
  try {
    await client.call("ws.unsubscribe", { topic });
    for (const id of [...nodes.keys()]) remove(id);
    await client.call("ws.subscribe", { topic });
  } catch (error) {
    if (error.code === "forbidden") location.assign("/");
    else tell(error);
  }
}

client.on("list.members", ({ names }) => ($("members").textContent = names.join(", ")));

client.on("item.saved", ({ id, text, done }) => {
  const node = nodes.get(id) ?? make(id);
  node.classList.toggle("done", done);
  node.querySelector("span").textContent = text;
  node.querySelector("input").checked = done;
});

client.on("item.removed", ({ id }) => remove(id));

function make(id) {
  const node = $("item").content.firstElementChild.cloneNode(true);
  node.querySelector("input").addEventListener("change", ({ target }) => {
    act("item.check", { id, done: target.checked });
  });
  node.querySelector("button").addEventListener("click", () => act("item.remove", { id }));
  nodes.set(id, node);
  $("items").append(node);
  return node;
}

function remove(id) {
  nodes.get(id)?.remove();
  nodes.delete(id);
}

async function act(action, payload) {
  try {
    await client.call(action, payload);
    tell(null);
    return true;
  } catch (error) {
    tell(error);
    return false;
  }
}

function tell(error) {
  $("problem").hidden = !error;
  $("problem").textContent = error ? error.message : "";
}

$("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await act("item.add", { list, text: $("text").value })) $("text").value = "";
});

$("clear").addEventListener("click", () => act("list.clear", { id: list }));

$("share")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const response = await fetch(form.action, { method: "POST", body: new FormData(form, event.submitter) });
  tell(response.ok ? null : new Error("Nobody has that name."));
  if (response.ok) form.reset();
});
