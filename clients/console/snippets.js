/** The call as a command and as programs. Secrets stay out: the code takes them from the environment. */

const lines = (...list) => `${list.filter((line) => line !== false).join("\n")}\n`;
const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * @param {{url: string, protocols: string[], way: string, action: string, login: boolean, payload: unknown, text: string}} call
 *   `login` says that the payload is a token, which is left out; `text` is the payload as JSON text, or undefined where
 *   there is none
 */
export function snippets(call) {
  return { websocat: websocat(call), Python: python(call), TypeScript: typescript(call) };
}

function withCredential({ url, way, parameter }, name) {
  if (way !== "ticket" && way !== "query") return { base: url, rest: "" };
  return { base: `${url}${url.includes("?") ? "&" : "?"}${parameter}=`, rest: name };
}

function websocat({ url, protocols, way, parameter, action, login, text }) {
  const { base, rest } = withCredential({ url, way, parameter }, '"$TOKEN"');
  const offered = [...protocols, ...(way === "subprotocol" ? ["access-token"] : [])];
  const options = offered.length || way === "subprotocol" ? ` --protocol ${shell(offered.join(", "))}${way === "subprotocol" ? '", $TOKEN"' : ""}` : "";
  const header = way === "bearer" ? ` -H "Authorization: Bearer $TOKEN"` : way === "cookie" ? ` -H "Cookie: $COOKIE"` : "";
  const message = (name, payload) => `"msg_id":"'"$(uuidgen)"'","req_id":"'"$(uuidgen)"'","action":${quoted(name)}${payload === undefined ? "" : `,"payload":${payload}`}`;
  const quoted = (name) => JSON.stringify(name).replaceAll("'", `'\\''`);
  const token = `{"token":"'"$TOKEN"'"}`;
  const first = way === "message" ? ` '{${message("ws.authenticate", token)}}'` : "";
  // A line is a message; echo would make line breaks of what JSON writes as \n, in some shells.
  const call = `printf '%s\\n'${first} '{${message(action, login ? token : text?.replace(/\n\s*/g, "")?.replaceAll("'", `'\\''`))}}'`;
  // Without a pause at the end the answer would come after the command has gone.
  return `(${call}; sleep 2) |\n  websocat${options}${header} ${shell(base)}${rest}`;
}

/** A JSON value as Python writes it. */
function literal(value, indent = 0) {
  const pad = " ".repeat(indent + 4);
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (JSON.isRawJSON?.(value)) return value.rawJSON;
  if (Array.isArray(value)) return value.length ? `[${value.map((item) => literal(item, indent)).join(", ")}]` : "[]";
  if (typeof value === "object") {
    const members = Object.entries(value).map(([name, each]) => `${pad}${JSON.stringify(name)}: ${literal(each, indent + 4)},\n`);
    return members.length ? `{\n${members.join("")}${" ".repeat(indent)}}` : "{}";
  }
  return JSON.stringify(value);
}

function python({ url, protocols, way, parameter, action, login, payload }) {
  const { base, rest } = withCredential({ url, way, parameter }, "{TOKEN}");
  const secret = login || !["none", "cookie"].includes(way);
  const offered = [...protocols.map((each) => JSON.stringify(each)), ...(way === "subprotocol" ? ['"access-token"', "TOKEN"] : [])];
  const options = [
    offered.length ? `, subprotocols=[${offered.join(", ")}]` : "",
    way === "bearer" ? ', additional_headers={"Authorization": f"Bearer {TOKEN}"}' : "",
    way === "cookie" ? ', additional_headers={"Cookie": os.environ["COOKIE"]}' : "",
  ].join("");
  const where = rest ? `f${JSON.stringify(base.replaceAll("{", "{{").replaceAll("}", "}}") + rest)}` : JSON.stringify(base);
  return lines(
    "import json",
    (secret || way === "cookie") && "import os",
    "import uuid",
    "",
    "from websockets.sync.client import connect",
    "",
    secret && 'TOKEN = os.environ["TOKEN"]',
    secret && "",
    "",
    "def message(action, payload):",
    '    ids = {"msg_id": str(uuid.uuid4()), "req_id": str(uuid.uuid4())}',
    '    return json.dumps({**ids, "action": action, "payload": payload})',
    "",
    "",
    `with connect(${where}${options}) as ws:`,
    way === "message" && '    ws.send(message("ws.authenticate", {"token": TOKEN}))',
    `    ws.send(message(${JSON.stringify(action)}, ${login ? '{"token": TOKEN}' : payload === undefined ? "{}" : literal(payload, 4)}))`,
    "    try:",
    "        while True:",
    "            print(ws.recv(timeout=2))",
    "    except TimeoutError:",
    "        pass",
  );
}

function typescript({ url, protocols, way, parameter, action, login, payload, text }) {
  const { base, rest } = withCredential({ url, way, parameter }, "${token}");
  const secret = login || !["none", "cookie", "bearer"].includes(way);
  const options = [
    protocols.includes("wsproto.v1.json") ? "" : "protocols: []",
    way === "subprotocol" ? "token" : "",
  ].filter(Boolean);
  const given = options.length ? `, { ${options.join(", ")} }` : "";
  const where = rest ? `\`${base.replaceAll("`", "%60").replaceAll("${", "%24{")}${rest}\`` : JSON.stringify(base);
  return lines(
    'import { connect } from "./wsproto.js"; // clients/typescript of wsproto-core',
    "",
    secret && "const token = process.env.TOKEN!; // or wherever the page has it from",
    `const client = connect(${where}${given});`,
    "await client.ready();",
    way === "message" && 'await client.call("ws.authenticate", { token });',
    `const reply = await client.call(${JSON.stringify(action)}${login ? ", { token }" : payload === undefined ? "" : `, ${text}`});`,
    "console.dir(reply.events, { depth: null });",
    "client.close();",
  );
}
