// Loaded before Streamlit's own scripts. A file that is chosen while the connection is down is lost without a word: the
// page takes it, and nobody is there to read it. So it is not taken, and that is said. session.js hears from here that the
// connection has closed, and shows its notice by skinlensNotice.

"use strict";

(() => {
  const STREAM = "/_stcore/stream";
  const UPLOAD = "/_stcore/upload_file/";
  const DOWN = "The photo was not taken: the connection to SkinLens is down. Is SkinLens still running on this computer? When it is connected again, choose the photo again.";
  const BACK = "SkinLens is connected again. Choose the photo again.";
  const BROKEN = "The photo did not reach SkinLens: the connection broke while it was sent. Choose the photo again.";
  let connected = false;
  let missed = false;

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...how) {
      super(...how);
      if (!String(how[0]).includes(STREAM)) return;
      this.addEventListener("open", () => {
        connected = true;
        if (missed) say(BACK);
      });
      this.addEventListener("close", ({ code }) => {
        connected = false;
        window.dispatchEvent(new CustomEvent("skinlens-closed", { detail: code }));
      });
    }
  };

  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method, address, ...rest) {
    if (method.toUpperCase() === "PUT" && String(address).includes(UPLOAD)) {
      for (const kind of ["error", "timeout"]) this.addEventListener(kind, () => say(BROKEN));
    }
    return open.call(this, method, address, ...rest);
  };

  const plainFetch = window.fetch;
  window.fetch = (what, how) => {
    const answer = plainFetch(what, how);
    if (how?.method === "PUT" && String(what?.url ?? what).includes(UPLOAD)) answer.catch(() => say(BROKEN));
    return answer;
  };

  function isChoice(event) {
    return event.type === "drop"
      ? Boolean(event.dataTransfer?.files.length)
      : event.target instanceof HTMLInputElement && event.target.type === "file" && event.target.files.length > 0;
  }

  function chosen(event) {
    if (!isChoice(event)) return;
    missed = !connected;
    say(missed ? DOWN : "");
    if (!missed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type !== "drop") event.target.value = ""; // or the same file could not be chosen again
  }

  // Words over the page, at its top or bottom edge, that a screen reader says; without words the box is hidden.
  window.skinlensNotice = (id, words, { inset, background }) => {
    let box = document.getElementById(id);
    if (!box && words) {
      box = document.createElement("div");
      box.id = id;
      box.setAttribute("role", "alert");
      Object.assign(box.style, {
        position: "fixed", inset, zIndex: 2147483647, padding: "0.8rem 1rem", textAlign: "center",
        font: "600 1.05rem sans-serif", color: "#fff",
      });
      document.body.append(box);
    }
    if (!box) return;
    box.textContent = words;
    box.hidden = !words;
    box.style.background = background;
  };

  function say(words) {
    const background = words === BACK ? "#14606a" : "#8a1c1c";
    window.skinlensNotice("skinlens-connection", words, { inset: "0 0 auto 0", background });
  }

  // On the window, and while the event is on its way down: before Streamlit hears of it.
  for (const kind of ["change", "drop"]) window.addEventListener(kind, chosen, true);

  // The page takes its field away when the connection breaks. If the computer's own window for choosing is open then, its
  // answer comes to a field that is no part of the page any more, and the window above never hears of it.
  window.addEventListener("click", ({ target }) => {
    if (target instanceof HTMLInputElement && target.type === "file") target.addEventListener("change", chosen);
  }, true);

  // What is typed goes to the server when its field is left. A long text is sent at each pause as well: to Streamlit it
  // looks as if the field were left and entered again. So a reload or a crash loses no more than the last words.
  const PAUSE_MS = 1500;
  let pause = 0;
  document.addEventListener("input", ({ target }) => {
    if (!(target instanceof HTMLTextAreaElement)) return;
    clearTimeout(pause);
    pause = setTimeout(() => {
      if (document.activeElement !== target) return;
      for (const kind of ["focusout", "focusin"]) target.dispatchEvent(new FocusEvent(kind, { bubbles: true }));
    }, PAUSE_MS);
  });

  // A switch to another page by the app comes as two steps of the browser's history: the new page's query under the name
  // of the old page, then the new page. Made one here, unless somebody did something in between: back leads to where one
  // came from.
  let acts = 0;
  for (const kind of ["pointerdown", "keydown"]) window.addEventListener(kind, () => { acts += 1; }, true);
  const push = history.pushState;
  let half = null;
  history.pushState = function (state, unused, address) {
    const to = new URL(address ?? "", document.baseURI);
    const same = to.pathname === location.pathname;
    const second = half?.acts === acts && half.href === location.href && !same && to.search === location.search;
    if (second) history.replaceState(state, unused, address);
    else push.call(history, state, unused, address);
    half = same ? { acts, href: location.href } : null;
  };

  // Streamlit draws each page from its top. A step back or forward leads to where the page was left: once it stands still
  // and is long enough, and as long as nobody moves it.
  const LONGEST_MS = 6000;
  const STILL_MS = 800;
  const places = new Map();
  let sought = null;
  const main = () => document.querySelector("[data-testid=stMain]");
  const still = () => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning";
  window.addEventListener("click", () => places.set(location.href, main()?.scrollTop ?? 0), true);
  for (const kind of ["wheel", "touchstart", "pointerdown", "keydown"]) {
    window.addEventListener(kind, () => { sought = null; }, { capture: true, passive: true });
  }
  window.addEventListener("popstate", () => {
    const seek = { place: places.get(location.href) ?? 0, begun: performance.now(), reached: 0 };
    sought = seek;
    const look = () => {
      const now = performance.now();
      if (sought !== seek || !seek.place || now - seek.begun > LONGEST_MS) return;
      const page = main();
      if (now - seek.begun > 200 && still() && page && page.scrollHeight - page.clientHeight >= seek.place - 1) {
        if (Math.abs(page.scrollTop - seek.place) > 1) {
          page.scrollTo(0, seek.place);
          seek.reached = now;
        } else if (now - seek.reached > STILL_MS) return;
      }
      setTimeout(look, 100);
    };
    look();
  });

  // Streamlit closes the menu of the pages where the browser calls itself one of a telephone, and nowhere else: in a narrow
  // window, or on a tablet, it would stay over the page that was chosen, and come back after a reload.
  document.addEventListener("click", ({ target }) => {
    if (!target.closest?.("[data-testid=stSidebarNavLink]")) return;
    const close = () => document.querySelector("[data-testid=stSidebarCollapseButton] button[aria-expanded=true]")?.click();
    setTimeout(close); // after Streamlit, which may have closed it
  });

  // Streamlit gives its drop field the role of a mere ornament and a name at once; screen readers then differ.
  const name = () => {
    for (const field of document.querySelectorAll("[data-testid=stFileUploaderDropzone][role=presentation]")) {
      field.setAttribute("role", "group");
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  });
})();
