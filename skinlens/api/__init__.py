"""REST interface for programs of the reader's own: the functions of the app and the command line, by HTTP and token."""
