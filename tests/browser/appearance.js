// Every page in light and dark, wide and narrow, and without scripts.

import { openWindow } from "./browser.js";
import { check } from "./check.js";
import { excessWidth, open, violations } from "./pages.js";

export const title = "Every page: accessibility, width, colors, and without scripts";

const WINDOWS = [
  { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  { colorScheme: "light", viewport: { width: 375, height: 700 } },
  { colorScheme: "dark", viewport: { width: 375, height: 700 } },
];

/** The least text of a page, so that an empty one is noticed. */
const LEAST_TEXT = 20;

export const run = async (browser, pages) => {
  const backgrounds = new Map();
  for (const options of WINDOWS) {
    const window = await openWindow(browser, options);
    const where = `${options.colorScheme}, ${options.viewport.width} px`;
    for (const each of pages) {
      await open(window, each);
      const found = await violations(window);
      check(found.length === 0, `${each.name}, ${where}: ${found.join("\n    ")}`);
      const excess = await excessWidth(window);
      check(excess <= 0, `${each.name}, ${where}: ${excess} px wider than the window`);
    }
    backgrounds.set(options.colorScheme, await window.evaluate(() => getComputedStyle(document.body).backgroundColor));
    await window.context().close();
  }
  check(backgrounds.get("light") !== backgrounds.get("dark"), "dark looks like light");
  await readWithoutScripts(browser, pages);
};

const readWithoutScripts = async (browser, pages) => {
  const window = await openWindow(browser, { javaScriptEnabled: false });
  for (const each of pages) {
    await open(window, each);
    const text = await window.locator("main").innerText();
    check(text.length > LEAST_TEXT, `${each.name} has no text without scripts: ${text}`);
  }
  await window.goto("/live");
  await window.getByLabel("Outcome").selectOption("rejected");
  await window.getByRole("button", { name: "Filter" }).click();
  const outcomes = await window.locator("tbody tr td:nth-child(2)").allInnerTexts();
  check(outcomes.length > 0 && outcomes.every((text) => text === "rejected"), `without scripts, the filter shows ${outcomes}`);
  await window.goto("/explain");
  await window.getByLabel("Request").fill("POST /callbacks/customer-profiles HTTP/1.1\nHost: a.example\n\n");
  await window.getByRole("button", { name: "Explain" }).click();
  const explained = await window.getByRole("status").innerText();
  check(explained.length > LEAST_TEXT, `without scripts, Explain says ${explained}`);
  await window.context().close();
};
