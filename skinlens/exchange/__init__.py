"""Exchange: a stored visit in the words of other programs."""
