// Callbacks appear while a person looks.

import { announce, newProfile, send } from "./callbacks.js";
import { openWindow } from "./browser.js";
import { check } from "./check.js";
import { settings } from "./settings.js";

export const title = "Live updates";

const SAMPLES = 15;

/** The time between two updates of the service. */
const RHYTHM_MILLIS = 500;

/** Far more than an update needs, also on a machine that is busy. */
const LATEST_MILLIS = 5_000;

export const run = async (browser) => {
  const window = await openWindow(browser);
  await measure(window);
  await pause(window);
  await followFilter(window);
  await followNow(window);
  await window.context().close();
};

const row = (window, profile) => window.locator("#callbacks tr", { hasText: profile });

/** How long it takes from sending a callback until its row is in the page. */
const measure = async (window) => {
  await window.goto("/live");
  await window.getByText(/^Connected/).waitFor();
  await window.evaluate(() => {
    globalThis.appeared = {};
    const note = () => {
      for (const code of document.querySelectorAll("#callbacks code")) globalThis.appeared[code.textContent] ??= Date.now();
    };
    new MutationObserver(note).observe(document.getElementById("callbacks"), { childList: true });
  });
  const times = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    // Updates have a rhythm, which must not decide when a callback is sent.
    await window.waitForTimeout(Math.random() * RHYTHM_MILLIS);
    const [profile, sent] = [newProfile(), Date.now()];
    check((await announce(profile, "in-review")) === 204, "a callback is not accepted");
    const appeared = await window.waitForFunction((sid) => globalThis.appeared[sid], profile).then((found) => found.jsonValue());
    times.push(appeared - sent);
  }
  times.sort((one, other) => one - other);
  const [median, longest] = [times[Math.floor(SAMPLES / 2)], times.at(-1)];
  console.log(`  from sending a callback to its row: median ${median} ms, longest ${longest} ms of ${SAMPLES}`);
  check(median < LATEST_MILLIS, `rows appear after ${median} ms`);
};

const pause = async (window) => {
  await window.getByRole("button", { name: "Pause" }).click();
  const profile = newProfile();
  await announce(profile, "in-review");
  await seeElsewhere(window.context().browser(), profile);
  check((await row(window, profile).count()) === 0, "a paused page changes");
  await window.getByRole("button", { name: "Pause" }).click();
  await row(window, profile).waitFor();
};

/** Waits until another window shows this callback, and then a later one as an update: every window has had the first one. */
const seeElsewhere = async (browser, profile) => {
  const other = await openWindow(browser);
  await other.goto("/live");
  await row(other, profile).waitFor();
  await other.getByText(/^Connected/).waitFor();
  const next = newProfile();
  await announce(next, "in-review");
  await row(other, next).waitFor();
  await other.context().close();
};

const followFilter = async (window) => {
  await window.goto("/live");
  await window.getByLabel("Outcome").selectOption("rejected");
  await window.getByRole("button", { name: "Filter" }).click();
  await window.waitForURL(/outcome=rejected/);
  await window.getByText(/^Connected/).waitFor();
  const before = await window.locator("#callbacks tr").count();
  const profile = newProfile();
  await announce(profile, "draft");
  check((await send({ AccountSid: settings.account, Status: "draft" }, { signed: false })) === 403, "a forgery is accepted");
  await window.waitForFunction((count) => document.querySelectorAll("#callbacks tr").length > count, before);
  const outcomes = await window.locator("#callbacks tr td:nth-child(2)").allInnerTexts();
  check(outcomes.every((outcome) => outcome === "rejected"), `a filtered page shows ${outcomes}`);
  await window.getByRole("link", { name: "Show all" }).click();
  await row(window, profile).waitFor();
};

/** The page Now counts the profiles again without being loaded again. */
const followNow = async (window) => {
  await window.goto("/");
  const count = window.locator("#profile-facts tr", { hasText: "in-review" }).locator(".number");
  const before = Number(await count.innerText());
  await announce(newProfile(), "in-review");
  await window.waitForFunction((text) => {
    const rows = [...document.querySelectorAll("#profile-facts tr")].filter((row) => row.textContent.includes("in-review"));
    return rows.some((row) => Number(row.querySelector(".number").textContent) > text);
  }, before);
  check((await window.locator("#headline").innerText()) === "All callbacks of this instance are durable in Kafka.", "the headline is another one");
};
