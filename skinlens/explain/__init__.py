"""Three explanations of one prediction: where in the photo did the model find its reasons?"""
