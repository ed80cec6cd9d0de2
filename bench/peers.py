#!/usr/bin/env python3
"""Measures dupq beside PyTorch, ONNX Runtime, OpenVINO, fastembed, llama.cpp and zentorch, each at its best.

    python3 bench/peers.py --model FOLDER --gguf FILE [--int8] [--texts FILE] [--threads N] [--rounds N] [--count N]
    python3 bench/peers.py --model FOLDER --gguf FILE [--int8] --latency

FOLDER is the sentence-transformers model, FILE the same model converted by `dupq convert`. Every program encodes the
same texts sorted by length, on the same cores, in turn (A B C, A B C, ...), and the table shows medians of questions a
second and dupq's ratio to each. Tokenizing is part of every time; loading, exporting and a warm-up are not. Each peer
has the batch that suits it best, found by a round that does not count. --latency encodes the texts of --tokens tokens
(14) one by one instead and shows the 50th and 99th percentiles.

In float32, or with --int8 in 8-bit integers: FILE is then of that type, ONNX Runtime has dynamically quantized weights
and activations, OpenVINO statically quantized ones (NNCF, calibrated on 300 of the texts), llama.cpp q8_0. A peer whose
vectors are further from PyTorch's in float32 than its type explains is marked as wrong.

--tokenizer compares tokenizers alone: dupq's, nanotoken, Hugging Face's and, if it is installed, flash-tokenizer, all
in one thread; see peer_tokenizers.py. It needs nanotoken, tokenizers and numpy.

Each peer is a process (peer_worker.py). One that this Python lacks is left out, or runs with another:
--python "llama.cpp=/some/venv/bin/python". llama.cpp reads --plain FILE (`dupq convert --layout plain --type f16`).
--results FILE keeps the rounds, and a later call adds its own to them: few rounds at a time, where a machine is seldom
quiet. --hold COMMAND is started before each round; the round begins when it prints a line, and its input is closed when
the round is over. --install installs what is missing with pip into the Python that runs this.
"""

import argparse
import importlib.util
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peer_tokenizers as tok

NEEDED = ["torch", "transformers", "tokenizers", "numpy"]
# What each peer needs, how far the least cosine may be from 1 in float32 (llama.cpp: f16) and in 8-bit integers.
PEERS = {
    "PyTorch": (["torch", "transformers"], 1e-5, None),
    "PyTorch, compiled": (["torch", "transformers"], 1e-5, None),
    "ONNX Runtime": (["onnxruntime", "onnx", "torch"], 1e-5, 0.05),
    "ONNX Runtime, fused": (["onnxruntime", "onnx", "torch"], 1e-5, 0.05),
    "OpenVINO": (["openvino", "nncf"], 1e-5, 0.05),
    "fastembed": (["fastembed"], 1e-5, None),
    "llama.cpp": (["llama_cpp"], 1e-3, 0.05),
    "zentorch": (["zentorch"], 1e-5, None),
}
BATCHES = (8, 16, 32, 64)
ROOT = Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of the sentence-transformers model")
    parser.add_argument("--gguf", type=Path, required=True, help="the same model, converted")
    parser.add_argument("--plain", type=Path, help="the same with --layout plain --type f16, for llama.cpp")
    parser.add_argument("--texts", type=Path, default=ROOT / "examples/questions.txt", help="one text a line")
    parser.add_argument("--bench", type=Path, default=ROOT / "build/bench/bench_encode", help="bench_encode")
    parser.add_argument("--threads", type=int, default=1, help="threads and cores of every program (1)")
    parser.add_argument("--rounds", type=int, default=5, help="times that each program runs (5)")
    parser.add_argument("--count", type=int, default=None, help="texts, the first of the file (500; tokenizers: all)")
    parser.add_argument("--int8", action="store_true", help="8-bit integers")
    parser.add_argument("--latency", action="store_true", help="one text at a time, those of --tokens tokens")
    parser.add_argument("--tokens", type=int, default=14, help="tokens of the texts of --latency (14)")
    parser.add_argument("--unsorted", action="store_true", help="in the file's order; batches are padded as they come")
    parser.add_argument("--kernels", default="", help="dupq's kernel table, for instance avx2")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="only these")
    parser.add_argument("--python", action="append", default=[], metavar="PEER=PATH", help="a peer's own Python")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "dupq-peers",
                        help="folder for exported and quantized models")
    parser.add_argument("--results", type=Path, help="file that keeps rounds from call to call")
    parser.add_argument("--hold", help="command beside each round")
    parser.add_argument("--tokenizer", action="store_true", help="compare tokenizers only")
    parser.add_argument("--install", action="store_true", help="install missing packages with pip")
    return parser.parse_args()


def missing(packages):
    return [p for p in packages if importlib.util.find_spec(p.replace("-", "_")) is None]


def prepare(options):
    """Packages, files and cores, before any library starts its threads."""
    needed = tok.NEEDED if options.tokenizer else NEEDED
    optional = tok.OPTIONAL if options.tokenizer else ["onnx", "onnxruntime", "openvino", "nncf", "fastembed"]
    if options.count is None:
        options.count = sys.maxsize if options.tokenizer else 500
    if options.install and (absent := missing(needed + optional)):
        subprocess.run([sys.executable, "-m", "pip", "install", *absent], check=True)
    if absent := missing(needed):
        sys.exit(f"peers.py: missing packages: {' '.join(absent)} (--install installs them)")
    for path in (options.model, options.gguf, options.texts, options.bench, options.plain):
        if path is not None and not path.exists():
            sys.exit(f"peers.py: {path}: not found")
    if min(options.threads, options.rounds, options.count) < 1:
        sys.exit("peers.py: --threads, --rounds and --count must be at least 1")
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < options.threads:
            sys.exit(f"peers.py: {options.threads} threads, but only {len(cores)} cores")
        os.sched_setaffinity(0, cores[-options.threads :])  # programs that this starts inherit it
    os.environ.update(
        OMP_NUM_THREADS=str(options.threads),
        RAYON_NUM_THREADS=str(options.threads),
        TOKENIZERS_PARALLELISM="true" if options.threads > 1 else "false",
        HF_HUB_OFFLINE="1",
    )
    options.pythons = dict(text.split("=", 1) for text in options.python)
    options.cache = options.cache / options.model.resolve().name
    options.cache.mkdir(parents=True, exist_ok=True)


class Dupq:
    name = "dupq"

    def __init__(self, options, folder):
        self.vectors_file = Path(folder) / "dupq.f32"
        self.command = [options.bench, options.gguf, options.texts, "--threads", options.threads]
        self.command += ["--count", options.count, "--runs", 1, "--vectors", self.vectors_file]
        self.command += ["--kernels", options.kernels] if options.kernels else []
        self.command += ["--unsorted"] if options.unsorted else []
        self.command += ["--latency"] if options.latency else []

    def run(self):
        """Questions/s, or two percentiles, and the vectors in the order of the file."""
        import numpy

        done = subprocess.run([str(part) for part in self.command], capture_output=True, text=True)
        rate = re.search(r"^([0-9.]+) questions/s", done.stdout, re.MULTILINE)
        times = re.search(r"^p50 ([0-9.]+) us, p99 ([0-9.]+) us", done.stdout, re.MULTILINE)
        if done.returncode != 0 or (rate or times) is None:
            sys.exit(f"peers.py: bench_encode failed: {done.stderr.strip()}")
        result = float(rate[1]) if rate else (float(times[1]), float(times[2]))
        return result, numpy.fromfile(self.vectors_file, dtype=numpy.float32)


class Peer:
    """Another program, in a process that stays."""

    def __init__(self, name, options, texts, folder):
        self.name, self.latency = name, options.latency
        # By characters, the longest first, as sentence-transformers and bench_encode do.
        self.order = list(range(len(texts)))
        if not options.unsorted and not options.latency:
            self.order.sort(key=lambda i: -len(texts[i]))
        self.texts = [texts[i] for i in self.order]
        self.vectors_file = Path(folder) / f"{name}.f32"
        self.log = open(Path(folder) / f"{name}.log", "w+", encoding="utf-8")
        given = dict(model=str(options.model), cache=str(options.cache), plain=str(options.plain),
                     threads=options.threads, int8=options.int8 and PEERS[name][2] is not None, list=texts)
        command = [options.pythons.get(name, sys.executable), Path(__file__).with_name("peer_worker.py"), name,
                   json.dumps(given)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True)
        self.ready = self.process.stdout.readline() != ""
        self.batch = 0
        if not self.ready:
            print(f"{name} is left out: {self.last_words()}", file=sys.stderr)
        elif self.latency:
            self.ask(0, self.texts[:50])

    def last_words(self):
        self.log.seek(0)
        return (self.log.read().strip().splitlines() or ["it ended"])[-1]

    def ask(self, batch, texts):
        request = {"texts": texts, "batch": batch, "vectors": str(self.vectors_file)}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"peers.py: {self.name}: {self.last_words()}")
        return json.loads(answer)["seconds"]

    def choose_batch(self):
        """The fastest on a few texts of every length, after a warm-up."""
        some = self.texts[:: max(1, len(self.texts) // 192)]
        self.batch = max(BATCHES, key=lambda batch: (self.ask(batch, some), -self.ask(batch, some))[1])

    def run(self):
        import numpy

        seconds = self.ask(self.batch, self.texts)
        sorted_vectors = numpy.fromfile(self.vectors_file, dtype=numpy.float32).reshape(len(self.texts), -1)
        vectors = numpy.empty_like(sorted_vectors)
        vectors[self.order] = sorted_vectors
        return percentiles(seconds) if self.latency else len(self.texts) / seconds, vectors

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def percentiles(seconds):
    """The 50th and the 99th percentile, in microseconds."""
    seconds = sorted(seconds)
    return seconds[len(seconds) // 2] * 1e6, seconds[len(seconds) * 99 // 100] * 1e6


def check_pooling(folder):
    from peer_models import read_json

    modes = [key for key, on in read_json(folder, "1_Pooling/config.json").items() if on is True and "pooling" in key]
    normalizes = any("Normalize" in module["type"] for module in read_json(folder, "modules.json"))
    if modes != ["pooling_mode_mean_tokens"] or not normalizes:
        sys.exit(f"peers.py: {folder}: only models that take the mean and normalise are compared here")


def programs(options, texts, folder):
    """PyTorch, whose vectors judge, and the others that can run."""
    running = [Dupq(options, folder)]
    for name, (packages, _, int8) in PEERS.items():
        asked = name in options.peers and (int8 is not None or not options.int8)
        if name != "PyTorch" and not asked:
            continue
        absent = [] if name in options.pythons else missing(packages)
        if name == "llama.cpp" and options.plain is None:
            absent = ["--plain FILE"]
        if absent:
            print(f"{name} is left out: {' '.join(absent)} missing", file=sys.stderr)
            continue
        peer = Peer(name, options, texts, folder)
        if peer.ready:
            running.append(peer)
    return running


class held:
    """--hold's command, from its first line of output until its input is closed."""

    def __init__(self, command):
        self.command = command

    def __enter__(self):
        if self.command:
            self.process = subprocess.Popen(self.command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.process.stdout.readline()

    def __exit__(self, *_):
        if self.command:
            self.process.stdin.close()
            self.process.wait()


def measure(options, running):
    """Rounds of all programs by name, and their vectors."""
    rates, vectors, batches = {p.name: [] for p in running}, {}, {}
    if options.results is not None and options.results.exists():
        kept = json.loads(options.results.read_text(encoding="utf-8"))
        if set(kept["rates"]) != set(rates):
            sys.exit(f"peers.py: {options.results}: rounds of other programs")
        rates, batches = kept["rates"], kept["batches"]
    peers = [p for p in running if isinstance(p, Peer)]
    if not options.latency and not batches:
        with held(options.hold):
            for peer in peers:
                peer.choose_batch()
        batches = {p.name: p.batch for p in peers}
    for peer in peers:
        peer.batch = batches.get(peer.name, 0)
        if not options.latency:
            peer.ask(peer.batch, peer.texts[-peer.batch :])
    for number in range(options.rounds):
        with held(options.hold):
            for program in running:
                time.sleep(0.1)  # threads of the one before that still spin go to sleep
                rate, vectors[program.name] = program.run()
                rates[program.name].append(rate)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        if options.results is not None:
            options.results.write_text(json.dumps({"rates": rates, "batches": batches}), encoding="utf-8")
    for peer in peers:
        peer.close()
    return rates, vectors, batches


def quality(options, vectors, name, count):
    """Mean and lowest cosine to PyTorch's vectors, and whether they are what the type explains."""
    cosine = (vectors[name].reshape(count, -1) * vectors["PyTorch"]).sum(axis=1, dtype="float64")
    allowed = PEERS.get(name, (None, 1e-5, 0.05))[2 if options.int8 else 1]
    wrong = allowed is not None and not cosine.min() >= 1 - allowed
    return f"{cosine.mean():.7f} | {cosine.min():.7f}" + (" wrong: does not count" if wrong else "")


def print_table(options, rates, vectors, batches, count):
    """The ratios are of the same round."""
    latency = options.latency
    heads = ["p50, us", "p99, us", "p50 is longer by"] if latency else ["questions/s, median", "lowest - highest",
                                                                        "dupq is faster by"]
    print(f"| program | {' | '.join(heads)} | cosine to PyTorch, mean | lowest |\n|---|---|---|---|---|---|")
    ours = rates["dupq"]
    for name, runs in rates.items():
        if latency:
            p50, p99 = (statistics.median(run[i] for run in runs) for i in (0, 1))
            ratio = statistics.median(a[0] / b[0] for a, b in zip(runs, ours))
            cells = f"{p50:.0f} | {p99:.0f}"
        else:
            ratio = statistics.median(a / b for a, b in zip(ours, runs))
            cells = f"{statistics.median(runs):.1f} | {min(runs):.1f} - {max(runs):.1f}"
        batch = f", batch {batches[name]}" if name in batches else ""
        kind = " (float32)" if options.int8 and name == "PyTorch" else ""
        print(f"| {name}{kind}{batch} | {cells} | {ratio:.2f} | {quality(options, vectors, name, count)} |")


def main():
    options = arguments()
    prepare(options)
    if options.tokenizer and options.threads != 1:
        sys.exit("peers.py: tokenizers are compared in one thread")
    with open(options.texts, encoding="utf-8", newline="\n") as file:
        texts = [line.removesuffix("\n") for line in itertools.islice(file, options.count)]
    if not texts:
        sys.exit(f"peers.py: {options.texts}: has no text")
    options.whole_file = len(texts) < options.count
    if options.tokenizer:
        options.count = len(texts)
        return tok.compare(options, texts)
    check_pooling(options.model)
    with tempfile.TemporaryDirectory() as folder:
        if options.latency:
            from peer_models import Tokens

            length = Tokens(options.model).length
            texts = [text for text in texts if length(text) == options.tokens]
            if len(texts) < 20:
                sys.exit(f"peers.py: {options.texts}: only {len(texts)} texts of {options.tokens} tokens")
            options.texts = Path(folder) / "texts.txt"
            options.texts.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        options.count = len(texts)
        rates, vectors, batches = measure(options, programs(options, texts, folder))
    which = f"of {options.tokens} tokens one by one" if options.latency else "sorted by length"
    which = "in the file's order" if options.unsorted else which
    print(f"{options.model.resolve().name}, {len(texts)} texts {which}, {options.threads} thread(s), "
          f"{len(rates['dupq'])} rounds\n")
    print_table(options, rates, vectors, batches, len(texts))


if __name__ == "__main__":
    main()
