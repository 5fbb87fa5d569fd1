// What the caller passes in the environment, and the libraries, which are not beside these files.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const required = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing; \`make console\` sets it`);
  return value;
};

export const settings = {
  chromium: required("CHROMIUM"),
  console: required("CONSOLE_URL"),
  callbacks: required("CALLBACKS_URL"),
  account: required("ACCOUNT"),
  token: required("AUTH_TOKEN"),
  rejected: required("REJECTED_PROFILE"),
  hostile: required("HOSTILE_PROFILE"),
  pictures: required("PICTURES"),
};

const libraries = createRequire(`${required("LIBRARIES")}/`);

export const { chromium } = libraries("playwright-core");

/** The source of axe, which runs inside a page. */
export const axeSource = readFileSync(libraries.resolve("axe-core/axe.min.js"), "utf8");
