#!/usr/bin/env python3
"""Measures dupq on an NVIDIA GPU beside PyTorch there: half precision, SDPA attention, and torch.compile.

    python3 bench/peers_gpu.py --model FOLDER FILE.gguf [--model ...] [--texts FILE] [--count N] [--rounds N]

FOLDER is a sentence-transformers model or a one-label BERT cross-encoder, FILE the same model converted by `dupq
convert`; --model may be given several times. Each gets a table of questions a second (for a cross-encoder pairs: each
text with the next one) and a table of the time that one question takes. All programs get the same texts, in turn
(A B C, A B C, ...); the tables show medians and dupq's ratio to each.

Tokenizing and copies to and from the GPU are part of every time, but for lines that say "ids given", which leave
tokenizing out of PyTorch's time and not out of dupq's. PyTorch gets what suits it: texts sorted by tokens, big batches,
padded to their longest; what padding costs where texts come as they are is a line of its own. torch.compile is left out
with a line where it does not work. The judge of exactness is PyTorch in fp32 on the same GPU.

Needs torch, transformers and numpy; sentence-transformers is optional. `--device cpu` tries the script out where no
GPU is, with bench_encode in place of bench_encode_gpu, in fp32, and without cross-encoders for dupq.
"""

import argparse
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs=2, type=Path, action="append", required=True, metavar=("FOLDER", "FILE"))
    parser.add_argument("--texts", type=Path, default=ROOT / "examples/questions.txt", help="one text a line")
    parser.add_argument("--bench", type=Path, default=None, help="bench_encode_gpu (build/bench/...)")
    parser.add_argument("--count", type=int, default=8192, help="texts, the file's again and again (8192)")
    parser.add_argument("--rounds", type=int, default=5, help="times that each program runs (5)")
    parser.add_argument("--batch", type=int, default=512, help="texts of PyTorch's batches (512)")
    parser.add_argument("--tokens", type=int, default=14, help="tokens of the text that is timed alone (14)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="for tokenizing (all cores)")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args()
    if options.bench is None:
        options.bench = ROOT / "build/bench" / ("bench_encode_gpu" if options.device == "cuda" else "bench_encode")
    for path in (options.texts, options.bench, *itertools.chain(*options.model)):
        if not path.exists():
            sys.exit(f"peers_gpu.py: {path}: not found")
    if min(options.rounds, options.count, options.batch, options.threads) < 1:
        sys.exit("peers_gpu.py: --rounds, --count, --batch and --threads must be at least 1")
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="true", RAYON_NUM_THREADS=str(options.threads))
    return options


def load_peers(options):
    global numpy, peer
    try:
        import numpy
        import torch
        import transformers

        import peers_torch as peer
    except ImportError as e:
        sys.exit(f"peers_gpu.py: {e.name} is missing; torch, transformers and numpy are needed")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("peers_gpu.py: PyTorch finds no GPU here")


class Dupq:
    """bench_encode_gpu, once a round."""

    def __init__(self, options, gguf, lines, folder, name, *words):
        self.name, self.vectors = name, Path(folder) / "vectors.f32"
        texts = Path(folder) / f"{name}.txt"
        texts.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        runs = 9 if options.device == "cuda" else 1
        self.command = [options.bench, gguf, texts, "--threads", options.threads, "--runs", runs,
                        "--vectors", self.vectors, *words]

    def run(self):
        """Questions a second, or microseconds a question, and the vectors."""
        done = subprocess.run([str(word) for word in self.command], capture_output=True, text=True)
        found = re.findall(r"^([0-9.]+) questions/s|^p50 ([0-9.]+) us", done.stdout, re.MULTILINE)
        if done.returncode != 0 or not found:
            sys.exit(f"peers_gpu.py: {self.command[0].name} failed: {done.stderr.strip()}")
        return statistics.median(float(a or b) for a, b in found), numpy.fromfile(self.vectors, dtype=numpy.float32)


def without_breaks(text):
    return " ".join(text.split())


def read_texts(options):
    with open(options.texts, encoding="utf-8", newline="\n") as file:
        lines = [without_breaks(line) for line in file]
    lines = [line for line in lines if line]
    if len(lines) < 2:
        sys.exit(f"peers_gpu.py: {options.texts}: fewer than two texts")
    return list(itertools.islice(itertools.cycle(lines), options.count))


def measure(options, programs):
    rates, outputs = {p.name: [] for p in programs}, {}
    for number in range(options.rounds):
        for program in programs:
            rate, outputs[program.name] = program.run()
            rates[program.name].append(rate)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    return rates, outputs


def exactness(truth, found):
    """The least cosine of vectors, or the largest difference of scores, over 1 + |score|; blank where there are none."""
    if found is None or found.size != truth.size:
        return ""
    if truth.ndim == 1:
        return f"{(numpy.abs(found - truth) / (1 + numpy.abs(truth))).max():.1e}"
    found = found.reshape(truth.shape)
    lengths = numpy.linalg.norm(found, axis=1) * numpy.linalg.norm(truth, axis=1)
    return f"{((found * truth).sum(axis=1, dtype='float64') / lengths).min():.6f}"


def print_table(title, unit, rates, outputs, truth, faster):
    judged = "largest difference" if truth.ndim == 1 else "lowest cosine"
    print(f"\n{title}\n\n| program | {unit}, median | lowest - highest | dupq is faster by | {judged} to fp32 |")
    print("|---|---|---|---|---|")
    ours = next((r for name, r in rates.items() if name.startswith("dupq")), None)
    for name, list_ in rates.items():
        ratio = "" if ours is None else f"{statistics.median(faster(a, b) for a, b in zip(ours, list_)):.2f}"
        print(f"| {name} | {statistics.median(list_):.1f} | {min(list_):.1f} - {max(list_):.1f} | {ratio} | "
              f"{exactness(truth, outputs[name])} |", flush=True)


def compare(options, folder, gguf, texts, room):
    model = peer.Model(folder, options.device, options.batch)
    what = "pairs" if model.cross else "questions"
    items = list(zip(texts, texts[1:] + texts[:1])) if model.cross else texts
    lines = ["\t".join(pair) for pair in items] if model.cross else items
    has_dupq = options.device == "cuda" or not model.cross
    truth = model.judge(items)

    programs = []
    if has_dupq:
        programs.append(Dupq(options, gguf, lines, room, "dupq"))
        programs.append(Dupq(options, gguf, lines, room, "dupq, unsorted", "--unsorted"))
    programs += model.throughput_programs(items, not options.no_compile)
    rates, outputs = measure(options, programs)
    print_table(f"{folder.resolve().name}, {len(items)} {what}, {model.mean_tokens(items):.1f} tokens each, "
                f"{options.rounds} rounds, {peer.device_name(options.device)}",
                f"{what}/s", rates, outputs, truth, lambda a, b: a / b)

    length = options.tokens * (2 if model.cross else 1)
    alone = [(item, line) for item, line in zip(items, lines) if model.tokens(item) == length][:200]
    if not alone:
        return print(f"\n{folder.resolve().name}: no {what[:-1]} of {length} tokens to time alone")
    items, lines = [item for item, _ in alone], [line for _, line in alone]
    programs = [Dupq(options, gguf, lines, room, "dupq", "--latency")] if has_dupq else []
    programs += model.latency_programs(items, not options.no_compile)
    times, outputs = measure(options, programs)
    print_table(f"{folder.resolve().name}, one {what[:-1]} of {length} tokens at a time", "us", times, outputs,
                model.judge(items), lambda a, b: b / a)


def main():
    options = arguments()
    load_peers(options)
    texts = read_texts(options)
    with tempfile.TemporaryDirectory() as room:
        for folder, gguf in options.model:
            compare(options, folder, gguf, texts, room)


if __name__ == "__main__":
    main()
