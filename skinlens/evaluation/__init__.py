"""Evaluation of the served int8 model on a labeled data set, through the app's own preprocessing."""
