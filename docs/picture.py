"""Architecture picture: the layers of the import contract as an SVG, so that the picture is the code's own order.

``make docs`` writes it to ``docs/architecture.svg``; a test holds the file to the contract. Colors are readable on a
light and on a dark page.
"""

import tomllib
from html import escape
from pathlib import Path

import listing

ROOT = Path(__file__).resolve().parents[1]
WIDTH, ROW, GAP, LEFT = 900, 34, 8, 190
COLORS = {"ui": "#2a7f86", "cli": "#2a7f86", "pipeline": "#c9762b"}
SIDES = {
    "cli": "what people use",
    "quantization": "from a run to a release",
    "training": "networks learn",
    "pipeline": "the one door",
    "report": "what is kept and printed",
    "checks": "how far maps hold",
    "explain": "maps of the served model",
    "networks": "architectures, outline",
    "inference": "the int8 engine",
    "imaging": "from bytes to a photo",
}
"""What stands left of a layer, by one of its modules."""


def picture(root: Path = ROOT) -> str:
    """An SVG with a row a layer, the highest first; a row may use only the rows below it."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    layers = [layer for layer in listing.layers(settings) if layer != ["__main__"]]
    height = len(layers) * (ROW + GAP) + GAP
    words = "; ".join(", ".join(layer) for layer in layers)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="13" role="img" aria-label="Layers of the code, the highest first: {escape(words)}">'
    ]
    for place, layer in enumerate(layers):
        top = GAP + place * (ROW + GAP)
        side = next((SIDES[name] for name in layer if name in SIDES), "")
        lines.append(f'<text x="0" y="{top + 22}" fill="#7f8d92">{escape(side)}</text>')
        each = (WIDTH - LEFT + GAP) / len(layer)
        for number, name in enumerate(layer):
            left, color = LEFT + number * each, COLORS.get(name, "#4d6b78")
            middle = left + (each - GAP) / 2
            lines.append(
                f'<rect x="{left:.0f}" y="{top}" width="{each - GAP:.0f}" height="{ROW}" rx="4" fill="{color}"/>'
                f'<text x="{middle:.0f}" y="{top + 22}" text-anchor="middle" fill="#ffffff">{name}</text>'
            )
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    (ROOT / "docs" / "architecture.svg").write_text(picture(), encoding="utf-8")
