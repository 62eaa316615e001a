"""Settings: the clinic, who signs, what a visit shows at first, light or dark, the backup."""

from skinlens.ui.settings import page
from skinlens.ui.shell import frame
from skinlens.ui.state import cache

frame.title("Settings")
page.page(cache.store())
