"""The names of the expression classes, the words that people write for them, and the orders in which they are numbered."""

import re

SEVEN = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
EIGHT = (*SEVEN[:-1], "contempt", "neutral")
BY_COUNT = {8: EIGHT, 7: SEVEN}

# What a label number stands for, by the data set whose publication numbers the classes so.
ORDERS = {
    "rafdb": ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"),
    "ferplus": ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    "affectnet": ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"),
    "fer2013": ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
}

WORDS = {
    "anger": ("angry",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happiness": ("happy", "joy"),
    "sadness": ("sad",),
    "surprise": ("surprised",),
    "contempt": ("contemptuous",),
    "neutral": (),
}
MISSPELT = {
    "suprise": "surprise",
    "suprised": "surprise",
    "surprize": "surprise",
    "happines": "happiness",
    "hapiness": "happiness",
    "hapinness": "happiness",
    "sadnes": "sadness",
    "neural": "neutral",
    "netural": "neutral",
    "nuetral": "neutral",
    "disguist": "disgust",
    "digust": "disgust",
    "contemp": "contempt",
}
MEANT = {word: name for name, words in WORDS.items() for word in (name, *words)} | MISSPELT


def class_word(text: str) -> str:
    """A class as it is called here: 'Happy', '3_happy', 'HAPPINESS' and '3. happy' are happiness; other words in lower case."""
    word = text.strip().lower()
    if word in MEANT:
        return MEANT[word]
    unnumbered_word = re.sub(r"^[0-9]{1,2}[\s_.:)-]+", "", word)
    return MEANT.get(unnumbered_word, word)
