#!/usr/bin/env python3
"""Makes the seeds of the fuzz target gguf: models of a few kilobytes, random weights, through the converter; and two as
llama.cpp's converter writes them, with byte-level BPE and Unigram tokenizers, which are made ready when a file is opened.

make_models.py DUPQ      writes tests/fuzz/corpus/gguf/*.gguf; DUPQ is the command-line tool
"""

import base64
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


def gguf(path, keys, tensors):
    """A file of version 3. A key has its type's number and its value; of a list, its elements' type."""
    formats = {4: "I", 5: "i", 6: "f", 7: "?", 0: "B"}

    def text(s):
        data = s if isinstance(s, bytes) else s.encode()
        return struct.pack("<Q", len(data)) + data

    def one(kind, value):
        return text(value) if kind == 8 else struct.pack("<" + formats[kind], value)

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for name, (kind, value) in keys.items():
        out += text(name)
        if isinstance(value, (list, bytes)):
            out += struct.pack("<IIQ", 9, kind, len(value)) + b"".join(one(kind, v) for v in value)
        else:
            out += struct.pack("<I", kind) + one(kind, value)
    rng, data = random.Random(2), b""
    for name, shape in tensors.items():
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        out += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
        out += struct.pack("<IQ", 0, len(data))
        data += struct.pack(f"<{count}f", *(rng.gauss(0, 0.5) for _ in range(count)))
        data += bytes(-len(data) % 32)
    path.write_bytes(out + bytes(-len(out) % 32) + data)


def foreign(path, pieces, types, tokenizer):
    keys = {"general.architecture": (8, "bert"), "bert.block_count": (4, 1), "bert.context_length": (4, 16),
            "bert.embedding_length": (4, HIDDEN), "bert.feed_forward_length": (4, INNER),
            "bert.attention.head_count": (4, HEADS), "bert.attention.layer_norm_epsilon": (6, 1e-5),
            "bert.attention.causal": (7, False), "bert.pooling_type": (4, 1), "general.file_type": (4, 0),
            "tokenizer.ggml.token_type_count": (4, 1), "tokenizer.ggml.tokens": (8, pieces),
            "tokenizer.ggml.token_type": (5, types), "tokenizer.ggml.mask_token_id": (4, len(pieces) - 1)}
    for name, number in {"bos": 0, "eos": 2, "seperator": 2, "padding": 1, "unknown": 3}.items():
        keys[f"tokenizer.ggml.{name}_token_id"] = (4, number)
    keys |= {f"tokenizer.ggml.{name}": value for name, value in tokenizer.items()}
    tensors = {"token_embd.weight": (len(pieces), HIDDEN), "position_embd.weight": (16, HIDDEN),
               "token_types.weight": (1, HIDDEN)}
    norm = ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm")
    dense = {f"blk.0.attn_{part}": (HIDDEN, HIDDEN) for part in ("q", "k", "v", "output")}
    dense |= {"blk.0.ffn_up": (INNER, HIDDEN), "blk.0.ffn_down": (HIDDEN, INNER)}
    for name, shape in {**{n: (HIDDEN,) for n in norm}, **dense}.items():
        tensors |= {name + ".weight": shape, name + ".bias": shape[:1]}
    gguf(path, keys, tensors)


def foreign_bpe(path):
    letters = sorted(set("what is hello".replace(" ", "\u0120")) | {"+", "C", "?"})
    merges = ["h e", "l l", "he ll", "hell o", "\u0120 w", "h a", "\u0120w ha", "\u0120wha t", "i s", "+ +"]
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *letters, *(m.replace(" ", "") for m in merges), "<mask>"]
    foreign(path, pieces, [3, 3, 3, 3] + [1] * (len(pieces) - 5) + [3],
            {"model": (8, "gpt2"), "pre": (8, "roberta-bpe"), "merges": (8, merges)})


def foreign_unigram(path):
    tokenizer = json.loads((OUT.parents[2] / "golden" / "subwords" / "unigram" / "tokenizer.json").read_text())
    charsmap, = (base64.b64decode(n["precompiled_charsmap"]) for n in tokenizer["normalizer"]["normalizers"]
                 if n["type"] == "Precompiled")
    words = ["\u2581", "\u2581what", "\u2581is", "\u2581hello", "what", "he", "llo", "l", "o", "s", "C", "+", "?", "\u00e9"]
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *words, "[PAD]"]
    foreign(path, pieces, [3, 3, 3, 2] + [1] * len(words) + [5],
            {"model": (8, "t5"), "pre": (8, "default"), "add_space_prefix": (7, True),
             "remove_extra_whitespaces": (7, True), "precompiled_charsmap": (0, charsmap),
             "scores": (6, [0.0] * 4 + [-1.0 - i / 4 for i in range(len(words))] + [0.0])})


def main(tool):
    OUT.mkdir(parents=True, exist_ok=True)
    foreign_bpe(OUT / "foreign-bpe.gguf")
    foreign_unigram(OUT / "foreign-unigram.gguf")
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
