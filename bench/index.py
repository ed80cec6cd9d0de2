#!/usr/bin/env python3
"""One query against an index on disk, warm: bench_index (the library) and `dupq search FOLDER -`, in turns.

  python3 bench/index.py --dupq DUPQ --model M.gguf --texts TEXTS.txt --vectors V.npy [--rows 50000,1000000]
                         [--threads 1] [--queries 300] [--rounds 3] [--folder FOLDER]

TEXTS.txt has a text a line, V.npy the model's vectors of them (`dupq encode`); an index of more rows repeats them with
noise in the vectors. Queries are the first words of one text and the last ones of another, so that they are in no index.
Printed are milliseconds: medians of the rounds. `stream` is reading the integers of all rows once, `ratio` encoding and
searching together (by the library) in units of it; the tool's times are from writing a line to having read the answer,
and contain the pipes.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time


def make_queries(lines, count):
    made = []
    for i in range(count):
        first, second = lines[i * 7919 % len(lines)].split(), lines[i * 104729 % len(lines)].split()
        made.append(" ".join(first[:(len(first) + 1) // 2] + second[len(second) // 2:]))
    return made


def ask_tool(command, queries):
    """The median and the 99th percentile of milliseconds from a query to its answer."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        times = []
        for query in queries[:20] + queries:  # the first ones until everything is in memory
            begin = time.perf_counter()
            process.stdin.write(query.encode() + b"\n")
            process.stdin.flush()
            json.loads(process.stdout.readline())
            times.append(1000 * (time.perf_counter() - begin))
        process.stdin.close()
    times = sorted(times[20:])
    return times[len(times) // 2], times[len(times) * 99 // 100]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("dupq", "model", "texts", "vectors"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--rows", default="50000,1000000")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bench", default="build/bench/bench_index")
    parser.add_argument("--folder", help="where the indexes are kept; those that are there are used")
    args = parser.parse_args()
    lines = pathlib.Path(args.texts).read_text(encoding="utf-8").splitlines()
    queries = make_queries(lines, args.queries)
    print("| rows | open | encode | search | both | p99 | stream | ratio | tool | its p99 |\n" + "|---" * 10 + "|")
    with tempfile.TemporaryDirectory() as temporary:
        asked = pathlib.Path(temporary) / "queries.txt"
        asked.write_text("\n".join(queries) + "\n", encoding="utf-8")
        for rows in args.rows.split(","):
            folder = pathlib.Path(args.folder or temporary) / ("index-" + rows)
            if not folder.exists():
                subprocess.run([args.bench, "make", folder, args.model, args.texts, args.vectors, rows], check=True)
            rounds = []
            for _ in range(args.rounds):
                run = subprocess.run([args.bench, "ask", folder, args.model, asked, str(args.queries), str(args.threads)],
                                     check=True, capture_output=True, text=True)
                tool, slowest = ask_tool([args.dupq, "search", folder, "-", "--json", "--model", args.model, "--threads",
                                          str(args.threads)], queries)
                rounds.append(json.loads(run.stdout) | {"tool": tool, "tool p99": slowest})
            value = lambda key: statistics.median(r[key] for r in rounds)
            ratio = statistics.median(r["both"] / r["stream"] for r in rounds)
            print(f"| {int(rows):,} | " + " | ".join(f"{value(k):.2f}" for k in ("open", "encode", "search", "both", "p99",
                  "stream")) + f" | {ratio:.2f} | {value('tool'):.2f} | {value('tool p99'):.2f} |", flush=True)


if __name__ == "__main__":
    main()
