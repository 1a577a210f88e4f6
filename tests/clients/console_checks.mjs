// Reads `[{schema, values}]` from standard input; prints what the console's validator says of each value, and of the
// values that the console would make up for the schema.
import { readFileSync } from "node:fs";
import { Schemas } from "../../clients/console/schemas.js";
import { validate } from "../../clients/console/validate.js";

const checked = JSON.parse(readFileSync(0, "utf8")).map(({ document, schema, values }) => {
  const schemas = new Schemas(document);
  const samples = [schemas.sample(schema, { all: true }), schemas.sample(schema)];
  return {
    said: values.map((value) => validate(schemas, schema, value)),
    samples,
    type: schemas.typeText(schema),
    rules: schemas.constraints(schema),
  };
});
process.stdout.write(JSON.stringify(checked));
