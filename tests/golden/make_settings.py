"""Makes the folders in settings/: golden models with settings that few checkpoints have, and what Python makes of them.

Run by hand, after a change here or in make_golden.py, with numpy and tokenizers:

    python tests/golden/make_settings.py

The formulas are those of sentence-transformers 6, in float64: Pooling, Normalize, truncate_dim, similarity_pairwise, prompts.
The forward pass is checked against what Hugging Face's classes gave (expected/bert.npy, expected/cross.tsv).

  settings/NAME/            files that replace those of the model that NAME begins with
  settings/NAME/expected.npy     bi-encoders: vectors of texts.txt, float32 [texts, dim]
  settings/NAME/expected.ids     token ids of texts.txt, or of the pairs; a line each
  settings/NAME/expected.tsv     similarities or scores of the pairs, a line each
"""
import json
import math
import pathlib
import shutil
import struct

import numpy
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parent
erf = numpy.vectorize(math.erf)


def texts_of(name):
    return [t.decode() for t in (ROOT / name).read_bytes().split(b"\0")[:-1]]


TEXTS, PAIRS = texts_of("texts.txt"), texts_of("pairs.txt")
PAIRS = list(zip(PAIRS[::2], PAIRS[1::2]))


def tensors_of(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    out = {}
    for name, t in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        raw = data[8 + size:][slice(*t["data_offsets"])]
        if t["dtype"] == "BF16":
            values = (numpy.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
        else:
            values = numpy.frombuffer(raw, {"F32": "<f4", "F16": "<f2"}[t["dtype"]])
        out[name.removeprefix("bert.")] = values.astype(numpy.float64).reshape(t["shape"])
    return out


class Model:
    def __init__(self, name):
        folder = ROOT / name
        self.config = json.loads((folder / "config.json").read_text())
        self.tensors = tensors_of(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        settings = folder / "sentence_bert_config.json"
        self.length = json.loads(settings.read_text())["max_seq_length"] if settings.exists() else 64

    def ids(self, *texts):
        self.tokenizer.enable_truncation(self.length, strategy="longest_first")
        made = self.tokenizer.encode(*texts)
        return made.ids, made.type_ids

    def linear(self, x, name):
        return x @ self.tensors[name + ".weight"].T + self.tensors[name + ".bias"]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / numpy.sqrt((x * x).mean(-1, keepdims=True) + self.config["layer_norm_eps"])
        return x * self.tensors[name + ".weight"] + self.tensors[name + ".bias"]

    def tokens(self, ids, types):
        """The vectors of the last layer."""
        t, heads = self.tensors, self.config["num_attention_heads"]
        x = (t["embeddings.word_embeddings.weight"][ids] + t["embeddings.token_type_embeddings.weight"][types] +
             t["embeddings.position_embeddings.weight"][:len(ids)])
        x = self.norm(x, "embeddings.LayerNorm")
        for i in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}."
            q, k, v = (self.linear(x, layer + "attention.self." + n).reshape(len(ids), heads, -1).transpose(1, 0, 2)
                       for n in ("query", "key", "value"))
            scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
            scores = numpy.exp(scores - scores.max(-1, keepdims=True))
            context = (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), -1)
            x = self.norm(self.linear(context, layer + "attention.output.dense") + x, layer + "attention.output.LayerNorm")
            y = self.linear(x, layer + "intermediate.dense")
            y = y * 0.5 * (1 + erf(y / math.sqrt(2)))
            x = self.norm(self.linear(y, layer + "output.dense") + x, layer + "output.LayerNorm")
        return x

    def logit(self, ids, types):
        pooled = numpy.tanh(self.linear(self.tokens(ids, types)[0], "pooler.dense"))
        return float(self.linear(pooled, "classifier")[0])


def pool(x, mode, unpooled):
    """Pooling of one text, the first `unpooled` tokens left out; weights count from the text's own beginning."""
    weights = numpy.arange(1, len(x) + 1)[unpooled:, None]
    x = x[unpooled:]
    return {"cls": lambda: x[0], "max": lambda: x.max(0), "mean": lambda: x.mean(0), "lasttoken": lambda: x[-1],
            "mean_sqrt_len_tokens": lambda: x.sum(0) / math.sqrt(len(x)),
            "weightedmean": lambda: (x * weights).sum(0) / weights.sum()}[mode]()


SIMILARITY = {"cosine": lambda a, b: a @ b / (numpy.linalg.norm(a) * numpy.linalg.norm(b)), "dot": lambda a, b: a @ b,
              "euclidean": lambda a, b: -numpy.linalg.norm(a - b), "manhattan": lambda a, b: -abs(a - b).sum()}


def encode(model, text, modes=("mean",), prompt="", include_prompt=True, truncate_dim=None):
    ids, types = model.ids(prompt + text)
    unpooled = 0 if include_prompt or not prompt else len(model.ids(prompt)[0]) - 1
    x = model.tokens(ids, types)
    y = numpy.concatenate([pool(x, m, unpooled) for m in modes])
    return (y / max(numpy.linalg.norm(y), 1e-12))[:truncate_dim]


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def write_ids(folder, rows):
    (folder / "expected.ids").write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))


def make(name, pooling, settings, **how):
    model, folder = Model(name.split("-")[0]), ROOT / "settings" / name
    write_json(folder / "config_sentence_transformers.json", settings)
    if pooling is not None:
        write_json(folder / "1_Pooling/config.json", {"embedding_dimension": 32} | pooling)
    prompt = how.get("prompt", "")
    if name.startswith("cross"):
        write_json(folder / "modules.json", [{"idx": 0, "name": "0", "path": "",
                                              "type": "sentence_transformers.base.modules.transformer.Transformer"}])
        made = [model.ids(prompt + a, b) for a, b in PAIRS]
        scores = [model.logit(*m) for m in made]  # the activation is the identity
    else:
        made = [model.ids(prompt + t) for t in TEXTS]
        numpy.save(folder / "expected.npy", numpy.stack([encode(model, t, **how) for t in TEXTS]).astype(numpy.float32))
        alike = SIMILARITY[settings.get("similarity_fn_name", "cosine")]
        scores = [alike(encode(model, a, **how), encode(model, b, **how)) for a, b in PAIRS]
    write_ids(folder, [ids for ids, _ in made])
    (folder / "expected.tsv").write_text("".join(f"{s:.9g}\n" for s in scores))


def check():
    bert, cross = Model("bert"), Model("cross")
    given = numpy.load(ROOT / "expected/bert.npy")
    assert abs(numpy.stack([encode(bert, t) for t in TEXTS]) - given).max() < 1e-6
    logits = [float(line.split("\t")[0]) for line in (ROOT / "expected/cross.tsv").read_text().splitlines()]
    assert max(abs(cross.logit(*cross.ids(a, b)) - x) for (a, b), x in zip(PAIRS, logits)) < 1e-6


def main():
    check()
    shutil.rmtree(ROOT / "settings", ignore_errors=True)
    make("bert-weightedmean", {"pooling_mode": "weightedmean"}, {"similarity_fn_name": "dot"}, modes=["weightedmean"])
    order = ["lasttoken", "mean_sqrt_len_tokens", "cls"]
    make("bert-order", {"pooling_mode": order}, {"similarity_fn_name": "manhattan", "truncate_dim": 50}, modes=order,
         truncate_dim=50)
    # The prompt's last letters are the beginning of the text's first word.
    make("bert-prompt", None, {"similarity_fn_name": "euclidean", "truncate_dim": 20, "default_prompt_name": "ask",
                               "prompts": {"other": "x ", "ask": "How do you wh"}}, prompt="How do you wh", truncate_dim=20)
    modes = ["mean", "weightedmean", "max", "cls"]
    make("bert-unpooled", {"pooling_mode": modes, "include_prompt": False},
         {"default_prompt_name": "ask", "prompts": {"ask": "Why ask: "}}, modes=modes, prompt="Why ask: ",
         include_prompt=False)
    make("cross-prompt", None, {"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.linear.Identity",
                                "default_prompt_name": "same", "prompts": {"same": "are these the same: "}},
         prompt="are these the same: ")


if __name__ == "__main__":
    main()
