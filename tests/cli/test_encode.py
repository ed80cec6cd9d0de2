"""encode: vectors against Hugging Face's, output formats, chunks, threads and kernels."""

import json
import unittest

from tool import EXPECTED, GOLDEN, Case, read_npy


class Encode(Case):
    def encode(self, name, *words, stdin=b"", out="v.npy"):
        path = self.folder / out
        self.ok("encode", self.model(name), *words, "-o", path, stdin=stdin)
        return path.read_bytes()

    def test_vectors(self):
        for name in ("bert", "bert_pooled", "mpnet"):
            got = read_npy(self.encode(name, "-0", GOLDEN / "texts.txt"))
            wanted = read_npy((EXPECTED / f"{name}.npy").read_bytes())
            self.assertEqual(len(got), len(wanted))
            for a, b in zip(got, wanted):
                self.assertEqual(len(a), len(b))
                self.assertLess(max(abs(x - y) for x, y in zip(a, b)), 1e-5)

    def test_the_same_bytes_whatever_the_threads_and_kernels(self):
        kernels = json.loads(self.ok("info", self.model("bert"), "--json"))["kernels"]
        self.assertGreater(len(kernels), 0)
        wanted = self.encode("bert", "-0", GOLDEN / "texts.txt", "--threads", "1")
        for k in kernels:
            for threads in (1, 3):
                self.assertEqual(self.encode("bert", "-0", GOLDEN / "texts.txt", "--kernels", k, "--threads", threads),
                                 wanted)

    def test_more_texts_than_a_chunk(self):
        texts = [f"What is {i} good for?" for i in range(2500)]
        rows = read_npy(self.encode("bert", stdin="\n".join(texts)))
        self.assertEqual(len(rows), 2500)
        for i in (0, 1023, 1024, 2047, 2048, 2499):
            self.assertEqual(read_npy(self.encode("bert", stdin=texts[i])), [rows[i]])

    def test_csv_reads_back_as_the_same_floats(self):
        array = read_npy(self.encode("mpnet", stdin="good\nbad\n"))
        lines = self.encode("mpnet", stdin="good\nbad\n", out="v.csv").decode().splitlines()
        self.assertEqual(len(lines), 2)
        for line, row in zip(lines, array):
            for text, value in zip(line.split(","), row, strict=True):
                self.assertAlmostEqual(float(text), value, delta=abs(value) * 6e-8)
                self.assertLess(len(text), 16)

    def test_standard_output_gets_the_same_array(self):
        done = self.run_tool("encode", self.model("bert"), "-o", "-", stdin=b"good\nbad\n")
        self.assertEqual(done.stdout, self.encode("bert", stdin="good\nbad\n"))

    def test_empty_input(self):
        dim = json.loads(self.ok("info", self.model("bert"), "--json"))["hidden"]
        data = self.encode("bert")
        self.assertEqual(read_npy(data), [])
        self.assertIn(f"(0, {dim})".encode(), data)
        self.assertEqual(self.encode("bert", out="v.csv"), b"")

    def test_a_cross_encoder_has_no_vectors(self):
        said = self.refused("encode", self.model("cross"), "-o", self.folder / "v.npy", stdin="x")
        self.assertIn("cross.gguf", said)
        self.assertIn("wrong kind", said)
        self.assert_only()

    def test_long_texts_are_counted_once(self):
        out = self.folder / "v.npy"
        self.ok("encode", self.model("bert"), "-o", out, "--max-length", "5",
                stdin="good bad " * 50 + "\ngood\n" + "bad " * 50,
                stderr="standard input: 2 texts cut to 5 tokens\n")


if __name__ == "__main__":
    unittest.main()
