// Reads an AsyncAPI document from standard input, as JSON or YAML, with the official parser; prints what it finds.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const source = readFileSync(0, "utf8");
const { document, diagnostics } = await new Parser().parse(source);
const found = {
  diagnostics: diagnostics.map(({ code, message, path, severity }) => ({ code, message, path: path.join("/"), severity })),
  version: document?.version(),
  channels: document?.channels().all().map((each) => [each.id(), each.address()]),
  operations: document?.operations().all().map((each) => [each.id(), each.action()]),
  messages: document?.components().messages().all().map((each) => each.id()),
};
process.stdout.write(JSON.stringify(found));
