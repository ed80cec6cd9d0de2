#!/usr/bin/env python3
"""Writes metrics_cases.inc and split_cases.inc, the truth for metrics.cpp and split.cpp, as scikit-learn has it.

Run by hand when a case is added (needs numpy and scikit-learn): python3 tests/unit/make_fixtures.py
"""

import pathlib
import warnings

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix, f1_score
from sklearn.model_selection import train_test_split

HERE = pathlib.Path(__file__).parent
f32 = np.float32
warnings.simplefilter("ignore")


def literal(x):
    return str(f32(x)) + ("f" if any(c in str(f32(x)) for c in ".e") else ".f")


def counts(labels, called):
    tn, fp, fn, tp = confusion_matrix(labels, called, labels=[0, 1]).ravel()
    return f"{{{tp}, {fp}, {fn}, {tn}}}"


def first_best(scores, labels, thresholds):
    return max(thresholds, key=lambda t: f1_score(labels, scores >= t, zero_division=0))  # max keeps the first


def metrics_case(name, scores, labels):
    scores = np.array(scores, dtype=f32)
    labels = np.array(labels)
    wide = scores.astype(np.float64)
    levels = np.unique(scores)[::-1]
    lowest = first_best(scores, labels, levels)
    below = levels[levels < lowest]
    threshold = lowest
    if below.size:
        middle = f32((float(lowest) + float(below[0])) / 2)
        threshold = middle if middle > below[0] else lowest
    grid = first_best(wide, labels, [k / 100 for k in range(-100, 101)])
    unit = first_best(wide, labels, np.linspace(0, 1, 101))
    ap = average_precision_score(labels, scores) if labels.any() else 0.0
    return (f'{{"{name}", {{{", ".join(map(literal, scores))}}}, "{"".join(map(str, labels))}", {literal(threshold)}, '
            f"{counts(labels, scores >= lowest)}, {counts(labels, wide >= 0.5)}, {float(grid)!r}, {float(unit)!r}, {float(ap)!r}}},\n")


def metrics_cases():
    rng = np.random.default_rng(7)
    up = np.nextafter(f32(0.5), f32(1))
    yield metrics_case("one duplicate", [0.25], [1])
    yield metrics_case("one that differs", [0.25], [0])
    yield metrics_case("duplicates only", rng.random(11).round(2), [1] * 11)
    yield metrics_case("no duplicates", rng.random(9).round(2), [0] * 9)
    yield metrics_case("a constant score", [0.4] * 7, [1, 0, 0, 1, 0, 0, 0])
    yield metrics_case("perfect order", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    yield metrics_case("reversed order", [0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1])
    yield metrics_case("neighbouring floats", [0.5, up, np.nextafter(up, f32(1)), 0.25], [0, 1, 1, 0])
    yield metrics_case("a tie of both labels", [0.1, 0.6, 0.6, 0.6, 0.9], [0, 1, 0, 1, 1])
    yield metrics_case("two thresholds equally good", [0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1])
    yield metrics_case("beyond the grid", [-3, 2, 4, 1.5], [0, 1, 1, 0])
    yield metrics_case("zeros of both signs", [-0.0, 0.0, -0.0, 0.1], [1, 0, 1, 1])
    labels = rng.integers(0, 2, 60)
    yield metrics_case("many ties", (rng.random(60) + 0.3 * labels).round(1), labels)
    labels = (rng.random(400) < 0.37).astype(int)
    yield metrics_case("400 pairs", (rng.normal(size=400) * 0.4 + 0.5 * labels).round(3), labels)


def rows(r):
    return "{" + ", ".join(map(str, r)) + "}"


def split_case(labels, seed, train=None, test=None):
    size = lambda s: "{}" if s is None else f"share({s!r})"
    text = "".join(map(str, labels))
    try:
        a, b = train_test_split(range(len(labels)), train_size=train, test_size=test, stratify=labels, random_state=seed)
    except ValueError:
        a, b = [], []
    return f'{{"{text}", {seed}, {size(train)}, {size(test)}, {rows(a)}, {rows(b)}}},\n'


def split_cases():
    rng = np.random.default_rng(3)
    yield "// One label in four a duplicate, ties in rounding, sizes as counts and fractions.\n"
    for n, seed, train, test in [(12, 0, None, None), (12, 42, None, 0.5), (23, 1, 7, None), (40, 42, 10, 11),
                                 (41, 4294967295, 0.3, 0.3), (57, 9, None, 0.2), (64, 42, 0.5, 32)]:
        yield split_case((rng.random(n) < 0.25).astype(int), seed, train, test)
    half = [0, 1] * 5
    for seed in range(4):
        yield split_case(half, seed, 5)
    yield split_case([1] * 9, 5, None, 3)
    yield split_case([0] * 9, 5, 4, 2)
    yield "// What scikit-learn refuses: no rows.\n"
    for labels, train, test in [([], None, None), ([0], None, None), ([0, 0, 0, 1], 2, None), (half, None, 1),
                                (half, 1, None), (half, 10, None), (half, 0, None), (half, -3, None), (half, 6, 5),
                                (half, 0.0, None), (half, None, 1.0), (half, None, 1.5), (half, 0.7, 0.4),
                                (half, None, 11), (half, None, 0.05), ([0, 0], None, None)]:
        yield split_case(labels, 42, train, test)


def three_way(labels, train, validation, test, seed):
    labels = np.array(labels)
    keep = np.arange(len(labels))
    if train + validation + test < len(labels):
        keep, _ = train_test_split(keep, train_size=train + validation + test, stratify=labels, random_state=seed)
    a, rest = train_test_split(keep, train_size=train, stratify=labels[keep], random_state=seed)
    b, c = train_test_split(rest, train_size=validation, stratify=labels[rest], random_state=seed)
    return a, b, c


def notebook(labels):
    """The notebook's own three calls."""
    labels = np.array(labels)
    keep = np.arange(len(labels))
    if len(labels) > 50000:
        keep, _ = train_test_split(keep, train_size=50000, stratify=labels, random_state=42)
    a, rest = train_test_split(keep, test_size=0.2, stratify=labels[keep], random_state=42)
    b, c = train_test_split(rest, test_size=0.5, stratify=labels[rest], random_state=42)
    return a, b, c


def digest(parts):
    h = 14695981039346656037
    for part in parts:
        for r in part:
            h = (h ^ int(r)) * 1099511628211 % 2**64
    return h


def three_way_cases():
    pattern = lambda n: [int(i * i % 7 < 3) for i in range(n)]
    yield "// rows, sizes, seed, first row of each part, digest of all\n"
    for n, sizes, seed in [(60, (40, 10, 10), 42), (60, (30, 10, 5), 7), (501, (300, 100, 101), 0)]:
        parts = three_way(pattern(n), *sizes, seed)
        yield f"{{{n}, {{{', '.join(map(str, sizes))}}}, {seed}, {{{', '.join(str(p[0]) for p in parts)}}}, {digest(parts)}u}},\n"
    yield "// the notebook's split\n"
    for n in [33, 120, 50000, 50200]:
        parts = notebook(pattern(n))
        sizes = ", ".join(str(len(p)) for p in parts)
        yield f"{{{n}, {{{sizes}}}, notebook, {{{', '.join(str(p[0]) for p in parts)}}}, {digest(parts)}u}},\n"


def main():
    note = "// Written by make_fixtures.py.\n"
    (HERE / "metrics_cases.inc").write_text(note + "".join(metrics_cases()))
    (HERE / "split_cases.inc").write_text(note + "".join(split_cases()))
    (HERE / "three_way_cases.inc").write_text(note + "".join(three_way_cases()))


if __name__ == "__main__":
    main()
