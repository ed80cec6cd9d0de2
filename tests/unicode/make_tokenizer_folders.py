#!/usr/bin/env python3
"""Writes tokenizer_folders.json: random tokenizer.json files, random texts, and the ids that Hugging Face's tokenizers
give. tests/cli/test_tokenizer_folders.py converts each and compares.

    tests/unicode/make_tokenizer_folders.py [OUT [FOLDERS [SEED]]]   (needs the Python package tokenizers; made with 0.23.3)

The environment's DUPQ_TOKENIZER_FOLDERS names another file for the test, with more of them.
"""

import json
import os
import random
import sys

from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from make_step_cases import step, text as odd_text

ROWS = 479  # of the golden model's table of words
WORDS = ("how do you learn the best way to sleep what is a cat why water Paris Zürich café naïve ÉCOLE İstanbul straße "
         "你好 東京 かな 한국 ω ΩΣ x1 3.14 don't e-mail well-known").split()


def words(r):
    out = ""
    for _ in range(r.choice([1, 3, 8, 20])):
        out += r.choice(WORDS) + r.choice([" ", " ", " ", "  ", "", ", ", "?", "\t", "\n", "\u3000", "\u0301", " [SEP] "])
    return out


def vocabulary(r):
    letters = sorted({c for w in WORDS for c in w + w.lower()} | set("abcdefghijklmnopqrstuvwxyz0123456789.,?!'-_[]()"))
    pieces = set(r.sample(letters, len(letters) - r.randrange(6)))
    for w in WORDS:
        if r.random() < 0.6:
            pieces.add(r.choice([w, w.lower(), w[: r.randrange(1, len(w) + 1)]]))
    tails = {"##" + w[r.randrange(len(w)):] for w in WORDS * 2} | {"##" + c for c in r.sample(letters, 40)}
    return sorted(pieces | tails)


def normalizer(r):
    if r.random() < 0.5:
        return normalizers.BertNormalizer(clean_text=r.random() < 0.8, handle_chinese_chars=r.random() < 0.8,
                                          strip_accents=r.choice([None, True, False]), lowercase=r.random() < 0.6)
    return normalizers.Sequence([step(r)[0] for _ in range(r.choice([1, 2, 3]))])


def folder(r):
    names = dict(unk_token=r.choice(["[UNK]", "<unk>"]), sep_token=r.choice(["[SEP]", "</s>"]),
                 cls_token=r.choice(["[CLS]", "<s>"]), pad_token="[PAD]", mask_token=r.choice(["[MASK]", "<mask>"]))
    pieces = list(names.values()) + vocabulary(r)
    pieces = pieces[: ROWS - 8]
    r.shuffle(pieces)
    ids = {piece: i for i, piece in enumerate(pieces)}
    t = Tokenizer(WordPiece(ids, unk_token=names["unk_token"], max_input_chars_per_word=r.choice([5, 20, 100, 200])))
    t.normalizer = normalizer(r)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    cls, sep = names["cls_token"], names["sep_token"]
    t.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0", pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1", special_tokens=[(cls, ids[cls]), (sep, ids[sep])])
    t.add_special_tokens([AddedToken(n, special=True, normalized=False,
                                     lstrip=n == names["mask_token"] and r.random() < 0.5) for n in names.values()])
    for _ in range(r.choice([0, 0, 1, 3])):
        new = AddedToken(r.choice(["C++", "learn", " best", "e-mail", "<x>", "Éc", "東", "[A B]", "?!", "x1 3"]),
                         single_word=r.random() < 0.3, lstrip=r.random() < 0.3, rstrip=r.random() < 0.3, normalized=r.random() < 0.5)
        (t.add_special_tokens if r.random() < 0.3 else t.add_tokens)([new])
    length = r.choice([8, 16, 24, 40])
    t.enable_truncation(length)
    extra = list(names.values()) + ["C++", "learn", "<x>", "[A B]", "?!"]
    texts = []
    for _ in range(8):
        made = words(r) if r.random() < 0.7 else odd_text(r)
        at = r.randrange(len(made) + 1)
        texts.append((made[:at] + r.choice(["", r.choice(extra)]) + made[at:]).replace("\0", ""))
    encoded = [t.encode(one).ids for one in texts]
    t.no_truncation()
    return {"tokenizer.json": json.loads(t.to_str()),
            "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": length, **names},
            "max_seq_length": length, "texts": texts, "ids": encoded}


def write_folders(name, count, make):
    """Writes what make(random) gives, a line each. The command line may name another file, count and seed."""
    here = os.path.dirname(os.path.abspath(__file__))
    defaults = [os.path.join(here, name), str(count), "1"]
    path, count, seed = (sys.argv[1:] + defaults[len(sys.argv) - 1:])[:3]
    r = random.Random(int(seed))
    with open(path, "w", encoding="utf-8") as out:
        for _ in range(int(count)):
            out.write(json.dumps(make(r), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    write_folders("tokenizer_folders.json", 36, folder)
