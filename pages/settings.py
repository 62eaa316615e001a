"""Settings: the clinic, who signs, what a visit shows at first, light or dark, the backup."""

from skinlens.ui import cache, frame
from skinlens.ui.settings import page

frame.title("Settings")
page.page(cache.store())
