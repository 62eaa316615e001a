"""Help: a tour, the terms, the keys."""

from skinlens.ui.help import page

page.page()
