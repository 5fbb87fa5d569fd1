// Validates an AsyncAPI document with AsyncAPI's own parser: asyncapi.js FILE prints the document as JSON, with traits applied and
// references resolved. Each error and each warning is a line on stderr, and the exit code is then 1.

const { Parser, fromFile } = require("@asyncapi/parser");

// Findings below it are hints, such as that a newer version of AsyncAPI exists.
const WARNING = 1;

const parser = new Parser();

fromFile(parser, process.argv[2])
  .parse()
  .then(({ document, diagnostics }) => {
    const findings = diagnostics.filter(({ severity }) => severity <= WARNING);
    for (const { path, message } of findings) console.error(`${path.join("/")}: ${message}`);
    if (findings.length > 0 || !document) process.exit(1);
    console.log(JSON.stringify(document.json(), (key, value) => (key.startsWith("x-parser-") ? undefined : value)));
  });
