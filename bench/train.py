#!/usr/bin/env python3
"""Seconds of a training step: dupq beside sentence-transformers' `fit` and a plain PyTorch loop, in turns.

  python3 bench/train.py DUPQ --model FOLDER --pairs PAIRS.csv [--loss online-contrastive] [--batch 32] [--threads 2]
                         [--steps 12] [--rounds 3] [--peers dupq,loop,fit]

FOLDER is a Hugging Face folder of a bi-encoder (for --loss cross everybody gives its body a new head). All train on the
same rows, the first ones of the file, in float32 with dropout 0.1, AdamW, clipped gradients and the same schedule. Each
runs in a process of its own that trains twice, for few steps and for more, and the difference counts: opening files,
making models and warming up is left out. The loop is what PyTorch does best here: both texts of all pairs in one forward
pass, padded to the longest of the batch, scaled-dot-product attention, AdamW in its fused form.
"""

import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

FEW = 3  # steps of the shorter training


def read_pairs(path, count):
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [(r["question1"], r["question2"], int(r["is_duplicate"])) for r, _ in zip(rows, range(count))]


def run_dupq(args, steps, folder):
    command = [args.dupq, "train", args.model, folder / "pairs.csv", "--loss", args.loss, "--batch", args.batch, "--threads",
               args.threads, "--no-shuffle", "--warmup", 1, "--max-steps", steps, "-o", folder / "out.gguf"]
    begin = time.perf_counter()
    subprocess.run([*map(str, command), *(["--new-head"] if args.loss == "cross" else [])], check=True, capture_output=True)
    return time.perf_counter() - begin


def online_contrastive(u, v, labels, margin=0.5):
    import torch
    d = 1 - torch.nn.functional.cosine_similarity(u, v)
    far, near = d[labels == 1], d[labels == 0]
    negatives = near[near < (far.max() if len(far) > 1 else near.mean())]
    positives = far[far > (near.min() if len(near) > 1 else far.mean())]
    return positives.pow(2).sum() + torch.relu(margin - negatives).pow(2).sum()


def run_loop(args, steps, folder):
    import torch
    import transformers
    torch.set_num_threads(args.threads)
    cross = args.loss == "cross"
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    kind = transformers.AutoModelForSequenceClassification if cross else transformers.AutoModel
    model = kind.from_pretrained(args.model, attn_implementation="sdpa", **({"num_labels": 1} if cross else {})).float().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.01, fused=True)
    rows = read_pairs(folder / "pairs.csv", steps * args.batch)
    begin = time.perf_counter()
    for step in range(steps):
        first, second, labels = zip(*rows[step * args.batch:(step + 1) * args.batch])
        labels = torch.tensor(labels)
        texts = (list(first), list(second)) if cross else (list(first + second),)
        batch = tokenizer(*texts, padding=True, truncation=True, max_length=args.length, return_tensors="pt")
        if cross:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(**batch).logits[:, 0], labels.float())
        else:
            x, mask = model(**batch).last_hidden_state, batch["attention_mask"][:, :, None].float()
            x = torch.nn.functional.normalize((x * mask).sum(1) / mask.sum(1))
            loss = online_contrastive(x[:len(first)], x[len(first):], labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - begin


def run_fit(args, steps, folder):
    import sentence_transformers as st
    from sentence_transformers.losses import OnlineContrastiveLoss
    import torch
    from torch.utils.data import DataLoader
    torch.set_num_threads(args.threads)
    os.environ["WANDB_DISABLED"] = "true"
    rows = read_pairs(folder / "pairs.csv", steps * args.batch)
    examples = [st.InputExample(texts=[a, b], label=label) for a, b, label in rows]
    loader = DataLoader(examples, batch_size=args.batch, shuffle=False)
    common = dict(epochs=1, warmup_steps=1, show_progress_bar=False)
    if args.loss == "cross":
        model = st.CrossEncoder(args.model, num_labels=1, device="cpu", max_length=args.length)
        begin = time.perf_counter()
        model.fit(loader, **common)
    else:
        model = st.SentenceTransformer(args.model, device="cpu")
        loss = OnlineContrastiveLoss(model)
        begin = time.perf_counter()
        model.fit([(loader, loss)], **common)
    return time.perf_counter() - begin


PEERS = {"dupq": run_dupq, "loop": run_loop, "fit": run_fit}


def worker(args):
    """What --one asks for: seconds a step, as JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.chdir(folder)  # fit leaves checkpoints where it runs
        with open(folder / "pairs.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("question1", "question2", "is_duplicate"),
                                        *read_pairs(args.pairs, (FEW + args.steps) * args.batch)])
        few, many = (PEERS[args.one](args, n, folder) for n in (FEW, FEW + args.steps))
        print(json.dumps((many - few) / args.steps))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dupq")
    for name in ("--model", "--pairs"):
        parser.add_argument(name, required=True)
    parser.add_argument("--loss", choices=("online-contrastive", "cross"), default="online-contrastive")
    for name, value in (("--batch", 32), ("--threads", 2), ("--steps", 12), ("--rounds", 3), ("--length", 128)):
        parser.add_argument(name, type=int, default=value)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--one", choices=PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.dupq, args.model, args.pairs = (str(pathlib.Path(p).resolve()) for p in (args.dupq, args.model, args.pairs))
    if args.one:
        return worker(args)
    names, times = args.peers.split(","), {}
    words = [w for k in ("model", "pairs", "loss", "batch", "threads", "steps", "length") for w in (f"--{k}", str(getattr(args, k)))]
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    for _ in range(args.rounds):
        for name in names:
            done = subprocess.run([sys.executable, __file__, args.dupq, *words, "--one", name], env=environment,
                                  capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{name} is left out: {(done.stderr.strip().splitlines() or ['?'])[-1]}", file=sys.stderr)
                continue
            times.setdefault(name, []).append(json.loads(done.stdout.splitlines()[-1]))
    for name, found in times.items():
        ratio = statistics.median(found) / statistics.median(times.get("dupq", found))
        print(f"{name:5} {statistics.median(found):.4f} s a step (best {min(found):.4f}), {ratio:.2f} times dupq's")


if __name__ == "__main__":
    main()
