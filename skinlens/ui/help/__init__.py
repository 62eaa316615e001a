"""Help: the tour, the glossary and the keys."""
