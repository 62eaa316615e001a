"""The page of the settings: one section each for the clinic, who signs, the display, light or dark, and the backup."""
