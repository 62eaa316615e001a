// Two of the row's pictures over each other: a line between them that can be moved, or one after the other. Both are
// drawn by the row's view and share its zoom.

const BLINK_MS = 700; // each: well below the three flashes a second that can do harm

class Compare {
  constructor(view) {
    this.view = view;
    this.part = view.root.querySelector(".sl-compare");
    this.opener = view.root.querySelector(".sl-compare-open");
    this.range = this.part.querySelector("input");
    this.blinker = this.part.querySelector(".sl-blink");
    this.frame = this.part.querySelector(".sl-frame");
    this.divider = this.part.querySelector(".sl-divider");
    this.chosen = { left: "photo", right: "" };
    this.layers = {};
    for (const side of ["left", "right"]) {
      const plot = this.part.querySelector(`.sl-layer[data-side=${side}]`);
      this.layers[side] = { plot, select: this.part.querySelector(`select[data-side=${side}]`), tag: this.part.querySelector(`.sl-tag[data-side=${side}]`) };
      this.layers[side].select.addEventListener("change", (event) => this.choose(side, event.target.value));
    }
    this.layers.left.plot.tabIndex = 0; // one stop for the keyboard: both are moved as one
    this.opener.addEventListener("click", () => this.open(this.part.hidden));
    this.part.querySelector(".sl-compare-close").addEventListener("click", () => {
      this.open(false);
      this.opener.focus();
    });
    this.range.addEventListener("input", () => {
      this.blink(false);
      this.divide();
    });
    this.blinker.addEventListener("click", () => this.press());
    this.divider.addEventListener("pointerdown", (event) => this.drag(event));
    this.divide();
  }

  get shown() {
    return this.part.hidden ? [] : [this.layers.left, this.layers.right];
  }

  open(wanted) {
    this.part.hidden = !wanted;
    this.opener.setAttribute("aria-expanded", String(wanted));
    if (!wanted) this.blink(false);
    for (const layer of Object.values(this.layers)) delete layer.stamp; // the zoom may have changed meanwhile
    this.view.draw();
    if (wanted) this.part.scrollIntoView({ block: "nearest" }); // a key may open it out of sight
  }

  choose(side, key) {
    this.chosen[side] = key;
    this.view.draw();
  }

  // The photo and the map of that place, 1 the first; where pictures come in pairs, the pair of that row.
  map(place) {
    const { panels, columns } = this.view.data;
    const [left, right] = columns === 2 ? panels.slice(2 * place, 2 * place + 2) : [panels[0], panels[place]];
    if (!left || !right?.heat) return;
    this.chosen = { left: left.key, right: right.key };
    this.open(true);
  }

  // What can be chosen: what has a map, and pictures that are to have none.
  offer(panels) {
    const able = panels.filter((panel) => panel.heat || !(panel.action || panel.note));
    this.opener.disabled = able.length < 2;
    if (able.length < 2 && !this.part.hidden) this.open(false);
    const keys = able.map((panel) => panel.key);
    if (!keys.includes(this.chosen.left)) this.chosen.left = keys[0];
    if (!keys.includes(this.chosen.right)) this.chosen.right = keys.find((key) => key !== this.chosen.left) ?? keys[0];
    const stamp = JSON.stringify(able.map((panel) => [panel.key, panel.title]));
    for (const side of ["left", "right"]) {
      const { select, tag, plot } = this.layers[side];
      if (this.stamp !== stamp) {
        select.replaceChildren(...able.map((panel) => new Option(panel.title, panel.key)));
      }
      select.value = this.chosen[side];
      const panel = able.find((one) => one.key === this.chosen[side]);
      tag.textContent = panel?.title ?? "";
      plot.setAttribute("aria-label", panel ? `${side === "left" ? "Left" : "Right"}: ${panel.alt}` : "");
    }
    this.stamp = stamp;
    const [width, height] = this.view.size;
    this.frame.style.aspectRatio = `${width} / ${height}`;
    this.frame.style.maxWidth = `calc(78vh * ${width / height})`;
  }

  states(panels) {
    return this.shown.map((layer, place) => [layer, panels.find((one) => one.key === this.chosen[place ? "right" : "left"])]);
  }

  divide(part = Number(this.range.value)) {
    this.layers.left.plot.style.clipPath = `inset(0 ${100 - part}% 0 0)`;
    this.divider.style.left = `${part}%`;
    this.range.setAttribute("aria-valuetext", `${part} % from the left`);
    this.layers.left.tag.hidden = part === 0;
    this.layers.right.tag.hidden = part === 100;
  }

  drag(event) {
    event.preventDefault();
    this.blink(false);
    this.divider.setPointerCapture(event.pointerId);
    const move = ({ clientX }) => {
      const { left, width } = this.frame.getBoundingClientRect();
      this.range.value = String((100 * (clientX - left)) / width);
      this.divide();
    };
    this.divider.addEventListener("pointermove", move);
    this.divider.addEventListener("lostpointercapture", () => this.divider.removeEventListener("pointermove", move), { once: true });
  }

  // The button and its key. Who asked the system for less motion gets one change at each press.
  press() {
    if (this.part.hidden) this.open(true);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.left = !this.left;
      this.divide(this.left ? 100 : 0);
    } else this.blink(!this.blinking);
  }

  blink(wanted) {
    clearInterval(this.blinking);
    this.blinking = null;
    this.divider.hidden = wanted;
    this.blinker.setAttribute("aria-pressed", String(wanted));
    this.blinker.textContent = wanted ? "Stop blinking" : "Blink";
    if (!wanted) return this.divide();
    let left = true;
    this.divide(100);
    this.blinking = setInterval(() => {
      if (!this.part.isConnected) return clearInterval(this.blinking);
      left = !left;
      this.divide(left ? 100 : 0);
    }, BLINK_MS);
  }
}

