"""Makes subwords/bpe/ and subwords/unigram/: small tokenizers as RoBERTa and XLM-RoBERTa have them, of the words of
vocabulary.py. make_families.py puts models on them. Run by hand, before it, with Python 3.11 and tokenizers:

    python tests/golden/make_subwords.py

Nothing is random; a second run writes the same bytes.
"""
import pathlib
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

ROOT = pathlib.Path(__file__).resolve().parent
sys.path.append(str(ROOT.parent / "unicode"))

from make_subword_folders import alphabet, charsmap  # noqa: E402
from vocabulary import ENDINGS, HAN, OTHERS, UPPER, WORDS  # noqa: E402

ROWS = 479
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
MARK = "\u2581"


def merge(word, left, right):
    out = []
    for part in word:
        if out and out[-1] == left and part == right:
            out[-1] = left + right
        else:
            out.append(part)
    return out


def bpe():
    letters = alphabet()
    words = [[letters[b] for b in (" " + w).encode()] for w in WORDS + UPPER] + [[letters[b] for b in w.encode()] for w in ENDINGS]
    vocab = SPECIALS + letters
    merges = []
    while len(vocab) < ROWS - 1:
        counts = {}
        for word in words:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        pair = max(counts, key=lambda p: (counts[p], p))
        merges.append(pair)
        if pair[0] + pair[1] not in vocab:
            vocab.append(pair[0] + pair[1])
        words = [merge(word, *pair) for word in words]
    t = Tokenizer(models.BPE({token: i for i, token in enumerate(vocab + ["<mask>"])}, merges))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return t


def character_map():
    rules = {c: " " for c in "\t\n\r\x0b\x0c\x85\xa0\u2028\u3000"} | {c: "" for c in "\xad\u200b\ufeff"}
    for c in [*range(0xA9, 0xC0), *range(0xFB00, 0xFB05), *range(0xFF01, 0xFF5F)]:
        normal = unicodedata.normalize("NFKC", chr(c))
        if normal != chr(c):
            rules[chr(c)] = normal
    for base in "aeiouAEIOUnN":
        for mark in "\u0300\u0301\u0308\u0303":
            whole = unicodedata.normalize("NFC", base + mark)
            if len(whole) == 1:
                rules[base + mark] = whole
    return charsmap(rules)


def unigram():
    whole = [MARK + w for w in WORDS + UPPER]
    inside = [e for e in ENDINGS if len(e) > 1] + [w for w in WORDS[:40] if len(w) > 1]
    single = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?!'\"-+:;()/%$") + list(OTHERS + HAN + "\xe9\xe8\xfc\xf1")
    pieces = list(dict.fromkeys([MARK] + whole + inside + single))[: ROWS - len(SPECIALS) - 1]
    # Exactly representable, so that files that keep them in single precision have the same.
    vocab = [(s, 0.0) for s in SPECIALS]
    vocab += [(p, -2.0 - (0.0625 * i) % 7 - (3.0 if len(p) == 1 else 0.0)) for i, p in enumerate(pieces)]
    t = Tokenizer(models.Unigram(vocab + [("<mask>", 0.0)], unk_id=3, byte_fallback=False))
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(character_map()), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return t


def main():
    for name, t in [("bpe", bpe()), ("unigram", unigram())]:
        t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS])
        t.add_special_tokens([AddedToken("<mask>", special=True, normalized=False, lstrip=True)])
        folder = ROOT / "subwords" / name
        folder.mkdir(parents=True, exist_ok=True)
        t.save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    main()
