// The console with nothing but a keyboard.

import { openWindow } from "./browser.js";
import { check } from "./check.js";
import { open } from "./pages.js";

export const title = "Keyboard: order, visible focus, and the link that skips the navigation";

/** More than any page has. */
const MOST_STOPS = 400;

/** The element that has the focus, by its place in the document, and whether a person sees that. */
const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return {
      place: [...document.querySelectorAll("*")].indexOf(element),
      text: element.outerHTML.slice(0, 80),
      hasOutline: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
      isInView: box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight && box.width > 0,
    };
  });

/** How many elements of the page can be reached. */
const reachable = (page) =>
  page.evaluate(
    () =>
      [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")].filter(
        (element) => element.checkVisibility() && !element.disabled,
      ).length,
  );

export const run = async (browser, pages) => {
  const window = await openWindow(browser);
  for (const each of pages) {
    await open(window, each);
    const stops = [];
    for (;;) {
      await window.keyboard.press("Tab");
      const stop = await focused(window);
      if (stop === null || stops.length === MOST_STOPS || stop.place < stops.at(-1)?.place) break;
      stops.push(stop);
    }
    const expected = await reachable(window);
    check(stops.length === expected, `${each.name}: ${stops.length} of ${expected} elements are reached in their order`);
    for (const stop of stops.filter((stop) => !stop.hasOutline || !stop.isInView)) {
      check(false, `${each.name}: the focus is not visible on ${stop.text}`);
    }
  }
  await skip(window);
  await window.context().close();
};

const skip = async (window) => {
  await window.goto("/profiles");
  await window.keyboard.press("Tab");
  check((await window.locator(":focus").innerText()) === "Skip to content", "the first stop does not skip the navigation");
  await window.keyboard.press("Enter");
  await window.keyboard.press("Tab");
  const isInside = await window.evaluate(() => document.querySelector("main").contains(document.activeElement));
  check(isInside, "the navigation is not skipped");
};
