#!/usr/bin/env python3
"""A million questions from text to groups of duplicates: dupq's command line, and beside it SemHash on the same vectors.

  python3 bench/million.py DUPQ MODEL.gguf PAIRS.csv [--texts 1000000] [--threshold 0.9] [--threads 2]
                           [--semhash 100000] [--keep FOLDER]

The texts are the distinct questions of PAIRS.csv and questions made of them by a fixed rule, without any chance: a third
are the same question in other words (a polite beginning, another case, a word left out, two letters exchanged), two thirds
join the beginning of one question with the end of another, which mostly asks something else. dupq reads the file, makes
vectors, compares all pairs exactly and writes groups. SemHash, an approximate index that says which records to drop, gets
the vectors of the first --semhash texts ready made, so that only the search is timed; dupq's search of those rows is timed
beside it (`dupq match` and `dupq cluster --link first`, which keeps and drops by the same rule, exactly), and recall is the share of the
records that the exact search drops which SemHash drops too.
"""

import argparse
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import time

OPENINGS = ("Please tell me: {}", "can someone tell me {}", "{} Thanks!", "I would like to know: {}")


def questions(path):
    """The distinct questions of a file of pairs, in order."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return list(dict.fromkeys(" ".join(r[c].split()) for r in rows for c in ("question1", "question2") if r[c].strip()))


def other_words(text, n):
    words = text.split()
    place = n * 7919 % len(words)
    if n % 4 == 0:
        return OPENINGS[n // 4 % len(OPENINGS)].format(text)
    if n % 4 == 1:
        return text.upper() if n // 4 % 2 else text.lower().rstrip("?") + " ?"
    if n % 4 == 2 and len(words) > 4:
        return " ".join(words[:place] + words[place + 1:])
    word = words[place]
    if len(word) > 3:
        at = 1 + n % (len(word) - 2)
        word = word[:at] + word[at + 1] + word[at] + word[at + 2:]
    return " ".join([*words[:place], word, *words[place + 1:]])


def joined(first, second):
    a, b = first.split(), second.split()
    return " ".join(a[:(len(a) + 1) // 2] + b[len(b) // 2:])


def make_texts(real, count):
    """`count` distinct texts."""
    texts = dict.fromkeys(real[:count])
    n = 0
    while len(texts) < count:
        one, other = real[n % len(real)], real[(n * 31 + n // len(real) * 101 + 17) % len(real)]
        texts.setdefault(other_words(one, n // 3) if n % 3 == 0 else joined(one, other))
        n += 1
    return list(texts)


def timed(*command):
    begin = time.perf_counter()
    subprocess.run([str(c) for c in command], check=True)
    return time.perf_counter() - begin


def run_semhash(vectors, threshold):
    import numpy as np
    from semhash import SemHash
    rows = np.load(vectors)

    class Known:
        """The vectors that are there already, by their text."""
        def encode(self, texts, **_):
            return rows[[int(t) for t in texts]]

    begin = time.perf_counter()
    result = SemHash.from_records(records=[str(i) for i in range(len(rows))], model=Known()).self_deduplicate(threshold=threshold)
    return time.perf_counter() - begin, {int(f.record) for f in result.filtered}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dupq")
    parser.add_argument("model")
    parser.add_argument("pairs")
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--semhash", type=int, default=100_000, help="texts that SemHash gets; 0: leave it out")
    parser.add_argument("--keep", help="a folder for what is made")
    args = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(args.keep or temporary)
        folder.mkdir(exist_ok=True)
        real = questions(args.pairs)
        texts = make_texts(real, args.texts)
        everything, part = folder / "texts.txt", folder / "part.txt"
        everything.write_text("\n".join(texts) + "\n", encoding="utf-8")
        print(f"{len(texts):,} texts, {min(len(real), len(texts)):,} of them questions of {args.pairs}", flush=True)
        options = ("--threshold", args.threshold, "--threads", args.threads)
        seconds = timed(args.dupq, "dedup", args.model, everything, "--groups", "-o", folder / "groups.csv", *options)
        with open(folder / "groups.csv", newline="", encoding="utf-8") as file:
            sizes = {}
            for row in csv.DictReader(file):
                sizes[row["group"]] = sizes.get(row["group"], 0) + 1
        print(f"dupq, text to groups: {seconds:.0f} s; {len(sizes):,} groups of {sum(sizes.values()):,} texts", flush=True)
        if args.semhash == 0:
            return
        # Every k-th text, so that the part has its share of each kind; the duplicates of a text are mostly elsewhere.
        step = max(1, len(texts) // args.semhash)
        part.write_text("\n".join(texts[::step][:args.semhash]) + "\n", encoding="utf-8")
        vectors, pairs, rows = (folder / name for name in ("part.npy", "pairs.csv", "rows.csv"))
        timed(args.dupq, "encode", args.model, part, "-o", vectors, "--threads", args.threads)
        seconds = timed(args.dupq, "match", vectors, "-o", pairs, *options)
        seconds += timed(args.dupq, "cluster", pairs, "--rows", args.semhash, "--link", "first", "-o", rows)
        with open(rows, newline="", encoding="utf-8") as file:
            dropped = {int(r["row"]) for r in csv.DictReader(file) if r["row"] != r["representative"]}
        print(f"dupq, {args.semhash:,} vectors to groups: {seconds:.2f} s, {len(dropped):,} dropped", flush=True)
        seconds, theirs = run_semhash(vectors, args.threshold)
        both = len(theirs & dropped) / max(1, len(dropped))
        print(f"SemHash, the same vectors: {seconds:.2f} s, {len(theirs):,} dropped; recall {100 * both:.1f} %")


if __name__ == "__main__":
    main()
