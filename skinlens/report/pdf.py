"""A report's content on A4 pages: as PDF bytes, and as pictures of the same pages.

Typst sets them by the template ``report.typ``. All that a person typed reaches it as data (``report.json``), never as
markup. The same content gives the same bytes in any process: no clock, no user, no path goes in (``content`` has put
its times into the clinic's). The file is tagged and fulfils PDF/UA-1: it can be read aloud, searched and copied. Typst
looks for fonts in the folders of ``faces`` alone, and reads and writes no other file.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import typst
from PIL import Image

from skinlens.errors import SkinLensError
from skinlens.records import Pixels
from skinlens.report import faces
from skinlens.report.content import ReportContent
from skinlens.report.text import paragraphs

TEMPLATE = Path(__file__).with_name("report.typ")
PREVIEW_PPI = 130.0
"""1,075 px across A4: readable at the full width of a page of the app."""
CODES = frozenset({"risk", "status", "code"})
"""Texts that the template looks at; all others are only printed."""
Compiler = Any
"""``typst.Compiler``, whose stubs do not know that the files of a document can be given as bytes by name."""


@runtime_checkable
class Content(Protocol):
    """Content of a document: a dataclass of texts, numbers and pictures."""

    @property
    def dated(self) -> str:
        """ISO date or time: of the file."""


def render(content: Content, template: Path = TEMPLATE) -> bytes:
    """The finished file. Content never gets lost beyond a page's edge: long texts flow over further pages."""
    (made,) = _compiled(content, template, format="pdf", pdf_standards=["ua-1"])
    return made


def preview(content: ReportContent) -> list[bytes]:
    """Each page of the file as PNG."""
    return _compiled(content, TEMPLATE, format="png", ppi=PREVIEW_PPI)


def _compiled(content: Content, template: Path, **wanted: Any) -> list[bytes]:
    files: dict[str, bytes] = {"main.typ": _template(template)}
    data = _plain(content, files)
    families = [faces.FAMILIES[name] for name in faces.TEXT if name in faces.SHIPPED or faces.is_installed(name)]
    files["report.json"] = json.dumps(data | {"families": families}, ensure_ascii=False).encode()
    compiler: Compiler = typst.Compiler(input=files, font_paths=_fonts(), ignore_system_fonts=True)  # type: ignore[type-var]
    try:
        made = compiler.compile(timestamp=_seconds(content.dated), **wanted)
    except typst.TypstError as error:
        raise SkinLensError(
            f"The report could not be typeset: {error}. Nothing is lost; the case can be read on the screen. Please "
            "report this as a fault of SkinLens."
        ) from error
    return made if isinstance(made, list) else [made]


@lru_cache
def _fonts() -> typst.Fonts:
    """Found once; a font's file is read when a first character needs it."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=faces.folders())


@lru_cache
def _template(path: Path) -> bytes:
    return path.read_bytes()


def _plain(value: Any, files: dict[str, bytes], key: str = "") -> Any:
    """As JSON: a text as its paragraphs, a picture as the name of the file that is put beside the template."""
    if isinstance(value, str):
        return value if key in CODES else [paragraph._asdict() for paragraph in paragraphs(value)]
    if isinstance(value, np.ndarray):
        name = f"picture-{len(files)}.svg"
        files[name] = _picture_file(value)
        return {"file": name, "height": value.shape[0], "width": value.shape[1]}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), files, field.name) for field in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: _plain(member, files, name) for name, member in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: _plain(member, files, name) for name, member in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(member, files) for member in value]
    return value


def _picture_file(pixels: Pixels) -> bytes:
    """A JPEG within an SVG, as the typesetter takes files in memory only as text; the JPEG goes unchanged into the PDF.

    Full color resolution, so that thin contours and saturated maps keep their colors.
    """
    jpeg = BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG", quality=90, subsampling=0)
    size = f'width="{pixels.shape[1]}" height="{pixels.shape[0]}"'
    address = f"data:image/jpeg;base64,{b64encode(jpeg.getvalue()).decode()}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><image {size} href="{address}"/></svg>'.encode()


def _seconds(dated: str) -> int:
    """Since 1970, of an ISO date or time; what has no zone is UTC."""
    moment = datetime.fromisoformat(dated)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
