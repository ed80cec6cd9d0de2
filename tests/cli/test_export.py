"""export: a model file to a Hugging Face folder, and back."""

import json
import shutil
import signal
import struct
import subprocess
import time
import unittest

from tool import COMMAND, GOLDEN, Case, posix_only

MODELS = ("bert", "bert_pooled", "mpnet", "cross", "cross_identity")
SETTINGS = sorted(p.name for p in (GOLDEN / "settings").iterdir())


def tensors(path):
    """A safetensors file: names, and each one's type, shape and bytes."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    assert size % 8 == 0
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[8 + size :][slice(*t["data_offsets"])]) for name, t in header.items()}


class Export(Case):
    def convert(self, source, name, *options):
        out = self.folder / name
        self.ok("convert", source, "-o", out, *options, stderr="")
        return out

    def assert_reads_back(self, model, name, *options):
        """The folder converts to the same file, byte for byte, and gives the same under any of its names."""
        folder = self.folder / "exported" / name
        folder.parent.mkdir(exist_ok=True)
        said = self.ok("export", model, "-o", folder, stderr="")
        self.assertRegex(said, r"^.*: (bi|cross)_encoder, \d layers?, \d+ tokens, f32 weights\n$")
        self.assertEqual(self.convert(folder, "again.gguf", *options).read_bytes(), model.read_bytes(), (name, options))
        shutil.rmtree(folder)

    def test_reads_back(self):
        for name in MODELS:
            for kind in ("f32", "f16"):
                for layout in ("packed", "plain"):
                    options = ("--type", kind, "--layout", layout)
                    model = self.convert(GOLDEN / name, "model.gguf", *options)
                    self.assert_reads_back(model, name, *options)
        for name in SETTINGS:
            self.assert_reads_back(self.model(name), name)

    def test_weights_are_the_checkpoint(self):
        for name in ("bert", "mpnet"):
            folder = self.folder / name
            self.ok("export", self.model(name), "-o", folder)
            theirs = tensors(GOLDEN / name / "model.safetensors")
            theirs = {n: t for n, t in theirs.items() if not n.startswith("pooler.")}  # which no vector depends on
            self.assertEqual(tensors(folder / "model.safetensors"), theirs)
        folder = self.folder / "cross"  # its checkpoint is in bfloat16
        self.ok("export", self.model("cross"), "-o", folder)
        ours, theirs = tensors(folder / "model.safetensors"), tensors(GOLDEN / "cross" / "model.safetensors")
        self.assertEqual({n: t[1] for n, t in ours.items()}, {n: t[1] for n, t in theirs.items()})
        for name, (kind, _, data) in ours.items():
            halves = theirs[name][2]
            wide = b"".join(b"\0\0" + halves[i : i + 2] for i in range(0, len(halves), 2))
            self.assertEqual((kind, data), ("F32", wide), name)

    def test_configuration_is_the_checkpoint(self):
        for name in MODELS:
            folder, source = self.folder / name, GOLDEN / name
            self.ok("export", self.model(name), "-o", folder)
            ours, theirs = (json.loads((f / "config.json").read_text()) for f in (folder, source))
            old = theirs.pop("sbert_ce_default_activation_function", None)  # an older place
            if old:
                theirs["sentence_transformers"] = {"activation_fn": old}
            theirs.get("sentence_transformers", {}).pop("version", None)
            self.assertEqual({k: ours.get(k) for k in theirs}, theirs)
            self.assertEqual((source / "modules.json").exists(), (folder / "modules.json").exists())
            if (source / "modules.json").exists():
                types = [[(m["type"].split(".")[-1], m["path"]) for m in json.loads((f / "modules.json").read_text())]
                         for f in (folder, source)]
                self.assertEqual(*types)
                for _, path in types[0]:
                    self.assertTrue((folder / path).is_dir())
                pooling, theirs = (json.loads((f / "1_Pooling/config.json").read_text()) for f in (folder, source))
                if "pooling_mode" not in theirs:  # the newer form of the same
                    self.assertEqual({k: pooling.get(k) for k in theirs}, theirs)
            if (source / "tokenizer.json").exists():
                ours, theirs = (json.loads((f / "tokenizer.json").read_text()) for f in (folder, source))
                self.assertEqual(ours["model"], {**theirs["model"], "type": "WordPiece"})
                self.assertEqual(ours["added_tokens"], theirs["added_tokens"])
                vocab = ours["model"]["vocab"]
                lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
                self.assertEqual({line: i for i, line in enumerate(lines)}, vocab)
            else:
                self.assertEqual((folder / "vocab.txt").read_bytes(), (source / "vocab.txt").read_bytes())

    def test_files_of_other_writers(self):
        text = "How do I learn C++? [SEP] caf\u00e9"
        for name in ("bert-f32", "bert-f16"):
            model, folder = GOLDEN / "foreign" / f"{name}.gguf", self.folder / name
            self.ok("export", model, "-o", folder)
            again = self.convert(folder, f"{name}.gguf")
            for words in (["tokenize"], ["encode", "-o", "-"]):
                a, b = (self.run_tool(words[0], m, *words[1:], stdin=text).stdout for m in (model, again))
                self.assertEqual(a, b)
                self.assertTrue(a)

    def test_what_cannot_be_got_back(self):
        folder = self.folder / "folder"
        model = self.convert(GOLDEN / "bert", "int8.gguf", "--type", "int8")
        said = self.refused("export", model, "-o", folder)
        self.assertEqual(said, f"dupq: {model}: its weights are rounded to int8: the model file that it was made of is "
                               "needed\n")
        said = self.refused("export", GOLDEN / "foreign" / "bert-q8_0.gguf", "-o", folder)
        self.assertIn("tensor token_embd.weight is rounded to 8 bits", said)
        self.assert_only("int8.gguf")

    def test_folders_that_are_there(self):
        model = self.model("cross")
        for name in ("empty", "full"):
            (self.folder / name).mkdir()
        (self.folder / "full" / "mine").write_text("mine")
        (self.folder / "file").write_text("mine")
        for name in ("full", "file", ".", ".."):
            place = self.folder / name
            self.assertEqual(self.refused("export", model, "-o", f"{self.folder}/{name}"),
                             f"dupq: {self.folder}/{name}: is there already\n")
            self.assertTrue(place.exists())
        self.assertEqual((self.folder / "full" / "mine").read_text(), "mine")
        self.ok("export", model, "-o", self.folder / "empty")
        self.ok("export", model, "-o", f"{self.folder / 'new'}/")
        self.assertEqual(*(sorted(p.name for p in (self.folder / n).iterdir()) for n in ("empty", "new")))
        self.assertIn("cannot be created", self.refused("export", model, "-o", self.folder / "no" / "where"))
        self.refused("export", model, status=2)
        self.refused("export", "-o", self.folder / "other", status=2)
        self.assert_only("empty", "full", "file", "new")

    @posix_only
    def test_nothing_half_written(self):
        """A disk that is full, and signals at any moment: the whole folder or nothing."""
        limit = "import resource, signal, os, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" \
                "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\nos.execv(sys.argv[1], sys.argv[1:])"
        words = [*COMMAND, "export", str(self.model("bert")), "-o", str(self.folder / "folder")]
        done = subprocess.run(["python3", "-c", limit, *words], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^dupq: .*: cannot be written: File too large\n$")
        self.assert_only()
        self.ok(*words[len(COMMAND):])
        whole = {p.name: p.read_bytes() for p in (self.folder / "folder").rglob("*") if p.is_file()}
        shutil.rmtree(self.folder / "folder")
        for attempt in range(40):
            running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(attempt * 0.0005)
            running.send_signal(signal.SIGTERM)
            ended = running.wait()
            self.assertIn(ended, (0, -signal.SIGTERM))
            if ended == 0 or list(self.folder.iterdir()):  # a signal may still come when the folder has its name
                self.assert_only("folder")
                self.assertEqual({p.name: p.read_bytes() for p in (self.folder / "folder").rglob("*") if p.is_file()}, whole)
            shutil.rmtree(self.folder / "folder", ignore_errors=True)
            self.assert_only()

    def test_the_card_tells_what_the_file_knows(self):
        model = self.folder / "mine.gguf"
        rows = ["question1,question2,is_duplicate", "how,how,1", "why,where,0", "what,what,1"]
        self.ok("calibrate", self.model("bert"), self.file("pairs.csv", "\n".join(rows)), "-o", model)
        threshold = json.loads(self.ok("info", model, "--json"))["threshold"]
        folder = self.folder / "folder"
        done = self.run_tool("export", model, "-o", folder)
        self.assertIn(f"the threshold {threshold} stands in README.md alone", done.stderr.decode())
        card = (folder / "README.md").read_text()
        self.assertIn(f"| threshold: duplicates from this score on | {threshold} |", card)
        self.assertIn(f"score >= {threshold} ", card)
        self.assertTrue(card.startswith("---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\n"))


if __name__ == "__main__":
    unittest.main()
