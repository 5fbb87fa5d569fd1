// Looks at the console in a real browser. `make console` starts it beside a running service.

import { faults, launch, openWindow } from "./browser.js";
import { check, report } from "./check.js";
import { settings } from "./settings.js";
import * as appearance from "./appearance.js";
import * as attacks from "./attacks.js";
import * as connection from "./connection.js";
import * as keyboard from "./keyboard.js";
import * as lists from "./lists.js";
import * as live from "./live.js";
import * as outage from "./outage.js";
import * as pictures from "./pictures.js";
import { findPages } from "./pages.js";

const browser = await launch();
console.log(`Chromium ${browser.version()} at ${settings.console}`);
const pages = await findPages(await openWindow(browser));
for (const part of [appearance, keyboard, lists, pictures, live, connection, outage, attacks]) {
  console.log(part.title);
  await part.run(browser, pages).catch((error) => check(false, `${part.title} stops: ${error.stack}`));
}
await browser.close();
check(faults.length === 0, `pages did what they must not:\n    ${faults.join("\n    ")}`);
report();
