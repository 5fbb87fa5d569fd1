// Opens pages, and collects what no page may do.

import { chromium, settings } from "./settings.js";

/** What went wrong in any page, one sentence each. */
export const faults = [];

/** Starts Debian's Chromium, which gets no other browser's files. */
export const launch = () =>
  // Containers have no kernel support for its sandbox; the pages are those of the program under test.
  chromium.launch({ executablePath: settings.chromium, args: ["--no-sandbox", "--disable-dev-shm-usage"] });

/** A window of its own, whose faults are collected. `options` are those of playwright. */
export const openWindow = async (browser, options = {}) => {
  const context = await browser.newContext({ baseURL: settings.console, viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const fault = (text) => faults.push(`${page.url()}: ${text}`);
  page.on("console", (message) => {
    // Chromium itself reports the status of a page that says what is wrong.
    const isStatus = /^Failed to load resource: the server responded with a status of 4(00|04|22)/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !isStatus) fault(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => fault(`uncaught: ${error}`));
  page.on("dialog", (dialog) => {
    fault(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== settings.console) fault(`request to another host: ${request.url()}`);
  });
  return page;
};
