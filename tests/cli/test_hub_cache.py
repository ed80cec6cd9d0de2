"""dupq convert on folders of Hugging Face's cache, as they lie: snapshots of links into a folder of blobs."""

import hashlib
import os
import unittest

import tool

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@tool.posix_only
class HubCache(tool.Case):
    def cached(self):
        """The golden model "bert" as the Hub's tools keep it."""
        root = self.folder / "hub" / "models--some-org--tiny-bert"
        snapshot = root / "snapshots" / COMMIT
        (root / "blobs").mkdir(parents=True)
        (root / "refs").mkdir()
        (root / "refs" / "main").write_text(COMMIT)
        for path in sorted((tool.GOLDEN / "bert").rglob("*")):
            if not path.is_file():
                continue
            blob = root / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
            blob.write_bytes(path.read_bytes())
            link = snapshot / path.relative_to(tool.GOLDEN / "bert")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
        return root, snapshot

    def test_a_snapshot_is_the_model(self):
        root, snapshot = self.cached()
        vectors = []
        for source in (tool.GOLDEN / "bert", snapshot, root, f"{root}/"):
            self.ok("convert", source, "-o", self.folder / "m.gguf")
            self.ok("encode", self.folder / "m.gguf", tool.GOLDEN / "texts.txt", "-0", "-o", self.folder / "v.npy")
            vectors.append((self.folder / "v.npy").read_bytes())
        self.assertEqual(vectors, [vectors[0]] * 4)
        self.assertIn(b"tiny-bert", (self.folder / "m.gguf").read_bytes())  # its name

    def test_a_cache_without_its_snapshot(self):
        root, snapshot = self.cached()
        (root / "refs" / "main").write_text("f" * 40)
        self.assertIn("refs/main: names a snapshot that is not there",
                      self.refused("convert", root, "-o", self.folder / "m.gguf"))
        (root / "refs" / "main").unlink()
        self.assertIn("refs/main: names no snapshot", self.refused("convert", root, "-o", self.folder / "m.gguf"))
        (snapshot / "model.safetensors").resolve().unlink()
        self.assertIn("model.safetensors", self.refused("convert", snapshot, "-o", self.folder / "m.gguf"))
        self.assert_only("hub")


if __name__ == "__main__":
    unittest.main()
