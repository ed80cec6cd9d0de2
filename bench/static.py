#!/usr/bin/env python3
"""Measures `dupq encode` of a static model beside model2vec and sentence-transformers' StaticEmbedding, each at its best.

  python3 bench/static.py DUPQ --model FOLDER --texts TEXTS.txt [--dim 256] [--threads 1] [--rounds 5] [--folder DIR]

FOLDER is a Hugging Face folder with tokenizer.json and model.safetensors; its table of word embeddings, cut to --dim
columns, is the static model, as model2vec and as sentence-transformers keep one. TEXTS has one text a line. Needs numpy,
safetensors, tokenizers, model2vec and sentence-transformers.

All take their turns (A B C, A B C, ...) on the same cores. dupq's time is that of the whole command: it starts, opens the
model, reads the texts from a file and leaves a .npy file on the disk (in --folder; a temporary one). The others have the
texts in memory, loaded and warm, and leave an array in memory. Each gets the batch that suits it best, found on
20,000 texts in a round that does not count, and model2vec its multiprocessing where it has more than one core and that is faster.

Prints medians of texts a second and dupq's ratio of the same rounds, and the largest difference between a number of
dupq's vectors in float32 and the peer's; one beyond 1e-6 ends the script with 1.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = ("model2vec", "StaticEmbedding")
BATCHES = (256, 1024, 4096, 16384)
TYPES = ("f32", "f16", "int8")


def make_folders(model, dim, to):
    """The table as model2vec has it and as sentence-transformers has it."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(str(model / "model.safetensors"), "np") as file:
        name, = (n for n in file.keys() if n.endswith("embeddings.word_embeddings.weight"))
        table = file.get_tensor(name)[:, :dim].astype("float32").copy()
    tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["truncation"] = tokenizer["padding"] = None
    for peer, tensor in zip(PEERS, ("embeddings", "embedding.weight")):
        (to / peer).mkdir()
        (to / peer / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
        save_file({tensor: table}, str(to / peer / "model.safetensors"))
    (to / PEERS[0] / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    modules = ("StaticEmbedding", ""), ("Normalize", "1_Normalize")
    (to / PEERS[1] / "1_Normalize").mkdir()
    (to / PEERS[1] / "modules.json").write_text(json.dumps([
        {"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + name}
        for i, (name, path) in enumerate(modules)]))


def load(peer, folder, threads):
    """A function of texts, a batch and whether processes help."""
    if peer == "model2vec":
        from model2vec import StaticModel
        model = StaticModel.from_pretrained(folder)
        return lambda texts, batch, processes: model.encode(texts, batch_size=batch, use_multiprocessing=processes)
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(threads)
    model = SentenceTransformer(folder, device="cpu")
    return lambda texts, batch, _: model.encode(texts, batch_size=batch)


def serve(peer, folder, texts, threads):
    """A peer in a process of its own: answers {"batch": N, "processes": B, "save": FILE or null, "count": N or null}, where
    count is how many of the texts are taken, with its seconds."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what packages print
    import numpy
    encode = load(peer, folder, threads)
    lines = pathlib.Path(texts).read_text(encoding="utf-8").splitlines()
    answers.write("{}\n")
    for line in sys.stdin:
        request = json.loads(line)
        begin = time.perf_counter()
        vectors = encode(lines[:request["count"]], request["batch"], request["processes"])
        seconds = time.perf_counter() - begin
        if request["save"]:
            numpy.save(request["save"], numpy.asarray(vectors, dtype=numpy.float32))
        answers.write(json.dumps(seconds) + "\n")


class Peer:
    def __init__(self, name, options, folder):
        self.name = name
        command = [sys.executable, __file__, "--serve", name, folder / name, options.texts, options.threads]
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()
        ways = [(batch, False) for batch in BATCHES]
        if name == "model2vec" and options.threads > 1:
            ways += [(batch, True) for batch in BATCHES]
        times = {way: self.run(*way, count=20_000) for way in ways}
        self.best = min(times, key=times.get)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"static.py: {self.name} has ended")
        return json.loads(line)

    def run(self, batch, processes, save=None, count=None):
        request = {"batch": batch, "processes": processes, "save": save, "count": count}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def run_dupq(options, model, out):
    begin = time.perf_counter()
    subprocess.run([options.dupq, "encode", model, options.texts, "-o", out, "--threads", str(options.threads)], check=True,
                   stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main():
    if sys.argv[1:2] == ["--serve"]:
        peer, folder, texts, threads = sys.argv[2:]
        return serve(peer, folder, texts, int(threads))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dupq", help="the tool")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="folder whose word embeddings are the table")
    parser.add_argument("--texts", type=pathlib.Path, required=True, help="one text a line")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1, help="threads and cores of every program (1)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where models and vectors are kept meanwhile")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < options.threads:
            sys.exit(f"static.py: {options.threads} threads, but only {len(cores)} cores")
        os.sched_setaffinity(0, cores[-options.threads:])  # programs that this starts inherit it
    os.environ.update(OMP_NUM_THREADS=str(options.threads), RAYON_NUM_THREADS=str(options.threads), HF_HUB_OFFLINE="1",
                      TOKENIZERS_PARALLELISM="true" if options.threads > 1 else "false")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dupq-static-", dir=options.folder))
    try:
        return measure(options, folder)
    finally:
        shutil.rmtree(folder)


def measure(options, folder):
    import numpy
    make_folders(options.model, options.dim, folder)
    models = {}
    for peer in PEERS:
        for kind in TYPES if peer == "model2vec" else TYPES[:1]:
            models[peer, kind] = folder / f"{peer}-{kind}.gguf"
            subprocess.run([options.dupq, "convert", folder / peer, "-o", models[peer, kind], "--type", kind], check=True,
                           stdout=subprocess.DEVNULL)
    count = sum(1 for _ in options.texts.open("rb"))
    peers = [Peer(name, options, folder) for name in PEERS]
    out, saved = folder / "v.npy", folder / "peer.npy"
    worst = {}
    for peer in peers:
        run_dupq(options, models[peer.name, "f32"], out)
        peer.run(*peer.best, save=str(saved))
        worst[peer.name] = float(numpy.abs(numpy.load(out) - numpy.load(saved)).max())
        saved.unlink()
    times = {**{kind: [] for kind in TYPES}, **{peer.name: [] for peer in peers}}
    for _ in range(options.rounds):
        for kind in TYPES:
            times[kind].append(run_dupq(options, models["model2vec", kind], out))
        for peer in peers:
            times[peer.name].append(peer.run(*peer.best))
    for peer in peers:
        peer.end()

    print(f"{count:,} texts, {options.dim} dimensions, {options.threads} thread(s), medians of {options.rounds} rounds\n")
    for kind in TYPES:
        print(f"dupq encode, {kind:5}{count / statistics.median(times[kind]):12,.0f} texts/s")
    for peer in peers:
        ratios = {kind: statistics.median(p / own for p, own in zip(times[peer.name], times[kind])) for kind in TYPES}
        batch, processes = peer.best
        print(f"{peer.name:17}{count / statistics.median(times[peer.name]):12,.0f} texts/s, batches of {batch}"
              f"{' in processes' if processes else ''}; dupq is "
              + ", ".join(f"{ratio:.1f} ({kind})" for kind, ratio in ratios.items())
              + f" times as fast; largest difference {worst[peer.name]:.1e}")
    return 1 if max(worst.values()) > 1e-6 else 0


if __name__ == "__main__":
    sys.exit(main())
