"""Static models on the command line: made of a folder or distilled, and every verb that takes a bi-encoder."""

import json
import random
import shutil
import struct
import unittest

import tool

TOKENS, DIM = 479, 32


def static_folder(folder, modules):
    """A table of small numbers over the golden vocabulary, as model2vec or sentence-transformers keep it."""
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes((tool.GOLDEN / "bert" / "tokenizer.json").read_bytes())
    random.seed(1)
    data = struct.pack(f"<{TOKENS * DIM}f", *(random.gauss(0, 1) for _ in range(TOKENS * DIM)))
    name = "embedding.weight" if modules else "embeddings"
    header = json.dumps({name: {"dtype": "F32", "shape": [TOKENS, DIM], "data_offsets": [0, len(data)]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
    if modules:
        (folder / "modules.json").write_text(json.dumps([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"}]))
    else:
        (folder / "config.json").write_text('{"model_type": "model2vec", "normalize": true}')
    return folder


class Static(tool.Case):
    def converted(self, *options, modules=True):
        source = static_folder(self.folder / f"source{len(list(self.folder.iterdir()))}", modules)
        out = self.folder / "static.gguf"
        self.ok("convert", source, "-o", out, *options)
        return out

    def vectors(self, model, *options):
        self.ok("encode", model, tool.GOLDEN / "texts.txt", "-0", "-o", self.folder / "v.npy", *options)
        return (self.folder / "v.npy").read_bytes()

    def test_vectors_are_means_of_rows(self):
        model = self.converted()
        rows = tool.read_npy(self.vectors(model))
        ids = self.ok("tokenize", model, tool.GOLDEN / "texts.txt", "-0").splitlines()
        random.seed(1)
        table = [[random.gauss(0, 1) for _ in range(DIM)] for _ in range(TOKENS)]
        self.assertEqual(len(ids), len(rows))
        for line, row in zip(ids, rows):
            tokens = [int(i) for i in line.split()]
            mean = [sum(table[t][d] for t in tokens) / max(len(tokens), 1) for d in range(DIM)]
            self.assertLess(max(abs(a - b) for a, b in zip(row, mean)), 1e-5)

    def test_the_same_from_every_table_and_thread(self):
        for options in ((), ("--type", "f16"), ("--type", "int8"), ("--dim", "16")):
            model = self.converted(*options, modules=False)
            info = json.loads(self.ok("info", model, "--json", "--verify"))
            self.assertEqual((info["kind"], info["layers"], info["architecture"]), ("static_encoder", 0, "static"))
            self.assertLess(info["workspace_bytes"], 4096)
            expected = self.vectors(model)
            for kernels in info["kernels"]:
                self.assertEqual(self.vectors(model, "--kernels", kernels), expected)
            self.assertEqual(self.vectors(model, "--threads", "3"), expected)

    def test_verbs_that_take_a_bi_encoder(self):
        model = self.converted()
        pairs = self.file("pairs.csv", "question1,question2,is_duplicate\n" + "".join(
            f"how do i {w} it,{'what is a' if i % 2 else 'how do i'} {w} it,{(i + 1) % 2}\n"
            for i, w in enumerate("learn use find open make read write see".split())))
        self.assertEqual(len(self.ok("score", model, "--pairs", pairs).splitlines()), 9)
        self.ok("calibrate", model, pairs, "-o", model)
        self.assertIn("f1", self.ok("eval", model, pairs, "--json"))
        texts = self.file("texts.csv", "text\nhow do i learn it\nhow do i learn it\nwhat is that\n")
        self.assertIn("1", self.ok("dedup", model, texts))
        self.ok("index", "create", self.folder / "i", "--model", model, texts)
        self.assertIn("how do i learn it", self.ok("search", self.folder / "i", "how do i learn it"))
        self.assertIn("reads each text of a pair alone", self.refused("tokenize", model, pairs, "--pairs"))

    def test_distilled(self):
        bert = self.model("bert")
        out = self.folder / "d.gguf"
        self.assertIn("32 dimensions", self.ok("distill", bert, "-o", out))
        again = out.read_bytes()
        for kernels in json.loads(self.ok("info", out, "--json"))["kernels"]:
            self.ok("distill", bert, "-o", out, "--kernels", kernels, "--threads", "2")
            self.assertEqual(out.read_bytes(), again, kernels)
        self.ok("distill", bert, "-o", out, "--dim", "8", "--type", "f16", "--texts",
                self.file("t.txt", "how do i learn it\nhow do i see it\n"))
        info = json.loads(self.ok("info", out, "--json", "--verify"))
        self.assertEqual((info["kind"], info["dimensions"], info["weights"]), ("static_encoder", 8, "f16"))
        self.assertTrue(self.vectors(out))
        self.assertIn("a bi_encoder is needed", self.refused("distill", self.model("cross"), "-o", out))
        self.assertIn("--dim 33", self.refused("distill", bert, "-o", out, "--dim", "33", status=2))

    def test_distilled_with_every_kind_of_tokenizer(self):
        cases = (tool.GOLDEN.parent / "unicode" / "subword_folders.json").read_text(encoding="utf-8").splitlines()
        kinds = {case["tokenizer.json"]["model"]["type"]: case for case in map(json.loads, cases)}
        self.assertEqual(set(kinds), {"BPE", "Unigram"})
        for kind, case in kinds.items():
            folder = self.folder / kind
            shutil.copytree(tool.GOLDEN / "bert", folder)
            for name in ("tokenizer.json", "tokenizer_config.json"):
                (folder / name).write_text(json.dumps(case[name]))
            (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": case["max_seq_length"]}))
            whole, static = self.folder / f"{kind}.gguf", self.folder / f"{kind}-static.gguf"
            self.ok("convert", folder, "-o", whole)
            self.ok("distill", whole, "-o", static, "--dim", "16")
            texts = "".join(text + "\0" for text in case["texts"])
            ids = [self.ok("tokenize", model, "-0", stdin=texts).splitlines() for model in (whole, static)]
            self.assertTrue(any(ids[1]))
            for all_of_them, found in zip(*ids, strict=True):
                kept = set(found.split())  # neither special nor unknown
                if len(all_of_them.split()) < case["max_seq_length"]:
                    self.assertEqual([i for i in all_of_them.split()[1:-1] if i in kept], found.split())

    def test_a_damaged_file(self):
        model = self.converted()
        good = model.read_bytes()
        for was, now, said in ((b"static.embedding_length", b"static.embedding_lengtx", "static.embedding_length"),
                               (b"token_embd.weight", b"token_embd.weighx", "token_embd.weight"),
                               (good[-64:], b"\xff" * 64, "token_embd.weight")):
            model.write_bytes(good.replace(was, now))
            self.assertIn(said, self.refused("info", model))


if __name__ == "__main__":
    unittest.main()
