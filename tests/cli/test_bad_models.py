"""Model files that are cut, flipped, empty or something else: one line, exit 1, never a signal."""

import random
import unittest

from tool import GOLDEN, PATIENCE, Case

VERBS = [("info",), ("tokenize",), ("score", "a", "b"), ("encode", "-o", "v.npy"), ("eval", "x.csv"), ("dedup",),
         ("calibrate", "x.csv", "-o", "out.gguf")]


class BadModels(Case):
    def test_every_verb_names_the_file(self):
        junk = {"empty.gguf": b"", "text.gguf": b"This is no model.\n" * 100, "magic.gguf": b"GGUF",
                "version.gguf": b"GGUF\x63\0\0\0" + bytes(100)}
        for name, content in junk.items():
            path = self.file(name, content)
            for verb, *words in VERBS:
                said = self.refused(verb, path, *words)
                self.assertIn(name, said)
        for path, why in ((self.folder, "directory"), (self.folder / "nowhere.gguf", "no such file")):
            for verb, *words in VERBS:
                said = self.refused(verb, path, *words)
                self.assertIn(path.name, said)
                self.assertIn(why, said.lower())

    def test_truncated_files(self):
        for name in ("bert", "mpnet", "cross"):
            data = self.model(name).read_bytes()
            for size in sorted(random.Random(1).sample(range(len(data) - 64), 40 // PATIENCE)):
                self.assertIn("m.gguf", self.refused("info", self.file("m.gguf", data[:size])))
            # The last bytes may be padding, which only the digest knows.
            self.assertIn("m.gguf", self.refused("info", "--verify", self.file("m.gguf", data[:-1])))

    def test_flipped_bits_never_end_in_a_signal(self):
        """A flipped bit is an error, or a number that changes a score."""
        random_bits = random.Random(2)
        for name in ("bert", "mpnet", "cross"):
            data = self.model(name).read_bytes()
            for i in range(120 // PATIENCE):
                broken = bytearray(data)
                # Half of them where keys and tensor descriptions stand.
                at = random_bits.randrange(len(data) if i % 2 else min(len(data), 4096))
                broken[at] ^= 1 << random_bits.randrange(8)
                done = self.run_tool("score", self.file("m.gguf", bytes(broken)), "what is good", "India",
                                     "--threshold", "0")
                self.assertIn(done.returncode, (0, 1), (name, at, done.stderr))
                self.assertEqual(done.stderr.count(b"\n"), done.returncode, (name, at, done.stderr))
                if done.returncode == 1:
                    self.assertIn(b"m.gguf: ", done.stderr)

    def test_the_wrong_kind(self):
        for verb in (("encode", "-o", self.folder / "v.npy"), ("dedup",)):
            said = self.refused(verb[0], self.model("cross"), *verb[1:], stdin="x")
            self.assertIn("cross.gguf", said)
            self.assertIn("wrong kind", said)
        self.assert_only()

    def test_a_huggingface_folder_is_no_model_file(self):
        self.assertIn("directory", self.refused("info", GOLDEN / "bert"))


if __name__ == "__main__":
    unittest.main()
