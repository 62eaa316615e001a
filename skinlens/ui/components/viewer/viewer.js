// Photos and maps side by side, each an OpenSeadragon picture, with one place and zoom for all. Both are kept here, so
// they survive every change of class, opacity or style.

const ALIKE = 1e-6; // of the ground's width: two pictures show the same place
const views = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".sl-viewer");
  if (!root) return;
  if (!views.has(root)) views.set(root, new View(root));
  const view = views.get(root);
  view.trigger = setTriggerValue;
  view.listen(); // again, after it was closed; the same listener is not heard twice
  view.show(data);
  return () => view.close();
}

class View {
  constructor(root) {
    this.root = root;
    this.grid = root.querySelector(".sl-grid");
    this.bar = root.querySelector(":scope > .sl-bar"); // the one of the comparison may come before it
    this.panels = new Map();
    this.pictures = new Set();
    for (const button of root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.press(button.dataset.zoom));
    }
    this.compare = new Compare(this);
    this.region = new RegionDialog(this);
    this.loupe = new Loupe(this);
    this.heard = { "skinlens-key": ({ detail }) => this.key(detail), "skinlens-given": () => this.data && this.draw() };
  }

  listen() {
    for (const [name, listener] of Object.entries(this.heard)) document.addEventListener(name, listener);
  }

  // The page may show the same elements again: they are left as they were found, and this view stays theirs.
  close() {
    for (const [name, listener] of Object.entries(this.heard)) document.removeEventListener(name, listener);
    this.compare.blink(false);
    this.loupe.close();
    for (const picture of this.pictures) this.drop(picture);
    for (const { figure } of this.panels.values()) figure.remove();
    this.panels.clear();
    for (const layer of Object.values(this.compare.layers)) delete layer.picture;
    this.data = null;
  }

  key(action) {
    if (action === "loupe") this.loupe.press();
    // Where two photos lie aligned over each other, the comparison that a key asks for is theirs.
    const aligned = ["compare", "blink"].includes(action) && document.querySelector(".sl-viewer[data-overlaid]");
    if (aligned) {
      if (aligned === this.root) this.compare[action === "blink" ? "press" : "goTo"]();
      return;
    }
    if (!this.data?.keys) return;
    const place = action.match(/^map-(\d)$/);
    if (place && this.data.single) this.trigger("look", { asked: action, number: Date.now() });
    else if (place) this.compare.map(Number(place[1]));
    else if (action === "compare") this.compare.opener.click();
    else if (action === "blink") this.compare.press();
    else if (["more", "less", "style"].includes(action) || (action === "outline" && this.data.single)) this.trigger("look", { asked: action, number: Date.now() });
    else if (action === "whole") this.press("whole");
  }

  // A key asked for a map that is not there: it is made where it can be, and its picture says how far it is, or why not.
  lacks({ key, action }) {
    this.panels.get(key)?.figure.scrollIntoView({ block: "nearest" });
    if (action === "make") this.trigger("make", key);
  }

  press(action) {
    const [first] = this.shown();
    first?.press(action); // the others follow
  }

  show(data) {
    const photos = Object.keys(data.photos).join(" ");
    if (this.photos !== photos) this.place = null; // others: seen whole at first
    this.photos = photos;
    this.data = data;
    this.grid.style.setProperty("--columns", data.columns);
    this.grid.dataset.columns = data.columns;
    this.grid.hidden = data.overlaid;
    const below = data.columns === 1 && !data.overlaid; // a photo by itself comes before its buttons
    if (below !== (this.grid.nextElementSibling === this.bar)) this.grid[below ? "after" : "before"](this.bar);
    this.root.toggleAttribute("data-overlaid", data.overlaid);
    this.root.querySelector(".sl-compare-open").textContent = data.opener;
    this.root.querySelector(".sl-compare-open").hidden = data.overlaid || data.panels.length < 2;
    this.root.querySelector(".sl-legend").hidden = !data.panels.some((panel) => panel.heat);
    const panels = data.overlaid ? [] : data.panels;
    for (const panel of panels) this.panel(panel);
    for (const [key, panel] of this.panels) {
      if (panels.some((one) => one.key === key)) continue;
      panel.figure.remove();
      if (panel.picture) this.drop(panel.picture);
      this.panels.delete(key);
    }
    this.region.show(data.region);
    if (data.overlaid) this.compare.open(true);
    else this.draw();
  }

  panel(state) {
    let panel = this.panels.get(state.key);
    if (!panel) {
      const figure = document.createElement("figure");
      figure.innerHTML =
        '<h2></h2><div class="sl-frame"><div class="sl-picture"></div>' +
        '<div class="sl-note"><p></p><progress max="1"></progress><button type="button"></button></div></div>' +
        '<p class="sl-shows"></p><div class="sl-tools"><button type="button">Hottest region</button></div><figcaption></figcaption>';
      this.grid.append(figure);
      const find = (selector) => figure.querySelector(selector);
      panel = { figure, place: find(".sl-picture"), note: find(".sl-note") };
      find(".sl-note button").addEventListener("click", () => this.trigger(panel.action, state.key));
      find(".sl-tools button").addEventListener("click", () => this.region.ask(state.key));
      this.panels.set(state.key, panel);
    }
    const find = (selector) => panel.figure.querySelector(selector);
    find("h2").textContent = state.title;
    find(".sl-shows").textContent = state.shows;
    for (const part of ["h2", ".sl-shows"]) find(part).hidden = !find(part).textContent;
    find(".sl-frame").style.aspectRatio = this.aspect;
    find("figcaption").replaceChildren(
      ...state.lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })),
    );
    panel.note.hidden = !state.note;
    panel.note.classList.toggle("sl-quiet", Boolean(state.heat)); // a remark on a map, not in its place
    panel.note.classList.toggle("sl-bare", state.action === "make"); // the photo is seen below what can be made
    find(".sl-note p").textContent = state.note;
    const progress = find("progress");
    progress.hidden = state.fraction === null;
    progress.value = state.fraction ?? 0;
    progress.setAttribute("aria-label", `${state.title}: progress`);
    find(".sl-tools").hidden = !this.data.panels.some((one) => one.heat && !one.empty);
    find(".sl-tools button").hidden = !state.heat || state.empty;
    find(".sl-tools button").setAttribute("aria-label", `Hottest region of ${state.title}, large`);
    const button = find(".sl-note button");
    panel.action = state.action;
    button.hidden = !state.action;
    button.textContent = state.button;
    button.setAttribute("aria-label", `${state.button}: ${state.title}`);
  }

  // Of every picture; a ground that is much wider than high leaves room for the words over it.
  get aspect() {
    const [width, height] = this.data.frame;
    return `${width} / ${Math.max(height, width / 3)}`;
  }

  draw() {
    this.compare.offer(this.data.panels);
    if (!window.OpenSeadragon || !Object.keys(this.data.photos).every(loaded)) return; // they are still to be given
    const pairs = this.data.panels.map((state) => [this.panels.get(state.key), state]);
    for (const [panel, state] of [...pairs, ...this.compare.states(this.data.panels)]) {
      if (!panel || !state) continue;
      panel.picture ??= this.picture(panel.place);
      panel.picture.ground(this.data.frame);
      panel.picture.draw(state, this.data.photos[state.photo], this.data);
    }
  }

  picture(element) {
    const picture = new Picture(element, { moved: (one) => this.moved(one), place: () => this.place });
    this.pictures.add(picture);
    this.loupe.follow(picture);
    return picture;
  }

  drop(picture) {
    this.pictures.delete(picture);
    picture.close();
  }

  // Every picture that is on the page now.
  shown() {
    return [...this.pictures].filter((picture) => picture.ready && picture.canvas.offsetWidth > 1);
  }

  moved(picture) {
    if (!picture.canvas.offsetWidth) return; // being hidden is no move
    const [now, before] = [picture.now(), this.place];
    if (before && ["x", "y", "zoom"].every((part) => Math.abs(now[part] - before[part]) < ALIKE)) return;
    this.place = now;
    for (const other of this.pictures) if (other !== picture && other.ready) other.to(now);
    this.loupe.renew();
  }
}
