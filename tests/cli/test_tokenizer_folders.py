"""Random tokenizers, from tokenizer.json through convert and tokenize, against the ids of Hugging Face's tokenizers; and
once more through export."""

import base64
import json
import os
import pathlib
import shutil
import struct
import unittest

from tool import GOLDEN, Case

SUBWORD_CASES = pathlib.Path(os.environ.get("DUPQ_SUBWORD_FOLDERS", GOLDEN.parent / "unicode" / "subword_folders.json"))
CASES = os.environ.get("DUPQ_TOKENIZER_FOLDERS", GOLDEN.parent / "unicode" / "tokenizer_folders.json")


class TokenizerFolders(Case):
    def test_ids_are_those_of_tokenizers(self):
        self.compare(CASES, 200)

    def test_ids_of_other_tokenizers_than_wordpiece(self):
        self.compare(SUBWORD_CASES, 200)

    def test_int8_looks_at_texts_through_them(self):
        cases = [json.loads(line) for line in SUBWORD_CASES.read_text(encoding="utf-8").splitlines()]
        for kind in ("BPE", "Unigram"):
            case = next(c for c in cases if c["tokenizer.json"]["model"]["type"] == kind)
            folder = self.folder / kind
            shutil.copytree(GOLDEN / "bert", folder)
            for name in ("tokenizer.json", "tokenizer_config.json"):
                (folder / name).write_text(json.dumps(case[name]))
            (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": case["max_seq_length"]}))
            model = self.folder / f"{kind}.gguf"
            self.ok("convert", folder, "-o", model, "--type", "int8")
            got = self.ok("tokenize", model, "-0", stdin="".join(t + "\0" for t in case["texts"]))
            self.assertEqual([[int(i) for i in line.split()] for line in got.splitlines()], case["ids"])

    def test_what_cannot_be_read_is_named(self):
        cases = [json.loads(line)["tokenizer.json"] for line in SUBWORD_CASES.read_text(encoding="utf-8").splitlines()]
        bpe = next(c for c in cases if c["model"]["type"] == "BPE")
        unigram = next(c for c in cases if c["model"]["type"] == "Unigram")
        piece = unigram["model"]["vocab"][9]
        with_map = {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAwAAAAQAAAAAACA"}}
        # "a" leads to a place that the map does not have.
        units = [1 << 10] + [1000 << 10 | 97 if i == 1 ^ 97 else 0 for i in range(1, 256)]
        outside = base64.b64encode(struct.pack("<257I", 1024, *units) + b"\0").decode()
        leading_out = {"normalizer": {"type": "Precompiled", "precompiled_charsmap": outside}}
        split = {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "q+"}, "behavior": "Isolated", "invert": False}}
        for base, change, model, words in [
                (bpe, {}, {"merges": [["a", "zzz"]]}, "model.merges: merge 0: \"zzz\" is no token"),
                (bpe, {}, {"merges": ["a b c"]}, "model.merges: merge 0"),
                (bpe, {}, {"dropout": 0.5}, "model.dropout"),
                (bpe, {}, {"vocab": {}}, "model."),
                (bpe, {}, {"vocab": {}, "merges": []}, "model.vocab: no tokens"),
                (bpe, {}, {"vocab": {f"p{i}": i for i in range(20000)}, "merges": []},
                 "20000 tokens, more than config.json's vocab_size 479"),
                (unigram, {}, {"vocab": [[f"p{i}", -1.0] for i in range(20000)]},
                 "20000 tokens, more than config.json's vocab_size 479"),
                (unigram, leading_out, {}, "normalizer.precompiled_charsmap: the character map leads out of itself"),
                (bpe, split, {}, "\"q+\""),
                (unigram, {}, {"vocab": []}, "model.vocab: no tokens"),
                (unigram, {}, {"vocab": [piece, [piece[0], float("nan")]]}, "its score is not finite"),
                (unigram, {}, {"vocab": [piece, [piece[0], "x"]]}, "its score is no number"),
                (unigram, {}, {"unk_id": 9999}, "model.unk_id"),
                (unigram, {}, {"unk_id": None}, "unk_id"),
                (unigram, with_map, {}, "normalizer.precompiled_charsmap: the character map is cut off")]:
            folder = self.folder / "bad"
            shutil.copytree(GOLDEN / "bert", folder, dirs_exist_ok=True)
            (folder / "tokenizer.json").write_text(json.dumps({**base, **change, "model": {**base["model"], **model}}))
            (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
            said = self.refused("convert", folder, "-o", self.folder / "bad.gguf")
            self.assertIn("tokenizer.json", said)
            self.assertIn(words, said)

    def test_far_too_many_tokens_are_counted_and_not_kept(self):
        """No list of this length is read into memory, whatever file it stands in."""
        count = (1 << 20) + 1
        folder, model = self.folder / "many", self.folder / "many.gguf"
        shutil.copytree(GOLDEN / "bert", folder)
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        said = f"{count} tokens, more than config.json's vocab_size 479"
        numbers = ",".join(f'"{i}":{i}' for i in range(count))
        scores = ",".join(f'["{i}",0]' for i in range(count))
        for kind, vocab in ("WordPiece", "{" + numbers + "}"), ("BPE", "{" + numbers + "}"), ("Unigram", f"[{scores}]"):
            text = json.dumps({**tokenizer, "model": {**tokenizer["model"], "type": kind, "vocab": "HERE", "merges": [],
                                                      "unk_id": 0}})
            (folder / "tokenizer.json").write_text(text.replace('"HERE"', vocab))
            self.assertIn(f"tokenizer.json: {said}", self.refused("convert", folder, "-o", model))
        (folder / "tokenizer.json").unlink()
        (folder / "tokenizer_config.json").write_text("{}")
        (folder / "vocab.txt").write_text("".join(f"{i}\n" for i in range(count)))
        self.assertIn(f"vocab.txt: {said}", self.refused("convert", folder, "-o", model))
        (folder / "vocab.json").write_text("{" + numbers + "}")
        (folder / "merges.txt").write_text("#version: 0.2\n")
        self.assertIn(f"vocab.json: {count} entries are too many", self.refused("convert", folder, "-o", model))
        (folder / "vocab.json").write_text('{"<s>": 0, "</s>": 1}')
        (folder / "merges.txt").write_text("a b\n" * count)
        self.assertIn(f"merges.txt: {count} lines are too many", self.refused("convert", folder, "-o", model))

    def test_a_map_of_characters_that_loops(self):
        """From the place behind "a" another "a" leads to that place again: double arrays may share places like that, as
        long as a way leads on from there, here with "b". "a" alone is no key then, and stays as it is."""
        case = next(c for c in map(json.loads, SUBWORD_CASES.read_text(encoding="utf-8").splitlines())
                    if c["tokenizer.json"]["model"]["type"] == "Unigram")
        folder, model = self.folder / "loop", self.folder / "loop.gguf"
        shutil.copytree(GOLDEN / "bert", folder)
        (folder / "tokenizer_config.json").write_text(json.dumps(case["tokenizer_config.json"]))

        def write(normalizer):
            (folder / "tokenizer.json").write_text(json.dumps({**case["tokenizer.json"], "normalizer": normalizer}))

        def map_with(units):
            units = {0: 1 << 10, 1 ^ 97: 97 << 10 | 97} | units
            packed = struct.pack("<257I", 1024, *(units.get(i, 0) for i in range(256)))
            return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(packed + b"c\0").decode()}

        write(map_with({}))
        said = self.refused("convert", folder, "-o", model)
        self.assertIn("tokenizer.json: normalizer.precompiled_charsmap: the character map loops", said)
        ids = []
        for normalizer in (map_with({1 ^ 98: 98 << 10 | 1 << 8 | 98, 1: 1 << 31}), None):
            write(normalizer)
            self.ok("convert", folder, "-o", model)
            ids.append(self.ok("tokenize", model, "-0", stdin="a" * 100000 + "\0a aa\0"))
        self.assertEqual(*ids)

    def compare(self, cases, least):
        folder, model = self.folder / "folder", self.folder / "model.gguf"
        shutil.copytree(GOLDEN / "bert", folder)
        sentence = json.loads((folder / "sentence_bert_config.json").read_text())
        count = 0
        for number, line in enumerate(pathlib.Path(cases).read_text(encoding="utf-8").splitlines()):
            case = json.loads(line)
            for name in ("tokenizer.json", "tokenizer_config.json"):
                (folder / name).write_text(json.dumps(case[name]))
            (folder / "sentence_bert_config.json").write_text(
                json.dumps({**sentence, "max_seq_length": case["max_seq_length"], "do_lower_case": False}))
            self.ok("convert", folder, "-o", model)
            stdin = "".join(t + "\0" for t in case["texts"])
            got = self.ok("tokenize", model, "-0", stdin=stdin)
            if case["tokenizer.json"]["model"]["type"] == "WordPiece":
                self.ok("export", model, "-o", self.folder / "exported")
                self.ok("convert", self.folder / "exported", "-o", model, stderr="")
                self.assertEqual(self.ok("tokenize", model, "-0", stdin=stdin), got, number)
                shutil.rmtree(self.folder / "exported")
            else:
                self.assertIn("tokenizer.ggml.model", self.refused("export", model, "-o", self.folder / "exported"))
            for text, expected, found in zip(case["texts"], case["ids"], got.splitlines(), strict=True):
                self.assertEqual([int(i) for i in found.split()], expected, (number, text))
                count += 1
            if "pairs" not in case:
                continue
            got = self.ok("tokenize", model, "-0", "--pairs", stdin="".join(t + "\0" for t in case["texts"]))
            for expected, found in zip(case["pairs"], got.splitlines(), strict=True):
                self.assertEqual([int(i) for i in found.split()], expected, (number, "pairs"))
                count += 1
        self.assertGreater(count, least)


if __name__ == "__main__":
    unittest.main()
