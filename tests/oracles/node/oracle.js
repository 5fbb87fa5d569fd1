// Twilio's official Node library as a signature oracle, with the same protocol as ../python/oracle.py.
"use strict";

const querystring = require("node:querystring");

const twilio = require("twilio");

// A raw body as a string, as the library requires. Bytes that are not UTF-8 are rejected, not signed as U+FFFD.
function bodyOf(request) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(request.body, "base64"));
}

// Parses a form like Express, but without its limit.
function paramsOf(request) {
  return querystring.parse(Buffer.from(request.form, "base64").toString("utf8"), "&", "=", { maxKeys: 0 });
}

const operations = {
  sign({ token, url, ...request }) {
    if (request.form !== undefined) {
      return { signature: twilio.getExpectedTwilioSignature(token, url, paramsOf(request)), url };
    }
    const separator = url.includes("?") ? "&" : "?";
    const hashed = `${url}${separator}bodySHA256=${twilio.getExpectedBodyHash(bodyOf(request))}`;
    return { signature: twilio.getExpectedTwilioSignature(token, hashed, {}), url: hashed };
  },

  validate({ token, signature, url, settings, ...request }) {
    const algorithm = twilio.getSignatureAlgorithm(settings);
    const valid =
      request.form !== undefined
        ? twilio.validateRequest(token, signature, url, paramsOf(request), algorithm)
        : twilio.validateRequestWithBody(token, signature, url, bodyOf(request), algorithm);
    return { valid };
  },
};

function answer(request) {
  try {
    return operations[request.op](request);
  } catch (error) {
    return { error: String(error) };
  }
}

function answerLine(line) {
  const request = JSON.parse(line);
  return JSON.stringify(Array.isArray(request) ? request.map(answer) : answer(request));
}

// Splits lines without node's readline, which also splits at U+2028 and U+2029; JSON allows both inside a string.
let unfinished = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const lines = (unfinished + chunk).split("\n");
  unfinished = lines.pop();
  for (const line of lines) {
    process.stdout.write(`${answerLine(line)}\n`);
  }
});
