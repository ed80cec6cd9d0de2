#!/usr/bin/env python3
"""Writes step_cases.bin: random lists of normaliser steps, random texts, and what Hugging Face's tokenizers make of them.

    tests/unicode/make_step_cases.py [OUT [LISTS [SEED]]]       (needs the Python package tokenizers; made with 0.23.3)

tests/unit/step_reader.cpp compares; the environment's DUPQ_STEP_CASES names another file for it, with more of them:

    tests/unicode/make_step_cases.py /tmp/cases.bin 20000 7 && DUPQ_STEP_CASES=/tmp/cases.bin dupq_unit -tc='*random steps*'

Numbers are u64. For each list: how many strings it has (as the model file has them) and their bytes, how many texts;
each string, text and result is its length and its bytes.
"""

import os
import random
import struct
import sys
import unicodedata

from tokenizers import Regex, normalizers as n

MARKS = [chr(c) for c in range(0x110000) if unicodedata.combining(chr(c))]
COMPOSED = [chr(c) for c in range(0x110000) if unicodedata.decomposition(chr(c))]
OFTEN = ("aAbBzZ  \t\n019&-_.?!\xe9\xc9\xdf\u0130\u0131\u03a3\u03c2\u017f\u212b\u2126\xa0\u200b\u3000\u2028\ufb01\u1e9b\u0323"
         "\u0301\u0307\ufdfa\uac00\ud7a3\u1100\u1161\u11a8\u09c7\u09be\ufffd\0\x7f\u2581\ufeff\u4e00\uf900\U00020000")
SETS = [("[0-9]", "09", 0), (" ", "  ", 0), ("[a-c]", "ac", 0), ("[^a-z]", "az", 1), (r"[\r\n]", "\r\r\n\n", 0)]
COUNTS = [("", 1, 1), ("+", 1, 0), ("{2,}", 2, 0), ("{2}", 2, 2), ("{2,3}", 2, 3)]


def text(r):
    out = ""
    for _ in range(r.choice([0, 1, 2, 5, 12, 30])):
        kind = r.random()
        if kind < 0.55:
            out += r.choice(OFTEN)
        elif kind < 0.7:
            out += r.choice(MARKS)
        elif kind < 0.85:
            out += r.choice(COMPOSED)
        elif kind < 0.9:
            out += "".join(r.choice(MARKS) for _ in range(r.choice([2, 5, 12])))
        elif kind < 0.95:
            out += unicodedata.normalize("NFD", r.choice(COMPOSED))
        else:
            c = r.randrange(0x110000)
            out += "" if 0xD800 <= c < 0xE000 else chr(c)
    return out


def step(r):
    """One step in Hugging Face's form and in ours."""
    kind = r.randrange(12)
    plain = [(n.NFC, "nfc"), (n.NFD, "nfd"), (n.NFKC, "nfkc"), (n.NFKD, "nfkd"), (n.Lowercase, "lowercase"),
             (n.StripAccents, "strip_accents"), (n.Nmt, "nmt")]
    if kind < len(plain):
        return plain[kind][0](), [plain[kind][1]]
    if kind == 7:
        left, right = r.choice([(True, True), (True, False), (False, True)])
        return n.Strip(left, right), ["strip_left"] * left + ["strip_right"] * right
    if kind == 8:
        before = r.choice(["so ", "_", "\xe9", "e\u0301"])
        return n.Prepend(before), ["prepend", before]
    if kind == 9:
        found = r.choice(["a", "aa", "aab", " ", "  ", "&", "e\u0301", "bab", "\n"])
        to = r.choice(["", " ", "xx", "a", "\u0301", " and "])
        return n.Replace(found, to), ["replace", found, to]
    if kind == 10:
        (pattern, ranges, inverted), (count, least, most) = r.choice(SETS), r.choice(COUNTS)
        to = r.choice(["", " ", "0", "xx"])
        return n.Replace(Regex(pattern + count), to), ["replace_run", str(inverted), str(least), str(most), ranges, to]
    clean, cjk, lower = (r.random() < 0.5 for _ in range(3))
    strip = r.choice([None, True, False])
    marks = lower if strip is None else strip
    return (n.BertNormalizer(clean_text=clean, handle_chinese_chars=cjk, strip_accents=strip, lowercase=lower),
            ["clean_text"] * clean + ["split_cjk"] * cjk + ["nfd", "strip_marks"] * marks + ["lowercase"] * lower)


def counted(strings):
    return b"".join(struct.pack("<Q", len(s.encode())) + s.encode() for s in strings)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path, lists, seed = (sys.argv[1:] + [os.path.join(here, "step_cases.bin"), "60", "1"][len(sys.argv) - 1 :])[:3]
    r = random.Random(int(seed))
    with open(path, "wb") as out:
        for _ in range(int(lists)):
            steps = [step(r) for _ in range(r.choice([1, 1, 2, 3, 5]))]
            names = [word for _, ours in steps for word in ours]
            texts = [text(r) for _ in range(8)]
            normalizer = n.Sequence([theirs for theirs, _ in steps])
            out.write(struct.pack("<QQ", len(names), len(counted(names))) + counted(names) + struct.pack("<Q", len(texts)))
            for t in texts:
                out.write(counted([t, normalizer.normalize_str(t)]))


if __name__ == "__main__":
    main()
