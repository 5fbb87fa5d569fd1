// A page that is not connected says so, and connects again.

import { check } from "./check.js";
import { settings } from "./settings.js";

export const title = "A lost connection";

/** Longer than the pause before the page tries again. */
const AGAIN = { timeout: 60_000 };

export const run = async (browser) => {
  // Chromium reports the answer 502 as an error, so this is no window whose faults are collected.
  const context = await browser.newContext({ baseURL: settings.console });
  const window = await context.newPage();
  await connectAgain(window);
  await noticeSilence(window);
  await context.close();
};

const color = (window) => window.locator(".headline").evaluate((headline) => getComputedStyle(headline).color);

/** A proxy answers 502, after which browsers do not connect again by themselves. */
const connectAgain = async (window) => {
  let isAway = true;
  await window.route("**/events?*", (route) => (isAway ? route.fulfill({ status: 502, body: "" }) : route.continue()));
  await window.goto("/");
  await window.getByText(/^Not connected/).waitFor();
  const stale = await color(window);
  isAway = false;
  await window.getByText(/^Connected/).waitFor(AGAIN);
  check((await color(window)) !== stale, "the headline has the same color with and without a connection");
};

/** The other side accepts the connection and sends nothing. */
const noticeSilence = async (window) => {
  await window.addInitScript(() => {
    globalThis.EventSource = class extends EventTarget {
      readyState = 1;
      close() {}
    };
  });
  await window.goto("/");
  await window.getByText(/^Not connected/).waitFor(AGAIN);
};
