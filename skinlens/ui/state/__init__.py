"""What a session and the server hold between two runs of a page: the open case, jobs, caches, drafts, the address."""
