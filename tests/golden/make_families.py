"""Makes the folders in families/: tiny random models of the families that become BERT or MPNet when they are converted, and
what Hugging Face's classes make of the texts, in float64. make_subwords.py comes first.

Run by hand, after a change here, with Python 3.11 and torch, transformers 5 and tokenizers:

    python tests/golden/make_families.py

Everything follows from the seeds; a second run writes the same bytes.

  families/NAME/                 a folder without its tokenizer.json, which is that of bert/ (of MPNet: mpnet/; of names
                                 with "-bpe" or "-unigram": that of subwords/)
  families/NAME/expected.ids     of these last: the ids of the texts, or of the pairs, a line each
  families/NAME/expected.npy     bi-encoders: vectors of texts.txt and one more, float32 [texts, dim]
  families/NAME/expected.tsv     cross-encoders: the scores of the pairs, a line each
"""
import json
import pathlib
import shutil

import numpy
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parent
LENGTH = 32
VOCABULARY = 479
TYPES = "sentence_transformers.models."


def texts_of(name):
    return [t.decode() for t in (ROOT / name).read_bytes().split(b"\0")[:-1]]


TEXTS, PAIRS = texts_of("texts.txt"), texts_of("pairs.txt")
PAIRS = list(zip(PAIRS[::2], PAIRS[1::2]))
# Padding in the middle of a text takes no position of its own in RoBERTa.
TEXTS.append("how [unused0] do i learn [unused0] cooking")
# RoBERTa's padding is token 1, so that its table of positions begins with rows that no token has.
TOKENIZERS = {"bert": {"tokenizer_class": "BertTokenizer"}, "mpnet": {"tokenizer_class": "MPNetTokenizer"},
              "roberta": {"tokenizer_class": "BertTokenizer", "pad_token": "[unused0]"},
              "bpe": {"tokenizer_class": "RobertaTokenizer"}, "unigram": {"tokenizer_class": "XLMRobertaTokenizer"}}
FOLDERS = {"mpnet": "mpnet", "bpe": "subwords/bpe", "unigram": "subwords/unigram"}


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def randomize(module, seed):
    """Weights that spread, in half precision."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in sorted(module.named_parameters()):
        noise = torch.randn(p.shape, generator=generator)
        scale = 1.6 / p.shape[-1] ** 0.5
        with torch.no_grad():
            if "LayerNorm.weight" in name or "layer_norm.weight" in name:
                p.copy_((1 + 0.2 * noise).half())
            else:
                p.copy_((noise * (0.2 if p.dim() == 1 else 0.5 if "embeddings" in name else scale)).half())
    return module.double().eval()


def save(module, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.half().contiguous() for name, t in module.state_dict().items() if t.is_floating_point()}
    save_file(tensors, path, metadata={"format": "pt"})


class Made:
    """One folder. `config` is config.json's part beside the sizes, `head` the name of a class behind its prefix."""

    def __init__(self, name, seed, type_, classes, config, head="Model", tokenizer="bert"):
        self.folder = ROOT / "families" / name
        sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
        if type_ == "distilbert":
            sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}
        config = {"model_type": type_, "architectures": [classes + head], "vocab_size": VOCABULARY,
                  "max_position_embeddings": LENGTH + 4} | sizes | config
        write_json(self.folder / "config.json", config)
        write_json(self.folder / "tokenizer_config.json", TOKENIZERS[tokenizer] | {"model_max_length": LENGTH})
        self.tokenizer = Tokenizer.from_file(str(ROOT / FOLDERS.get(tokenizer, "bert") / "tokenizer.json"))
        if tokenizer == "roberta":
            self.tokenizer.add_special_tokens(["[unused0]"])
        self.tokenizer.enable_truncation(LENGTH, strategy="longest_first")
        self.model = randomize(getattr(transformers, classes + head)(getattr(transformers, classes + "Config")(**config)),
                               seed)
        save(self.model, self.folder / "model.safetensors")
        self.typed = config.get("type_vocab_size", 2) > 1 and type_ in ("bert", "electra")
        self.subwords = tokenizer in ("bpe", "unigram")

    def write_ids(self, rows):
        if self.subwords:
            lines = [" ".join(map(str, self.tokenizer.encode(*row).ids)) for row in rows]
            (self.folder / "expected.ids").write_text("".join(line + "\n" for line in lines))

    def run(self, *texts):
        made = self.tokenizer.encode(*texts)
        given = {"input_ids": torch.tensor([made.ids])}
        if self.typed:
            given["token_type_ids"] = torch.tensor([made.type_ids])
        with torch.no_grad():
            return self.model(**given)[0][0]

    def bi_encoder(self, pool, dense=None, normalize=False, before=False, prompt=""):
        """`dense`: its outputs, activation and seed; `before`: whether vectors are normalised before it as well."""
        if prompt:
            write_json(self.folder / "config_sentence_transformers.json",
                       {"prompts": {"query": prompt}, "default_prompt_name": "query"})
        self.write_ids([(prompt + text,) for text in TEXTS])
        modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
        write_json(self.folder / "1_Pooling/config.json",
                   {"word_embedding_dimension": 16, "pooling_mode_cls_token": pool == "cls",
                    "pooling_mode_mean_tokens": pool == "mean"})
        linear = None
        if before:
            modules.append((f"{len(modules)}_Normalize", "Normalize"))
        if dense is not None:
            outputs, activation, bias, seed = dense
            place = f"{len(modules)}_Dense"
            modules.append((place, "Dense"))
            linear = randomize(torch.nn.Linear(16, outputs, bias=bias), seed)
            write_json(self.folder / place / "config.json",
                       {"in_features": 16, "out_features": outputs, "bias": bias,
                        "activation_function": f"{type(activation).__module__}.{type(activation).__name__}"})
            tensors = {"linear." + name: t.float() for name, t in linear.state_dict().items()}
            save_file(tensors, self.folder / place / "model.safetensors", metadata={"format": "pt"})
        if normalize:
            modules.append((f"{len(modules)}_Normalize", "Normalize"))
        write_json(self.folder / "modules.json", [{"idx": i, "name": str(i), "path": path, "type": TYPES + kind}
                                                  for i, (path, kind) in enumerate(modules)])
        rows = []
        for text in TEXTS:
            x = self.run(prompt + text)
            y = x[0] if pool == "cls" else x.mean(0)
            with torch.no_grad():
                if before:
                    y = torch.nn.functional.normalize(y, dim=0)
                if linear is not None:
                    y = activation(linear(y))
                if normalize:
                    y = torch.nn.functional.normalize(y, dim=0)
            rows.append(y.numpy())
        numpy.save(self.folder / "expected.npy", numpy.stack(rows).astype(numpy.float32))

    def cross_encoder(self, positive=None):
        self.write_ids(PAIRS)
        rows = []
        for a, b in PAIRS:
            logits = self.run(a, b)
            score = torch.sigmoid(logits[0]) if positive is None else torch.softmax(logits, 0)[positive]
            rows.append(f"{float(score):.9g}\n")
        (self.folder / "expected.tsv").write_text("".join(rows))


def main():
    shutil.rmtree(ROOT / "families", ignore_errors=True)
    one, classifier = {"id2label": {"0": "LABEL_0"}}, "ForSequenceClassification"
    bert = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0}
    roberta = {"hidden_act": "gelu", "layer_norm_eps": 1e-5, "pad_token_id": 1, "type_vocab_size": 1}
    Made("distilbert", 1, "distilbert", "DistilBert", {"activation": "gelu"}).bi_encoder("mean", normalize=True)
    Made("distilbert-cross", 2, "distilbert", "DistilBert", {"activation": "gelu"} | one, classifier).cross_encoder()
    Made("roberta", 3, "roberta", "Roberta", roberta, tokenizer="roberta").bi_encoder("cls")
    labels = {"id2label": {"0": "paraphrase", "1": "no_paraphrase"}}
    Made("roberta-cross", 4, "roberta", "Roberta", roberta | labels, classifier, "roberta").cross_encoder(0)
    Made("xlm-roberta-cross", 5, "xlm-roberta", "XLMRoberta", roberta | one, classifier, "roberta").cross_encoder()
    Made("mpnet-cross", 6, "mpnet", "MPNet", {"hidden_act": "gelu", "layer_norm_eps": 1e-5, "pad_token_id": 1} | one,
         classifier, "mpnet").cross_encoder()
    Made("electra-cross", 7, "electra", "Electra", bert | {"embedding_size": 16} | one, classifier).cross_encoder()
    Made("electra", 8, "electra", "Electra", bert | {"embedding_size": 16}).bi_encoder("mean")
    tanh, identity = torch.nn.Tanh(), torch.nn.Identity()
    Made("distilbert-dense", 10, "distilbert", "DistilBert", {"activation": "gelu"}).bi_encoder("mean", (20, tanh, True, 1))
    Made("electra-dense", 11, "electra", "Electra", bert | {"embedding_size": 16}).bi_encoder(
        "mean", (11, identity, False, 2), normalize=True, before=True)
    Made("bert-tanh", 12, "bert", "Bert", bert | {"hidden_act": "gelu_new"}).bi_encoder("mean")
    Made("distilbert-relu", 13, "distilbert", "DistilBert", {"activation": "relu"}).bi_encoder("mean")
    two = {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}
    Made("roberta-bpe", 14, "roberta", "Roberta", roberta, tokenizer="bpe").bi_encoder("mean", normalize=True)
    Made("roberta-bpe-cross", 15, "roberta", "Roberta", roberta | one, classifier, "bpe").cross_encoder()
    Made("xlm-roberta-unigram", 16, "xlm-roberta", "XLMRoberta", roberta, tokenizer="unigram").bi_encoder("cls", normalize=True)
    Made("xlm-roberta-unigram-cross", 17, "xlm-roberta", "XLMRoberta", roberta | one, classifier, "unigram").cross_encoder()
    Made("bert-unigram", 18, "bert", "Bert", bert | {"pad_token_id": 1}, tokenizer="unigram").bi_encoder("mean", prompt="query: ")
    Made("distilbert-bpe", 19, "distilbert", "DistilBert", {"activation": "gelu"}, tokenizer="bpe").bi_encoder("mean")
    Made("bert-cross-two", 9, "bert", "Bert", bert | two, classifier).cross_encoder(1)


if __name__ == "__main__":
    main()
