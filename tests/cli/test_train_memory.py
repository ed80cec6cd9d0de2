"""train says how much memory it takes before it begins: that is true."""

import array
import json
import os
import random
import re
import shutil
import struct
import subprocess
import unittest

from tool import COMMAND, GOLDEN
from test_eval import Labelled
from test_tables import plain_program

WIDE = {32: 384, 52: 1536}  # sizes of the tiny model and of this one, of 22 MB


def widened(folder):
    """The tiny BERT with wider layers of random weights, as a Hugging Face folder."""
    shutil.copytree(GOLDEN / "bert", folder)
    config = json.loads((folder / "config.json").read_text())
    layers = 3
    config |= {"hidden_size": WIDE[32], "intermediate_size": WIDE[52], "num_hidden_layers": layers}
    (folder / "config.json").write_text(json.dumps(config))
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(re.sub(r'("(word_embedding|embedding)_dimension": *)\d+', rf"\g<1>{WIDE[32]}", pooling.read_text()))
    data = (folder / "model.safetensors").read_bytes()
    size, = struct.unpack("<Q", data[:8])
    tiny = {name: t["shape"] for name, t in json.loads(data[8:8 + size]).items() if name != "__metadata__"}
    shapes = {name: shape for name, shape in tiny.items() if ".layer." not in name}
    shapes |= {name.replace(".layer.0.", f".layer.{i}."): shape for name, shape in tiny.items() if ".layer.0." in name
               for i in range(layers)}
    rng = random.Random(1)
    noise = array.array("f", (rng.gauss(0, 0.05) for _ in range(10007)))
    header, body = {}, bytearray()
    for name, shape in shapes.items():
        shape = [WIDE.get(n, n) for n in shape]
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        begin = len(body)
        body += array.array("f", [1]) * count if "LayerNorm.weight" in name else (noise * (count // len(noise) + 1))[:count]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(body)]}
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    return folder


def table(folder):
    """A static model of 30 MB and a vocabulary of 2 MB."""
    words, dim = 30000, 256
    tokenizer = json.loads((GOLDEN / "bert" / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= {f"word{i}": i for i in range(len(vocabulary), words)}
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps({**tokenizer, "post_processor": None}))
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    rng = random.Random(2)
    noise = array.array("f", (rng.gauss(0, 1) for _ in range(10007)))
    body = (noise * (words * dim // len(noise) + 1))[:words * dim].tobytes()
    header = json.dumps({"embeddings": {"dtype": "F32", "shape": [words, dim], "data_offsets": [0, len(body)]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + body)
    return folder


class Memory(Labelled):
    @unittest.skipUnless(plain_program(), "not a plain Linux program")
    def test_what_is_said_is_what_is_taken(self):
        folder = widened(self.folder / "wide")
        base = self.folder / "wide.gguf"
        self.ok("convert", folder, "-o", base)
        half = self.folder / "half.gguf"
        self.ok("convert", folder, "-o", half, "--type", "f16")
        few = ("--max-steps", 4)
        for words in ((base, "--loss", "online-contrastive", *few), (half, "--loss", "cosine", *few),
                      (base, "--loss", "cross", "--new-head", *few),
                      (base, "--loss", "cosine", "--split", "64,32,24", "--epochs", 2)):
            said, peak = self.said_and_taken(*words)
            self.assertGreater(said, 120e6)
            self.assertLess(abs(peak - said), 0.02 * said + 2e6, (words, said, peak))  # 2 MB: of the program itself

    @unittest.skipUnless(plain_program(), "not a plain Linux program")
    def test_so_it_is_of_a_table(self):
        model = self.folder / "table.gguf"
        self.ok("convert", table(self.folder / "table"), "-o", model)
        for words in (("--max-steps", 4), ("--split", "64,32,24", "--epochs", 2)):
            said, peak = self.said_and_taken(model, "--loss", "contrastive", *words)
            self.assertGreater(said, 120e6)
            self.assertLess(abs(peak - said), 0.02 * said, (words, said, peak))

    def said_and_taken(self, base, *words):
        """Bytes, of a training with two threads."""
        process = subprocess.Popen([*COMMAND, "train", base, self.pairs, *map(str, words), "--threads", "2", "-o",
                                    self.folder / "out.gguf"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with process.stderr:
            told = process.stderr.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0, told)
        return float(re.search(r"([\d.]+) MB of memory", told)[1]) * 1e6, used.ru_maxrss * 1024


if __name__ == "__main__":
    unittest.main()
