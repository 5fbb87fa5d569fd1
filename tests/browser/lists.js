// Search, filters, order and pages of the list of profiles.

import { openWindow } from "./browser.js";
import { check } from "./check.js";
import { settings } from "./settings.js";

export const title = "Profiles: search, filters, order and pages";

const column = (window, number) => window.locator(`tbody tr > :nth-child(${number})`).allInnerTexts();

export const run = async (browser) => {
  const window = await openWindow(browser);
  await search(window);
  await filter(window);
  await order(window);
  await leaf(window);
  await window.context().close();
};

const search = async (window) => {
  await window.goto("/profiles");
  await window.getByLabel("SID, account or name").fill("bakery");
  await window.keyboard.press("Enter");
  await window.waitForURL(/q=bakery/);
  const names = await column(window, 1);
  check(names.length === 1 && names[0].includes("Corner Bakery"), `the search finds ${names}`);
};

const filter = async (window) => {
  await window.goto("/profiles");
  await window.getByRole("combobox", { name: "Status" }).selectOption("twilio-rejected");
  await window.getByRole("button", { name: "Show" }).click();
  await window.waitForURL(/status=twilio-rejected/);
  const [sids, statuses] = [await column(window, 1), await column(window, 2)];
  check(sids.some((text) => text.includes(settings.rejected)), `the filter finds ${sids}`);
  check(statuses.every((status) => status === "twilio-rejected"), `the filter finds ${statuses}`);
  await window.getByRole("link", { name: settings.rejected }).click();
  await window.waitForURL(`**/profiles/${settings.rejected}`);
  const text = await window.locator("main").innerText();
  check(text.includes("18602") && !text.includes("12345"), `the page of the profile says ${text}`);
  await window.getByRole("link", { name: "Show personal data" }).click();
  await window.waitForURL(/personal=1/);
  check((await window.locator("main").innerText()).includes("12345"), "the reason is not shown when it is asked for");
};

const order = async (window) => {
  const times = async () => window.locator("tbody tr > :nth-child(3) time").evaluateAll((all) => all.map((time) => time.dateTime));
  await window.goto("/profiles?sort=since");
  const ascending = await times();
  await window.getByLabel("Reverse the order").check();
  await window.getByRole("button", { name: "Show" }).click();
  await window.waitForURL(/reverse=1/);
  const descending = await times();
  const sorted = (all) => all.toSorted().join();
  check(ascending.length > 20 && ascending.join() === sorted(ascending), "the times do not ascend");
  check(descending.join() === descending.toSorted().reverse().join(), "the times do not descend in reverse");
};

const leaf = async (window) => {
  await window.goto("/profiles");
  const seen = new Set(await column(window, 1));
  const first = seen.size;
  await window.getByRole("link", { name: "Next", exact: true }).click();
  await window.waitForURL(/page=2/);
  const second = await column(window, 1);
  check(second.length > 0 && second.every((sid) => !seen.has(sid)), "the second page repeats profiles of the first one");
  check(first === 50, `the first page has ${first} profiles`);
  await window.getByRole("link", { name: "Last", exact: true }).click();
  check((await column(window, 1)).length > 0, "the last page is empty");
};
