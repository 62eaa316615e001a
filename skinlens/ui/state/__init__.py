"""State of a session and of the server between two runs of a page: open case, jobs, caches, drafts, address."""
