// Reads each line as an event with the generated types, and writes it as JSON.

import { Convert, type ProfileStatusChanged, type RejectionReason } from "./event";

// Instead of the types of Node, which no other test needs.
declare function require(name: "node:fs"): { readFileSync(file: number, encoding: "utf8"): string };
declare const console: { log(line: string): void };

const check = (reason: RejectionReason): void => {
  if (reason.code <= 0) {
    throw new Error(`no code: ${reason.meaning ?? reason.message}`);
  }
};

for (const line of require("node:fs").readFileSync(0, "utf8").trimEnd().split("\n")) {
  const event: ProfileStatusChanged = Convert.toProfileStatusChanged(line);
  event.errors.forEach(check);
  // On one line, which the generated code spreads over several.
  console.log(JSON.stringify(JSON.parse(Convert.profileStatusChangedToJson(event))));
}
