"""Checks of an explanation or a prediction: does it hold, where does it look, what sways it, which branch decided."""
