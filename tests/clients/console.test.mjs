import assert from "node:assert/strict";
import { test } from "node:test";

import { Lines } from "../../clients/console/log.js";
import { Schemas } from "../../clients/console/schemas.js";
import { snippets } from "../../clients/console/snippets.js";

const MEGABYTE = 2 ** 20;

function filled(count, characters) {
  const lines = new Lines();
  const text = "x".repeat(characters);
  let dropped = 0;
  for (let number = 1; number <= count; number += 1) dropped += lines.add({ number, text });
  return { lines, dropped };
}

test("the oldest lines give way when there are too many", () => {
  const { lines, dropped } = filled(12_000, 1);
  assert.ok(lines.all.length >= 10_000 && lines.all.length <= 10_500, `${lines.all.length}`);
  assert.equal(lines.all.length + dropped, 12_000);
  assert.equal(lines.all.at(-1).number, 12_000);
  assert.equal(lines.all[0].number, dropped + 1);
});

test("the oldest lines give way when they are too long together", () => {
  const { lines, dropped } = filled(100, MEGABYTE);
  assert.ok(lines.size <= 32 * MEGABYTE, `${lines.size}`);
  assert.equal(lines.size, lines.all.length * MEGABYTE);
  assert.equal(lines.all.length + dropped, 100);
  assert.ok(lines.all.length >= 16);
});

test("the newest line is kept, however long it is", () => {
  const { lines } = filled(2, 33 * MEGABYTE);
  assert.deepEqual(lines.all.map(({ number }) => number), [2]);
});

for (const way of ["none", "subprotocol", "ticket", "message", "query", "cookie", "bearer"]) {
  test(`a login as code takes the token from the environment, also where the way in is: ${way}`, () => {
    const payload = { token: "my-secret" };
    const call = { url: "ws://server/ws/", protocols: [], way, parameter: "token", action: "ws.authenticate" };
    const made = snippets({ ...call, login: true, payload, text: JSON.stringify(payload, null, 2) });
    for (const code of Object.values(made)) assert.ok(!code.includes("my-secret"), code);
    assert.match(made.websocat, /"action":"ws.authenticate","payload":{"token":"'"\$TOKEN"'"}}' *;/);
    assert.match(made.Python, /^TOKEN = os\.environ\["TOKEN"\]$/m);
    assert.match(made.Python, /^import os$/m);
    assert.match(made.Python, /message\("ws\.authenticate", {"token": TOKEN}\)/);
    assert.match(made.TypeScript, /^const token = process\.env\.TOKEN!/m);
    assert.match(made.TypeScript, /reply = await client\.call\("ws\.authenticate", { token }\)/);
  });
}

test("a default that does not fit its schema is not made up as an example", () => {
  const schemas = new Schemas({});
  const odd = { type: "string", default: null };
  assert.equal(schemas.sample(odd), "");
  const maybe = { anyOf: [{ type: "string" }, { type: "null" }], default: null };
  const object = {
    type: "object",
    properties: { a: odd, b: maybe, c: { default: null }, d: { type: "integer", default: 3 } },
  };
  assert.deepEqual(schemas.sample(object, { all: true }), { b: null, c: null, d: 3 });
  assert.deepEqual(schemas.sample({ ...object, required: ["a"] }), { a: "" });
});
