import assert from "node:assert/strict";
import { test } from "node:test";
import { functionsOf } from "./component.mjs";

const { curve } = functionsOf("outliner/outliner.js", "curve");

test("the outline is a closed path through its points", () => {
  const square = [[0, 0], [3, 0], [3, 3], [0, 3]];
  const path = curve(square);
  assert.ok(path.startsWith("M0,0C") && path.endsWith("Z"));
  const ends = path.slice(1).split("C").slice(1).map((piece) => piece.replace("Z", "").split(" ").at(-1));
  assert.deepEqual(ends, ["3,0", "3,3", "0,3", "0,0"]);
});

test("the control points lie a sixth of the way that the neighbors are apart", () => {
  const [first] = curve([[0, 0], [6, 0], [6, 6], [0, 6]]).slice(1).split("C").slice(1);
  // From (0, 0) to (6, 0): before is (0, 6), after is (6, 6).
  assert.equal(first, "1,-1 5,-1 6,0");
});
