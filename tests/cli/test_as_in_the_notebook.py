"""--as-in-the-notebook: train and eval do what the seed notebook does, say what is wrong with it, and change nothing else."""

import json
import unittest

from test_eval import HEADER, quote
from test_train import FEW, Train


class AsInTheNotebook(Train):
    flag = "--as-in-the-notebook"

    def digest(self, *words, **options):
        """That of the tensors which a training makes; the rest of the file says how it was made."""
        made = self.trained(*words, **options)
        return made[made.index(b"dupq.digest"):][:len(b"dupq.digest") + 12 + 64]

    def test_cosine_wants_opposites(self):
        base, words = self.model("bert"), ("--loss", "cosine", *FEW)
        made = self.digest(base, *words, self.flag)
        self.assertEqual(made, self.digest(base, *words, "--negative-label", -1))
        self.assertNotEqual(made, self.digest(base, *words))

    def test_mnr_learns_from_all_pairs(self):
        base, words = self.model("bert"), ("--loss", "mnr", *FEW)
        all_duplicates = self.file("all.csv", HEADER + "".join(f"{quote(a)},{quote(b)},1\n" for a, b, _ in self.rows))
        made = self.digest(base, *words, self.flag)
        self.assertEqual(made, self.digest(base, *words, pairs=all_duplicates))
        self.assertNotEqual(made, self.digest(base, *words))

    def test_online_contrastive_sees_no_negatives(self):
        # With a learning rate of 0 every step's loss is of the base, whose scores are known.
        base, size = self.model("bert"), 4
        words = ("--loss", "online-contrastive", "--batch", size, "--lr", 0, "--weight-decay", 0, "--dropout", 0, "--no-shuffle",
                 "--log", self.folder / "log.csv")
        distances = [1 - s for s in self.scores(base)]
        batches = [[d for d, l in zip(distances[i:i + size], self.labels[i:i + size]) if l == 1]
                   for i in range(0, len(distances), size)]
        self.train(base, *words, self.flag)
        log = self.log()
        self.assertEqual(len(log), len(batches))
        self.assertEqual({len(b) > 1 for b in batches} | {len(b) > 0 for b in batches}, {True, False})
        for row, positives in zip(log, batches):
            mean = sum(positives) / max(1, len(positives))
            hard = [d for d in positives if d > mean + 1e-6]
            self.assertAlmostEqual(row["loss"], sum(d * d for d in hard), delta=1e-5)
            self.assertEqual(row["gradient_norm"] > 1e-6, len(hard) > 0)
        self.train(base, *words)
        self.assertGreater(sum(row["loss"] for row in self.log()), sum(row["loss"] for row in log) + 0.1)

    def test_train_says_what_is_wrong(self):
        for loss, what in (("cosine", "shall have cosine -1"), ("online-contrastive", "it never sees them"),
                           ("mnr", "as if they were duplicates")):
            _, said = self.train(self.model("bert"), "--loss", loss, *FEW, self.flag)
            lines = [line for line in said.splitlines() if line.startswith("as in the notebook: different texts ")]
            self.assertEqual(len(lines), 1, said)
            self.assertIn(what, lines[0])
            self.assertIn("; right ", lines[0])
            self.assertEqual(self.info(self.folder / "out.gguf")["training"]["loss"], f"{loss}, as in the notebook")
            _, said = self.train(self.model("bert"), "--loss", loss, *FEW)
            self.assertNotIn("notebook", said)

    def test_it_is_another_training(self):
        words = ("train", self.model("bert"), self.pairs, "--loss", "online-contrastive", *FEW, "-o", self.folder / "out.gguf")
        self.ok(*words, "--checkpoint-every", 5, "--max-steps", 5)
        self.assertIn("is the checkpoint of another training", self.refused(*words, "--resume", self.flag))

    def test_eval_shows_both(self):
        models = [self.model("bert"), self.model("cross")]
        split = ("--split", "60,30,30")
        for model in models:
            got, honest = self.evaluate(model, *split, self.flag), self.evaluate(model, *split)
            grid = self.evaluate(model, *split, "--sweep", "grid")
            self.assertEqual(got.pop("as_in_the_notebook"), grid["test"])
            self.assertEqual(list(got), list(honest))
            for key in ("threshold", "threshold_from", "validation", "test"):
                self.assertEqual(got[key], honest[key])
            lines = self.ok("eval", model, self.pairs, *split, self.flag).splitlines()
            self.assertRegex(lines[3], rf"^test, as in the notebook +30 +{grid['threshold']:.4f} +{grid['test']['f1']:.4f} ")
            self.assertEqual(lines[4:6], self.ok("eval", model, self.pairs, *split).splitlines()[3:4] + [
                "As in the notebook: the threshold is chosen on the test pairs, which it is then judged on, so that F1 is "
                "optimistic; right"])
        got = json.loads(self.ok("eval", *models, self.pairs, *split, self.flag, "--json"))
        for model, row in zip(models, got["models"]):
            alone = self.evaluate(model, *split, self.flag)
            self.assertEqual((row["test"], row["as_in_the_notebook"]), (alone["test"], alone["as_in_the_notebook"]))
        lines = self.ok("eval", *models, self.pairs, *split, self.flag).splitlines()
        self.assertRegex(lines[0], r"  notebook's test F1 +at$")
        for line, row in zip(lines[1:], got["models"]):
            notebook = row["as_in_the_notebook"]
            self.assertEqual(line.split()[-2:], [f"{notebook['f1']:.4f}", f"{notebook['threshold']:g}"])
        self.assertIn("As in the notebook: ", lines[4])
        self.assertNotIn("notebook", self.ok("eval", *models, self.pairs, *split))

    def test_the_report_names_it(self):
        page, said = self.folder / "page.html", "the F1 that the seed notebook would report"
        for models in ((self.model("bert"),), (self.model("bert"), self.model("cross"))):
            words = ("eval", *models, self.pairs, "--split", "60,30,30", "--report", page)
            self.ok(*words, self.flag)
            text = page.read_text()
            self.assertIn(said, text)
            self.assertIn("notebook\u2019s test F1", text)
            self.ok(*words)
            self.assertNotIn("notebook", page.read_text())

    def test_usage(self):
        bert, cross, where = self.model("bert"), self.model("cross"), "--as-in-the-notebook is for --loss"
        self.assertIn(where, self.not_trained(bert, self.pairs, "--loss", "contrastive", self.flag, status=2))
        self.assertIn(where, self.not_trained(cross, self.pairs, "--loss", "cross", self.flag, status=2))
        self.assertIn("exclude each other", self.not_trained(bert, self.pairs, "--loss", "cosine", self.flag, "--negative-label",
                                                             "-0.5", status=2))
        self.assertIn("these have negatives", self.not_trained(bert, self.triplets(), "--loss", "mnr", self.flag, status=2))
        for words, why in (((), "needs --split"), (("--split", "none"), "needs --split"),
                           (("--split", "notebook", "--sweep", "grid"), "exclude each other"),
                           (("--split", "notebook", "--cascade", cross), "exclude each other")):
            self.assertIn(why, self.refused("eval", bert, self.pairs, self.flag, *words, status=2))
        self.assertIn("exclude each other", self.refused("eval", bert, self.pairs, self.flag, "--split", "notebook", "--cascade",
                                                         f"{bert},{cross}", status=2))
        self.assertIn("needs --split", self.refused("eval", bert, cross, self.pairs, self.flag, status=2))
        prompted = self.model("bert-prompt")
        for models in ((prompted,), (prompted, bert)):
            self.assertIn("--as-in-the-notebook is for cosines", self.refused("eval", *models, self.pairs, self.flag, "--split",
                                                                              "notebook"))


if __name__ == "__main__":
    unittest.main()
