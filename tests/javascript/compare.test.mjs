import assert from "node:assert/strict";
import { test } from "node:test";
import { functionsOf } from "./component.mjs";

const { Compare } = functionsOf("viewer/compare.js", "Compare");
const photo = { key: "photo" };

function pressed(place, panels) {
  const asked = [];
  const compare = { view: { data: { panels, columns: 4 }, lacks: (panel) => asked.push(panel.key) }, open: () => asked.push("open") };
  Compare.prototype.map.call(compare, place);
  return [asked, compare.chosen];
}

test("a key lays the map over the photo where there is one", () => {
  const map = { key: "grad_cam", heat: "AA==" };
  assert.deepEqual(pressed(1, [photo, map]), [["open"], { left: "photo", right: "grad_cam" }]);
});

test("a key asks for a map that is not there", () => {
  const map = { key: "lime", heat: null, action: "make" };
  assert.deepEqual(pressed(3, [photo, {}, {}, map]), [["lime"], undefined]);
});

test("a key for a picture that the row does not have does nothing", () => {
  assert.deepEqual(pressed(3, [photo]), [[], undefined]);
});
