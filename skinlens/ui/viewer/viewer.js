// Photos and maps side by side: one Plotly plot each, on one shared pair of axes. The ranges of the axes are kept here,
// not in the plots, so zoom and pan survive every change of class, opacity or style.

const STEP = 1.5; // of one press of a zoom button
const MOST = 40; // times magnified at most
const views = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".sl-viewer");
  if (!root) return;
  if (!views.has(root)) views.set(root, new View(root));
  const view = views.get(root);
  view.trigger = setTriggerValue;
  view.show(data);
}

class View {
  constructor(root) {
    this.root = root;
    this.grid = root.querySelector(".sl-grid");
    this.panels = new Map();
    for (const button of root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.press(button.dataset.zoom));
    }
    root.addEventListener("keydown", (event) => {
      const action = { "+": "in", "=": "in", "-": "out", 0: "whole", Home: "whole" }[event.key] ?? event.key;
      if (!event.target.matches(".sl-plot, .sl-layer") || !this.press(action)) return;
      event.preventDefault();
    });
    new ResizeObserver(() => this.resize()).observe(root);
    this.compare = new Compare(this);
    this.region = new RegionDialog(this);
    const pressed = (event) => {
      if (!root.isConnected) document.removeEventListener("skinlens-key", pressed);
      else if (this.data?.keys) this.key(event.detail);
    };
    document.addEventListener("skinlens-key", pressed); // sent by the page's shortcuts
  }

  key(action) {
    const place = action.match(/^map-(\d)$/);
    if (place && this.data.overlay) this.trigger("look", { asked: action, number: Date.now() });
    else if (place) this.compare.map(Number(place[1]));
    else if (action === "compare") this.compare.opener.click();
    else if (action === "blink") this.compare.press();
    else if (["more", "less", "style"].includes(action)) this.trigger("look", { asked: action, number: Date.now() });
    else this.press(action);
  }

  show(data) {
    const photos = Object.keys(data.photos).join(" ");
    if (this.photos !== photos) {
      this.photos = photos;
      this.size = data.frame;
      this.range = [0, this.size[0], 0, this.size[1]];
    }
    this.data = data;
    this.grid.style.setProperty("--columns", data.columns);
    this.root.querySelector(".sl-compare-open").hidden = data.panels.length < 2;
    this.root.querySelector(".sl-legend").hidden = !data.panels.some((panel) => panel.heat);
    for (const panel of data.panels) this.panel(panel);
    for (const [key, panel] of this.panels) {
      if (data.panels.some((one) => one.key === key)) continue;
      panel.figure.remove();
      this.panels.delete(key);
    }
    this.region.show(data.region, data.photos);
    this.draw();
  }

  panel(state) {
    let panel = this.panels.get(state.key);
    if (!panel) {
      const figure = document.createElement("figure");
      figure.innerHTML =
        '<h2></h2><p class="sl-shows"></p><div class="sl-frame"><div class="sl-plot" role="img"></div>' +
        '<div class="sl-note"><p></p><progress max="1"></progress><button type="button"></button></div></div>' +
        '<div class="sl-tools"><button type="button">Hottest region</button></div><figcaption></figcaption>';
      this.grid.append(figure);
      const find = (selector) => figure.querySelector(selector);
      panel = { figure, plot: find(".sl-plot"), note: find(".sl-note") };
      panel.plot.tabIndex = 0;
      find(".sl-note button").addEventListener("click", () => this.trigger(panel.action, state.key));
      find(".sl-tools button").addEventListener("click", () => this.region.ask(state.key));
      this.panels.set(state.key, panel);
    }
    const find = (selector) => panel.figure.querySelector(selector);
    find("h2").textContent = state.title;
    find(".sl-shows").textContent = state.shows;
    for (const part of ["h2", ".sl-shows"]) find(part).hidden = !find(part).textContent;
    find(".sl-frame").style.aspectRatio = `${this.size[0]} / ${Math.max(this.size[1], this.size[0] / 3)}`;
    panel.plot.setAttribute("aria-label", state.alt);
    find("figcaption").replaceChildren(
      ...state.lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })),
    );
    panel.note.hidden = !state.note;
    panel.note.classList.toggle("sl-quiet", Boolean(state.heat)); // a remark on a map, not in its place
    find(".sl-note p").textContent = state.note;
    const progress = find("progress");
    progress.hidden = state.fraction === null;
    progress.value = state.fraction ?? 0;
    progress.setAttribute("aria-label", `${state.title}: progress`);
    find(".sl-tools button").hidden = !state.heat || state.empty;
    find(".sl-tools button").setAttribute("aria-label", `Hottest region of ${state.title}, large`);
    const button = find(".sl-note button");
    panel.action = state.action;
    button.hidden = !state.action;
    button.textContent = state.button;
    button.setAttribute("aria-label", `${state.button}: ${state.title}`);
  }

  draw() {
    this.compare.offer(this.data.panels);
    clearTimeout(this.waits);
    if (!window.Plotly) {
      this.waits = setTimeout(() => this.draw(), 50);
      return;
    }
    const pairs = this.data.panels.map((state) => [this.panels.get(state.key), state]);
    for (const [panel, state] of [...pairs, ...this.compare.states(this.data.panels)]) {
      if (!panel || !state) continue;
      // Only what changed is drawn: a poll for progress must not redraw four pictures.
      const stamp = JSON.stringify([this.photos, state.photo, state.made, this.data.style, this.data.opacity]);
      if (panel.stamp === stamp) continue;
      panel.stamp = stamp;
      window.Plotly.react(panel.plot, this.traces(state), this.layout(state), {
        displayModeBar: false,
        scrollZoom: true,
        doubleClick: false,
        responsive: false,
      });
      if (!panel.listens) this.listen(panel);
    }
  }

  listen(panel) {
    panel.listens = true;
    const moved = () => {
      const { xaxis, yaxis } = panel.plot._fullLayout;
      this.move([...xaxis.range, yaxis.range[1], yaxis.range[0]], panel);
    };
    panel.plot.on("plotly_relayout", () => !this.moving && moved());
    panel.plot.on("plotly_relayouting", (change) => {
      const x = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      const y = [change["yaxis.range[1]"], change["yaxis.range[0]"]];
      if ([...x, ...y].every(Number.isFinite)) this.move([...x, ...y], panel);
    });
    panel.plot.on("plotly_doubleclick", () => this.press("whole"));
  }

  traces(state) {
    if (!state.heat) return [{ type: "scatter", x: [], y: [], hoverinfo: "skip" }];
    const bytes = Uint8Array.from(atob(state.heat), (character) => character.charCodeAt(0));
    const side = state.side;
    const [top, left, height, width] = state.box;
    const z = Array.from({ length: side }, (_, row) => Array.from(bytes.subarray(row * side, (row + 1) * side), (v) => v / 255));
    const [dx, dy] = [width / side, height / side];
    const grid = { z, x0: left + dx / 2, dx, y0: top + dy / 2, dy, zmin: 0, zmax: 1, colorscale: this.data.scale };
    const hover = { hovertemplate: "%{z:.2f}<extra></extra>" };
    if (this.data.style === "heat") {
      return [{ type: "heatmap", ...grid, ...hover, opacity: this.data.opacity, zsmooth: "best", showscale: false }];
    }
    const levels = { start: 0.25, end: 0.75, size: 0.25, showlabels: false };
    const contour = { type: "contour", ...grid, opacity: this.data.opacity, showscale: false };
    return [
      { ...contour, hoverinfo: "skip", contours: { ...levels, coloring: "none" }, line: { width: 5, color: "#101018" } },
      { ...contour, ...hover, contours: { ...levels, coloring: "lines" }, line: { width: 2.5 } },
    ];
  }

  layout(state) {
    const [x0, x1, y0, y1] = this.range;
    const axis = { visible: false, fixedrange: false, constrain: "domain" };
    const photo = this.data.photos[state.photo];
    return {
      uirevision: this.photos,
      margin: { l: 0, r: 0, t: 0, b: 0 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      dragmode: this.dragmode(),
      hoverlabel: { font: { size: 16 } },
      xaxis: { ...axis, range: [x0, x1] },
      yaxis: { ...axis, range: [y1, y0], scaleanchor: "x" },
      images: [
        {
          source: photo.source,
          xref: "x",
          yref: "y",
          x: photo.x,
          y: photo.y,
          sizex: photo.width,
          sizey: photo.height,
          sizing: "stretch",
          layer: "below",
        },
      ],
    };
  }

  dragmode() {
    return this.zoomed() || matchMedia("(pointer: fine)").matches ? "pan" : false; // a finger scrolls the page
  }

  // Every plot that is on the page now.
  plots() {
    return [...this.panels.values(), ...this.compare.shown].filter((panel) => panel.listens);
  }

  zoomed() {
    return this.range[1] - this.range[0] < this.size[0] * 0.999;
  }

  press(action) {
    const [x0, x1, y0, y1] = this.range;
    const [width, height] = [x1 - x0, y1 - y0];
    const scale = { in: 1 / STEP, out: STEP }[action];
    const shift = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[action];
    if (action === "whole") this.move([0, this.size[0], 0, this.size[1]]);
    else if (scale) {
      const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
      this.move([x - (width * scale) / 2, x + (width * scale) / 2, y - (height * scale) / 2, y + (height * scale) / 2]);
    } else if (shift && this.zoomed()) {
      const [dx, dy] = [(shift[0] * width) / 6, (shift[1] * height) / 6];
      this.move([x0 + dx, x1 + dx, y0 + dy, y1 + dy]);
    } else return false;
    return true;
  }

  // Never beyond the photo, never closer than MOST times.
  move(asked, from = null) {
    const [width, height] = this.size;
    const span = Math.min(1, Math.max(1 / MOST, (asked[1] - asked[0]) / width));
    const place = (low, high, full) => Math.min(Math.max((low + high) / 2 - (span * full) / 2, 0), full * (1 - span));
    const [x, y] = [place(asked[0], asked[1], width), place(asked[2], asked[3], height)];
    this.range = [x, x + span * width, y, y + span * height];
    const corrected = this.range.some((value, index) => Math.abs(value - asked[index]) > 0.01);
    if (corrected) from = null;
    this.from = this.frame && this.from !== from ? null : from;
    this.frame ??= requestAnimationFrame(() => this.spread());
  }

  async spread() {
    this.frame = null;
    const [x0, x1, y0, y1] = this.range;
    this.moving = true;
    const dragmode = this.dragmode();
    const others = this.plots().filter((panel) => panel !== this.from);
    await Promise.all(
      others.map((panel) =>
        window.Plotly.relayout(panel.plot, { "xaxis.range": [x0, x1], "yaxis.range": [y1, y0], dragmode }),
      ),
    );
    this.moving = false;
    this.root.dataset.range = this.range.map((value) => value.toFixed(1)).join(" ");
  }

  resize() {
    if (!window.Plotly || !this.grid.offsetWidth) return; // also told when the page is left
    for (const panel of this.plots()) window.Plotly.Plots.resize(panel.plot);
  }
}
