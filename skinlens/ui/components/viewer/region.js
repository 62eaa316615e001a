// The hottest region of a map, in the original photo's own pixels: asked of the app, shown in a dialog over the page.

class RegionDialog {
  constructor(view) {
    this.view = view;
    this.dialog = view.root.querySelector(".sl-region");
    this.dialog.querySelector("button").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  ask(key) {
    this.asked = Date.now();
    this.view.trigger("region", { key, number: this.asked });
  }

  // The app goes on answering until another case is opened; only the answer to the last question is shown, once.
  show(region) {
    if (!region || region.number !== this.asked) return;
    this.asked = null;
    const find = (selector) => this.dialog.querySelector(selector);
    find("h3").textContent = region.title;
    this.dialog.setAttribute("aria-label", region.title);
    find("p").textContent = region.words;
    Object.assign(find(".sl-region-part"), { src: region.source, alt: region.alt });
    find(".sl-region-whole img").src = loaded(region.photo)?.small ?? "";
    const [left, top, width, height] = region.place.map((part) => `${100 * part}%`);
    Object.assign(find("i").style, { left, top, width, height });
    this.dialog.showModal();
  }
}

