"""Help: a tour, the terms, the keys."""

from skinlens.ui import help_page

help_page.page()
