"""The page of the settings: sections for the clinic, who signs, display, light or dark, backup, and the audit log."""
