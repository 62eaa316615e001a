// The body map: pins to choose a lesion by, and a crosshair to place one with. Positions are shares of the width and
// height of a view's drawing. Only what is chosen or placed goes to the app.

const STEP = 0.005; // of the view's height, for one press of an arrow key
const LARGE = 6; // times STEP with Shift
const GRID = 16; // points across a region, of which the middle one is looked for
const APART = 25; // pixels between two pins
const maps = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".sl-body");
  if (!root) return;
  if (!maps.has(root)) maps.set(root, new BodyMap(root));
  const map = maps.get(root);
  map.trigger = setTriggerValue;
  map.show(data);
}

class BodyMap {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.plates = new Map(
      [...root.querySelectorAll("figure")].map((figure) => [figure.dataset.view, figure.querySelector(".sl-body-plate")]),
    );
    this.task = null; // what is being placed: { lesion } or { lesion: null } for a new one
    for (const button of root.querySelectorAll("button[data-show]")) {
      button.addEventListener("click", () => this.turn(button.dataset.show));
    }
    this.find('[data-do="begin"]').addEventListener("click", () => this.begin(this.data?.next ?? null));
    this.find('[data-do="cancel"]').addEventListener("click", () => this.cancel());
    for (const [view, plate] of this.plates) {
      plate.querySelector("svg").addEventListener("click", (event) => this.clicked(view, event));
    }
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("pointerover", ({ target }) => this.over(target));
    new ResizeObserver(() => this.data && this.draw()).observe(root);
    this.turn("all");
  }

  show(data) {
    this.data = data;
    this.root.dataset.noun = data.noun;
    if (this.waiting !== undefined && this.waiting === data.chosen) this.reveal(data.chosen);
    this.waiting = undefined;
    const asked = data.placing;
    if (asked && asked.token !== this.followed) {
      this.followed = asked.token;
      this.begin(asked.lesion);
    } else if (this.task?.lesion && !this.pin(this.task.lesion)) this.cancel();
    else this.draw();
  }

  pin(lesion) {
    return this.data.pins.find((pin) => pin.id === lesion);
  }

  // ------------------------------------------------------------------------------------------------------- the view

  turn(name) {
    this.root.dataset.show = name;
    for (const button of this.root.querySelectorAll("button[data-show]")) {
      button.setAttribute("aria-pressed", String(button.dataset.show === name));
    }
    if (this.task && !this.shown(this.at.view)) this.move([...this.plates.keys()].find((view) => this.shown(view)));
    if (this.data) this.draw();
  }

  shown(view) {
    const only = this.root.dataset.show;
    return only === "all" || only === view || (only === "head" && !["front", "back"].includes(view));
  }

  reveal(lesion) {
    if (!window.matchMedia("(min-width: 641px)").matches) return; // below the map, not beside it
    document.querySelector(`.st-key-lesion_row_${lesion}`)?.scrollIntoView({ block: "nearest" });
  }

  // -------------------------------------------------------------------------------------------------------- placing

  begin(lesion) {
    const pin = lesion && this.pin(lesion);
    this.task = { lesion };
    this.notice = "";
    this.at = { ...(pin?.at ?? this.middle(pin)) };
    if (!this.shown(this.at.view)) this.turn("all");
    this.draw();
    this.find(".sl-body-cursor").focus();
  }

  // Where the crosshair begins: in the lesion's region, where its site names one.
  middle(pin) {
    if (pin?.site) {
      for (const [view, plate] of this.plates) {
        const region = [...plate.querySelectorAll(".sl-region")].find((one) => lit(one, pin));
        if (!region || !this.shown(view)) continue;
        const box = region.getBBox();
        const { width, height } = plate.querySelector("svg").viewBox.baseVal;
        const inside = [];
        for (let cell = 0; cell < GRID * GRID; cell += 1) {
          const [right, down] = [(cell % GRID) + 0.5, Math.floor(cell / GRID) + 0.5];
          const x = (box.x + (right * box.width) / GRID) / width;
          const at = { view, x, y: (box.y + (down * box.height) / GRID) / height };
          if (this.region(at) === region) inside.push(at);
        }
        if (inside.length) return nearest(inside);
      }
    }
    const view = [...this.plates.keys()].find((one) => this.shown(one));
    return { view, x: 0.5, y: 0.3 };
  }

  cancel() {
    const lesion = this.task?.lesion;
    this.task = null;
    this.draw();
    this.say("Cancelled. Nothing was changed.");
    const back = lesion && this.find(`.sl-pin[data-lesion="${lesion}"]`);
    (back || this.find('[data-do="begin"]')).focus();
  }

  place(at) {
    const region = this.region(at);
    if (!region) {
      this.notice = "That is outside of the figure. Choose a place on it.";
      this.drawTask();
      this.say(this.notice);
      return;
    }
    const lesion = this.task?.lesion ?? null;
    this.task = null;
    const { site, side } = region.dataset;
    const round = (share) => Math.round(share * 1e4) / 1e4;
    this.trigger("spot", { lesion, view: at.view, x: round(at.x), y: round(at.y), site, side });
    if (lesion) {
      this.pin(lesion).at = { view: at.view, x: at.x, y: at.y }; // until the app has answered
    }
    this.draw();
    const pin = lesion && this.find(`.sl-pin[data-lesion="${lesion}"]`);
    if (pin) pin.focus({ preventScroll: true });
  }

  clicked(view, event) {
    const box = this.plates.get(view).getBoundingClientRect();
    const at = { view, x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    if (this.task || this.region(at)) this.place(at);
  }

  key(event) {
    if (!this.task) return;
    this.notice = "";
    const onCursor = event.target.matches(".sl-body-cursor");
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const turn = { PageDown: 1, PageUp: -1 }[event.key];
    if (event.key === "Escape") this.cancel();
    else if (onCursor && (event.key === "Enter" || event.key === " ")) this.place(this.at);
    else if (onCursor && turn) {
      const views = [...this.plates.keys()].filter((view) => this.shown(view));
      this.move(views[(views.indexOf(this.at.view) + turn + views.length) % views.length]);
      this.draw();
      this.find(".sl-body-cursor").focus();
    } else if (onCursor && arrow) {
      const { width, height } = this.plates.get(this.at.view).getBoundingClientRect();
      const size = STEP * (event.shiftKey ? LARGE : 1);
      const inside = (share) => Math.min(Math.max(share, 0), 1);
      this.at.x = inside(this.at.x + (arrow[0] * size * height) / width);
      this.at.y = inside(this.at.y + arrow[1] * size);
      this.draw();
      this.say(this.here(this.at));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  move(view) {
    this.at = { view, x: 0.5, y: 0.3 };
    this.say(this.here(this.at));
  }

  // The topmost region at a place, if that lies on the figure.
  region({ view, x, y }) {
    const svg = this.plates.get(view).querySelector("svg");
    const { width, height } = svg.viewBox.baseVal;
    const point = new DOMPoint(x * width, y * height);
    if (!svg.querySelector(".sl-skin path").isPointInFill(point)) return null;
    return [...svg.querySelectorAll(".sl-region")].toReversed().find((one) => one.isPointInFill(point)) ?? null;
  }

  here(at) {
    const view = this.plates.get(at.view).getAttribute("aria-label");
    const region = this.region(at);
    return `${view}: ${region ? named(region) : "outside of the figure"}`;
  }

  // -------------------------------------------------------------------------------------------------------- drawing

  draw() {
    const { pins, chosen } = this.data;
    const focused = this.root.contains(document.activeElement) && document.activeElement.dataset.lesion;
    this.root.classList.toggle("sl-placing", Boolean(this.task));
    const begin = this.find('[data-do="begin"]');
    begin.hidden = Boolean(this.task) || (this.data.noun !== "lesion" && !this.data.next);
    begin.textContent = this.data.next ? `Place ${this.data.noun} ${this.data.next}` : "New lesion on the map";
    this.find('[data-do="cancel"]').hidden = !this.task;
    const wanted = this.pin(this.task?.lesion ?? chosen) ?? this.data.region;
    for (const region of this.root.querySelectorAll(".sl-region")) {
      const edge = region.closest('[data-group="head"]') && ["back", "chest"].includes(region.dataset.site);
      region.classList.toggle("sl-lit", Boolean(wanted?.site) && !edge && lit(region, wanted));
    }
    for (const [view, plate] of this.plates) this.drawPins(plate, pins.filter((pin) => pin.at?.view === view), chosen);
    this.drawSpot();
    this.drawCursor();
    this.drawTask();
    if (focused) this.find(`.sl-pin[data-lesion="${focused}"]`)?.focus({ preventScroll: true });
  }

  drawPins(plate, pins, chosen) {
    const layer = plate.querySelector(".sl-body-pins");
    for (const old of layer.querySelectorAll(".sl-pin, .sl-dot, .sl-stem")) old.remove();
    const { width, height } = plate.getBoundingClientRect();
    const at = pins.map((pin) => [pin.at.x * width, pin.at.y * height]);
    const labels = apart(at, width, height);
    pins.forEach((pin, index) => {
      const [x, y] = labels[index];
      const moved = Math.hypot(x - at[index][0], y - at[index][1]);
      if (moved > 4) {
        const angle = Math.atan2(y - at[index][1], x - at[index][0]);
        layer.append(
          element("i", "sl-stem", at[index], { width: `${moved}px`, transform: `rotate(${angle}rad)` }),
          element("i", "sl-dot", at[index]),
        );
      }
      const button = element("button", `sl-pin sl-${pin.verdict}${pin.unsigned ? " sl-unsigned" : ""}`, [x, y]);
      button.type = "button";
      button.textContent = `${pin.number}${pin.verdict === "unreliable" ? "?" : ""}`;
      button.dataset.lesion = pin.id;
      button.setAttribute("aria-label", `${this.data.noun === "photo" ? "Photo" : "Lesion"} ${pin.number}: ${pin.words}`);
      button.setAttribute("aria-pressed", String(pin.id === chosen));
      button.addEventListener("click", () => {
        this.waiting = pin.id;
        this.data.chosen = pin.id; // at once; the app's answer says the same
        this.trigger("choose", pin.id);
        this.draw();
      });
      layer.append(button);
    });
  }

  drawSpot() {
    this.find(".sl-spot")?.remove();
    const spot = this.data.spot;
    if (!spot || this.task) return;
    const plate = this.plates.get(spot.view);
    const { width, height } = plate.getBoundingClientRect();
    const mark = element("span", "sl-pin sl-spot", [spot.x * width, spot.y * height]);
    mark.textContent = "+";
    plate.querySelector(".sl-body-pins").append(mark);
  }

  drawCursor() {
    let cursor = this.find(".sl-body-cursor");
    if (!this.task) {
      cursor?.remove();
      return;
    }
    const layer = this.plates.get(this.at.view).querySelector(".sl-body-pins");
    if (cursor?.parentElement !== layer) {
      cursor?.remove();
      cursor = Object.assign(document.createElement("button"), { type: "button", className: "sl-body-cursor" });
      cursor.addEventListener("click", (event) => {
        if (event.detail) this.clicked(this.at.view, event); // by mouse; Enter is heard as a key
      });
      layer.append(cursor);
    }
    cursor.style.left = `${100 * this.at.x}%`;
    cursor.style.top = `${100 * this.at.y}%`;
    cursor.setAttribute("aria-label", `Position. ${this.here(this.at)}. Arrow keys move it, Enter sets it.`);
  }

  drawTask() {
    const task = this.find(".sl-body-task");
    if (!this.task) {
      task.hidden = true;
      return;
    }
    task.hidden = false;
    const pin = this.pin(this.task.lesion);
    const what = pin ? `${this.data.noun} ${pin.number}` : "the new lesion";
    task.textContent =
      this.notice ||
      `Choose where ${what} is. Keys: arrows move the crosshair (with Shift further), Page Up and Page Down change ` +
      "the view, Enter sets it, Escape cancels.";
  }

  over(target) {
    if (target.matches?.(".sl-region")) target.closest("figure").querySelector("figcaption").textContent = named(target);
    else {
      for (const plate of this.plates.values()) {
        plate.parentElement.querySelector("figcaption").textContent = plate.getAttribute("aria-label");
      }
    }
  }

  say(words) {
    this.find(".sl-body-spoken").textContent = words;
  }
}

function lit(region, pin) {
  const { site, side } = region.dataset;
  return site === pin.site && (!side || !pin.side || side === pin.side);
}

// The place nearest to the middle of them all.
function nearest(places) {
  const mean = (axis) => places.reduce((sum, at) => sum + at[axis], 0) / places.length;
  const [x, y] = [mean("x"), mean("y")];
  const far = (at) => Math.hypot(at.x - x, at.y - y);
  return places.reduce((best, at) => (far(at) < far(best) ? at : best));
}

function named(region) {
  return `${region.dataset.side} ${region.dataset.site}`.trim();
}

function element(name, className, [x, y], style = {}) {
  const made = Object.assign(document.createElement(name), { className });
  Object.assign(made.style, { left: `${x}px`, top: `${y}px`, ...style });
  return made;
}

// Pins that would lie on each other are moved apart, and stay within the view.
function apart(places, width, height) {
  const labels = places.map(([x, y]) => [x, y]);
  for (let round = 0; round < 30; round += 1) {
    for (let one = 0; one < labels.length; one += 1) {
      for (let other = one + 1; other < labels.length; other += 1) {
        let [dx, dy] = [labels[other][0] - labels[one][0], labels[other][1] - labels[one][1]];
        const distance = Math.hypot(dx, dy);
        if (distance >= APART) continue;
        if (distance < 0.01) [dx, dy] = [Math.cos(other), Math.sin(other)];
        const push = (APART - distance) / 2 / (Math.hypot(dx, dy) || 1);
        labels[one] = [labels[one][0] - dx * push, labels[one][1] - dy * push];
        labels[other] = [labels[other][0] + dx * push, labels[other][1] + dy * push];
      }
    }
    for (const label of labels) {
      label[0] = Math.min(Math.max(label[0], 12), Math.max(width - 12, 12));
      label[1] = Math.min(Math.max(label[1], 12), Math.max(height - 12, 12));
    }
  }
  return labels;
}
