"""Files of more than 2 GiB (on Windows 4), which a 32-bit offset anywhere would miss. They are sparse: nearly nothing is on
the disk."""

import json
import os
import struct
import unittest

from tool import GOLDEN, WINDOWS, Case

GAP = (4 << 30 if WINDOWS else 2 << 30) + 64  # (Linux is asked for all pages of a mapped model, holes as well)


def moved(data, gap):
    """A model file's header with each tensor's offset `gap` larger, and where its data begins."""
    tensors, keys = struct.unpack_from("<QQ", data, 8)
    at, out = 24, bytearray(data)
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def number(form):
        nonlocal at
        value, = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return value

    def forward(count):
        nonlocal at
        at += count

    def skip(kind):
        if kind == 8:
            forward(number("Q"))
        elif kind == 9:
            inner, count = number("I"), number("Q")
            if inner in sizes:
                forward(sizes[inner] * count)
            else:
                for _ in range(count):
                    skip(inner)
        else:
            forward(sizes[kind])

    for _ in range(keys):
        forward(number("Q"))
        skip(number("I"))
    for _ in range(tensors):
        forward(number("Q"))
        forward(8 * number("I") + 4)
        place = at
        struct.pack_into("<Q", out, place, number("Q") + gap)
    begin = (at + 63) // 64 * 64  # of tensor data: dupq aligns it so
    return bytes(out[:begin]), begin


class Large(Case):
    def sparse(self, name, pieces):
        """A file of pieces at their offsets."""
        path = self.folder / name
        with open(path, "wb") as file:
            for offset, content in pieces:
                file.seek(offset)
                file.write(content)
        if path.stat().st_blocks * 512 > GAP // 2:
            self.skipTest("this file system keeps holes")
        return path

    def test_a_model_with_tensors_behind_gibibytes(self):
        data = self.model("bert").read_bytes()
        header, begin = moved(data, GAP)
        path = self.sparse("m.gguf", [(0, header), (begin + GAP, data[begin:])])
        self.assertEqual(json.loads(self.ok("info", path, "--json"))["file_bytes"], len(data) + GAP)
        words = ("what is good", "India", "--threshold", "0")
        self.assertEqual(self.ok("score", path, *words), self.ok("score", self.model("bert"), *words))
        # Cut within what stands behind.
        os.truncate(path, GAP + begin + 64)
        self.assertIn("m.gguf: ", self.refused("info", path))

    def test_weights_behind_gibibytes(self):
        """A checkpoint with a large tensor in front of the others."""
        weights = (GOLDEN / "bert/model.safetensors").read_bytes()
        size, = struct.unpack_from("<Q", weights)
        header = json.loads(weights[8 : 8 + size])
        folder = self.folder / "bert"
        folder.mkdir()
        for name in ("config.json", "modules.json", "sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes((GOLDEN / "bert" / name).read_bytes())
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling/config.json").write_bytes((GOLDEN / "bert/1_Pooling/config.json").read_bytes())
        for name, tensor in header.items():
            if name != "__metadata__":
                tensor["data_offsets"] = [offset + GAP for offset in tensor["data_offsets"]]
        # What conversion does not read: position_ids, which old checkpoints have.
        header["embeddings.position_ids"] = {"dtype": "U8", "shape": [GAP], "data_offsets": [0, GAP]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self.sparse("bert/model.safetensors", [(0, struct.pack("<Q", len(text)) + text), (8 + len(text) + GAP, weights[8 + size :])])
        out = self.folder / "m.gguf"
        self.ok("convert", folder, "-o", out)
        self.assertEqual(out.read_bytes(), self.model("bert").read_bytes())


if __name__ == "__main__":
    unittest.main()
