// Twilio's official Node library as a signature oracle: the same lines in and out as ../python/oracle.py.
"use strict";

const twilio = require("twilio");

// A raw body as the library wants it, a string. Bytes that are not UTF-8 are refused, not signed as replacements.
function bodyOf(request) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(request.body, "base64"));
}

// No prototype, so that a parameter may have any name.
function grouped(params) {
  const values = Object.create(null);
  for (const [name, value] of params) {
    (values[name] ??= []).push(value);
  }
  return values;
}

const operations = {
  sign(request) {
    if (request.body === undefined) {
      return { signature: twilio.getExpectedTwilioSignature(request.token, request.url, grouped(request.params)) };
    }
    const separator = request.url.includes("?") ? "&" : "?";
    const url = `${request.url}${separator}bodySHA256=${twilio.getExpectedBodyHash(bodyOf(request))}`;
    return { signature: twilio.getExpectedTwilioSignature(request.token, url, {}), url };
  },

  validate({ token, signature, url, ...request }) {
    const valid =
      request.body === undefined
        ? twilio.validateRequest(token, signature, url, grouped(request.params))
        : twilio.validateRequestWithBody(token, signature, url, bodyOf(request));
    return { valid };
  },
};

function answer(line) {
  try {
    const request = JSON.parse(line);
    return operations[request.op](request);
  } catch (error) {
    return { error: String(error) };
  }
}

// Lines are cut by hand: node's readline would also cut at U+2028 and U+2029, which JSON allows inside a string.
let unfinished = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const lines = (unfinished + chunk).split("\n");
  unfinished = lines.pop();
  for (const line of lines) {
    process.stdout.write(`${JSON.stringify(answer(line))}\n`);
  }
});
