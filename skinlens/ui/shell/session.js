// Where people sign in: tells the server that somebody is here, warns before the session ends for want of use, and goes
// to the page for signing in when it has ended. Nothing but use counts: a page that draws itself anew does not. Loaded
// after connection.js.

"use strict";

(() => {
  const ENDED = 4403;
  const TELL_MS = 20_000;
  const WARN_S = 60;
  const here = new URL("./skinlens/", document.baseURI);
  let told = Date.now();
  let endsAt = Infinity;
  let leaving = false;
  let warning = "";

  window.addEventListener("skinlens-closed", ({ detail: code }) => {
    if (code === ENDED) look();
  });

  async function ask(what, how) {
    let answer;
    try {
      answer = await fetch(new URL(what, here), { cache: "no-store", ...how });
    } catch {
      return; // the connection is down, which is said elsewhere
    }
    if (answer.status === 401) leave();
    if (!answer.ok) return;
    const { left } = await answer.json();
    endsAt = Date.now() + 1000 * left;
    warn();
  }
  const look = () => ask("session");
  const tell = () => {
    told = Date.now();
    return ask("alive", { method: "POST" });
  };

  function leave() {
    if (leaving) return;
    leaving = true;
    const idle = Date.now() >= endsAt - 5000;
    const next = location.pathname + location.search;
    const query = idle ? `?why=idle&next=${encodeURIComponent(next)}` : "";
    location.replace(new URL(`login${query}`, here));
  }

  function used() {
    if (Date.now() - told > TELL_MS || warning) tell();
  }
  for (const kind of ["pointerdown", "keydown", "input", "wheel", "touchstart"]) {
    window.addEventListener(kind, used, { capture: true, passive: true });
  }

  function warn() {
    const left = (endsAt - Date.now()) / 1000;
    const due = left > 0 && left <= WARN_S;
    const words = due ? "You will be signed out in less than a minute. Press a key or tap to stay signed in." : "";
    if (words === warning) return; // a screen reader would say it again
    window.skinlensNotice("skinlens-session", words, { inset: "auto 0 0 0", background: "#14606a" });
    warning = words;
  }

  setInterval(() => {
    const left = (endsAt - Date.now()) / 1000;
    warn();
    if (left < 8 && left > 2) document.activeElement?.blur?.(); // what is typed reaches the server, which holds it
    if (left <= WARN_S + 2) look(); // another window may have been used meanwhile
  }, 2000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look();
  });
  look();
})();
