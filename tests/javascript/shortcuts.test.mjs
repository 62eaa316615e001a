// Keys of the page: which of them belong to what is focused, or to what is open over the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { functionsOf } from "./component.mjs";

const { taken } = functionsOf("shortcuts/shortcuts.js", "taken");

// An element whose chain of ancestors, itself first, is given as selectors.
const element = (...chain) => ({ closest: (selector) => selector.split(", ").find((one) => chain.includes(one)) ?? null });
const page = (...open) => ({ querySelector: (selector) => selector.split(", ").find((one) => open.includes(one)) ?? null });

test("a key is the page's where nothing or a plain button is focused", () => {
  assert.equal(taken(element("body"), page()), false);
  assert.equal(taken(element("button", "main"), page()), false);
  assert.equal(taken({}, page()), false); // the document itself
});

test("a field, a help icon, a menu and a popover keep their keys", () => {
  for (const one of ["textarea", "[role=combobox]", "[data-testid=stTooltipIcon]", "[role=menuitem]", "[data-testid=stPopoverBody]", "[role=dialog]", "[aria-haspopup][aria-expanded=true]"])
    assert.equal(taken(element("button", one), page()), true, one);
});

test("nothing of the page answers while something is open over it", () => {
  for (const one of ["dialog[open]", "[role=menu]", "[role=listbox]", "[data-testid=stPopoverBody]"])
    assert.equal(taken(element("body"), page(one)), true, one);
});
