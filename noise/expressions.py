"""The names of the expression classes, in the order that label lists use."""

SEVEN = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
EIGHT = (*SEVEN[:-1], "contempt", "neutral")
