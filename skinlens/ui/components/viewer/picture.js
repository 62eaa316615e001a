// One picture: a photo, and what lies over it. OpenSeadragon draws it and does zoom, pan, wheel, touch and keys. All
// pictures of a row share one ground, in pixels; OpenSeadragon's unit of length is the ground's width.

const MOST = 40; // times magnified at most
const ZOOM_STEP = 1.5; // of one press of a zoom button or key
const SVG = "http://www.w3.org/2000/svg";
const loaded = (id) => window.skinlensPhotos?.get(id);

class Picture {
  // `moved` hears of each change of place; `place` says where the other pictures are.
  constructor(element, { moved, place }) {
    this.place = place;
    this.items = {};
    this.stamps = {};
    this.drawn = {};
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const mouse = { clickToZoom: false, dblClickToZoom: false };
    this.viewer = new window.OpenSeadragon.Viewer({
      element,
      drawer: "canvas", // a page has more pictures than a browser gives WebGL contexts
      showNavigationControl: false,
      gestureSettingsMouse: mouse,
      gestureSettingsPen: mouse,
      gestureSettingsTouch: { dblClickToZoom: false },
      animationTime: still ? 0 : 0.3,
      immediateRender: true,
      preserveViewport: true,
      visibilityRatio: 1, // never beyond the ground
      constrainDuringPan: true,
      minZoomImageRatio: 1,
      maxZoomLevel: MOST,
      minPixelRatio: 0.5,
    });
    this.canvas = this.viewer.canvas;
    this.canvas.setAttribute("role", "img");
    this.bar = this.extra(element, "sl-scale", { role: "img" });
    this.value = this.extra(element, "sl-value", { "aria-hidden": "true" });
    this.viewer.addHandler("viewport-change", () => this.ready && this.seen(moved));
    this.viewer.addHandler("after-resize", () => this.ready && this.to(this.place()));
    this.viewer.addHandler("canvas-key", (event) => this.key(event));
    this.viewer.addHandler("canvas-double-click", () => this.press("whole"));
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => (this.value.hidden = true));
    // What gets the focus out of sight is not to be scrolled to: what is in sight is OpenSeadragon's to say.
    element.addEventListener("scroll", ({ target }) => target.scrollTo(0, 0), { capture: true });
    // Where there is nothing to zoom out of, the wheel scrolls the page.
    const pass = (event) => event.deltaY > 0 && !this.zoomed && event.stopPropagation();
    element.addEventListener("wheel", pass, { capture: true, passive: true });
  }

  extra(element, name, attributes) {
    const made = Object.assign(document.createElement("div"), { className: name, hidden: true });
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    element.append(made);
    return made;
  }

  close() {
    this.viewer.destroy();
  }

  // ------------------------------------------------------------------------------------------------- what is drawn

  // The ground: nothing is drawn of it, but it says what is the whole, also where photos differ in their shape. Its
  // opacity is 0, for what is to be seen and has nothing to draw has OpenSeadragon draw all at every frame, for ever.
  ground([width, height]) {
    if (this.size?.join() === [width, height].join()) return;
    this.size = [width, height];
    const empty = { width, height, tileSize: Math.ceil(Math.max(width, height)), minLevel: 0, maxLevel: 0 };
    const source = { ...empty, getTileUrl: () => "", tileExists: () => false };
    this.put("ground", this.size.join(), source, { x: 0, y: 0, width, height }, 0);
  }

  draw(state, photo, look) {
    this.canvas.setAttribute("aria-label", state.alt);
    this.photo = photo;
    this.state = state;
    this.millimeters = photo.mm_per_px && photo.mm_per_px * (photo.width_px / photo.width); // of a pixel of the ground
    const url = loaded(photo.id).full ?? loaded(photo.id).small;
    this.put("photo", url, { type: "image", url }, photo);
    this.heat = state.heat && Uint8Array.from(atob(state.heat), (character) => character.charCodeAt(0));
    const [y, x, height, width] = state.box ?? [];
    const box = { x, y, width, height };
    const stamp = this.heat && look.style === "heat" ? [state.made, photo.id, state.box].join() : "";
    const painted = () => ({ type: "image", url: paint(this.heat, state.side, box, look.scale), buildPyramid: false });
    this.put("heat", stamp, stamp && this.stamps.heat !== stamp ? painted() : null, box, look.opacity);
    const contours = look.style === "contour" ? (state.contours ?? []) : [];
    this.lines("contours", contours.length ? [state.made, state.box].join() : "", contours, box, look.opacity);
    this.lines("outline", state.outline ?? "", [{ path: state.outline, color: "#ffffff" }], photo);
    this.seen();
  }

  put(layer, stamp, source, place, opacity = 1) {
    const old = this.items[layer];
    if (this.stamps[layer] === stamp) {
      old?.setOpacity(opacity);
      return;
    }
    this.stamps[layer] = stamp;
    const { world } = this.viewer;
    const away = (item) => world.getIndexOfItem(item) >= 0 && world.removeItem(item);
    if (!source) {
      delete this.items[layer];
      if (old) away(old);
      return;
    }
    const unit = this.size[0];
    this.viewer.addTiledImage({
      tileSource: source,
      x: place.x / unit,
      y: place.y / unit,
      width: place.width / unit,
      opacity,
      success: ({ item }) => {
        if (this.stamps[layer] !== stamp) return away(item);
        this.items[layer] = item;
        if (old) item.whenFullyLoaded(() => away(old)); // no gap between the two
        const top = this.items.heat;
        if (top) world.setItemIndex(top, world.getItemCount() - 1);
        if (layer !== "ground") return;
        if (old) away(old);
        this.ready = true;
        this.to(this.place());
        this.seen();
      },
    });
  }

  // Lines keep their width at every zoom. Each has a dark edge, so that it shows on pale skin and on dark lesions.
  lines(name, stamp, lines, box, opacity = 1) {
    const unit = this.size[0];
    let drawn = this.drawn[name];
    if (drawn && drawn.stamp !== stamp) {
      this.viewer.removeOverlay(drawn.element);
      drawn = this.drawn[name] = null;
    }
    if (stamp && !drawn) {
      const element = Object.assign(document.createElement("div"), { className: `sl-lines sl-${name}` });
      const svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", "0 0 1 1");
      svg.setAttribute("preserveAspectRatio", "none");
      for (const [width, ink] of [[5, () => "#101018"], [2.5, (color) => color]]) {
        for (const { path, color } of lines) {
          const line = document.createElementNS(SVG, "path");
          line.setAttribute("d", path);
          line.setAttribute("style", `stroke: ${ink(color)}; stroke-width: ${width}px`);
          svg.append(line);
        }
      }
      element.append(svg);
      const [x, y, width, height] = [box.x, box.y, box.width, box.height].map((value) => value / unit);
      this.viewer.addOverlay({ element, location: new window.OpenSeadragon.Rect(x, y, width, height) });
      drawn = this.drawn[name] = { element, stamp };
    }
    if (drawn) drawn.element.style.opacity = opacity;
  }

  // ------------------------------------------------------------------------------------------------ where one looks

  get zoomed() {
    return this.ready && this.viewer.viewport.getZoom(true) > 1.001;
  }

  now() {
    const { viewport } = this.viewer;
    const { x, y } = viewport.getCenter(true);
    return { x, y, zoom: viewport.getZoom(true) };
  }

  to(place) {
    const { viewport } = this.viewer;
    if (!place) return viewport.goHome(true);
    viewport.zoomTo(place.zoom, null, true);
    viewport.panTo(new window.OpenSeadragon.Point(place.x, place.y), true);
  }

  seen(moved = null) {
    if (!this.ready) return;
    const { x, y, width, height } = this.viewer.viewport.getBounds(true);
    const within = (part, most) => Math.round(Math.min(Math.max(part * this.size[0], 0), most));
    const across = [x, x + width].map((part) => within(part, this.size[0]));
    this.canvas.dataset.range = [...across, ...[y, y + height].map((part) => within(part, this.size[1]))].join(" ");
    this.measure(width * this.size[0]);
    this.touch();
    moved?.(this);
  }

  press(action) {
    const { viewport } = this.viewer;
    const scale = { in: ZOOM_STEP, out: 1 / ZOOM_STEP }[action];
    if (action === "whole") viewport.goHome();
    else if (scale) viewport.zoomBy(scale);
    viewport.applyConstraints();
  }

  // Arrows are OpenSeadragon's. Its letters and digits are not taken: here they are keys of the page.
  key(event) {
    const { key } = event.originalEvent;
    event.preventDefaultAction = !(key.startsWith("Arrow") && this.zoomed);
    const action = { "+": "in", "=": "in", "-": "out", Home: "whole" }[key];
    if (!action) return;
    event.originalEvent.preventDefault();
    this.press(action);
  }

  // A finger scrolls the page, two zoom; once the picture is magnified, a finger moves it. With the loupe, it points.
  touch(loupe = this.loupe) {
    this.loupe = loupe;
    const scrolls = !loupe && !this.zoomed && matchMedia("(pointer: coarse)").matches;
    if (this.scrolls !== scrolls) this.viewer.setCooperativeGestures((this.scrolls = scrolls));
    this.viewer.gestureSettingsTouch.dragToPan = !loupe;
  }

  // ---------------------------------------------------------------------------------------------------- what it says

  // Of the shown width, in pixels of the ground, a round length of a quarter at most.
  measure(width) {
    this.bar.hidden = !this.millimeters;
    if (!this.millimeters) return;
    const inches = this.photo.unit === "inch";
    const shown = (this.millimeters * width) / (inches ? 25.4 : 1);
    const most = shown / 4;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((step) => step * power).find((value) => value <= most * 1.0001);
    const words = `${Number(length.toPrecision(1))} ${inches ? "in" : "mm"}`;
    this.bar.textContent = words;
    this.bar.setAttribute("aria-label", `Scale bar: ${words}`);
    this.bar.style.width = `${(100 * length) / shown}%`;
  }

  // The heat below the pointer.
  point(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const [x, y] = this.at(event.clientX - left, event.clientY - top);
    const [boxTop, boxLeft, height, width] = this.state?.box ?? [];
    const [across, down] = [(x - boxLeft) / width, (y - boxTop) / height];
    const inside = this.heat && across >= 0 && across < 1 && down >= 0 && down < 1;
    this.value.hidden = !inside;
    if (!inside) return;
    const { side } = this.state;
    this.value.textContent = (this.heat[Math.floor(down * side) * side + Math.floor(across * side)] / 255).toFixed(2);
  }

  // The place on the ground, in its pixels, of a place in the element.
  at(x, y) {
    const point = this.viewer.viewport.pointFromPixel(new window.OpenSeadragon.Point(x, y), true);
    return [point.x * this.size[0], point.y * this.size[0]];
  }
}

// The heat in the colors of the scale, in the shape of the part of the photo that it belongs to.
function paint(heat, side, box, scale) {
  const small = new OffscreenCanvas(side, side);
  const pixels = new ImageData(side, side);
  heat.forEach((value, index) => {
    const place = (value / 255) * (scale.length - 1);
    const [low, high] = [scale[Math.floor(place)], scale[Math.ceil(place)]];
    const part = place - Math.floor(place);
    for (const channel of [0, 1, 2]) pixels.data[4 * index + channel] = low[channel] + part * (high[channel] - low[channel]);
    pixels.data[4 * index + 3] = 255;
  });
  small.getContext("2d").putImageData(pixels, 0, 0);
  const canvas = document.createElement("canvas");
  const enlarged = 768 / Math.max(box.width, box.height);
  [canvas.width, canvas.height] = [box.width, box.height].map((length) => Math.max(1, Math.round(length * enlarged)));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL();
}

