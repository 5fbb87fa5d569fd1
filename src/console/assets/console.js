// Replaces the parts of a page that change. Without this script, the pages show the state at the time of the request.
const MAX_PAUSED_ROWS = 700;

const nodes = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.children];
};

// Focus, selected text and the position of scrolling stay where they are, because unchanged parts are not replaced.
const replaceFragments = (html) => {
  for (const fresh of nodes(html)) {
    const old = document.getElementById(fresh.id);
    if (old && old.innerHTML !== fresh.innerHTML && !old.contains(document.activeElement)) {
      old.innerHTML = fresh.innerHTML;
    }
  }
};

const addRows = (html) => {
  const body = document.getElementById("callbacks");
  const fresh = nodes(html).filter((row) => !document.getElementById(row.id));
  body.prepend(...fresh);
  while (body.rows.length > Number(body.dataset.max)) body.lastElementChild.remove();
  document.getElementById("no-callbacks").hidden = body.rows.length > 0;
};

const follow = (area) => {
  const source = new EventSource(area.dataset.events);
  const connection = area.querySelector("[data-connection]");
  const pause = area.querySelector("[data-pause]");
  const held = [];
  const say = (text) => {
    if (connection && connection.textContent !== text) connection.textContent = text;
  };
  source.addEventListener("open", () => say("Connected: new callbacks appear at the top."));
  source.addEventListener("error", () => say("Not connected. Trying again."));
  source.addEventListener("now", (event) => replaceFragments(event.data));
  source.addEventListener("callbacks", (event) => {
    if (pause?.getAttribute("aria-pressed") === "true") {
      held.push(event.data);
      if (held.length > MAX_PAUSED_ROWS) held.shift();
    } else {
      addRows(event.data);
    }
  });
  if (pause) {
    pause.hidden = false;
    pause.setAttribute("aria-pressed", "false");
    pause.addEventListener("click", () => {
      const isPaused = pause.getAttribute("aria-pressed") !== "true";
      pause.setAttribute("aria-pressed", String(isPaused));
      if (!isPaused) held.splice(0).forEach(addRows);
    });
  }
  // A page that goes to the browser's history must not keep its connection.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
};

document.querySelectorAll("[data-events]").forEach(follow);
