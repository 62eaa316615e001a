// One listener for the whole page. What belongs to the pictures is passed on to them as an event of the document.

const OFF = "skinlens-keys-off"; // kept by the browser: "1" where the keys were turned off
const TYPED_IN = "input:not([type=checkbox], [type=radio], [type=range], [type=button], [type=submit]), textarea, select, [contenteditable]:not([contenteditable=false]), [role=textbox], [role=combobox], [role=listbox], [role=option], [role=spinbutton]";
// Controls that answer letters or digits themselves, or stand apart from the page: menus and lists, popovers, help icons.
const HOLDS = "[role=menu], [role=menuitem], [role=tree], [role=grid], [role=dialog], [role=tooltip], dialog, [data-testid=stPopoverBody], [data-testid=stTooltipIcon], [aria-haspopup][aria-expanded=true]";
const OPEN = "dialog[open], [role=dialog]:not([hidden]), [role=menu], [role=listbox], [data-testid=stPopoverBody]";
const parts = new WeakMap();

// Whether a key is for what is focused, or for what is open over the page, and not for the page.
function taken(target, page) {
  if (target.closest?.(`${TYPED_IN}, ${HOLDS}`)) return true;
  return page.querySelector(OPEN) !== null;
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".sl-keys");
  if (!root) return;
  if (!parts.has(root)) parts.set(root, new Keys(root));
  const part = parts.get(root);
  part.trigger = setTriggerValue;
  part.show(data);
}

class Keys {
  constructor(root) {
    this.root = root;
    this.dialog = root.querySelector("dialog");
    this.box = root.querySelector("input");
    this.box.checked = !this.off;
    this.box.addEventListener("change", () => {
      if (this.box.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "1");
    });
    const opener = root.querySelector("button");
    opener.addEventListener("click", () => this.dialog.showModal());
    opener.hidden = false; // from here on the keys work
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    const pressed = (event) => {
      if (!root.isConnected) document.removeEventListener("keydown", pressed);
      else this.pressed(event);
    };
    document.addEventListener("keydown", pressed);
  }

  get off() {
    return localStorage.getItem(OFF) === "1";
  }

  show(data) {
    const stamp = JSON.stringify(data);
    if (this.stamp === stamp) return;
    this.stamp = stamp;
    this.actions = Object.fromEntries(data.keys.map(({ key, action }) => [key, action]));
    this.save = data.save;
    if (this.top !== undefined && this.top !== data.top) document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0);
    this.top = data.top;
    const lines = data.keys.flatMap(({ key, words }) => {
      const term = document.createElement("dt");
      term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      return [term, Object.assign(document.createElement("dd"), { textContent: words })];
    });
    this.root.querySelector("dl").replaceChildren(...lines);
  }

  turn(by) {
    this.trigger("turn", { by, number: Date.now() });
  }

  pressed(event) {
    const action = this.actions?.[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const target = event.composedPath()[0];
    if (!action || this.off || event.repeat || event.isComposing || event.defaultPrevented) return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (taken(target, document)) return;
    event.preventDefault();
    if (action === "help") this.dialog.showModal();
    else if (action === "next") this.turn(1);
    else if (action === "previous") this.turn(-1);
    else if (action === "save") document.querySelector(`.st-key-${this.save} button`)?.click();
    else document.dispatchEvent(new CustomEvent("skinlens-key", { detail: action }));
  }
}
