"""eval of several models: every row is what eval says of that model alone, and the bootstrap's intervals."""

import json
import random
import unittest

from test_eval import Labelled, numbers


class EvalMany(Labelled):
    def test_rows_are_those_of_each_model_alone(self):
        models = [self.model(n) for n in ("bert", "mpnet", "cross")]
        for words in ([], ["--split", "60,30,30"], ["--split", "60,30,30", "--sweep", "grid"]):
            got = json.loads(self.ok("eval", *models, self.pairs, "--json", *words))
            self.assertEqual(got["pairs"], len(self.rows))
            self.assertEqual([m["model"] for m in got["models"]], [str(m) for m in models])
            self.assertEqual([m["kind"] for m in got["models"]], ["bi_encoder", "bi_encoder", "cross_encoder"])
            for model, row in zip(models, got["models"]):
                alone = self.evaluate(model, *words)
                for key in ("threshold", "threshold_from", "validation", "test", "f1", "confusion", "average_precision"):
                    self.assertEqual(row.get(key), alone.get(key), (words, key))
                self.assertGreater(row["questions_per_second"], 0)
            self.assertEqual(got.get("split"), self.evaluate(models[0], *words).get("split"))
            self.assertNotIn("differences", got)

    def test_cascades_are_rows(self):
        bi, cross = self.model("bert"), self.model("cross")
        words = ("--split", "60,30,30")
        got = json.loads(self.ok("eval", bi, self.pairs, "--cascade", f"{bi},{cross}", "--json", *words))
        alone = self.evaluate(bi, "--cascade", cross, *words)
        row = got["models"][1]
        self.assertEqual((row["kind"], row["model"], row["cross_encoder"]), ("cascade", str(bi), str(cross)))
        for key in ("threshold", "validation", "test"):
            self.assertEqual(row[key], alone[key])
        only = json.loads(self.ok("eval", self.pairs, "--cascade", f"{bi},{cross}", "--json", *words))
        self.assertEqual(only["models"][0]["test"], row["test"])

    def test_bootstrap(self):
        bi, cross = self.model("bert"), self.model("cross")
        words = ("eval", bi, cross, bi, self.pairs, "--bootstrap", "4000", "--json")
        got, again, other = (json.loads(self.ok(*words, *w)) for w in ([], [], ["--seed", "1"]))
        ranges = lambda g: [m["f1_interval"] for m in g["models"]] + [d["interval"] for d in g["differences"]]
        self.assertEqual(ranges(got), ranges(again))
        self.assertNotEqual(ranges(got), ranges(other))
        self.assertEqual(got["bootstrap_samples"], 4000)
        for row in got["models"]:
            self.assertLess(row["f1_interval"]["low"], row["f1"])
            self.assertLess(row["f1"], row["f1_interval"]["high"])
        # The same by definition, with other random numbers: within the noise of 4000 samples.
        r = random.Random(1)
        f1s = []
        for row, model in zip(got["models"][:2], (bi, cross)):
            called = [s >= row["threshold"] for s in self.scores(model)]
            f1s.append([])
            state = r.getstate()
            for _ in range(4000):
                drawn = r.choices(range(len(called)), k=len(called))
                f1s[-1].append(numbers([1.0 * called[i] for i in drawn], [self.labels[i] for i in drawn], 0.5)["f1"])
            r.setstate(state)  # the pairs are the same for both
            values = sorted(f1s[-1])
            self.assertAlmostEqual(row["f1_interval"]["low"], values[100], delta=0.03)
            self.assertAlmostEqual(row["f1_interval"]["high"], values[-101], delta=0.03)
        first, same, last = got["differences"]  # bert and cross, bert and bert, cross and bert
        values = sorted(a - b for a, b in zip(*f1s))
        self.assertAlmostEqual(first["interval"]["low"], values[100], delta=0.03)
        self.assertAlmostEqual(first["interval"]["high"], values[-101], delta=0.03)
        self.assertEqual(first["differ"], first["interval"]["low"] > 0 or first["interval"]["high"] < 0)
        self.assertEqual((same["difference"], same["interval"], same["differ"]), (0, {"low": 0, "high": 0}, False))
        self.assertAlmostEqual(last["difference"], -first["difference"])
        self.assertEqual(last["interval"], {"low": -first["interval"]["high"], "high": -first["interval"]["low"]})

    def test_table(self):
        bi, cross = self.model("bert"), self.model("cross")
        words = ["eval", bi, cross, self.pairs, "--split", "60,30,30", "--bootstrap", "100"]
        lines = self.ok(*words).splitlines()
        self.assertEqual(lines[0].split("  ")[-1].strip(), "questions/s")
        for model, line in zip((bi, cross), lines[1:3]):
            alone = self.evaluate(model, *words[4:6])
            cells = [c for c in line.split("  ") if c.strip()]
            self.assertEqual(cells[0].strip(), str(model))
            self.assertEqual(cells[1].strip(), f"{alone['validation']['f1']:.4f}")
            self.assertEqual(cells[2].strip(), f"{alone['test']['f1']:.4f}")
        self.assertIn(f"{bi} against {cross}: F1 ", lines[3])
        self.assertIn("60 training pairs not used", lines[4])

    def test_wrong_usage(self):
        m = self.model("bert")
        for words, why in ((["--cascade", m], "among several models"), (["--cascade", f"{m},"], "--cascade cannot be"),
                           (["--bootstrap", "39"], "--bootstrap cannot be"),
                           (["--cascade", f"{m},{m}", "--sweep", "grid"], "exclude each other")):
            self.assertIn(why, self.refused("eval", m, m, self.pairs, *words, status=2))
        self.assertIn("needs more than one", self.refused("eval", m, self.pairs, "--bootstrap", "100", status=2))
        self.assertIn("too few", self.refused("eval", self.pairs, status=2))
        self.assertIn("cross_encoder is needed", self.refused("eval", self.pairs, "--cascade", f"{m},{m}"))


if __name__ == "__main__":
    unittest.main()
