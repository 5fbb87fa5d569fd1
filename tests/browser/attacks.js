// Text from outside that would be a script if a page did not escape it.

import { announce, newProfile, send } from "./callbacks.js";
import { openWindow } from "./browser.js";
import { check } from "./check.js";
import { settings } from "./settings.js";

export const title = "Attacks: HTML in every field";

const HOSTILE = [
  "<img src=x onerror=\"top.attacked='image'\">",
  "<script>top.attacked='script'</script>",
  "\"><svg onload=\"top.attacked='svg'\">",
  "' onmouseover='top.attacked=1' autofocus onfocus='top.attacked=1' x='",
  "javascript:top.attacked=1",
  "</td></tr></table><iframe srcdoc=\"<script>top.attacked='frame'</script>\">",
  "data: x\n\nevent: callbacks\ndata: <img src=x onerror=top.attacked=1>\n\n",
  "<template><style>@import 'https://attacker.example/x.css'</style></template>",
];

const FIELDS = ["AccountSid", "BundleSid", "Status", "FailureReason", "ValidUntil", "StatusCallback", "Errors"];

export const run = async (browser) => {
  const live = await openWindow(browser);
  await live.goto("/live");
  await live.getByText(/^Connected/).waitFor();
  const profile = newProfile();
  for (const text of HOSTILE) await sendEverywhere(text, profile);
  const marker = newProfile();
  await announce(marker, "in-review");
  await live.locator("#callbacks tr", { hasText: marker }).waitFor();
  await expectHarmless(live, "live update");
  await lookEverywhere(live, profile);
  await live.context().close();
};

/** One callback for each field, signed and forged, and one with all of them. */
const sendEverywhere = async (text, profile) => {
  const usual = { AccountSid: settings.account, BundleSid: profile, Status: "in-review" };
  const extra = { [text]: text, FriendlyName: text };
  const variants = [...FIELDS.map((field) => ({ ...usual, [field]: text })), { ...usual, ...extra, Status: text, FailureReason: text }];
  for (const fields of variants) {
    check((await send(fields)) < 500, `a signed callback with ${text} fails`);
    check((await send(fields, { signed: false })) < 500, `a forged callback with ${text} fails`);
  }
  const header = text.replace(/[^ -~]/g, " ");
  await send(usual, { headers: { "user-agent": header, "x-forwarded-host": header, "x-original-url": header } });
};

const lookEverywhere = async (window, profile) => {
  await window.goto("/dead-letters");
  const letters = await window.locator("tbody th a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  check(letters.length >= 20, `only ${letters.length} dead letters are listed`);
  const paths = ["/", "/live", "/live?outcome=rejected", "/profiles", `/profiles/${profile}?personal=1`, "/dead-letters"];
  const queries = HOSTILE.flatMap((text) => ["/live?text=", "/profiles?q=", "/profiles?sort=", "/x"].map((path) => path + encodeURIComponent(text)));
  for (const path of [...paths, ...queries, ...letters.slice(0, 40).map((letter) => `${letter}?personal=1`)]) {
    await window.goto(path);
    await expectHarmless(window, path);
  }
  for (const text of HOSTILE) {
    await window.goto("/explain");
    await window.getByLabel("Request").fill(`POST /callbacks/${text} HTTP/1.1\nHost: ${text}\nX: ${text}\n\nStatus=${text}`);
    await window.getByRole("button", { name: "Explain" }).click();
    await window.getByRole("status").waitFor();
    await expectHarmless(window, "explain");
  }
};

/** The page has no element that only text from outside could have created, and no script of it has run. */
const expectHarmless = async (window, path) => {
  const found = await window.evaluate(() => ({
    attacked: top.attacked,
    elements: [...document.querySelectorAll("main :is(img, script, svg, iframe, style, template, link), main [autofocus]")].map(
      (element) => element.outerHTML,
    ),
    handlers: [...document.querySelectorAll("*")].filter((element) =>
      [...element.attributes].some(({ name, value }) => name.startsWith("on") || /^\s*javascript:/i.test(value)) &&
      !element.matches("input[type=search], input[type=text]"),
    ).length,
  }));
  check(!found.attacked, `${path}: a script ran: ${found.attacked}`);
  check(found.elements.length === 0, `${path}: text became elements: ${found.elements}`);
  check(found.handlers === 0, `${path}: text became attributes`);
};
