// Two of the row's pictures over each other: a line between them that can be moved, one shining through the other, or
// one after the other. Both are drawn by the row's view and share its zoom.

class Compare {
  constructor(view) {
    this.view = view;
    this.part = view.root.querySelector(".sl-compare");
    this.opener = view.root.querySelector(".sl-compare-open");
    this.range = this.part.querySelector("input[type=range]");
    this.blinker = this.part.querySelector(".sl-blink");
    this.frame = this.part.querySelector(".sl-frame");
    this.divider = this.part.querySelector(".sl-divider");
    this.chosen = { left: "photo", right: "" };
    this.way = "swipe";
    this.layers = {};
    for (const side of ["left", "right"]) {
      const place = this.part.querySelector(`.sl-layer[data-side=${side}]`);
      this.layers[side] = { place, select: this.part.querySelector(`select[data-side=${side}]`), tag: this.part.querySelector(`.sl-tag[data-side=${side}]`) };
      this.layers[side].select.addEventListener("change", (event) => this.choose(side, event.target.value));
    }
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
    this.period = this.part.querySelector(".sl-period");
    this.period.addEventListener("change", () => this.blinking && this.blink(true));
    const way = this.part.querySelector(".sl-way");
    way.addEventListener("change", () => {
      this.way = way.value;
      this.blink(false);
    });
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
    this.view.draw();
    if (wanted && !this.view.data.overlaid) this.part.scrollIntoView({ block: "nearest" }); // a key may open it out of sight
  }

  // To the line between the two; the arrow keys then move it.
  goTo() {
    this.range.focus({ preventScroll: true });
    this.part.scrollIntoView({ block: "nearest" });
  }

  choose(side, key) {
    this.chosen[side] = key;
    this.view.draw();
  }

  // The photo and the map of that place, 1 the first; where pictures come in pairs, the pair of that row.
  map(place) {
    const { panels, columns } = this.view.data;
    const [left, right] = columns === 2 ? panels.slice(2 * place, 2 * place + 2) : [panels[0], panels[place]];
    if (!left || !right) return;
    if (!right.heat) return this.view.lacks(right);
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
      const { select, tag } = this.layers[side];
      if (this.stamp !== stamp) {
        select.replaceChildren(...able.map((panel) => new Option(panel.title, panel.key)));
      }
      select.value = this.chosen[side];
      const panel = able.find((one) => one.key === this.chosen[side]);
      tag.textContent = panel?.title ?? "";
      select.parentElement.hidden = able.length === 2; // there is nothing to choose
    }
    this.stamp = stamp;
    this.part.querySelector(".sl-compare-close").hidden = this.view.data.overlaid;
    this.frame.style.aspectRatio = this.view.aspect;
    this.frame.style.maxWidth = `calc(78vh * (${this.view.aspect}))`;
  }

  states(panels) {
    return this.shown.map((layer, place) => {
      const state = panels.find((one) => one.key === this.chosen[place ? "right" : "left"]);
      return [layer, state && { ...state, alt: `${place ? "Right" : "Left"}: ${state.alt}` }];
    });
  }

  // How much of the left picture is shown, %: its part left of the line, or how much of it shines through.
  divide(part = Number(this.range.value)) {
    const [{ style }, swipe] = [this.layers.left.place, this.way === "swipe"];
    style.clipPath = swipe ? `inset(0 ${100 - part}% 0 0)` : "";
    style.opacity = swipe ? "" : String(part / 100);
    style.pointerEvents = part ? "" : "none";
    this.divider.style.left = `${part}%`;
    this.divider.hidden = !swipe || Boolean(this.blinking);
    this.range.setAttribute("aria-valuetext", `${part} % ${swipe ? "from the left" : "of the left picture"}`);
    this.layers.left.tag.hidden = part === 0;
    this.layers.right.tag.hidden = part === 100;
    this.frame.dataset.left = String(part);
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
    this.blinker.setAttribute("aria-pressed", String(wanted));
    this.blinker.textContent = wanted ? "Stop blinking" : "Blink";
    if (!wanted) return this.divide();
    let left = true;
    const turn = () => {
      left = !left;
      this.divide(left ? 100 : 0);
    };
    this.blinking = setInterval(turn, Number(this.period.value)); // each: well below three flashes a second
    this.divide(100);
  }
}

