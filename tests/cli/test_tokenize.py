"""tokenize: ids against Hugging Face's, formats, limits."""

import unittest

from tool import EXPECTED, GOLDEN, Case, nul_texts


class Tokenize(Case):
    def test_singles(self):
        for name in ("bert", "bert_pooled", "mpnet"):
            got = self.ok("tokenize", self.model(name), "-0", GOLDEN / "texts.txt")
            self.assertEqual(got, (EXPECTED / f"{name}.ids").read_text())

    def test_pairs(self):
        for name, ids in (("cross", "cross"), ("cross_identity", "cross_identity"), ("mpnet", "mpnet.pairs")):
            got = self.ok("tokenize", self.model(name), "-0", "--pairs", GOLDEN / "pairs.txt")
            self.assertEqual(got, (EXPECTED / f"{ids}.ids").read_text())

    def test_formats_agree(self):
        m = self.model("bert")
        texts = [t for t in nul_texts(GOLDEN / "texts.txt") if not set(t) & set("\n\r\t\0\ufeff")]
        quoted = ['"' + t.replace('"', '""') + '"' for t in texts]
        wanted = self.ok("tokenize", m, "-0", stdin="".join(t + "\0" for t in texts))
        self.assertEqual(wanted.count("\n"), len(texts))
        self.assertEqual(self.ok("tokenize", m, stdin="".join(t + "\n" for t in texts)), wanted)
        self.assertEqual(self.ok("tokenize", m, "-", stdin="\r\n".join(texts)), wanted)
        csv = self.file("t.csv", "id,question\n" + "".join(f"7,{t}\n" for t in quoted))
        self.assertEqual(self.ok("tokenize", m, csv), wanted)
        self.assertEqual(self.ok("tokenize", m, "--format", "csv", stdin=csv.read_bytes()), wanted)
        tsv = self.file("t.tsv", "x\ttext\r\n" + "".join(f"7\t{t}\r\n" for t in quoted))
        self.assertEqual(self.ok("tokenize", m, tsv, "--column", "text"), wanted)
        only = self.file("only.csv", "whatever\n" + "".join(f"{t}\n" for t in quoted))
        self.assertEqual(self.ok("tokenize", m, only), wanted)

    def test_pairs_by_tab_and_by_columns(self):
        m = self.model("cross")
        wanted = self.ok("tokenize", m, "-0", "--pairs", stdin="good\0bad\0what is\0India\0")
        self.assertEqual(self.ok("tokenize", m, "--pairs", stdin="good\tbad\nwhat is\tIndia\n"), wanted)
        csv = self.file("p.csv", "b,a\nbad,good\nIndia,what is\n")
        self.assertEqual(self.ok("tokenize", m, "--pairs", csv, "--columns", "a,b"), wanted)
        self.assertEqual(self.ok("tokenize", m, "--pairs", csv, "--columns=a,b,no_label_here"), wanted)

    def test_empty_input(self):
        self.assertEqual(self.ok("tokenize", self.model("bert"), stderr=""), "")

    def test_max_length_cuts_and_says_so_once(self):
        m = self.model("bert")
        long = "good bad " * 100
        full = self.ok("tokenize", m, stdin="good bad good bad\n", stderr="").split()
        cut = self.ok("tokenize", m, "--max-length", "4", stdin="good bad good bad\nx\n" + long,
                      stderr="standard input: 2 texts cut to 4 tokens\n").split("\n")
        self.assertEqual(cut[0].split(), full[:3] + full[-1:])
        self.assertEqual(self.ok("tokenize", m, "--max-length", "2", stdin="x").split(), [full[0], full[-1]])
        self.ok("tokenize", self.model("cross"), "--pairs", "--max-length", "3", stdin="a\tb\n",
                stderr="standard input: 1 pair cut to 3 tokens\n")

    def test_impossible_max_length(self):
        for name, words, bad in (("bert", [], (1, 0, 1000)), ("cross", ["--pairs"], (2, 1000)),
                                 ("mpnet", ["--pairs"], (3,))):
            for n in bad:
                self.assertIn(f"--max-length {n}: the model reads",
                              self.refused("tokenize", self.model(name), *words, "--max-length", n, status=2))
        for name, least in (("bert", 3), ("cross", 4)):  # a model reads at least one token beside the special ones
            self.ok("score", self.model(name), "a", "b", "--max-length", least)
            self.assertIn(f"--max-length {least - 1}: the model reads {least} to",
                          self.refused("score", self.model(name), "a", "b", "--max-length", least - 1, status=2))

    def test_special_tokens_as_text(self):
        m = self.model("bert")
        sep = self.ok("tokenize", m, stdin="").split()
        parsed = self.ok("tokenize", m, stdin="good [SEP] bad").split()
        literal = self.ok("tokenize", m, "--literal", stdin="good [SEP] bad").split()
        self.assertEqual(parsed[2], parsed[-1])
        self.assertNotIn(parsed[-1], literal[1:-1])
        self.assertEqual(sep, [])

    def test_invalid_utf8_is_read(self):
        m = self.model("bert")
        wanted = self.ok("tokenize", m, stdin="good\n")
        self.assertEqual(self.ok("tokenize", m, stdin=b"good\xff\n"), wanted)


if __name__ == "__main__":
    unittest.main()
