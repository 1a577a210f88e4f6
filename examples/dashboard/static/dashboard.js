import { connect } from "./wsproto.js";

const KEPT = 240;
const WIDTH = 240;
const HEIGHT = 80;
const words = { connecting: "Connecting…", open: "Live", waiting: "Reconnecting…", closed: "Disconnected" };
const short = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

const cards = new Map(); // by the name of the figure
const client = connect("/ws/");

client.onStatus(({ status }) => {
  document.getElementById("status").dataset.status = status;
  document.getElementById("status").textContent = words[status];
  // The server forgets who listened when a connection ends.
  if (status === "open") subscribe().catch((error) => console.error(error));
});

async function subscribe() {
  const { event } = await client.call("metric.list");
  for (const { name, title, unit } of event.payload.metrics) {
    if (!cards.has(name)) cards.set(name, card(title, unit));
    await client.call("ws.subscribe", { topic: `metric/${name}` });
  }
}

// A subscription begins with what was measured before; then the values follow.
client.on("metric.history", ({ name, values }) => {
  cards.get(name).values = values;
  draw(cards.get(name));
});

client.on("metric.measured", ({ name, value }) => {
  const { values } = cards.get(name);
  values.push(value);
  if (values.length > KEPT) values.shift();
  draw(cards.get(name));
});

function card(title, unit) {
  const node = document.getElementById("metric").content.firstElementChild.cloneNode(true);
  node.querySelector("h2").textContent = title;
  node.querySelector(".unit").textContent = unit;
  document.getElementById("metrics").append(node);
  return { node, unit, values: [] };
}

function draw({ node, unit, values }) {
  if (values.length === 0) return;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const bottom = unit === "%" ? 0 : Math.min(0, low);
  const top = unit === "%" ? 100 : Math.max(1, high);
  const points = values.map((value, index) => {
    const x = WIDTH - (values.length - 1 - index) * (WIDTH / (KEPT - 1));
    const y = HEIGHT - 2 - ((value - bottom) / (top - bottom)) * (HEIGHT - 4);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  const first = points[0].split(" ")[0];
  node.querySelector(".number").textContent = short.format(values.at(-1));
  node.querySelector(".line").setAttribute("d", `M${points.join("L")}`);
  node.querySelector(".area").setAttribute("d", `M${first} ${HEIGHT}L${points.join("L")}L${WIDTH} ${HEIGHT}Z`);
  node.querySelector(".low").textContent = `lowest ${short.format(low)}`;
  node.querySelector(".high").textContent = `highest ${short.format(high)}`;
}
