"""The printed case: ``content`` puts it into words and pictures, ``pdf`` sets them on pages.

::

    Case, Photo, Explanation × n ─ content.compose ─ ReportContent ─ pdf.render ─ bytes
                                        │                              ├── typeset   text of any script
                                        └── explain.overlay            └── sheet     pages, tables, pictures

The same content gives the same bytes, in any process; how long anything took is no content.
"""
