"""Report of a case: ``content`` puts it into words and pictures, ``pdf`` sets them on pages.

::

    CaseRecord ─ content.compose ─ ReportContent ─ pdf.render ─ bytes
        ├─ annex ──────┤                 │              ├── text, faces   what can be printed
        └─ change ─────┘            pdf.preview         └── report.typ    pages, by Typst

The same content gives the same bytes, in any process; how long anything took is no content.
"""
