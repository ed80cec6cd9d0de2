#!/usr/bin/env python3
"""Writes loss_cases.inc, the truth for losses.cpp: sentence-transformers' losses of bare vectors, in float64.

Run by hand when a case is added (needs torch and sentence-transformers 6): python3 tests/unit/make_losses.py
"""

import pathlib

import numpy as np
import torch
from sentence_transformers.sentence_transformer import losses

HERE = pathlib.Path(__file__).parent
MAKERS = {
    "cosine": losses.CosineSimilarityLoss,
    "contrastive": losses.ContrastiveLoss,
    "online": losses.OnlineContrastiveLoss,
    "mnr": losses.MultipleNegativesRankingLoss,
}


class Bare(torch.nn.Module):
    """A model whose features are its vectors."""

    def forward(self, features):
        return {"sentence_embedding": features["vectors"]}


def numbers(values):
    return "{" + ", ".join(f"{float(x):.9g}" for x in np.asarray(values).ravel()) + "}"


def floats(values):
    return "{" + ", ".join(f"{float(x)!r}f" if float(x) % 1 else f"{float(x):.1f}f" for x in np.asarray(values).ravel()) + "}"


def sixteenths(values):
    return np.round(values * 16) / 16  # floats, and short ones to write


def case(name, loss, dim, columns, labels):
    vectors = [torch.tensor(np.asarray(c, dtype=np.float32).astype(np.float64), requires_grad=True) for c in columns]
    value = MAKERS[loss](Bare())([{"vectors": v} for v in vectors],
                                 None if labels is None else torch.tensor(labels, dtype=torch.float64))
    value.backward()
    gradients = [torch.zeros_like(v) if v.grad is None else v.grad for v in vectors]
    columns = list(vectors) + [torch.zeros(0)] * (3 - len(vectors))
    return (f'{{"{name}", "{loss}", {dim}, {", ".join(floats(c.detach()) for c in columns)}, {floats(labels or [])},\n'
            f' {float(value.detach())!r}, {numbers(torch.cat([g.ravel() for g in gradients]))}}},\n')


def of_vectors():
    rng = np.random.default_rng(3)

    def some(rows, dim):
        return sixteenths(rng.normal(size=(rows, dim)))

    def near(u, by):
        return sixteenths(u + by * rng.normal(size=u.shape))

    labelled = ("cosine", "contrastive", "online")
    u = some(7, 5)
    v = near(u, 0.6)
    for loss in labelled:
        yield case("mixed", loss, 5, [u, v], [0, 1, 0, 1, 1, 0, 0])
        yield case("no positive", loss, 5, [u, v], [0] * 7)
        yield case("no negative", loss, 5, [u, v], [1] * 7)
        yield case("one positive", loss, 5, [u, v], [0, 0, 1, 0, 0, 0, 0])
        yield case("one negative", loss, 5, [u, v], [1, 1, 1, 1, 1, 1, 0])
        yield case("one pair", loss, 5, [u[:1], v[:1]], [1])
        yield case("one different pair", loss, 5, [u[:1], v[:1]], [0])
        yield case("opposite vectors", loss, 5, [u[:2], -u[:2]], [1, 0])
        yield case("a zero vector", loss, 5, [np.vstack([np.zeros(5), u[1:3]]), v[:3]], [1, 0, 1])
        yield case("one number", loss, 1, [some(4, 1), some(4, 1)], [1, 0, 1, 0])
    quarters = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    yield case("ties", "online", 2, [quarters, quarters[::-1]], [1, 0, 0, 1])
    yield case("the target -1", "cosine", 5, [u, v], [-1, 1, -1, 1, 1, -1, -1])
    yield case("mixed", "mnr", 5, [u, v], None)
    yield case("with negatives", "mnr", 5, [u, v, near(v, 1)], None)
    yield case("one pair", "mnr", 5, [u[:1], v[:1]], None)
    yield case("one triple", "mnr", 5, [u[:1], v[:1], u[1:2]], None)
    yield case("a question twice", "mnr", 5, [u[[0, 1, 0]], v[:3]], None)
    yield case("all candidates the same", "mnr", 5, [u[:3], v[[0, 0, 0]]], None)
    yield case("opposite vectors", "mnr", 5, [u[:3], -u[:3]], None)
    yield case("19 wide", "mnr", 19, [some(4, 19), some(4, 19), some(4, 19)], None)
    yield case("19 wide", "online", 19, [some(4, 19), some(4, 19)], [1, 0, 0, 1])


def of_logits():
    logits = [0.0, 0.5, -3.25, 40.0, -40.0, -120.0, 1e4, -1e4]
    for labels in ([0, 1, 0, 0, 0, 0, 0, 1], [1, 0, 1, 1, 1, 1, 1, 0], [0.25] * 8):
        z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        value = torch.nn.BCEWithLogitsLoss()(z, torch.tensor(labels, dtype=torch.float64))
        value.backward()
        yield (f'{{"logits", "cross", 1, {floats(logits)}, {{}}, {{}}, {floats(labels)},\n'
               f' {float(value.detach())!r}, {numbers(z.grad)}}},\n')


def main():
    cases = "".join(of_vectors()) + "".join(of_logits())
    (HERE / "loss_cases.inc").write_text("// Written by make_losses.py.\n" + cases)


if __name__ == "__main__":
    main()
