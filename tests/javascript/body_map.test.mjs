import assert from "node:assert/strict";
import { test } from "node:test";
import { functionsOf } from "./component.mjs";

const { apart, lit, named, nearest } = functionsOf("bodymap/body_map.js", "apart", "lit", "named", "nearest");
const region = (site, side) => ({ dataset: { site, side } });

test("pins that lie on each other are moved apart, and stay within the view", () => {
  const placed = apart([[50, 50], [50, 50], [52, 50], [2, 2], [2, 2]], 100, 120);
  for (const [x, y] of placed) {
    assert.ok(x >= 12 && x <= 88, `x ${x}`);
    assert.ok(y >= 12 && y <= 108, `y ${y}`);
  }
  const distances = placed.flatMap((a, i) => placed.slice(i + 1).map((b) => Math.hypot(a[0] - b[0], a[1] - b[1])));
  assert.ok(Math.min(...distances) > 8, `nearest two ${Math.min(...distances)}`);
});

test("pins that are far apart stay where they are", () => {
  assert.deepEqual(apart([[20, 20], [80, 100]], 100, 120), [[20, 20], [80, 100]]);
});

test("a region is lit by a pin of its site whose side is its own or is not told", () => {
  assert.equal(lit(region("back", "left"), { site: "back", side: "left" }), true);
  assert.equal(lit(region("back", "left"), { site: "back", side: "right" }), false);
  assert.equal(lit(region("back", "left"), { site: "back", side: "" }), true);
  assert.equal(lit(region("abdomen", ""), { site: "abdomen", side: "left" }), true);
  assert.equal(lit(region("abdomen", ""), { site: "back", side: "" }), false);
});

test("a region without a side is named by its site alone", () => {
  assert.equal(named(region("back", "left")), "left back");
  assert.equal(named(region("abdomen", "")), "abdomen");
});

test("of several places the one nearest to their middle is taken", () => {
  assert.deepEqual(nearest([{ x: 0, y: 0 }, { x: 4, y: 5 }, { x: 10, y: 10 }]), { x: 4, y: 5 });
});
