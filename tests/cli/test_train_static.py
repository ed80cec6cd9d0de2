"""train on static models: the table learns, the same whatever computes it and however often it is stopped."""

import shutil
import unittest

from test_static import static_folder
from test_train import BI, Train


class TrainStatic(Train):
    def static(self, *options, modules=True):
        """A static model's file and the folder it is of."""
        source = static_folder(self.folder / f"source{len(list(self.folder.iterdir()))}", modules)
        self.ok("convert", source, "-o", self.folder / "static.gguf", *options)
        return self.folder / "static.gguf", source

    def test_every_loss_falls(self):
        base, _ = self.static()
        for loss in BI:
            self.train(base, "--loss", loss, "--batch", 8, "--warmup", 4, "--epochs", 4, "--log", self.folder / "log.csv")
            log = self.log()
            steps = len(log) // 4
            first, last = (sum(row["loss"] for row in part) for part in (log[:steps], log[-steps:]))
            self.assertLess(last, 0.9 * first)
            info = self.info(self.folder / "out.gguf")
            self.assertEqual((info["kind"], info["weights"], info["threshold"]), ("static_encoder", "f32", None))

    def test_learning_rate_0_changes_nothing(self):
        still = ("--batch", 8, "--warmup", 4, "--max-steps", 1)
        base, source = self.static()
        for of in (base, source):
            self.trained(of, "--loss", "cosine", *still)
            self.assert_weights_of(base)
        half, _ = self.static("--type", "f16")
        self.train(half, "--loss", "cosine", *still)
        self.assertEqual(self.info(self.folder / "out.gguf")["weights"], "f32")
        self.assertEqual(self.scores(self.folder / "out.gguf"), self.scores(half))

    def test_the_same_whatever_computes_it(self):
        base, source = self.static(modules=False)
        words = ("--loss", "online-contrastive", "--batch", 8, "--warmup", 2, "--epochs", 2, "--split", "64,32,24")
        said, told = self.train(base, *words)
        self.assertRegex(told, r"epoch 2: loss \d\.\d{4}, validation F1 \d\.\d{4} at threshold ")
        self.assertIn("test", said)
        expected = (self.folder / "out.gguf").read_bytes()
        info = self.info(self.folder / "out.gguf")
        self.assertIsNotNone(info["threshold"])
        for kernels in info["kernels"]:
            for threads in (1, 3):
                self.assertEqual(self.trained(base, *words, "--kernels", kernels, "--threads", threads), expected)
        self.train(base, *words, "--max-steps", 5, "--checkpoint-every", 5)
        self.assertEqual(self.trained(base, *words, "--resume"), expected)
        self.assertNotEqual(self.trained(base, *words, "--seed", 43), expected)
        self.ok("eval", self.folder / "out.gguf", self.pairs)

    def test_what_is_refused(self):
        base, source = self.static()
        shutil.copy(base, self.folder / "whole.gguf")
        self.static("--type", "int8")
        self.assertIn("static.gguf: its weights are q8_0, which cannot be trained",
                      self.not_trained(base, self.pairs, "--loss", "mnr"))
        base = self.folder / "whole.gguf"
        for of in (base, source):
            for words in (("--loss", "cross"), ("--loss", "cross", "--new-head")):
                self.assertIn(f"{of}: a static model, which has no layers for a head\n",
                              self.not_trained(of, self.pairs, *words))
            self.assertIn("--dropout is for models with layers",
                          self.not_trained(of, self.pairs, "--loss", "mnr", "--dropout", "0.1", status=2))


if __name__ == "__main__":
    unittest.main()
