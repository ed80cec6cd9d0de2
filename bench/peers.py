#!/usr/bin/env python3
"""Measures dupq beside PyTorch (sentence-transformers), ONNX Runtime and, where it is installed, OpenVINO.

    python3 bench/peers.py --model FOLDER --gguf FILE [--int8] [--texts FILE] [--threads N] [--rounds N] [--count N]
    python3 bench/peers.py --model FOLDER --gguf FILE [--int8] --latency

FOLDER is the sentence-transformers model, FILE the same model converted by `dupq convert`. Every program encodes the
same texts sorted by length, on the same cores, in turn (A B C, A B C, ...), and the table shows medians of questions a
second and dupq's ratio to each. Tokenizing is part of every time; loading, exporting and a warm-up are not. --latency
encodes the texts of --tokens tokens (14) one by one instead and shows the 50th and 99th percentiles.

--tokenizer compares tokenizers alone: dupq's, nanotoken, Hugging Face's and, if it is installed, flash-tokenizer, all
in one thread; see peer_tokenizers.py. It needs nanotoken, tokenizers and numpy.

In fp32, or with --int8 in 8-bit integers: FILE is then of that type, ONNX Runtime has dynamically quantized weights
and activations (its quantize_dynamic), OpenVINO statically quantized ones (NNCF, calibrated on 300 of the texts), and
the cosines are those to PyTorch's fp32.

Needs torch, transformers, sentence-transformers, tokenizers, onnx, onnxruntime and numpy; openvino (and nncf, with
--int8) are optional. --install installs what is missing with pip into the Python that runs this.
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
import warnings
from pathlib import Path

import peer_tokenizers as tok

NEEDED = ["torch", "transformers", "sentence-transformers", "tokenizers", "onnx", "onnxruntime", "numpy"]
OPTIONAL = ["openvino", "nncf"]
BATCHES = (32, 64)
ROOT = Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of the sentence-transformers model")
    parser.add_argument("--gguf", type=Path, required=True, help="the same model, converted")
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
    parser.add_argument("--tokenizer", action="store_true", help="compare tokenizers only")
    parser.add_argument("--install", action="store_true", help="install missing packages with pip")
    return parser.parse_args()


def missing(packages):
    return [p for p in packages if importlib.util.find_spec(p.replace("-", "_")) is None]


def prepare(options):
    """Packages, files and cores, before any library starts its threads."""
    needed, optional = (tok.NEEDED, tok.OPTIONAL) if options.tokenizer else (NEEDED, OPTIONAL)
    if options.count is None:
        options.count = sys.maxsize if options.tokenizer else 500
    if options.install and (absent := missing(needed + optional)):
        subprocess.run([sys.executable, "-m", "pip", "install", *absent], check=True)
    if absent := missing(needed):
        sys.exit(f"peers.py: missing packages: {' '.join(absent)} (--install installs them)")
    for path in (options.model, options.gguf, options.texts, options.bench):
        if not path.exists():
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


class Dupq:
    def __init__(self, options, folder):
        self.name = "dupq"
        self.vectors_file = Path(folder) / "vectors.f32"
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


class Batched:
    """A peer that encodes one padded batch after another."""

    def __init__(self, name, texts, batch, encode, is_sorted):
        self.name = f"{name}, batch {batch}"
        self.batch, self.encode = batch, encode
        # By characters, the longest first, as sentence-transformers and bench_encode do.
        self.order = sorted(range(len(texts)), key=lambda i: -len(texts[i])) if is_sorted else list(range(len(texts)))
        self.texts = [texts[i] for i in self.order]
        self.encode(self.texts[:batch])

    def run(self):
        import numpy

        begin = time.perf_counter()
        parts = [self.encode(self.texts[i : i + self.batch]) for i in range(0, len(self.texts), self.batch)]
        seconds = time.perf_counter() - begin
        sorted_vectors = numpy.concatenate(parts)
        vectors = numpy.empty_like(sorted_vectors)
        vectors[self.order] = sorted_vectors
        return len(self.texts) / seconds, vectors


class OneByOne:
    """A peer that encodes one text after another."""

    def __init__(self, name, texts, encode):
        self.name, self.texts, self.encode = name, texts, encode
        for text in texts[:50]:
            self.encode([text])

    def run(self):
        import numpy

        times, parts = [], []
        for text in self.texts:
            begin = time.perf_counter()
            parts.append(self.encode([text]))
            times.append(time.perf_counter() - begin)
        return percentiles(times), numpy.concatenate(parts)


def percentiles(seconds):
    """The 50th and the 99th percentile, in microseconds."""
    seconds = sorted(seconds)
    return seconds[len(seconds) // 2] * 1e6, seconds[len(seconds) * 99 // 100] * 1e6


def read_json(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


class Tokens:
    """Texts to padded ids and mask, with the tokenizers package."""

    def __init__(self, folder):
        import tokenizers

        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(read_json(folder, "sentence_bert_config.json")["max_seq_length"])
        pad = "<pad>" if self.tokenizer.token_to_id("<pad>") is not None else "[PAD]"
        self.tokenizer.enable_padding(pad_id=self.tokenizer.token_to_id(pad), pad_token=pad)

    def length(self, text):
        return sum(self.tokenizer.encode(text).attention_mask)

    def __call__(self, texts):
        import numpy

        rows = self.tokenizer.encode_batch(texts)
        return {
            "input_ids": numpy.array([row.ids for row in rows], dtype=numpy.int64),
            "attention_mask": numpy.array([row.attention_mask for row in rows], dtype=numpy.int64),
        }


def pool(states, mask):
    """The mean of each text's tokens, divided by its length."""
    import numpy

    weights = mask[:, :, None].astype(numpy.float32)
    mean = (states * weights).sum(axis=1) / weights.sum(axis=1)
    return mean / numpy.linalg.norm(mean, axis=1, keepdims=True)


def check_pooling(folder):
    modes = [key for key, on in read_json(folder, "1_Pooling/config.json").items() if on is True and "pooling" in key]
    normalizes = any("Normalize" in module["type"] for module in read_json(folder, "modules.json"))
    if modes != ["pooling_mode_mean_tokens"] or not normalizes:
        sys.exit(f"peers.py: {folder}: only models that take the mean and normalise are compared here")


def export_onnx(folder, path):
    """The plain attention and a mask that is computed beforehand: the smallest graph of what could be exported."""
    import torch
    from transformers import AutoModel

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

        def forward(self, input_ids, attention_mask):
            lowest = torch.finfo(torch.float32).min
            mask = ((1.0 - attention_mask.float()) * lowest)[:, None, None, :]
            return self.model(input_ids=input_ids, attention_mask=mask).last_hidden_state

    names = ["input_ids", "attention_mask"]
    ids = torch.full((2, 9), 1000)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    axes = {name: {0: "texts", 1: "tokens"} for name in [*names, "states"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(States().eval(), (ids, mask), str(path), input_names=names, output_names=["states"],
                          dynamic_axes=axes, opset_version=17, dynamo=False)


def torch_encoder(options):
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(options.threads)
    model = SentenceTransformer(str(options.model), device="cpu")
    return lambda texts: model.encode(texts, batch_size=len(texts), show_progress_bar=False)


def onnxruntime_encoder(options, tokens, path):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])

    def encode(texts):
        batch = tokens(texts)
        return pool(session.run(None, batch)[0], batch["attention_mask"])

    return encode


def quantize_onnx(path):
    """Weights in 8 bits by output, activations quantized as they come."""
    import onnxruntime.quantization as quantization

    quantized = path.with_suffix(".int8.onnx")
    quantization.quantize_dynamic(str(path), str(quantized), per_channel=True,
                                  weight_type=quantization.QuantType.QInt8)
    return quantized


def openvino_encoder(options, tokens, path, texts):
    import openvino

    settings = {"INFERENCE_NUM_THREADS": options.threads, "INFERENCE_PRECISION_HINT": "f32"}
    settings |= {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    core = openvino.Core()
    graph = core.read_model(str(path))
    if options.int8:
        import nncf

        examples = nncf.Dataset([tokens([text]) for text in texts[:300]])
        graph = nncf.quantize(graph, examples, model_type=nncf.ModelType.TRANSFORMER)
    model = core.compile_model(graph, "CPU", settings)

    def encode(texts):
        batch = tokens(texts)
        return pool(model(batch)[0], batch["attention_mask"])

    return encode


def programs(options, texts, folder):
    tokens, onnx_file = Tokens(options.model), Path(folder) / "model.onnx"
    export_onnx(options.model, onnx_file)
    session_file = quantize_onnx(onnx_file) if options.int8 else onnx_file
    kind = " int8" if options.int8 else ""
    peers = {"PyTorch": torch_encoder(options)}
    peers["ONNX Runtime" + kind] = onnxruntime_encoder(options, tokens, session_file)
    if missing(["openvino"] + ["nncf"] * options.int8):
        print("OpenVINO or NNCF is not installed and is left out", file=sys.stderr)
    else:
        peers["OpenVINO" + kind] = openvino_encoder(options, tokens, onnx_file, texts)
    if options.latency:
        return [Dupq(options, folder), *(OneByOne(name, texts, encode) for name, encode in peers.items())]
    batched = [Batched(name, texts, b, encode, not options.unsorted) for name, encode in peers.items() for b in BATCHES]
    return [Dupq(options, folder), *batched]


def measure(options, running):
    rates, vectors = {p.name: [] for p in running}, {}
    for number in range(options.rounds):
        for program in running:
            time.sleep(0.1)  # threads of the one before that still spin go to sleep
            rate, vectors[program.name] = program.run()
            rates[program.name].append(rate)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    return rates, vectors


def cosines(vectors, name, count):
    """Mean and lowest cosine to PyTorch's vectors."""
    judge = next(v for n, v in vectors.items() if n.startswith("PyTorch"))
    cosine = (vectors[name].reshape(count, -1) * judge).sum(axis=1, dtype="float64")
    return f"{cosine.mean():.7f} | {cosine.min():.7f}"


def print_latencies(times, vectors, count):
    print("| program | p50, us | p99, us | p50 is longer by | cosine to PyTorch, mean | lowest |")
    print("|---|---|---|---|---|---|")
    ours = times["dupq"]
    for name, pairs in times.items():
        p50, p99 = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        ratio = statistics.median(a[0] / b[0] for a, b in zip(pairs, ours))
        print(f"| {name} | {p50:.0f} | {p99:.0f} | {ratio:.2f} | {cosines(vectors, name, count)} |")


def print_table(rates, vectors, count):
    ours = rates["dupq"]
    print("| program | questions/s, median | lowest - highest | dupq is faster by | cosine to PyTorch, mean | lowest |")
    print("|---|---|---|---|---|---|")
    for name, speeds in rates.items():
        ratio = statistics.median(a / b for a, b in zip(ours, speeds))  # of the same round
        print(f"| {name} | {statistics.median(speeds):.1f} | {min(speeds):.1f} - {max(speeds):.1f} | {ratio:.2f} | "
              f"{cosines(vectors, name, count)} |")


def main():
    options = arguments()
    prepare(options)
    if options.tokenizer and options.threads != 1:
        sys.exit("peers.py: tokenizers are compared in one thread")
    if not options.tokenizer:
        check_pooling(options.model)
    with open(options.texts, encoding="utf-8", newline="\n") as file:
        texts = [line.removesuffix("\n") for line in itertools.islice(file, options.count)]
    if not texts:
        sys.exit(f"peers.py: {options.texts}: has no text")
    options.whole_file = len(texts) < options.count
    if options.tokenizer:
        options.count = len(texts)
        return tok.compare(options, texts)
    with tempfile.TemporaryDirectory() as folder:
        if options.latency:
            length = Tokens(options.model).length
            texts = [text for text in texts if length(text) == options.tokens]
            if len(texts) < 20:
                sys.exit(f"peers.py: {options.texts}: only {len(texts)} texts of {options.tokens} tokens")
            options.texts = Path(folder) / "texts.txt"
            options.texts.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        options.count = len(texts)
        rates, vectors = measure(options, programs(options, texts, folder))
    if options.latency:
        print(f"{options.model.resolve().name}, {len(texts)} texts of {options.tokens} tokens one by one, "
              f"{options.threads} thread(s), {options.rounds} rounds\n")
        return print_latencies(rates, vectors, len(texts))
    order = "in the file's order" if options.unsorted else "sorted by length"
    print(f"{options.model.resolve().name}, {len(texts)} texts {order}, {options.threads} thread(s), "
          f"{options.rounds} rounds\n")
    print_table(rates, vectors, len(texts))


if __name__ == "__main__":
    main()
