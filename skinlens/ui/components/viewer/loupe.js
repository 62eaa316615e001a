// The loupe: a small OpenSeadragon picture in a round glass that follows the pointer, or a finger, over every picture.
// It shows the photo alone, at the full detail of the file.

const LARGER = 3; // than the picture; at least a pixel of the photo on a pixel of the screen
const ABOVE = 1.15; // radii that the glass stands above a finger

class Loupe {
  constructor(view) {
    this.view = view;
    this.element = view.root.querySelector(".sl-loupe");
    this.button = view.root.querySelector(".sl-loupe-switch");
    this.button.addEventListener("click", () => this.press());
  }

  close() {
    this.glass?.destroy();
    this.glass = this.url = null;
  }

  press() {
    this.on = !this.on;
    this.button.setAttribute("aria-pressed", String(this.on));
    this.element.hidden = true;
    for (const picture of this.view.pictures) picture.touch(this.on);
    const shown = this.view.shown();
    const here = shown.find((picture) => picture.canvas.matches(":hover")) ?? shown[0];
    if (!this.on || !here) return;
    const { left, top, width, height } = here.canvas.getBoundingClientRect(); // until the pointer moves: its middle
    this.show(here, left + width / 2, top + height / 2);
  }

  follow(picture) {
    picture.touch(this.on);
    const point = (event) => this.on && this.show(picture, event.clientX, event.clientY, event.pointerType === "touch");
    const leave = () => (this.element.hidden = true);
    for (const name of ["pointerdown", "pointermove"]) picture.canvas.addEventListener(name, point);
    picture.canvas.addEventListener("pointerleave", leave);
  }

  renew() {
    if (this.on && !this.element.hidden) this.show(...this.last);
  }

  show(picture, clientX, clientY, finger = false) {
    this.last = [picture, clientX, clientY, finger];
    const [box, root] = [picture.canvas.getBoundingClientRect(), this.view.root.getBoundingClientRect()];
    if (!picture.ready || !box.width) return;
    this.element.hidden = false;
    const width = this.element.offsetWidth;
    this.element.style.left = `${clientX - root.left - width / 2}px`;
    this.element.style.top = `${clientY - root.top - width / 2 - (finger ? width / 2 * ABOVE : 0)}px`;
    const { photo, size } = picture;
    this.load(loaded(photo.id).full ?? loaded(photo.id).small);
    const [x, y] = picture.at(clientX - box.left, clientY - box.top).map((part) => part / (photo.width / photo.width_px));
    const [left, top] = [photo.x, photo.y].map((part) => part / (photo.width / photo.width_px));
    const [across, down] = [x - left, y - top]; // in pixels of the photo
    const picturePx = (box.width * picture.now().zoom) / size[0]; // of the screen, for a pixel of the ground
    const scale = Math.max(LARGER * picturePx * (photo.width / photo.width_px), 1);
    const { viewport } = this.glass;
    viewport.zoomTo((scale * photo.width_px) / width, null, true);
    viewport.panTo(new window.OpenSeadragon.Point(across / photo.width_px, down / photo.width_px), true);
    this.element.dataset.shows = [across, down, scale].map((value) => value.toFixed(2)).join(" ");
  }

  load(url) {
    if (this.url === url) return;
    this.url = url;
    this.glass ??= this.made();
    this.glass.open({ type: "image", url });
  }

  made() {
    const glass = new window.OpenSeadragon.Viewer({
      element: this.element.firstElementChild,
      drawer: "canvas",
      showNavigationControl: false,
      mouseNavEnabled: false,
      keyboardNavEnabled: false,
      tabIndex: -1,
      preserveViewport: true,
      immediateRender: true,
    });
    glass.addHandler("open", () => this.renew());
    return glass;
  }
}

