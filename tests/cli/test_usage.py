"""Help, version, wrong usage."""

import re
import unittest

from tool import Case

VERBS = ["convert", "export", "info", "tokenize", "encode", "score", "eval", "calibrate", "dedup", "match", "cluster",
         "train", "distill"]


class Usage(Case):
    def test_help_of_all_and_of_each_verb(self):
        everything = self.ok("--help", stderr="")
        for verb in VERBS:
            self.assertRegex(everything, rf"(?m)^  {verb} ")
            said = self.ok(verb, "--help", stderr="")
            self.assertTrue(said.startswith(f"usage: dupq {verb} "), said)
            self.assertLess(max(map(len, said.splitlines())), 121)
            # The help names no option that the verb does not know.
            for option in set(re.findall(r"(?<![\w-])(?:--[a-z-]+|-[a-z0])\b", said)) - {"--help", "-h"}:
                self.assertNotIn("unknown option", self.run_tool(verb, option).stderr.decode(), option)
            self.assertEqual(self.ok(verb, "-h"), said)

    def test_version(self):
        self.assertRegex(self.ok("--version", stderr=""), r"^dupq \d+\.\d+\.\d+\n$")

    def test_no_verb_or_an_unknown_one(self):
        self.assertIn("usage:", self.refused(status=2))
        self.assertIn("no verb 'explode'", self.refused("explode", status=2))

    def test_too_few_and_too_many_arguments(self):
        for verb in VERBS:
            self.assertIn("too few arguments", self.refused(verb, status=2))
            if verb not in ("train", "eval"):  # which take many files
                self.assertIn("too many arguments", self.refused(verb, "a", "b", "c", "d", status=2))

    def test_unknown_and_wrong_options(self):
        m = self.model("bert")
        for verb in VERBS:
            self.assertIn("unknown option '--explode'", self.refused(verb, m, "--explode", status=2))
        self.assertIn("-o is missing", self.refused("convert", "x", status=2))
        self.assertIn("-o is missing", self.refused("encode", m, status=2))
        self.assertIn("-o is missing", self.refused("calibrate", m, "x.csv", status=2))
        self.assertIn("--type cannot be 'int3'", self.refused("convert", "x", "-o", "y", "--type", "int3", status=2))
        self.assertIn("int8 needs the packed layout", self.refused("convert", "x", "-o", "y", "--type", "int8",
                                                                   "--layout", "plain", status=2))
        self.assertIn("--layout cannot be", self.refused("convert", "x", "-o", "y", "--layout", "odd", status=2))
        self.assertIn("--threads cannot be '0'", self.refused("score", m, "a", "b", "--threads", "0", status=2))
        self.assertIn("--device cannot be 'abacus' (cpu, cuda)",
                      self.refused("score", m, "a", "b", "--device", "abacus", status=2))
        self.assertIn("two texts or --pairs", self.refused("score", m, "a", status=2))
        self.assertIn("two texts or --pairs", self.refused("score", m, "a", "b", "--pairs", "x.csv", status=2))
        self.assertIn("needs --pairs", self.refused("score", m, "a", "b", "--skip-bad", status=2))
        self.assertIn("--top cannot be '-1'", self.refused("dedup", m, "--top", "-1", status=2))
        self.assertIn("exclude each other", self.refused("tokenize", m, "-0", "--format", "csv", status=2))
        self.assertIn("--format cannot be 'xml' (text, csv, tsv, jsonl)",
                      self.refused("tokenize", m, "--format", "xml", status=2))
        self.assertIn("no place for labels", self.refused("eval", m, "x", "-0", status=2))
        self.assertIn("--columns needs 3 names", self.refused("eval", m, "x.csv", "--columns", "a,b", status=2))
        self.assertIn("--column names the columns here",
                      self.refused("encode", m, "x.csv", "-o", "y", "--columns", "a,b", status=2))
        self.assertIn("needs a file with a header",
                      self.refused("encode", m, "x.txt", "-o", "y", "--column", "a", status=2))
        for separator in ("", "ab", "\u00e9", '"', "\n"):
            self.assertIn("--separator cannot be",
                          self.refused("tokenize", m, "x.csv", "--separator", separator, status=2))
        for option in ("--separator=;", "--quotes=none"):
            for words in (["x.txt"], ["x.csv", "-0"], ["x.jsonl"]):
                self.assertIn(f"{option.split('=')[0]} needs a csv or tsv",
                              self.refused("tokenize", m, *words, option, status=2))
        self.assertIn("--quotes cannot be 'some' (none, csv)",
                      self.refused("tokenize", m, "x.csv", "--quotes", "some", status=2))
        self.assertIn("--encoding cannot be 'ebcdic' (utf-8, latin1, windows-1252, utf-16)",
                      self.refused("tokenize", m, "x", "--encoding", "ebcdic", status=2))
        for split in ("1,2", "0.5,0.5", "a,b,c", "0,1,1", "0.5,1,0.2", "half", "-1,2,3"):
            self.assertIn("--split cannot be", self.refused("eval", m, "x.csv", "--split", split, status=2))
        for word in ("--help", "-h"):
            self.assertRegex(self.ok("index", word), r"^usage: dupq index create (.|\n)*\nusage: dupq index info .*\n"
                                                     r"`dupq index VERB --help` says more\n$")
        self.assertIn("--sweep cannot be", self.refused("eval", m, "x.csv", "--sweep", "all", status=2))
        self.assertIn("--seed cannot be", self.refused("eval", m, "x.csv", "--seed", "4294967296", status=2))

    def test_kernels(self):
        m = self.model("bert")
        self.assertRegex(self.refused("score", m, "a", "b", "--kernels", "abacus", status=2), r"'abacus' \(.*scalar\)")
        self.assertIn("cannot be ''", self.refused("score", m, "a", "b", "--kernels=", status=2))


if __name__ == "__main__":
    unittest.main()
