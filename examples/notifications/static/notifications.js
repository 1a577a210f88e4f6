import { connect } from "./wsproto.js";

const $ = (id) => document.getElementById(id);
const words = { connecting: "Connecting…", open: "Connected", waiting: "Reconnecting…", closed: "Disconnected" };
const count = new Intl.NumberFormat();

// All windows of this browser are one visitor.
localStorage.visitor ??= crypto.randomUUID();

const nodes = new Map(); // by the id of the report
const client = connect("/ws/", { token: localStorage.visitor });

client.onStatus(({ status }) => {
  $("status").textContent = words[status];
  $("order").querySelector("button").disabled = status !== "open";
});

// The worker may be quicker than the answer to the order, so whatever comes first makes the report.
function node(report) {
  if (!nodes.has(report)) {
    nodes.set(report, $("report").content.firstElementChild.cloneNode(true));
    $("reports").prepend(nodes.get(report));
  }
  return nodes.get(report);
}

client.on("report.ordered", ({ report, upto }) => {
  if (!node(report).classList.contains("done")) {
    node(report).querySelector("p").textContent = `Counting the primes below ${count.format(upto)}…`;
  }
});

client.on("report.progress", ({ report, percent }) => {
  node(report).querySelector("progress").value = percent;
});

client.on("notification", ({ report, text }) => {
  node(report).classList.add("done");
  node(report).querySelector("p").textContent = text;
});

$("order").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("problem").hidden = true;
  try {
    await client.call("report.order", { upto: $("upto").valueAsNumber });
  } catch (error) {
    $("problem").hidden = false;
    $("problem").textContent = error.errors?.[0]?.detail ?? error.message;
  }
});
