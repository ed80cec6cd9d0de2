#!/usr/bin/env python3
"""Writes subword_folders.json: random tokenizer.json files with Unigram or byte-level BPE, random texts and pairs, and
the ids that Hugging Face's tokenizers give. tests/cli/test_tokenizer_folders.py converts each and compares.

    tests/unicode/make_subword_folders.py [OUT [FOLDERS [SEED]]]   (needs the Python package tokenizers; made with 0.23.3)

The environment's DUPQ_SUBWORD_FOLDERS names another file for the test, with more of them.
"""

import base64
import json
import struct
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from make_step_cases import step, text as odd_text
from make_tokenizer_folders import WORDS, write_folders

ROWS = 479  # of the golden model's table of words
MARK = "\u2581"


def charsmap(rules):
    """A precompiled_charsmap: a double array over the keys' bytes, then the replacements, each ended by a NUL."""
    root, texts, places = {}, bytearray(), {}
    for key, value in rules.items():
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        if value not in places:
            places[value] = len(texts)
            texts += value.encode() + b"\0"
        node[0] = places[value]
    units, used, bases, queue = {0: 0}, {0}, {0}, [(0, root)]
    for place, node in queue:
        base = 1
        while base in bases or any(base ^ byte in used for byte in node):
            base += 1
        bases.add(base)
        used.update(base ^ byte for byte in node)
        units[place] |= (place ^ base) << 10 | (0 in node) << 8
        for byte, child in node.items():
            units[base ^ byte] = 1 << 31 | child if byte == 0 else byte
            if byte != 0:
                queue.append((base ^ byte, child))
    size = (max(units) // 256 + 1) * 256
    return struct.pack("<I", 4 * size) + b"".join(struct.pack("<I", units.get(i, 0)) for i in range(size)) + bytes(texts)


def random_map(r):
    rules = {c: " " for c in "\t\n\r\xa0\u3000\u200b\u2028" if r.random() < 0.8}
    rules |= {c: "" for c in "\x01\x7f\xad\u200e\u0301" if r.random() < 0.5}
    for c in [*range(0xAA, 0xC0), *range(0xFB00, 0xFB07), *range(0xFF01, 0xFF5F)]:
        if r.random() < 0.5 and unicodedata.normalize("NFKC", chr(c)).strip():
            rules[chr(c)] = unicodedata.normalize("NFKC", chr(c))
    for base in "aeiouAEIOUcn":
        for mark in "\u0300\u0301\u0308\u0327":
            whole = unicodedata.normalize("NFC", base + mark)
            if len(whole) == 1 and r.random() < 0.6:
                rules[base + mark] = whole
    for _ in range(r.choice([0, 0, 4])):
        rules[r.choice(["a", "\xa9", "\u0e33", "\uac00", "\u0600", "e\u0301\u0301", " "])] = r.choice(["b", "", "xy", "\xe9 ", "\uac01"])
    return rules


def words(r):
    out = ""
    for _ in range(r.choice([1, 3, 8, 20])):
        out += r.choice(WORDS) + r.choice([" ", " ", " ", "  ", "", ", ", "?", "\t", "\n", "\u3000", "\u0301", " <s> ", "'s ", " 12 ", MARK])
    return out


def normalizer(r):
    some = [step(r)[0] for _ in range(r.choice([0, 0, 0, 1, 2]))]
    if r.random() < 0.7:
        some.insert(0, normalizers.Precompiled(charsmap(random_map(r))))
    return normalizers.Sequence(some) if some else None


def unigram(r):
    letters = sorted({c for w in WORDS for c in w + w.lower()} | set("abcdefghijklmnopqrstuvwxyz0123456789.,?!'-_") | {MARK})
    pieces = set(r.sample(letters, len(letters) - r.randrange(12)))
    for w in WORDS * 2:
        begin = r.randrange(len(w))
        pieces.add(r.choice([MARK, "", ""]) + w[begin: begin + r.randrange(1, 9)])
    pieces = sorted(pieces)
    r.shuffle(pieces)
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    vocab = [[s, 0.0] for s in specials]
    vocab += [[p, r.choice([-1.5, -2.0, -3.25, round(r.uniform(-9, -1), 3)])] for p in pieces[: ROWS - 280]]
    fallback = r.random() < 0.3
    if fallback:
        vocab += [[f"<0x{b:02X}>", -12.0] for b in range(256) if b < 250 or r.random() < 0.5]
    vocab.append(["<mask>", 0.0])
    if r.random() < 0.2:
        vocab.append([vocab[9][0], -1.0])  # the same piece again: the last one counts
    t = Tokenizer(models.Unigram([tuple(v) for v in vocab], unk_id=r.choice([3, 3, 3, 7]), byte_fallback=fallback))
    t.normalizer = normalizer(r)
    meta = pre_tokenizers.Metaspace(prepend_scheme=r.choice(["always", "always", "first", "never"]), split=r.random() < 0.8)
    first = r.choice([[], [], [pre_tokenizers.WhitespaceSplit()], [pre_tokenizers.WhitespaceSplit()], [pre_tokenizers.Whitespace()],
                      [pre_tokenizers.Punctuation()], [pre_tokenizers.Digits(individual_digits=r.random() < 0.5)],
                      [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits()]])
    t.pre_tokenizer = pre_tokenizers.Sequence([*first, meta]) if first else r.choice([meta, pre_tokenizers.Sequence([meta])])
    if r.random() < 0.05:
        t.pre_tokenizer = None
    return t, specials + ["<mask>"]


def alphabet():
    """Characters of the 256 bytes, in their order."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(b) if b in kept else chr(next(others)) for b in range(256)]


def byte_bpe(r):
    letters = alphabet()
    if r.random() < 0.2:
        letters = [c for c in letters if r.random() < 0.9 or c == "a"]
    vocab = {t: i for i, t in enumerate(["<s>", "<pad>", "</s>", "<unk>", *letters])}
    merges = []
    texts = [" " + w for w in WORDS] + WORDS + ["'s", "  ", "\n\n", " the", " \u4f60\u597d", "aaaa"]
    words = [[alphabet()[b] for b in w.encode()] for w in texts]
    words = [w for w in words if all(c in vocab for c in w)]
    while len(vocab) < ROWS - 12 and any(len(w) > 1 for w in words):
        w = r.choice([w for w in words if len(w) > 1])
        at = r.randrange(len(w) - 1)
        left, right = w[at: at + 2]
        merges.append((left, right))
        vocab.setdefault(left + right, len(vocab))
        for one in words:
            i = 0
            while i < len(one) - 1:
                if (one[i], one[i + 1]) == (left, right):
                    one[i: i + 2] = [left + right]
                i += 1
    if r.random() < 0.3:  # an order that no training makes
        r.shuffle(merges)
    vocab["<mask>"] = len(vocab)
    t = Tokenizer(models.BPE(vocab, merges, unk_token=r.choice([None, None, "<unk>"])))
    t.normalizer = r.choice([None, None, None, normalizers.NFC(), normalizers.Sequence([step(r)[0]])])
    gpt2 = Regex(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
    prefix = r.random() < 0.4
    t.pre_tokenizer = r.choice([
        pre_tokenizers.ByteLevel(add_prefix_space=prefix), pre_tokenizers.ByteLevel(add_prefix_space=prefix),
        pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=False),
        pre_tokenizers.Sequence([pre_tokenizers.Split(gpt2, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])])
    return t, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def folder(r):
    t, specials = r.choice([unigram, byte_bpe])(r)
    s, e = t.token_to_id("<s>"), t.token_to_id("</s>")
    t.post_processor = r.choice([processors.RobertaProcessing(("</s>", e), ("<s>", s)), None]) or processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", s), ("</s>", e)])
    normalized = r.random() < 0.3
    t.add_special_tokens([AddedToken(n, special=True, normalized=normalized or r.random() < 0.1, lstrip=n == "<mask>" and r.random() < 0.7,
                                     rstrip=r.random() < 0.1) for n in specials])
    for _ in range(r.choice([0, 0, 1, 3])):
        t.add_tokens([AddedToken(r.choice(["C++", "learn", " best", "<x>", "\xc9c", "\u6771", "[A B]", "?!", MARK + "x"]),
                                 single_word=r.random() < 0.3, lstrip=r.random() < 0.3, rstrip=r.random() < 0.3, normalized=r.random() < 0.5)])
    length = r.choice([8, 16, 24, 40])
    extra = specials + ["C++", "learn", "<x>", "[A B]", "?!", "  <mask>", "\uff1cs\uff1e", "\xa9\u200d\xa9\u0301"]
    texts = []
    for _ in range(8):
        made = words(r) if r.random() < 0.7 else odd_text(r)
        at = r.randrange(len(made) + 1)
        texts.append((made[:at] + r.choice(["", r.choice(extra)]) + made[at:]).replace("\0", ""))
    t.enable_truncation(length)
    encoded = [t.encode(one).ids for one in texts]
    pairs = [t.encode(a, b).ids for a, b in zip(texts[::2], texts[1::2])]
    t.no_truncation()
    return {"tokenizer.json": json.loads(t.to_str()),
            "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": length},
            "max_seq_length": length, "texts": texts, "ids": encoded, "pairs": pairs}


if __name__ == "__main__":
    write_folders("subword_folders.json", 40, folder)
