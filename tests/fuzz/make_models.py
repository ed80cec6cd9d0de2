#!/usr/bin/env python3
"""Makes the seeds of the fuzz target gguf: models of a few kilobytes, random weights, through the converter.

make_models.py DUPQ      writes tests/fuzz/corpus/gguf/*.gguf; DUPQ is the command-line tool
"""

import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

OUT = pathlib.Path(__file__).resolve().parent / "corpus" / "gguf"
HIDDEN, INNER, HEADS = 8, 12, 2
WORDS = ["what", "is", "a", "c", "##s", "##c", "+", "?", "hello", "\u00e9"]


def encoder(prefix, attention, norm):
    """Names and shapes of a one-layer encoder; matrices are [outputs][inputs]."""
    yield "embeddings.LayerNorm", (HIDDEN,)
    for part in attention:
        yield prefix + part, (HIDDEN, HIDDEN)
    yield prefix + norm, (HIDDEN,)
    yield prefix + "intermediate.dense", (INNER, HIDDEN)
    yield prefix + "output.dense", (HIDDEN, INNER)
    yield prefix + "output.LayerNorm", (HIDDEN,)


def write_folder(folder, model, vocabulary, tables, layers, extra):
    """A Hugging Face folder. `tables` have no bias."""
    rng = random.Random(1)
    tensors, data = {}, b""

    def add(name, shape):
        nonlocal data
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        values = struct.pack(f"<{count}f", *(rng.gauss(0, 0.5) for _ in range(count)))
        tensors[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values

    for name, shape in tables:
        add(name + ".weight", shape)
    for name, shape in layers:
        add(name + ".weight", shape)
        add(name + ".bias", shape[:1])
    header = json.dumps(tensors).encode()
    header += b" " * (-len(header) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
    config = {"model_type": model, "hidden_act": "gelu", "vocab_size": len(vocabulary), "hidden_size": HIDDEN,
              "num_hidden_layers": 1, "num_attention_heads": HEADS, "intermediate_size": INNER,
              "layer_norm_eps": 1e-12, **extra}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in vocabulary), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "MPNetTokenizer" if model == "mpnet" else "BertTokenizer", "do_lower_case": True}))


def add_pooling(folder, normalize):
    kind = "sentence_transformers.models."
    modules = [("", kind + "Transformer"), ("1_Pooling", kind + "Pooling")]
    modules += [("2_Normalize", kind + "Normalize")] if normalize else []
    (folder / "modules.json").write_text(json.dumps(
        [{"idx": i, "name": str(i), "path": path, "type": name} for i, (path, name) in enumerate(modules)]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(
        {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": not normalize}))


def bert(folder, cross):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    prefix = "encoder.layer.0."
    parts = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
    tables = [("embeddings.word_embeddings", (len(vocabulary), HIDDEN)), ("embeddings.position_embeddings", (16, HIDDEN)),
              ("embeddings.token_type_embeddings", (2, HIDDEN))]
    layers = list(encoder(prefix, parts, "attention.output.LayerNorm"))
    extra = {"architectures": ["BertModel"], "max_position_embeddings": 16, "type_vocab_size": 2, "pad_token_id": 0}
    if cross:
        tables = [("bert." + name, shape) for name, shape in tables]
        layers = [("bert." + name, shape) for name, shape in layers]
        layers += [("bert.pooler.dense", (HIDDEN, HIDDEN)), ("classifier", (1, HIDDEN))]
        extra |= {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    write_folder(folder, "bert", vocabulary, tables, layers, extra)


def mpnet(folder):
    vocabulary = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>", *WORDS]
    prefix = "encoder.layer.0."
    parts = ["attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"]
    tables = [("embeddings.word_embeddings", (len(vocabulary), HIDDEN)), ("embeddings.position_embeddings", (18, HIDDEN)),
              ("encoder.relative_attention_bias", (32, HEADS))]
    write_folder(folder, "mpnet", vocabulary, tables, list(encoder(prefix, parts, "attention.LayerNorm")),
                 {"architectures": ["MPNetModel"], "max_position_embeddings": 18, "pad_token_id": 1, "bos_token_id": 0,
                  "eos_token_id": 2, "relative_attention_num_buckets": 32})


def static(folder):
    """model2vec's: eight rows of integers for all tokens, and a weight for each."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    n, dim, rows = len(vocabulary), 32, 8
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True, "max_length": 8}))
    (folder / "tokenizer.json").write_text(json.dumps({
        "added_tokens": [{"id": 3, "content": "[SEP]", "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True}],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {piece: i for i, piece in enumerate(vocabulary)}}}))
    parts = {"embeddings": ("I8", [rows, dim], bytes(i * 37 % 256 for i in range(rows * dim))),
             "mapping": ("I32", [n], struct.pack(f"<{n}i", *(i * 5 % rows for i in range(n)))),
             "weights": ("F32", [n], struct.pack(f"<{n}f", *(1 + i / 8 for i in range(n))))}
    header, data = {}, b""
    for name, (kind, shape, values) in parts.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def main(tool):
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as root:
        for name in ("bert", "cross", "mpnet"):
            folder = pathlib.Path(root) / name
            folder.mkdir()
            if name == "mpnet":
                mpnet(folder)
            else:
                bert(folder, name == "cross")
            if name != "cross":
                add_pooling(folder, name == "mpnet")
            for layout, number in (("packed", "f32"), ("plain", "f16"), ("packed", "int8")):
                out = OUT / f"{name}-{layout}-{number}.gguf"
                subprocess.run([tool, "convert", folder, "-o", out, "--layout", layout, "--type", number], check=True)


        folder = pathlib.Path(root) / "static"
        folder.mkdir()
        static(folder)
        for number in ("f32", "f16", "int8"):
            subprocess.run([tool, "convert", folder, "-o", OUT / f"static-{number}.gguf", "--type", number], check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
