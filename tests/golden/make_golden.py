"""Makes the tiny random models of this folder and what Hugging Face's own classes make of the texts.

Run by hand, after a change here, with Python 3.11 and torch, transformers 5, sentence-transformers 6 and gguf:

    python tests/golden/make_golden.py [FOLDER]     (default: this folder)

The tests only read its output. Everything follows from the seeds; a second run writes the same bytes.

  bert/ bert_pooled/ mpnet/      bi-encoders, as sentence-transformers folders
  cross/ cross_identity/         BertForSequenceClassification with one label
  foreign/bert-{f32,f16,q8_0}.gguf   bert/ as llama.cpp's converter writes it: no key of ours
  texts.txt, pairs.txt           UTF-8, each text ended by a NUL; a pair is two texts in turn
  expected/MODEL.ids             token ids, blanks between them, a line a text (cross-encoders: a pair)
  expected/mpnet.pairs.ids       the same for pairs
  expected/MODEL.npy             vectors, computed in float64, one text at a time, stored as float32 [texts, dim]
  expected/foreign-TYPE.npy      the same of foreign/: mean of at most 40 tokens, not normalised, from the stored weights
  expected/MODEL.tsv             cross-encoders: logit TAB score, a line a pair
"""
import json
import pathlib
import shutil
import sys

import gguf
import numpy
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from tokenizers import AddedToken
from transformers import (AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel, BertTokenizer, MPNetConfig,
                          MPNetModel, MPNetTokenizer)

from vocabulary import PAIRS, TEXTS, pieces

BERT_VOCABULARY = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + pieces()
MPNET_VOCABULARY = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]"] + pieces() + ["<mask>"]
SETTINGS = {"tokenize_chinese_chars": True, "strip_accents": None}


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def write_texts(path, texts):
    path.write_bytes(b"".join(t.encode() + b"\0" for t in texts))


def write_ids(path, rows):
    path.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))


def randomize(model, seed):
    """Weights that spread: an untrained model's default of 0.02 hides mistakes."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=generator)
        with torch.no_grad():
            if "LayerNorm.weight" in name:
                p.copy_(1 + 0.2 * noise)
            elif p.dim() == 1:
                p.copy_(0.2 * noise)
            elif "embeddings" in name:
                p.copy_(0.5 * noise)
            else:
                p.copy_(noise * (1.6 / p.shape[1] ** 0.5))
    return model.eval()


def tensors_of(model, dtype):
    return {name: t.to(dtype).contiguous() for name, t in model.state_dict().items() if t.is_floating_point()}


def model_config(kind, **numbers):
    config = {"architectures": [kind], "hidden_act": "gelu", "model_type": "mpnet" if kind == "MPNetModel" else "bert"}
    config["vocab_size"] = len(MPNET_VOCABULARY if kind == "MPNetModel" else BERT_VOCABULARY)
    return config | numbers


def write_bert_tokenizer(folder, as_json, model_max_length, lower=True):
    (folder / "vocab.txt").write_text("\n".join(BERT_VOCABULARY) + "\n")
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": lower,
                                                  "model_max_length": model_max_length} | SETTINGS)
    if as_json:
        tokenizer = BertTokenizer(str(folder / "vocab.txt"), do_lower_case=lower, **SETTINGS)
        tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "vocab.txt").unlink()


def write_mpnet_tokenizer(folder):
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(MPNET_VOCABULARY) + "\n")
    tokenizer = MPNetTokenizer(str(vocabulary), **SETTINGS)
    # As in the published model: <unk> is looked for in the normalised text.
    tokenizer.backend_tokenizer.add_special_tokens([AddedToken("<unk>", normalized=True, special=True)])
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary.unlink()
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "MPNetTokenizer", "do_lower_case": True,
                                                  "model_max_length": 512} | SETTINGS)


def write_modules(folder, types, pooling, normalize):
    names = ["", "1_Pooling", "2_Normalize"][:3 if normalize else 2]
    write_json(folder / "modules.json", [{"idx": i, "name": str(i), "path": path, "type": types[i]}
                                         for i, path in enumerate(names)])
    write_json(folder / "1_Pooling/config.json", pooling)


OLD_TYPES = ["sentence_transformers.models." + name for name in ("Transformer", "Pooling", "Normalize")]
NEW_TYPES = ["sentence_transformers.base.modules.transformer.Transformer",
             "sentence_transformers.sentence_transformer.modules.pooling.Pooling"]


def make_bert(folder):
    """Mean, normalised; F32; tokenizer.json; a head of 8, inner layers of 52."""
    config = model_config("BertModel", hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=52,
                          max_position_embeddings=40, type_vocab_size=2, layer_norm_eps=1e-12, pad_token_id=0)
    write_json(folder / "config.json", config)
    write_bert_tokenizer(folder, as_json=True, model_max_length=40)
    write_modules(folder, OLD_TYPES, {"word_embedding_dimension": 32, "pooling_mode_cls_token": False,
                                      "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False}, True)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": False})
    model = randomize(BertModel(BertConfig(**config)), 1)
    save_file(tensors_of(model, torch.float32), folder / "model.safetensors", metadata={"format": "pt"})


def make_bert_pooled(folder):
    """cls+max+mean, not normalised; F16 under old names; a cased vocab.txt; nothing says max_seq_length."""
    config = model_config("BertModel", hidden_size=40, num_hidden_layers=1, num_attention_heads=2, intermediate_size=72,
                          max_position_embeddings=36, type_vocab_size=2, layer_norm_eps=1e-6, pad_token_id=0)
    write_json(folder / "config.json", config)
    write_bert_tokenizer(folder, as_json=False, model_max_length=1000, lower=False)
    write_modules(folder, NEW_TYPES, {"embedding_dimension": 40, "pooling_mode": ["cls", "max", "mean"],
                                      "include_prompt": True}, False)
    model = randomize(BertModel(BertConfig(**config)), 2)
    tensors = tensors_of(model, torch.float16)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return lambda: rename_tensors(folder, tensors)


def rename_tensors(folder, tensors):
    """What old checkpoints look like; done last, because Hugging Face's classes no longer read all of it."""
    old = {"bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
           for name, t in tensors.items()}
    old["bert.embeddings.position_ids"] = torch.arange(36).unsqueeze(0)
    old["cls.predictions.bias"] = torch.zeros(len(BERT_VOCABULARY), dtype=torch.float16)
    save_file(old, folder / "model.safetensors", metadata={"format": "pt"})


def make_mpnet(folder):
    """Mean, normalised; F32; positions from 2, relative attention bias."""
    config = model_config("MPNetModel", hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
                          max_position_embeddings=202, layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0,
                          eos_token_id=2, relative_attention_num_buckets=32)
    write_json(folder / "config.json", config)
    write_mpnet_tokenizer(folder)
    write_modules(folder, OLD_TYPES, {"word_embedding_dimension": 24, "pooling_mode_cls_token": False,
                                      "pooling_mode_mean_tokens": True}, True)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 200, "do_lower_case": False})
    model = randomize(MPNetModel(MPNetConfig(**config)), 3)
    save_file(tensors_of(model, torch.float32), folder / "model.safetensors", metadata={"format": "pt"})


def make_cross(folder, seed, dtype, activation, **numbers):
    config = model_config("BertForSequenceClassification", type_vocab_size=2, pad_token_id=0, layer_norm_eps=1e-12,
                          id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0}, **numbers)
    write_json(folder / "config.json", config | activation)
    write_bert_tokenizer(folder, as_json=True, model_max_length=512)
    model = randomize(BertForSequenceClassification(BertConfig(**config)), seed)
    save_file(tensors_of(model, dtype), folder / "model.safetensors", metadata={"format": "pt"})


def write_vectors(root, name):
    model = SentenceTransformer(str(root / name), device="cpu").double()
    write_ids(root / f"expected/{name}.ids", [model.preprocess([t])["input_ids"][0].tolist() for t in TEXTS])
    vectors = numpy.stack([model.encode(t, convert_to_numpy=True) for t in TEXTS])
    assert vectors.dtype == numpy.float64
    numpy.save(root / f"expected/{name}.npy", vectors.astype(numpy.float32))


def write_scores(root, name):
    model = CrossEncoder(str(root / name), device="cpu")
    model.model.double()
    rows = []
    for pair in PAIRS:
        logit = model.predict(pair, activation_fn=torch.nn.Identity())
        rows.append((float(logit), float(model.predict(pair))))
    write_ids(root / f"expected/{name}.ids", pair_ids(root / name, model.max_seq_length))
    (root / f"expected/{name}.tsv").write_text("".join(f"{l:.9g}\t{s:.9g}\n" for l, s in rows))


def pair_ids(folder, length):
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    # In a list: alone, an empty second text would be taken for none.
    return [tokenizer([(a, b)], truncation="longest_first", max_length=length)["input_ids"][0] for a, b in PAIRS]


# ---- llama.cpp's form ------------------------------------------------------------------------------------------------

LLAMA_NAMES = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
               "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
               "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
               "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
               "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}


def llama_name(name):
    stem, kind = name.rsplit(".", 1)
    if not stem.startswith("encoder.layer."):
        return f"{LLAMA_NAMES[stem]}.{kind}"
    layer, rest = stem.removeprefix("encoder.layer.").split(".", 1)
    return f"blk.{layer}.{LLAMA_NAMES[rest]}.{kind}"


def write_foreign(root, name):
    """One file as llama.cpp writes it, and the vectors of its stored (rounded) weights."""
    Type = gguf.GGMLQuantizationType
    wanted = Type[name.upper()]
    config = json.loads((root / "bert/config.json").read_text())
    path = root / f"foreign/bert-{name}.gguf"
    path.parent.mkdir(exist_ok=True)
    w = gguf.GGUFWriter(str(path), "bert")
    w.add_type("model")
    w.add_name("bert")
    w.add_block_count(config["num_hidden_layers"])
    w.add_context_length(config["max_position_embeddings"])
    w.add_embedding_length(config["hidden_size"])
    w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(config["num_attention_heads"])
    w.add_layer_norm_eps(config["layer_norm_eps"])
    w.add_file_type({"f32": 0, "f16": 1, "q8_0": 7}[name])
    w.add_causal_attention(False)
    w.add_pooling_type(gguf.PoolingType.MEAN)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    w.add_token_type_count(config["type_vocab_size"])
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("default")
    w.add_token_list([t if t.startswith("[") and t.endswith("]") and len(t) > 2 else t[2:] if t.startswith("##") else
                      "\u2581" + t for t in BERT_VOCABULARY])
    w.add_token_types([gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in BERT_VOCABULARY])
    # Old files name the first token cls, new ones bos; sep was always misspelt.
    first = "bos" if name == "q8_0" else "cls"
    for key, token in zip(("padding", "unknown", first, "seperator", "mask"), special):
        w.add_uint32(f"tokenizer.ggml.{key}_token_id", BERT_VOCABULARY.index(token))

    stored = {}
    for tensor, value in load_file(root / "bert/model.safetensors").items():
        if tensor.startswith("pooler."):
            continue
        value = value.numpy()
        kind = wanted
        if value.ndim == 1 or llama_name(tensor).startswith(("position_embd", "token_types")):
            kind = Type.F32
        elif kind == Type.Q8_0 and value.shape[-1] % 32 != 0:
            kind = Type.F16
        data = gguf.quants.quantize(value, kind)
        stored[tensor] = torch.from_numpy(gguf.quants.dequantize(data, kind).astype(numpy.float64))
        w.add_tensor(llama_name(tensor), data, raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()

    tokenizer = AutoTokenizer.from_pretrained(str(root / "bert"))
    model = BertModel(BertConfig(**config), add_pooling_layer=False).double().eval()
    model.load_state_dict(stored)
    with torch.no_grad():
        rows = [model(**tokenizer(t, truncation=True, max_length=config["max_position_embeddings"], return_tensors="pt"))
                .last_hidden_state[0].mean(0).numpy() for t in TEXTS]
    numpy.save(root / f"expected/foreign-{name}.npy", numpy.stack(rows).astype(numpy.float32))


def main():
    here = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    names = ["bert", "bert_pooled", "mpnet", "cross", "cross_identity"]
    for name in names + ["expected", "foreign"]:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)
    write_texts(root / "texts.txt", TEXTS)
    write_texts(root / "pairs.txt", [text for pair in PAIRS for text in pair])

    make_bert(root / "bert")
    age = make_bert_pooled(root / "bert_pooled")
    make_mpnet(root / "mpnet")
    make_cross(root / "cross", 4, torch.bfloat16,
               {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "5.0.0"}},
               hidden_size=40, num_hidden_layers=2, num_attention_heads=5, intermediate_size=44,
               max_position_embeddings=64)
    make_cross(root / "cross_identity", 5, torch.float16,
               {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, hidden_size=16,
               num_hidden_layers=1, num_attention_heads=1, intermediate_size=30, max_position_embeddings=48)
    for name in names[:3]:
        write_vectors(root, name)
    for name in names[3:]:
        write_scores(root, name)
    write_ids(root / "expected/mpnet.pairs.ids", pair_ids(root / "mpnet", 200))
    for name in ("f32", "f16", "q8_0"):
        write_foreign(root, name)
    age()


if __name__ == "__main__":
    main()
