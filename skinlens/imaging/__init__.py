"""Imaging: bytes to a photo, its quality, its way into the network, and the drawn example."""
