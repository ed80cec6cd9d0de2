#!/usr/bin/env python3
"""Duplicates among vectors: dupq beside numpy, faiss, usearch, sentence-transformers and SemHash, in turns.

  python3 bench/search.py --vectors V.npy [--texts TEXTS.txt] [--threshold 0.8] [--threads 2] [--rounds 5]

Each runs in a process of its own and times its search alone, without reading the file. numpy multiplies blocks and
keeps what reaches the threshold (upper triangle; the block that suits it best), faiss is IndexFlatIP.range_search,
usearch its exact search and sentence-transformers its paraphrase_mining, which both look for the 10 nearest of each row,
SemHash (an ANN index; its answers are records to drop) is given the same vectors. What is not installed is left out and
named. `found` are pairs at the threshold; recall is against dupq's.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


def load(path):
    import numpy as np
    return np.ascontiguousarray(np.load(path), dtype=np.float32)


def run_numpy(args, block):
    import numpy as np
    x, t = load(args.vectors), np.float32(args.threshold)
    start, found = time.perf_counter(), 0
    for i in range(0, len(x), block):
        for j in range(i, len(x), block):
            rows, columns = np.nonzero(x[i:i + block] @ x[j:j + block].T >= t)
            found += np.count_nonzero(columns + j > rows + i)
    return time.perf_counter() - start, int(found)


def run_faiss(args, _):
    import faiss
    import numpy as np
    faiss.omp_set_num_threads(args.threads)
    x = load(args.vectors)
    start = time.perf_counter()
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(x)
    limits, _, ids = index.range_search(x, args.threshold)
    rows = np.repeat(np.arange(len(x)), np.diff(limits.astype(np.int64)))
    found = np.count_nonzero(ids > rows)
    return time.perf_counter() - start, int(found)


def nearest_pairs(keys, scores, threshold):
    """Pairs at the threshold among the nearest of each row."""
    import numpy as np
    rows = np.repeat(np.arange(len(keys)), keys.shape[1]).reshape(keys.shape)
    kept = (scores >= threshold) & (keys != rows)
    low, high = np.minimum(rows, keys)[kept], np.maximum(rows, keys)[kept]
    return len(np.unique(low.astype(np.int64) * len(keys) + high))


def run_usearch(args, _):
    from usearch.index import MetricKind, search
    x = load(args.vectors)
    start = time.perf_counter()
    found = search(x, x, 11, MetricKind.Cos, exact=True, threads=args.threads)
    seconds = time.perf_counter() - start
    return seconds, nearest_pairs(found.keys.astype("int64"), 1 - found.distances, args.threshold)


def run_mining(args, _):
    import torch
    from sentence_transformers.util import paraphrase_mining_embeddings
    torch.set_num_threads(args.threads)
    x = torch.from_numpy(load(args.vectors))
    start = time.perf_counter()
    pairs = paraphrase_mining_embeddings(x, query_chunk_size=5000, corpus_chunk_size=100_000, max_pairs=2_000_000, top_k=10)
    return time.perf_counter() - start, sum(p[0] >= args.threshold for p in pairs)


def run_semhash(args, _):
    from semhash import SemHash
    x = load(args.vectors)

    class Known:
        """The vectors that are there already, by their text."""
        def encode(self, texts, **_):
            return x[[int(t) for t in texts]]

    texts = [str(i) for i in range(len(x))]
    start = time.perf_counter()
    result = SemHash.from_records(records=texts, model=Known()).self_deduplicate(threshold=args.threshold)
    return time.perf_counter() - start, len(result.filtered)


PEERS = {"numpy, blocks of 2048": (run_numpy, 2048), "numpy, blocks of 8192": (run_numpy, 8192),
         "faiss range_search": (run_faiss, 0), "usearch exact, 10 nearest": (run_usearch, 0),
         "paraphrase_mining, 10 nearest": (run_mining, 0), "SemHash (records dropped)": (run_semhash, 0)}


def dupq(args, *more):
    command = [args.bench, args.vectors, "--threads", str(args.threads), *more]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", required=True, help="float32 rows of the length 1, as dupq encode writes them")
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bench", default="build/bench/bench_search")
    parser.add_argument("--tables", default="", help="dupq's other kernel tables, for instance avx2,avx-vnni")
    parser.add_argument("--without", default="", help="peers that are left out, parts of their names")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        call, block = PEERS[args.peer]
        print(json.dumps(call(args, block)))
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    ours = {"dupq": ["--threshold", str(args.threshold)], "dupq, 10 nearest": ["--nearest", "10"]}
    for table in filter(None, args.tables.split(",")):
        ours[f"dupq, {table}"] = ["--threshold", str(args.threshold), "--kernels", table]
    left_out = [w for w in args.without.split(",") if w]
    peers = [p for p in PEERS if not any(w in p for w in left_out)]
    seconds, found = {}, {}
    for _ in range(args.rounds):
        for name, options in ours.items():
            result = dupq(args, *options)
            seconds.setdefault(name, []).append(result["seconds"])
            found[name] = result["found"]
        for name in list(peers):
            run = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--peer", name], capture_output=True, text=True)
            if run.returncode != 0:
                print(f"{name} is left out: {run.stderr.strip().splitlines()[-1] if run.stderr.strip() else run.returncode}",
                      file=sys.stderr)
                peers.remove(name)
                continue
            took, pairs = json.loads(run.stdout.splitlines()[-1])
            seconds.setdefault(name, []).append(took)
            found[name] = pairs
    print("| | seconds | times dupq's | found |\n|---|---|---|---|")
    for name, times in seconds.items():
        base = "dupq, 10 nearest" if "nearest" in name else "dupq"
        ratio = statistics.median(t / b for t, b in zip(times, seconds[base]))
        print(f"| {name} | {statistics.median(times):.2f} | {ratio:.2f} | {found[name]:,} |")


if __name__ == "__main__":
    main()
