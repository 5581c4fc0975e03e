"""A language identifier: naive Bayes over the letter trigrams of a text."""

import json
import math
import os
from collections import Counter
from pathlib import Path

# In the cluster /mnt is one directory in all containers of the pod; local mode names a folder that stands for it.
MODEL = Path(os.environ.get("CORTEX_MNT", "/mnt"), "languages.json")

Model = dict[str, dict[str, float]]  # of each language: log probability of each trigram, "" for any unseen one


def trigrams(text: str) -> list[str]:
    words = "".join(letter.lower() if letter.isalpha() else " " for letter in text).split()
    return [f" {word} "[at : at + 3] for word in words for at in range(len(word))]


def train(texts: dict[str, str]) -> Model:
    model: Model = {}
    for language, text in texts.items():
        counts = Counter(trigrams(text))
        total = counts.total() + len(counts) + 1  # each trigram once more than seen, so that none is impossible
        model[language] = {each: math.log((count + 1) / total) for each, count in counts.items()}
        model[language][""] = math.log(1 / total)
    return model


def identify(model: Model, text: str) -> dict[str, object]:
    found = trigrams(text)
    scores = {
        language: sum(weights.get(each, weights[""]) for each in found) for language, weights in model.items()
    }
    best = max(scores, key=lambda language: scores[language])
    odds = sum(math.exp(max(score - scores[best], -700)) for score in scores.values())
    return {"language": best if found else None, "confidence": round(1 / odds, 4), "trigrams": len(found)}


def load() -> Model | None:
    """Return the model, or None when it has not been written yet."""
    if not MODEL.exists():
        return None
    model: Model = json.loads(MODEL.read_text(encoding="utf-8"))
    return model


def save(model: Model) -> None:
    """Write the model so that a reader finds either nothing or all of it."""
    unfinished = MODEL.with_suffix(".tmp")
    unfinished.write_text(json.dumps(model), encoding="utf-8")
    unfinished.rename(MODEL)
