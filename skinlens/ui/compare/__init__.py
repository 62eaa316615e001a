"""Two visits of one lesion: in one frame, in numbers, and over time."""
