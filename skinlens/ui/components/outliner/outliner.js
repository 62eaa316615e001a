// The outline over the photo: a smooth closed curve through points that can be dragged or moved by keyboard. What is
// changed stays here until it is kept; then it goes to the app as shares of the photo's width and height.

const STEP = 0.005; // of the photo's width, for one press of an arrow key
const LARGE = 4; // times STEP with Shift
const START = 16; // points of an outline that begins without a proposal
const editors = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".sl-outliner");
  if (!root) return;
  if (!editors.has(root)) editors.set(root, new Editor(root));
  const editor = editors.get(root);
  editor.trigger = setTriggerValue;
  editor.listen(); // again, after it was closed; the same listener is not heard twice
  editor.show(data);
  return () => editor.close();
}

class Editor {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.over = this.find(".sl-outline-over"); // the outline with its points: lies over the photo and grows with it
    this.handles = this.find(".sl-handles");
    this.pictures = new Set();
    this.loupe = new Loupe(this);
    this.undone = [];
    this.current = 0;
    for (const button of root.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => this[button.dataset.do]());
    }
    for (const button of root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.picture?.press(button.dataset.zoom));
    }
    // First where the points are: further up, OpenSeadragon takes the arrows.
    for (const part of [this.over, root]) part.addEventListener("keydown", (event) => this.key(event));
    this.heard = {
      "skinlens-given": () => this.data && this.place(),
      "skinlens-key": ({ detail }) => detail === "loupe" && this.loupe.press(),
    };
    this.over.querySelector(".sl-line").addEventListener("pointerdown", (event) => this.drag(event, null));
  }

  show(data) {
    const stamp = JSON.stringify([data.photo.id, data.points, data.proposal, data.editable]);
    this.data = data;
    this.find(".sl-outline-frame").style.aspectRatio = `${data.photo.width} / ${data.photo.height}`;
    this.place();
    if (this.stamp === stamp) return;
    this.stamp = stamp;
    this.stop();
  }

  // The photo, once it and OpenSeadragon are there, and the outline over it.
  place() {
    const { photo, alt } = this.data;
    if (!window.OpenSeadragon || !loaded(photo.id)) return;
    if (!this.picture) {
      this.picture = new Picture(this.find(".sl-picture"), { moved: () => this.loupe.renew(), place: () => this.seen });
      this.picture.viewer.addHandler("viewport-change", () => (this.seen = this.picture.now()));
      this.pictures.add(this.picture);
      this.loupe.follow(this.picture);
    }
    if (this.ground !== photo.id) {
      this.ground = photo.id;
      this.seen = null;
      this.picture.viewer.removeOverlay(this.over);
      const location = new window.OpenSeadragon.Rect(0, 0, 1, photo.height / photo.width);
      this.picture.viewer.addOverlay({ element: this.over, location });
    }
    this.picture.ground([photo.width, photo.height]);
    this.picture.draw({ alt }, photo, {});
    this.picture.canvas.setAttribute("role", this.editing ? "group" : "img"); // a picture has nothing in it to operate
  }

  shown() {
    return this.picture?.ready ? [this.picture] : [];
  }

  listen() {
    for (const [name, listener] of Object.entries(this.heard)) document.addEventListener(name, listener);
  }

  // The page may show the same elements again: the outline is put back where it was found, with what was changed of it.
  close() {
    for (const [name, listener] of Object.entries(this.heard)) document.removeEventListener(name, listener);
    this.loupe.close();
    this.picture?.viewer.removeOverlay(this.over);
    this.picture?.close();
    this.find(".sl-outline-frame").after(this.over);
    this.pictures.clear();
    this.picture = this.ground = this.data = null;
  }

  // ------------------------------------------------------------------------------------------------------ commands

  begin() {
    this.editing = true;
    this.undone = [];
    this.points = structuredClone(this.data.points ?? this.ring());
    this.current = 0;
    this.draw();
    this.focus(0);
  }

  keep() {
    const proposed = this.data.proposal && JSON.stringify(this.points) === JSON.stringify(this.data.proposal);
    this.trigger("keep", proposed ? "proposal" : JSON.stringify(this.points));
    this.editing = false;
    this.draw();
    this.say("Kept.");
  }

  undo() {
    if (!this.undone.length) return;
    this.points = this.undone.pop();
    this.draw();
    this.say("Undone.");
  }

  proposal() {
    this.remember();
    this.points = structuredClone(this.data.proposal);
    this.draw();
    this.say("The model's outline.");
  }

  cancel() {
    this.stop();
    this.find('[data-do="begin"]').focus();
  }

  stop() {
    this.editing = false;
    this.undone = [];
    this.points = structuredClone(this.data.points);
    this.draw();
  }

  // ------------------------------------------------------------------------------------------------------- moving

  remember() {
    this.undone.push(structuredClone(this.points));
  }

  shift(index, dx, dy) {
    const moved = index === null ? this.points.map((_, place) => place) : [index];
    const inside = (value) => Math.min(Math.max(value, 0), 1);
    for (const place of moved) {
      const [x, y] = this.points[place];
      this.points[place] = [x + dx, y + dy].map((value) => Math.round(inside(value) * 1e4) / 1e4);
    }
    this.draw();
  }

  drag(event, index) {
    if (!this.editing || event.button) return;
    event.preventDefault();
    event.stopPropagation(); // the photo stays where it is
    const target = event.currentTarget;
    target.setPointerCapture(event.pointerId);
    if (index !== null) this.focus(index);
    this.remember();
    const start = structuredClone(this.points);
    const box = this.over.getBoundingClientRect();
    const move = (now) => {
      this.points = structuredClone(start);
      this.shift(index, (now.clientX - event.clientX) / box.width, (now.clientY - event.clientY) / box.height);
    };
    const end = () => {
      target.removeEventListener("pointermove", move);
      if (JSON.stringify(this.points) === JSON.stringify(start)) this.undone.pop();
      this.draw();
    };
    target.addEventListener("pointermove", move);
    target.addEventListener("lostpointercapture", end, { once: true });
  }

  key(event) {
    if (!this.editing) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const turn = { PageDown: 1, PageUp: -1 }[event.key];
    const onHandle = this.handles.contains(event.target);
    if (event.key === "Escape") this.cancel();
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") this.undo();
    else if (onHandle && turn) this.focus((this.current + turn + this.points.length) % this.points.length);
    else if (onHandle && arrow) {
      const size = STEP * (event.shiftKey ? LARGE : 1);
      this.remember();
      const { width, height } = this.data.photo;
      this.shift(event.altKey ? null : this.current, arrow[0] * size, (arrow[1] * size * width) / height);
      this.say(this.words(this.current));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  focus(index) {
    this.current = index;
    this.draw();
    this.handles.children[index].focus({ preventScroll: true });
  }

  // A point that gets the focus comes into sight.
  reveal(index) {
    if (!this.picture?.ready) return;
    const { viewport } = this.picture.viewer;
    const { width, height } = this.data.photo;
    const [across, down] = this.points[index];
    const point = new window.OpenSeadragon.Point(across, (down * height) / width);
    if (!viewport.getBounds().containsPoint(point)) viewport.panTo(point).applyConstraints();
  }

  // ------------------------------------------------------------------------------------------------------ drawing

  draw() {
    const points = this.points;
    const path = points ? curve(points) : "";
    this.picture?.canvas.setAttribute("role", this.editing ? "group" : "img");
    for (const line of this.over.querySelectorAll("path")) line.setAttribute("d", path);
    this.root.classList.toggle("sl-editing", Boolean(this.editing));
    this.root.classList.toggle("sl-edited", Boolean(this.editing));
    const count = this.editing ? points.length : 0;
    while (this.handles.children.length > count) this.handles.lastChild.remove();
    while (this.handles.children.length < count) {
      const index = this.handles.children.length;
      const handle = Object.assign(document.createElement("button"), { type: "button" });
      handle.addEventListener("pointerdown", (event) => this.drag(event, index));
      handle.addEventListener("focus", () => {
        this.current = index;
        this.reveal(index);
      });
      handle.addEventListener("dblclick", (event) => event.stopPropagation());
      this.handles.append(handle);
    }
    [...this.handles.children].forEach((handle, index) => {
      const [x, y] = points[index];
      handle.style.left = `${100 * x}%`;
      handle.style.top = `${100 * y}%`;
      handle.tabIndex = index === this.current ? 0 : -1;
      handle.setAttribute("aria-label", this.words(index));
    });
    const button = (name) => this.find(`[data-do="${name}"]`);
    button("begin").hidden = this.editing || !this.data.editable;
    button("begin").textContent = this.data.points ? "Correct the outline" : "Draw an outline";
    for (const name of ["keep", "undo", "cancel"]) button(name).hidden = !this.editing;
    button("undo").disabled = !this.undone.length;
    button("proposal").hidden = !this.editing || !this.data.proposal;
    this.find(".sl-outline-keys").hidden = !this.editing;
    this.root.dataset.points = JSON.stringify(points);
  }

  words(index) {
    const [x, y] = this.points[index];
    const percent = (share) => `${Math.round(1000 * share) / 10} %`;
    return `Point ${index + 1} of ${this.points.length}: ${percent(x)} from the left, ${percent(y)} from the top`;
  }

  say(words) {
    this.find(".sl-spoken").textContent = words;
  }

  ring() {
    const { width, height } = this.data.photo;
    const reach = Math.min(width, height) / 4;
    return Array.from({ length: START }, (_, index) => {
      const angle = (2 * Math.PI * index) / START;
      return [0.5 + (reach / width) * Math.cos(angle), 0.5 + (reach / height) * Math.sin(angle)];
    });
  }
}

// The same curve as the app fills: see skinlens/segmentation/contour.py.
function curve(points) {
  const at = (index) => points[(index + points.length) % points.length];
  const pieces = points.map((from, index) => {
    const [before, to, after] = [at(index - 1), at(index + 1), at(index + 2)];
    const first = [0, 1].map((axis) => from[axis] + (to[axis] - before[axis]) / 6);
    const second = [0, 1].map((axis) => to[axis] - (after[axis] - from[axis]) / 6);
    return `C${first} ${second} ${to}`;
  });
  return `M${points[0]}${pieces.join("")}Z`;
}
