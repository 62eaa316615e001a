"""Numbers for the model card: the served int8 model, through the app's own preprocessing, on a labelled data set."""
