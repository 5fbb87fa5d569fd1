// Pictures of the pages for the documentation.

import { statSync } from "node:fs";
import { join } from "node:path";

import { openWindow } from "./browser.js";
import { signature } from "./callbacks.js";
import { check } from "./check.js";
import { settings } from "./settings.js";

export const title = "Pictures";

const MOST_BYTES = 150_000;
const WIDE = { width: 1280, height: 720 };
const NARROW = { width: 375, height: 760 };

const PICTURES = [
  { file: "console-now", page: "now", colorScheme: "light", viewport: WIDE },
  { file: "console-live", page: "live", colorScheme: "dark", viewport: WIDE },
  { file: "console-profiles", page: "profiles", colorScheme: "light", viewport: WIDE },
  { file: "console-profile", page: "profile", colorScheme: "light", viewport: WIDE },
  { file: "console-dead-letters", page: "dead letters", colorScheme: "dark", viewport: WIDE },
  { file: "console-dead-letter", page: "dead letter", colorScheme: "light", viewport: WIDE },
  { file: "console-phone", page: "now", colorScheme: "dark", viewport: NARROW },
  { file: "console-phone-live", page: "live", colorScheme: "light", viewport: NARROW },
];

export const run = async (browser, pages) => {
  for (const { file, page, ...options } of PICTURES) {
    const window = await openWindow(browser, options);
    await window.goto(pages.find((each) => each.name === page).path);
    await take(window, file);
    await window.context().close();
  }
  const window = await openWindow(browser, { viewport: WIDE });
  await window.goto("/explain");
  await window.getByLabel("Request").fill(captured());
  await window.getByRole("button", { name: "Explain" }).click();
  await window.getByRole("status").waitFor();
  await take(window, "console-explain");
  await window.context().close();
};

/** Takes a picture of what the window shows. */
export const take = async (window, file) => {
  const path = join(settings.pictures, `${file}.png`);
  await window.screenshot({ path, animations: "disabled" });
  const bytes = statSync(path).size;
  console.log(`  ${file}.png ${Math.round(bytes / 1000)} kB`);
  check(bytes < MOST_BYTES, `${file}.png has ${bytes} bytes`);
};

/** A request as a proxy might have captured it, if Twilio had the URL with another scheme. */
const captured = () => {
  const fields = { AccountSid: settings.account, BundleSid: settings.rejected, Status: "twilio-approved" };
  return [
    "POST /callbacks/customer-profiles HTTP/1.1",
    "Host: hooks.example.com",
    "Content-Type: application/x-www-form-urlencoded",
    `X-Twilio-Signature: ${signature("http://hooks.example.com/callbacks/customer-profiles", Object.entries(fields))}`,
    "",
    String(new URLSearchParams(fields)),
  ].join("\n");
};
