// The page Now while Kafka is away: it says so, and what happens to callbacks, without being loaded again.

import { createInterface } from "node:readline";

import { openWindow } from "./browser.js";
import { announce, newProfile } from "./callbacks.js";
import { check } from "./check.js";
import { excessWidth, violations } from "./pages.js";
import { take } from "./pictures.js";

export const title = "An outage of Kafka";

/** The service notices an outage within seconds; this is for a machine that is busy. */
const NOTICED = { timeout: 90_000 };

const input = createInterface({ input: process.stdin });
const answers = input[Symbol.asyncIterator]();

/** Asks the caller, who has started Kafka, to pause it or to let it run again. */
const ask = async (request) => {
  console.log(`@kafka ${request}`);
  const { value } = await answers.next();
  check(value === "done", `Kafka is asked to ${request}: ${value}`);
};

export const run = async (browser) => {
  const window = await openWindow(browser, { colorScheme: "light", viewport: { width: 1280, height: 800 } });
  await window.goto("/");
  const headline = window.locator("#headline .headline");
  const severity = () => headline.getAttribute("data-severity");
  check((await severity()) === "good", "the headline is not good before the outage");
  await ask("pause");
  await headline.getByText("Nothing is being published to Kafka.").waitFor(NOTICED);
  check((await announce(newProfile(), "in-review")) === 204, "a callback is not accepted without Kafka");
  await window.locator("#progress").getByText("1 record waits on this disk").waitFor(NOTICED);
  check((await severity()) === "waiting", "the color of the headline does not change");
  const found = await violations(window);
  check(found.length === 0, `Now without Kafka: ${found.join("\n    ")}`);
  await window.setViewportSize({ width: 375, height: 700 });
  check((await excessWidth(window)) <= 0, "Now without Kafka is wider than a narrow window");
  await window.setViewportSize({ width: 1280, height: 800 });
  await take(window, "console-outage");
  await ask("resume");
  await headline.getByText("All callbacks of this instance are durable in Kafka.").waitFor(NOTICED);
  await window.context().close();
  input.close();
};
