"""Shell of every page: the frame with disclaimer and messages, and the guard around the server."""
