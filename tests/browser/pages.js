// The pages of the console, and what every one of them must keep.

import { check } from "./check.js";
import { axeSource, settings } from "./settings.js";

/** The heading and the path of each page. Those of records are found in the lists. */
export const findPages = async (page) => {
  await page.goto("/dead-letters");
  const letter = await page.locator("tbody th a").first().getAttribute("href");
  return [
    { name: "now", path: "/", heading: "Now" },
    { name: "live", path: "/live", heading: "Live" },
    { name: "profiles", path: "/profiles", heading: "Profiles" },
    { name: "profile", path: `/profiles/${settings.rejected}`, heading: `Profile ${settings.rejected}` },
    { name: "profile with personal data", path: `/profiles/${settings.rejected}?personal=1`, heading: `Profile ${settings.rejected}` },
    { name: "dead letters", path: "/dead-letters", heading: "Dead letters" },
    { name: "dead letter", path: letter, heading: /^Dead letter / },
    { name: "dead letter with its request", path: `${letter}?personal=1`, heading: /^Dead letter / },
    { name: "explain", path: "/explain", heading: "Explain" },
    { name: "list with a mistake", path: "/profiles?sort=color", heading: "This list cannot be shown" },
    { name: "missing page", path: "/nothing", heading: "Not found" },
  ];
};

/** Opens a page and checks that it is the right one. */
export const open = async (page, { name, path, heading }) => {
  await page.goto(path);
  const found = await page.locator("h1").allInnerTexts();
  check(found.length === 1 && (heading.test?.(found[0]) ?? found[0] === heading), `${name}: the heading is ${found}`);
  check((await page.title()).includes(found[0]), `${name}: the title has no heading`);
};

/** What axe finds wrong, one line for each rule. */
export const violations = async (page) => {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
};

/** By how many pixels the page is wider than the window. */
export const excessWidth = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
