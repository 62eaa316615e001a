"""Performance: how well the model does, where it fails, and what its use would be worth."""

from skinlens.ui.performance import page

page.page()
