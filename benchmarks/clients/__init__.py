"""Clients of the load measurement: a page of the app without a browser, and the same journey in Chromium."""
