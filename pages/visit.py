"""Visit: one photo from the impression to the signed diagnosis, its reasons, its comparison and its report."""

from skinlens.ui.visit import page

page.page()
