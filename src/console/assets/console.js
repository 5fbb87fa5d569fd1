// Replaces the parts of a page that change. Without this script, the pages show the state at the time of the request.
const MAX_PAUSED_ROWS = 700;

const nodes = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.children];
};

const sameKind = (old, fresh) => old.length === fresh.length && old.every((node, at) => node.nodeName === fresh[at].nodeName);

// Focus, selected text and the position of scrolling stay where they are, because only nodes that differ are replaced.
const update = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
  if (sameKind(before, after)) {
    before.forEach((node, at) => update(node, after[at]));
  } else if (old === document.activeElement || !old.contains(document.activeElement)) {
    old.replaceChildren(...after);
  }
};

const replaceFragments = (html) => {
  for (const fresh of nodes(html)) {
    const old = document.getElementById(fresh.id);
    if (old) update(old, fresh);
  }
};

const addRows = (html) => {
  const body = document.getElementById("callbacks");
  const fresh = nodes(html).filter((row) => !document.getElementById(row.id));
  body.prepend(...fresh);
  while (body.rows.length > Number(body.dataset.max)) body.lastElementChild.remove();
  document.getElementById("no-callbacks").hidden = body.rows.length > 0;
};

// Browsers connect again by themselves only after some errors, and notice nothing when the other side is silent.
const MIN_PAUSE_MILLIS = 4_000;
const MAX_PAUSE_MILLIS = 64_000;

const connect = (area, url, { seen, lost }, listeners) => {
  let [source, last, pause, id] = [null, 0, MIN_PAUSE_MILLIS, ""];
  const silence = Number(area.dataset.silence) * 1_000;
  const heard = () => {
    [last, pause] = [Date.now(), MIN_PAUSE_MILLIS];
    seen();
  };
  const open = () => {
    source?.close();
    if (id) url.searchParams.set("after", id);
    source = new EventSource(url);
    last = Date.now();
    source.addEventListener("error", lost);
    // Not at "open": the head of a response may be that of something that sends no events.
    source.addEventListener("alive", heard);
    for (const [name, listener] of Object.entries(listeners)) {
      source.addEventListener(name, (event) => {
        heard();
        id = event.lastEventId || id;
        listener(event.data);
      });
    }
  };
  const timer = setInterval(() => {
    const isClosed = source.readyState === EventSource.CLOSED;
    if (Date.now() - last <= (isClosed ? pause : Math.max(silence, pause))) return;
    pause = Math.min(pause * 2, MAX_PAUSE_MILLIS);
    lost();
    open();
  }, 1_000);
  open();
  return () => {
    clearInterval(timer);
    source.close();
  };
};

const follow = (area) => {
  const connection = area.querySelector("[data-connection]");
  const pause = area.querySelector("[data-pause]");
  const held = [];
  const say = (text) => {
    if (connection.textContent !== text) connection.textContent = text;
  };
  const seen = () => {
    delete area.dataset.stale;
    say(connection.dataset.connection);
  };
  const lost = () => {
    area.dataset.stale = "";
    say("Not connected, so this page shows what was true before. Trying again.");
  };
  const callbacks = (html) => {
    if (pause.getAttribute("aria-pressed") === "true") {
      held.push(html);
      if (held.length > MAX_PAUSED_ROWS) held.shift();
    } else {
      addRows(html);
    }
  };
  if (pause) {
    pause.hidden = false;
    pause.setAttribute("aria-pressed", "false");
    pause.addEventListener("click", () => {
      const isPaused = pause.getAttribute("aria-pressed") !== "true";
      pause.setAttribute("aria-pressed", String(isPaused));
      if (!isPaused) held.splice(0).forEach(addRows);
    });
  }
  const disconnect = connect(area, new URL(area.dataset.events, location.href), { seen, lost }, { now: replaceFragments, callbacks });
  // A page that goes to the browser's history must not keep its connection.
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
};

document.querySelectorAll("[data-events]").forEach(follow);
