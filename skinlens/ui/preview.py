"""A PDF's pages as pictures, so that the preview is what will be printed."""

import io

import pypdfium2

SCALE = 1.8
"""Pixels for each point: 1,072 px across A4, readable at the full width of a page of the app."""


def pages_of(pdf: bytes) -> list[bytes]:
    """Each page as PNG."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        pages = []
        for page in document:
            file = io.BytesIO()
            page.render(scale=SCALE).to_pil().save(file, "PNG", compress_level=3)
            pages.append(file.getvalue())
        return pages
    finally:
        document.close()
