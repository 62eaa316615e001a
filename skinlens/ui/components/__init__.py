"""Pieces that several pages draw: viewer, outline editor, body map, keys, charts, figures and names in words."""
