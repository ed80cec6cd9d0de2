#!/usr/bin/env python3
"""Writes the truth that the tests with real models compare with: ids, vectors and scores of texts.txt, or of MODEL.txt
where a model has texts of its own.

sentence-transformers in float64, one text at a time, so that nothing depends on padding. Run by hand, with the folders
of the models: python3 tests/real/make_real.py FOLDER/all-MiniLM-L6-v2 FOLDER/all-mpnet-base-v2 ...

Of each model there are then MODEL.ids (a line a text), MODEL.npy (float64 rounded to float32, [texts, dim]) and
MODEL.scores.tsv (first text, second text, cosine), named after the model's folder.
"""

import pathlib
import sys

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

HERE = pathlib.Path(__file__).parent
# Every duplicate among the texts, and as many that are not.
PAIRS = [(i, i + 1) for i in range(0, 24, 2)] + [(i, (i * 7 + 5) % 24) for i in range(12)]


def main(folders):
    for folder in map(pathlib.Path, folders):
        own = HERE / f"{folder.name}.txt"
        # A text ends at its line feed and nowhere else.
        texts = (own if own.exists() else HERE / "texts.txt").read_bytes().decode().split("\n")[:-1]
        model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"}).double()
        ids = [model.preprocess([t])["input_ids"][0].tolist() for t in texts]
        with torch.no_grad():
            vectors = np.stack([model.encode([t])[0] for t in texts])
        assert vectors.dtype == np.float64
        (HERE / f"{folder.name}.ids").write_text("".join(" ".join(map(str, i)) + "\n" for i in ids))
        np.save(HERE / f"{folder.name}.npy", vectors.astype(np.float32))
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        (HERE / f"{folder.name}.scores.tsv").write_text(
            "".join(f"{a}\t{b}\t{unit[a] @ unit[b]:.9f}\n" for a, b in PAIRS))


if __name__ == "__main__":
    main(sys.argv[1:])
