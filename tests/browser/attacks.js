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

/** Of these, dead letters keep the text as it is, because a form is encoded and a header is not. */
const HEADERS = ["user-agent", "x-forwarded-host", "x-original-url"];

const FIELDS = ["AccountSid", "BundleSid", "Status", "FailureReason", "ValidUntil", "StatusCallback", "Errors"];

/** How long the states of profiles may take on a machine that is busy. */
const LONGEST_WAIT_MILLIS = 60_000;

export const run = async (browser) => {
  const live = await openWindow(browser);
  await live.goto("/live");
  await live.getByText(/^Connected/).waitFor();
  const profiles = [settings.hostile];
  for (const text of HOSTILE) profiles.push(await sendEverywhere(text));
  const marker = newProfile();
  await announce(marker, "in-review");
  await live.locator("#callbacks tr", { hasText: marker }).waitFor();
  await expectHarmless(live, "live update");
  await lookEverywhere(live, profiles);
  await live.context().close();
};

/** A callback for each field, signed and forged, and one with all of them. Returns the profile of the last one. */
const sendEverywhere = async (text) => {
  const profile = newProfile();
  const usual = { AccountSid: settings.account, BundleSid: profile, Status: "in-review" };
  const extra = { [text]: text, FriendlyName: text };
  const headers = Object.fromEntries(HEADERS.map((name) => [name, text.replace(/[^ -~]/g, " ")]));
  const whole = { ...usual, ...extra, Status: text, FailureReason: text, ValidUntil: text };
  for (const fields of [...FIELDS.map((field) => ({ ...usual, [field]: text })), extra, whole]) {
    check((await send(fields, { headers })) < 500, `a signed callback with ${text} fails`);
    check((await send(fields, { headers, signed: false })) < 500, `a forged callback with ${text} fails`);
  }
  return profile;
};

const lookEverywhere = async (window, profiles) => {
  await window.goto("/dead-letters");
  const letters = await window.locator("tbody th a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  check(letters.length >= 20, `only ${letters.length} dead letters are listed`);
  const paths = ["/", "/live", "/live?outcome=rejected", "/profiles?status=unknown", "/profiles?q=onerror", "/dead-letters"];
  const queries = HOSTILE.flatMap((text) => ["/live?text=", "/profiles?q=", "/profiles?sort=", "/x"].map((path) => path + encodeURIComponent(text)));
  const records = [...profiles.map((sid) => `/profiles/${sid}`), ...letters.slice(0, 30)];
  await waitForPage(window, `/profiles/${profiles.at(-1)}`);
  for (const path of [...paths, ...queries, ...records.map((record) => `${record}?personal=1`)]) {
    await window.goto(path);
    await expectHarmless(window, path);
  }
  await expectText(window, `/profiles/${settings.hostile}`, "onerror");
  await expectText(window, `/profiles/${profiles[1]}?personal=1`, HOSTILE[0]);
  await expectText(window, `${letters[0]}?personal=1`, "attack");
  for (const text of HOSTILE) {
    await window.goto("/explain");
    await window.getByLabel("Request").fill(`POST /callbacks/${text} HTTP/1.1\nHost: ${text}\nX: ${text}\n\nStatus=${text}`);
    await window.getByRole("button", { name: "Explain" }).click();
    await window.getByRole("status").waitFor();
    await expectHarmless(window, "explain");
  }
};

/** Opens a page that does not exist at once. */
const waitForPage = async (window, path) => {
  const deadline = Date.now() + LONGEST_WAIT_MILLIS;
  while (!(await window.goto(path)).ok() && Date.now() < deadline);
};

/** The page shows this text from outside, so its being harmless says something. */
const expectText = async (window, path, text) => {
  await window.goto(path);
  check((await window.locator("main").innerText()).includes(text), `${path} does not show ${text}`);
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
