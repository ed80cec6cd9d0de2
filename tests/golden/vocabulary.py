"""A vocabulary of about 600 pieces and the texts that go with it, for make_golden.py."""

WORDS = """the of and to in is how do i learn what best way can you my a for it are why does not with be on or from at
programming python java c language question answer good bad first time year day new old big small one two three book
read write work home money phone computer water food india london paris world people man woman child life love make
find get use buy sell start stop better difference between should would could many much more most which who when where
long short model duplicate test data un re over cafe naive strasse hello quick brown fox""".split()
ENDINGS = """s ed ing er ly est ion able ness ment al ful less ize ive ous ity ant ent th st nd rd 00 000 19 20
re in on an at en it ar or is te le nd as to ou""".split()
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = ["What", "How", "Is", "The", "Python", "India", "London", "I", "C", "USA"]
DIGITS = "0123456789"
MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + "\u00a1\u00bf\u00ab\u00bb\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u3002\u3001"
ACCENTED = "\u00e9\u00e8\u00fc\u00f6\u00e4\u00f1\u00e7\u00c9\u00d6"  # found only by tokenizers that keep accents
OTHERS = "\u00df\u00f8\u0142\u20ac\u00a9\u03b1\u03b2\u03b3\u03c0\u03c3\u03c2\u0430\u0431\u0432\u0435\u043a\u043e\u0440\u0442"
OTHERS += "\u0627\u0644\u0645\u0928\u05d0\u05d1\u0905\u0915\u093e\u1100\u1112\u1161\u11ab\u3042\u3044\u30ab\U0001f600\U0001f680"
HAN = "\u4e00\u4e2d\u4eba\u56fd\u597d\u6587\u65e5\u672c\u8a9e"


def pieces():
    """The pieces without special tokens, none twice."""
    out = list(MARKS)
    for letters in (LOWER, LOWER.upper(), DIGITS, ACCENTED, OTHERS):
        out += list(letters) + ["##" + c for c in letters]
    out += list(HAN) + WORDS + UPPER + ["##" + e for e in ENDINGS] + ["##" + w for w in WORDS[:60]]
    return list(dict.fromkeys(out))


TEXTS = [
    "",
    " \t\n ",
    "How do I learn C++?",
    "What is the best way to learn C++?",
    "How do I learn C++ ?",
    "how do i LEARN c + + ?",
    "Is Python better than Java?",
    "Is Java better than Python?",
    "What is the difference between good and bad?",
    "What is not the difference between good and bad?",
    "India",
    "a",
    "?",
    "...",
    "Why are people in London, Paris and India buying computers in 2019 and 2020?",
    "unlearnable, relearning; restarted: overworked",
    "caf\u00e9 na\u00efve \u00dcber Stra\u00dfe \u00d1and\u00fa",
    "cafe\u0301 nai\u0308ve U\u0308ber",  # the same in decomposed form
    "\u4e2d\u56fd\u4eba\u597d, \u65e5\u672c\u8a9e\u3002",
    "\ud55c\uae00 \ud55c",
    "\u0430\u0432\u0442\u043e \u041a\u041e\u0422 \u03c3\u03c2 \u03a3\u03b1\u03a3",
    "\u0627\u0644\u0646 \u05d0\u05d1 \u0915\u093e",
    "\U0001f600\U0001f680 hello \U0001f600world \U0001f4a9",
    "\u20ac20 or $20, 100% \u00a9 2020",
    "zero\u200bwidth, soft\u00adhyphen, \ufeffmark and \ufffdbroken",
    "tabs\tand\nlines\r\nand\u00a0blanks\u3000here",
    "x\u000by\u000cz\u0085w",
    "[CLS] what [SEP] is [MASK]? [UNK] [PAD] [sep]",
    "<s> how </s> are <mask> you <unk> <UNK> <pad> many",
    "[SEP][SEP]the[SEP]",
    "a" * 99 + " " + "b" * 100 + " " + "c" * 101,
    "quick\u2014brown\u2026fox \u201cquoted\u201d \u2018single\u2019",
    "\u2260 \u037e \u00bd \u00b2 \u212b \u0130 \u1e9e",
    "Programming language questions: which first, which most, and where to start?",
    " ".join(WORDS),  # far beyond every limit
    "the " * 100,
    "one two three one two three one two three one two three one two three one two",
    "water food money phone home book work life love world day year time test data model hello",
    "1 22 333 4444 55555 3.14159 1,000,000 19th 20th 1st",
    "_under_score ~tilde `tick` ^hat |pipe| \\back {brace}",
    "Hello hello HELLO hElLo",
    "duplicate question duplicate question",
]

PAIRS = [(TEXTS[a], TEXTS[b]) for a, b in [
    (2, 3), (3, 2), (2, 5), (2, 2), (6, 7), (8, 9), (0, 0), (0, 2), (2, 0), (10, 11), (12, 13), (14, 15), (16, 17),
    (18, 19), (20, 21), (22, 23), (27, 2), (2, 27), (28, 29), (30, 31), (34, 34), (34, 11), (11, 34), (35, 34),
    (36, 37), (37, 36), (33, 8), (38, 39), (40, 41), (1, 24),
]]
