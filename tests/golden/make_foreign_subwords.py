"""Makes subwords/roberta-f32.gguf and subwords/xlm-roberta-f16.gguf: two models of families/ as llama.cpp's converter writes
RoBERTa and XLM-RoBERTa, with no key of ours. Run by hand, after make_families.py, with Python 3.11 and torch,
transformers 5, tokenizers and gguf:

    python tests/golden/make_foreign_subwords.py

  subwords/NAME.ids   the ids of the texts of families/, a line each, from Hugging Face's tokenizers
  subwords/NAME.npy   their vectors of length 1 in float64, stored as float32, from the weights in the file
"""
import base64
import json
import pathlib

import gguf
import numpy
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer

from make_families import TEXTS
from make_golden import llama_name

ROOT = pathlib.Path(__file__).resolve().parent
Type, Token = gguf.GGMLQuantizationType, gguf.TokenType
OFFSET = 2  # positions before the first token's: those up to padding's


def write_bpe(w, model, tokens, types):
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("roberta-bpe")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges([" ".join(pair) for pair in model["model"]["merges"]])


def write_unigram(w, model, tokens, types, mask):
    """As from a sentencepiece.model, which has no <mask>."""
    tokens[mask], types[mask] = f"[PAD{mask}]", Token.UNUSED
    scores = [score for _, score in model["model"]["vocab"]] + [0.0] * len(tokens)
    scores[mask] = -10000.0
    w.add_tokenizer_model("t5")
    w.add_tokenizer_pre("default")
    w.add_token_list(tokens)
    w.add_token_scores(scores[: len(tokens)])
    w.add_token_types(types)
    w.add_add_space_prefix(True)
    w.add_remove_extra_whitespaces(True)
    maps = [n for n in model["normalizer"]["normalizers"] if n["type"] == "Precompiled"]
    w.add_precompiled_charsmap(base64.b64decode(maps[0]["precompiled_charsmap"]))


def write(family, tokenizer, name, wanted, pooling, class_name):
    folder = ROOT / "families" / family
    config = json.loads((folder / "config.json").read_text())
    model = json.loads((ROOT / "subwords" / tokenizer / "tokenizer.json").read_text())
    own = Tokenizer.from_str(json.dumps(model))
    length = config["max_position_embeddings"] - OFFSET
    w = gguf.GGUFWriter(str(ROOT / f"subwords/{name}.gguf"), "bert")
    w.add_type("model")
    w.add_name(name)
    w.add_block_count(config["num_hidden_layers"])
    w.add_context_length(length)
    w.add_embedding_length(config["hidden_size"])
    w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(config["num_attention_heads"])
    w.add_layer_norm_eps(config["layer_norm_eps"])
    w.add_file_type({Type.F32: 0, Type.F16: 1}[wanted])
    w.add_causal_attention(False)
    w.add_pooling_type(pooling)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_token_type_count(1)
    by_id = {i: t for t, i in own.get_vocab().items()}
    special = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}
    tokens = [by_id.get(i, f"[PAD{i}]") for i in range(config["vocab_size"])]
    types = [Token.CONTROL if t in special else Token.NORMAL if i in by_id else Token.UNUSED for i, t in enumerate(tokens)]
    mask = tokens.index("<mask>")
    if tokenizer == "bpe":
        write_bpe(w, model, tokens, types)
    else:
        types[tokens.index("<unk>")] = Token.UNKNOWN
        write_unigram(w, model, tokens, types, mask)
    for key, id_ in {"bos": 0, "eos": 2, "unknown": 3, "seperator": 2, "padding": 1, "mask": mask}.items():
        w.add_uint32(f"tokenizer.ggml.{key}_token_id", id_)
    for key in ("bos", "eos", "sep"):
        w.add_bool(f"tokenizer.ggml.add_{key}_token", True)

    stored = {}
    for tensor, value in load_file(folder / "model.safetensors").items():
        if tensor.startswith("pooler."):
            continue
        value = value.float().numpy()
        kept = value[OFFSET:] if "position_embeddings" in tensor else value
        kind = wanted if value.ndim > 1 and not llama_name(tensor).startswith(("position_embd", "token_types")) else Type.F32
        data = gguf.quants.quantize(numpy.ascontiguousarray(kept), kind)
        w.add_tensor(llama_name(tensor), data, raw_dtype=kind)
        stored[tensor] = torch.from_numpy(value.astype(numpy.float64))  # the checkpoint has halves: nothing is rounded
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()

    own.enable_truncation(length)
    bert = getattr(transformers, class_name + "Model")(getattr(transformers, class_name + "Config")(**config),
                                                       add_pooling_layer=False).double().eval()
    bert.load_state_dict(stored)
    ids = [own.encode(text).ids for text in TEXTS]
    rows = []
    for row in ids:
        # Positions count from the first on, over tokens of padding in a text as well: llama.cpp knows no others.
        places = torch.arange(len(row)).unsqueeze(0) + OFFSET
        with torch.no_grad():
            x = bert(input_ids=torch.tensor([row]), position_ids=places).last_hidden_state[0]
        x = x.mean(0) if pooling == gguf.PoolingType.MEAN else x[0]
        rows.append((x / x.norm()).numpy())
    numpy.save(ROOT / f"subwords/{name}.npy", numpy.stack(rows).astype(numpy.float32))
    (ROOT / f"subwords/{name}.ids").write_text("".join(" ".join(map(str, row)) + "\n" for row in ids))


if __name__ == "__main__":
    write("roberta-bpe", "bpe", "roberta-f32", Type.F32, gguf.PoolingType.MEAN, "Roberta")
    write("xlm-roberta-unigram", "unigram", "xlm-roberta-f16", Type.F16, gguf.PoolingType.CLS, "XLMRoberta")
