// Validates records with Ajv: {"schema": …, "records": […]} on stdin becomes a list of the errors of each record on stdout.
// A schema that does not compile ends the program with its error.

const { schema, records } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const Ajv = require(schema.$schema.includes("draft-07") ? "ajv" : "ajv/dist/2020");

// As Ajv is by default, where an unknown format or keyword is an error, and with every doubt an error.
const validators = [{}, { strict: true }].map((options) => new Ajv({ allErrors: true, ...options }).compile(schema));

const errors = (record) =>
  validators.flatMap((validate) => (validate(record) ? [] : validate.errors)).map((error) => `${error.instancePath} ${error.message}`);

console.log(JSON.stringify(records.map(errors)));
