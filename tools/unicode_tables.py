#!/usr/bin/env python3
"""Writes include/dupq/text/unicode_tables.hpp, normal_form_tables.hpp and split_tables.hpp from Unicode's data.

    tools/unicode_tables.py [--data /usr/share/unicode] [--out include/dupq/text]

The data is Debian's package unicode-data. The tables say what Hugging Face's normalisers do, and that mixes
several versions of Unicode, one for each of the Rust crates that it is made of; DerivedAge.txt tells which characters
a version has. Where a character's properties changed afterwards, the constants below restore them.
"""

import argparse
import os
import re
import sys

COMMAND = "tools/unicode_tables.py"
BLOCK = 64  # code points in a block of the two-stage tables
TABLE_END = 0x2FA40  # code points from here on are few, and listed as ranges

CATEGORY_VERSION = (8, 0)  # Cc, Cf, Co, Mn and P*
NFD_VERSION = (9, 0)
DATA_VERSION = (15, 0)  # lower case and words, apart from the additions below: newer data gives the same tables

# P* then, something else in the data; and the reverse for Mn.
PUNCTUATION_THEN = [0x166D, 0x111C9]
MARKS_THEN = [0x1734]
NO_MARKS_THEN = [0x1885, 0x1886, 0xA9BD, 0x111C9]
# The same for M*, of the version of the normalisation forms.
ACCENTS_THEN = [0x1CF2, 0x1CF3]
NO_ACCENTS_THEN = [0x111C9]
# Lower case since Unicode 16 and 17: first, last, distance.
LATER_LOWER = [
    (0x1C89, 0x1C89, 1), (0xA7CB, 0xA7CB, 0x264 - 0xA7CB), (0xA7CC, 0xA7CC, 1), (0xA7CE, 0xA7CE, 1),
    (0xA7D2, 0xA7D2, 1), (0xA7D4, 0xA7D4, 1), (0xA7DA, 0xA7DA, 1), (0xA7DC, 0xA7DC, 0x19B - 0xA7DC),
    (0x10D50, 0x10D65, 0x20), (0x16EA0, 0x16EB8, 0x1B),
]
# Characters of words (\w) since Unicode 15.1 and 16.
LATER_WORDS = [
    (0x897, 0x897), (0x1C89, 0x1C8A), (0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0x105C0, 0x105F3), (0x10D40, 0x10D65),
    (0x10D69, 0x10D6D), (0x10D6F, 0x10D85), (0x10EC2, 0x10EC4), (0x10EFC, 0x10EFC), (0x11380, 0x11389),
    (0x1138B, 0x1138B), (0x1138E, 0x1138E), (0x11390, 0x113B5), (0x113B7, 0x113C0), (0x113C2, 0x113C2),
    (0x113C5, 0x113C5), (0x113C7, 0x113CA), (0x113CC, 0x113D3), (0x113E1, 0x113E2), (0x116D0, 0x116E3),
    (0x11BC0, 0x11BE0), (0x11BF0, 0x11BF9), (0x11F5A, 0x11F5A), (0x13460, 0x143FA), (0x16100, 0x16139),
    (0x16D40, 0x16D6C), (0x16D70, 0x16D79), (0x18CFF, 0x18CFF), (0x1CCF0, 0x1CCF9), (0x1E5D0, 0x1E5FA),
    (0x2EBF0, 0x2EE5D),
]
# What the normaliser calls Chinese. 2B920 is not a slip of this file: the reference has it so.
CJK = [
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F),
]
# Letters, numbers and characters that go on with a cluster since Unicode 15.1, 16 and 17.
LATER_LETTERS = [
    (0x1C89, 0x1C8A), (0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0x105C0, 0x105F3), (0x10D4A, 0x10D65), (0x10D6F, 0x10D85),
    (0x10EC2, 0x10EC4), (0x11380, 0x11389), (0x1138B, 0x1138B), (0x1138E, 0x1138E), (0x11390, 0x113B5),
    (0x113B7, 0x113B7), (0x113D1, 0x113D1), (0x113D3, 0x113D3), (0x11BC0, 0x11BE0), (0x13460, 0x143FA),
    (0x16100, 0x1611D), (0x16D40, 0x16D6C), (0x18CFF, 0x18CFF), (0x1E5D0, 0x1E5ED), (0x1E5F0, 0x1E5F0),
    (0x2EBF0, 0x2EE5D),
]
LATER_NUMBERS = [
    (0x10D40, 0x10D49), (0x116D0, 0x116E3), (0x11BF0, 0x11BF9), (0x16130, 0x16139), (0x16D70, 0x16D79),
    (0x1CCF0, 0x1CCF9), (0x1E5F1, 0x1E5FA),
]
LATER_JOINERS = [
    (0x897, 0x897), (0x1ACF, 0x1ADD), (0x1AE0, 0x1AEB), (0x10D69, 0x10D6D), (0x10EFA, 0x10EFC), (0x113B8, 0x113C0),
    (0x113C2, 0x113C2), (0x113C5, 0x113C5), (0x113C7, 0x113CA), (0x113CC, 0x113D0), (0x113D2, 0x113D2),
    (0x113E1, 0x113E2), (0x11B60, 0x11B67), (0x11F5A, 0x11F5A), (0x1611E, 0x1612F), (0x1E5EE, 0x1E5EF),
    (0x1E6E3, 0x1E6E3), (0x1E6E6, 0x1E6E6), (0x1E6EE, 0x1E6EF), (0x1E6F5, 0x1E6F5),
]
SPLIT_END = 0x32400  # what comes after it is listed as ranges
FLAGS = ["control", "space", "punctuation", "mark", "decomposes", "cjk", "word"]


def properties(path, wanted):
    """The code points that a file such as PropList.txt lists under the property `wanted`."""
    found = set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            m = re.match(r"([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*;\s*(\w+)", line)
            if m and m[3] == wanted:
                found.update(range(int(m[1], 16), int(m[2] or m[1], 16) + 1))
    return found


class Database:
    def __init__(self, folder):
        self.category, self.ccc, self.decomposition, self.compatibility, self.lower, self.age = {}, {}, {}, {}, {}, {}
        with open(os.path.join(folder, "UnicodeData.txt"), encoding="utf-8") as lines:
            for line in lines:
                fields = line.rstrip("\n").split(";")
                first = last = int(fields[0], 16)
                if fields[1].endswith(", First>"):
                    last = int(next(lines).split(";")[0], 16)
                for c in range(first, last + 1):
                    self.category[c] = fields[2]
                if fields[3] != "0":
                    self.ccc[first] = int(fields[3])
                if fields[5] and not fields[5].startswith("<"):
                    self.decomposition[first] = [int(x, 16) for x in fields[5].split()]
                if fields[5].startswith("<"):
                    self.compatibility[first] = [int(x, 16) for x in fields[5].split()[1:]]
                if fields[13]:
                    self.lower[first] = int(fields[13], 16)
        with open(os.path.join(folder, "DerivedAge.txt"), encoding="utf-8") as lines:
            for line in lines:
                m = re.match(r"([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*;\s*(\d+)\.(\d+)", line)
                if m:
                    for c in range(int(m[1], 16), int(m[2] or m[1], 16) + 1):
                        self.age[c] = (int(m[3]), int(m[4]))
        self.excluded = properties(os.path.join(folder, "DerivedNormalizationProps.txt"), "Full_Composition_Exclusion")
        self.white = properties(os.path.join(folder, "PropList.txt"), "White_Space")
        self.alphabetic = properties(os.path.join(folder, "DerivedCoreProperties.txt"), "Alphabetic")
        self.alphabetic |= properties(os.path.join(folder, "PropList.txt"), "Join_Control")

    def has(self, c, version):
        return c in self.age and self.age[c] <= version


class Tables:
    """What becomes of each code point."""

    def __init__(self, db):
        self.db = db
        then = lambda kinds: {c for c, k in db.category.items() if k in kinds and db.has(c, CATEGORY_VERSION)}
        self.control = (then(("Cc", "Cf", "Co")) | {0xFFFD}) - {0x9, 0xA, 0xD}
        self.mark = (then(("Mn",)) | set(MARKS_THEN)) - set(NO_MARKS_THEN)
        self.punctuation = then(("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po")) | set(PUNCTUATION_THEN)
        self.punctuation |= {c for c in range(0x21, 0x7F) if not chr(c).isalnum()}
        self.cjk = {c for first, last in CJK for c in range(first, last + 1)}
        self.word = {c for c, k in db.category.items() if k in ("Mn", "Mc", "Me", "Nd", "Pc")} | db.alphabetic
        self.word = {c for c in self.word if db.has(c, DATA_VERSION)}
        self.word.update(c for first, last in LATER_WORDS for c in range(first, last + 1))
        self.lower = {c: to for c, to in db.lower.items() if db.has(c, DATA_VERSION)}
        self.lower.update({c: c + d for first, last, d in LATER_LOWER for c in range(first, last + 1)})
        self.stripped = {c: self.strip(c) for c in db.decomposition if db.has(c, NFD_VERSION)}

    def ccc(self, c):
        return self.db.ccc.get(c, 0) if self.db.has(c, NFD_VERSION) else 0

    def decompose(self, c):
        parts = self.db.decomposition.get(c) if self.db.has(c, NFD_VERSION) else None
        return [c] if parts is None else [d for p in parts for d in self.decompose(p)]

    def strip(self, c):
        """The canonical decomposition without its marks; it begins with 0 where a mark was dropped that does not
        reorder, so that characters before and after it never change places."""
        parts = self.decompose(c)
        kept = [d for d in parts if d not in self.mark]
        starters = [d for d in parts if self.ccc(d) == 0]
        assert not starters or starters[0] == parts[0], hex(c)
        reordering = [i for i, d in enumerate(parts) if d in kept and self.ccc(d) != 0]
        assert not any(d in self.mark and self.ccc(d) == 0 for i in reordering for d in parts[i:]), hex(c)
        return [0] + kept if starters and not (kept and self.ccc(kept[0]) == 0) else kept

    def record(self, c):
        sets = [self.control, self.db.white, self.punctuation, self.mark, self.stripped, self.cjk, self.word]
        flags = sum(1 << bit for bit, members in enumerate(sets) if c in members)
        ccc = self.ccc(c)
        return flags, min(ccc, 1) if c in self.mark else ccc, self.lower.get(c, c) - c


def two_stage(values):
    """(index of each block, the distinct blocks one after the other)"""
    blocks, stage1, stage2 = {}, [], []
    for begin in range(0, len(values), BLOCK):
        block = tuple(values[begin : begin + BLOCK])
        if block not in blocks:
            blocks[block] = len(blocks)
            stage2.extend(block)
        stage1.append(blocks[block])
    return stage1, stage2


def array(name, kind, values, comment):
    lines, line = [], ""
    for text in (v if isinstance(v, str) else str(v) if v < 0x10000 else hex(v) for v in values):
        if len(line) + len(text) + 1 > 118:
            lines.append(line)
            line = ""
        line += text + ","
    lines.append(line)
    return f"/// {comment}\ninline constexpr {kind} {name}[{len(values)}] = {{\n  " + "\n  ".join(lines) + "\n};\n"


def render(db):
    tables = Tables(db)
    records = {(0, 0, 0): 0}
    of = [records.setdefault(tables.record(c), len(records)) for c in range(0x110000)]
    assert len(records) <= 256
    class1, class2 = two_stage(of[:TABLE_END])
    ranges = []
    for c in range(TABLE_END, 0x110000):
        if of[c] and ranges and ranges[-1][1:] == [c - 1, of[c]]:
            ranges[-1][1] = c
        elif of[c]:
            ranges.append([c, c, of[c]])

    # A decomposition is (place << 3 | length) in one array of code points; equal ones share their place.
    parts, places, strip_of = [], {}, [0] * (max(tables.stripped) // BLOCK + 1) * BLOCK
    for c, kept in sorted(tables.stripped.items()):
        key = tuple(kept)
        if key not in places:
            places[key] = len(parts)
            parts.extend(kept)
        assert len(kept) <= 4 and places[key] < 1 << 13
        strip_of[c] = places[key] << 3 | len(kept)
    strip1, strip2 = two_stage(strip_of)
    assert max(strip1) < 256 and all(c < TABLE_END for c in tables.stripped)

    rows = "".join(f"  {{{f}, {ccc}, {delta}}},\n" for f, ccc, delta in records)
    flags = "".join(f"inline constexpr std::uint8_t {name} = {1 << bit};\n" for bit, name in enumerate(FLAGS))
    rest = "".join(f"  {{{first:#x}, {last:#x}, {number}}},\n" for first, last, number in ranges)
    size = 2 * len(class1) + len(class2) + 8 * len(records) + 12 * len(ranges) + len(strip1) + 2 * len(strip2) + 4 * len(parts)
    return f"""\
// Generated by {COMMAND} from Debian's unicode-data; change that script, not this file.
//
// What a character is to Hugging Face's BERT normaliser: {size} bytes of tables, two-stage ones for all but the
// highest code points.
#pragma once

#include <cstdint>

#include "../core/platform.hpp"

// clang-format off
namespace dupq::inline DUPQ_ABI {{
namespace unicode_tables {{

{flags}
struct character {{
  std::uint8_t flags;
  std::uint8_t combining_class;  ///< canonical combining class; 0: does not reorder; a mark's is 0 or 1
  std::int32_t lower;            ///< distance to the lower-case character
}};

inline constexpr unsigned block = {BLOCK};
inline constexpr char32_t end = {TABLE_END:#x};

inline constexpr character characters[{len(records)}] = {{
{rows}}};

struct range {{
  char32_t first, last;
  std::uint32_t index;  ///< into `characters`
}};
/// From `end` on; what is not listed is characters[0].
inline constexpr range ranges[{len(ranges)}] = {{
{rest}}};

{array("class_blocks", "std::uint16_t", class1, "Block number of code point c: [c / block], c < end.")}
{array("classes", "std::uint8_t", class2, "Index into `characters`: [block number * block + c % block].")}
{array("strip_blocks", "std::uint8_t", strip1, "The same for characters that decompose; shorter.")}
{array("strips", "std::uint16_t", strip2, "Place in `parts` << 3 | length: the decomposition without its marks.")}
{array("parts", "char32_t", parts, "The characters of decompositions.")}
}}  // namespace unicode_tables
}}  // namespace dupq::inline DUPQ_ABI
"""


class NormalForms:
    """What the four normalisation forms and StripAccents need, all of one version."""

    def __init__(self, db):
        known = lambda c: db.has(c, NFD_VERSION)
        self.canonical = {c: parts for c, parts in db.decomposition.items() if known(c)}
        self.both = self.canonical | {c: parts for c, parts in db.compatibility.items() if known(c)}
        self.ccc = {c: n for c, n in db.ccc.items() if known(c)}
        self.accent = {c for c, k in db.category.items() if k in ("Mn", "Mc", "Me") and known(c)}
        self.accent = (self.accent - set(NO_ACCENTS_THEN)) | set(ACCENTS_THEN)
        self.pairs = sorted((*parts, c) for c, parts in self.canonical.items() if len(parts) == 2 and c not in db.excluded)

    def full(self, c, of):
        return [d for p in of[c] for d in self.full(p, of)] if c in of else [c]


def render_forms(db):
    forms = NormalForms(db)
    records = {(0, 0): 0}
    high = {c for c in forms.accent if c >= 0xE0000}  # the variation selectors: a range of their own
    assert len(high) == max(high) - min(high) + 1 and not high & forms.ccc.keys()
    last = max(forms.ccc.keys() | forms.accent - high)
    of = [records.setdefault((forms.ccc.get(c, 0), int(c in forms.accent)), len(records)) for c in range(last // BLOCK * BLOCK + BLOCK)]
    class1, class2 = two_stage(of)

    parts, places, entries, entry_of = [], {}, {(0, 0, 0): 0}, [0] * (max(forms.both) // BLOCK + 1) * BLOCK
    for c in sorted(forms.both):
        canonical, both = forms.full(c, forms.canonical), forms.full(c, forms.both)
        canonical = [] if canonical == [c] else canonical
        key = tuple(canonical), tuple(both if both != canonical else ())
        if key not in places:
            places[key] = len(parts)
            parts.extend(key[0] + key[1])
        entry_of[c] = entries.setdefault((places[key], len(key[0]), len(key[1])), len(entries))
    form1, form2 = two_stage(entry_of)
    assert len(parts) < 1 << 16 and len(entries) < 1 << 16 and max(form1) < 1 << 16 and len(records) <= 256

    rows = "".join(f"  {{{ccc}, {accent}}},\n" for ccc, accent in records)
    entry_rows = array("entries", "entry", [f"{{{p},{n},{k}}}" for p, n, k in entries], "The decompositions.")
    pair_rows = array("pairs", "pair", [f"{{{a:#x},{b:#x},{c:#x}}}" for a, b, c in forms.pairs], "In order.")
    return f"""\
// Generated by {COMMAND} from Debian's unicode-data; change that script, not this file.
//
// The Unicode normalisation forms: combining classes, accents, decompositions, compositions. Hangul is computed.
#pragma once

#include <cstdint>

#include "../core/platform.hpp"

// clang-format off
namespace dupq::inline DUPQ_ABI {{
namespace normal_form_tables {{

inline constexpr unsigned block = {BLOCK};
inline constexpr char32_t class_end = {len(of):#x};   ///< from here on no character reorders
inline constexpr char32_t form_end = {len(entry_of):#x};  ///< from here on none decomposes
inline constexpr char32_t high_accents[2] = {{{min(high):#x}, {max(high):#x}}};  ///< the only accents from class_end on

struct record {{
  std::uint8_t combining_class;
  std::uint8_t accent;  ///< 1: any kind of mark, which StripAccents drops
}};
inline constexpr record records[{len(records)}] = {{
{rows}}};

{array("class_blocks", "std::uint16_t", class1, "Block number of code point c: [c / block], c < class_end.")}
{array("classes", "std::uint8_t", class2, "Index into `records`: [block number * block + c % block].")}
/// A decomposition: `canonical` characters from parts[place] on, after them those of the compatible one where it is
/// another.
struct entry {{
  std::uint16_t place;
  std::uint8_t canonical, compatible;
}};
{entry_rows}
{array("form_blocks", "std::uint16_t", form1, "The same two stages for characters below form_end.")}
{array("forms", "std::uint16_t", form2, "Index into `entries`; 0: does not decompose.")}
{array("parts", "char32_t", parts, "The characters of decompositions.")}
/// Two characters that NFC and NFKC make one.
struct pair {{
  char32_t first, second, composed;
}};
{pair_rows}
}}  // namespace normal_form_tables
}}  // namespace dupq::inline DUPQ_ABI
"""


def clusters(db, folder):
    """The five sets of flags of split_tables, in the order of SPLIT_FLAGS."""
    breaks = os.path.join(folder, "auxiliary", "GraphemeBreakProperty.txt")
    some = lambda *names: set().union(*(properties(breaks, n) for n in names))
    spans = lambda ranges: {c for first, last in ranges for c in range(first, last + 1)}
    return [{c for c, k in db.category.items() if k[0] == "L"} | spans(LATER_LETTERS),
            {c for c, k in db.category.items() if k[0] == "N"} | spans(LATER_NUMBERS),
            some("Extend", "SpacingMark", "ZWJ") | spans(LATER_JOINERS), some("Prepend"), some("Control", "CR", "LF"),
            properties(os.path.join(folder, "emoji", "emoji-data.txt"), "Extended_Pictographic")]


SPLIT_FLAGS = ["letter", "number", "joiner", "prepended", "control", "pictograph"]


def render_split(db, folder):
    sets = clusters(db, folder)
    of = [0] * 0x110000
    for bit, members in enumerate(sets):
        for c in members:
            of[c] |= 1 << bit
    blocks, classes = two_stage(of[:SPLIT_END])
    ranges = []
    for c in range(SPLIT_END, 0x110000):
        if of[c] and ranges and ranges[-1][1:] == [c - 1, of[c]]:
            ranges[-1][1] = c
        elif of[c]:
            ranges.append([c, c, of[c]])
    assert len(ranges) < 16
    comments = ["L", "N", "goes on with the cluster of characters before it", "the cluster goes on after it", "a cluster of its own",
                "Extended_Pictographic"]
    flags = "".join(f"inline constexpr std::uint8_t {name} = {1 << bit};  ///< {comments[bit]}\n" for bit, name in enumerate(SPLIT_FLAGS))
    rest = "".join(f"  {{{first:#x}, {last:#x}, {number}}},\n" for first, last, number in ranges)
    size = 2 * len(blocks) + len(classes) + 12 * len(ranges)
    return f"""\
// Generated by {COMMAND} from Debian's unicode-data; change that script, not this file.
//
// What byte-level BPE and SentencePiece's map ask of a character: {size} bytes.
#pragma once

#include <cstdint>

#include "../core/platform.hpp"

// clang-format off
namespace dupq::inline DUPQ_ABI {{
namespace split_tables {{

{flags}
inline constexpr unsigned block = {BLOCK};
inline constexpr char32_t end = {SPLIT_END:#x};

struct range {{
  char32_t first, last;
  std::uint8_t flags;
}};
/// From `end` on; what is not listed has no flag.
inline constexpr range ranges[{len(ranges)}] = {{
{rest}}};

{array("blocks", "std::uint16_t", blocks, "Block number of code point c: [c / block], c < end.")}
{array("classes", "std::uint8_t", classes, "Flags: [block number * block + c % block].")}
}}  // namespace split_tables
}}  // namespace dupq::inline DUPQ_ABI
"""


def main():
    parser = argparse.ArgumentParser(description="Writes the Unicode tables of dupq's tokenizer.")
    parser.add_argument("--data", default="/usr/share/unicode", help="folder of UnicodeData.txt, DerivedAge.txt, ...")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--out", default=os.path.join(root, "include/dupq/text"), help="folder of the two headers")
    arguments = parser.parse_args()
    try:
        db = Database(arguments.data)
        for name, text in (("unicode_tables.hpp", render(db)), ("normal_form_tables.hpp", render_forms(db)),
                           ("split_tables.hpp", render_split(db, arguments.data))):
            with open(os.path.join(arguments.out, name), "w", encoding="utf-8") as out:
                out.write(text)
    except OSError as e:
        sys.exit(f"{COMMAND}: {e.filename}: {e.strerror} (Debian's package unicode-data has the data)")


if __name__ == "__main__":
    main()
