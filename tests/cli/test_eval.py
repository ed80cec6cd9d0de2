"""eval and calibrate: their numbers against a plain computation from the scores that `score` prints."""

import json
import shutil
import unittest

from tool import GOLDEN, Case, nul_texts

HEADER = "question1,question2,is_duplicate\n"


def quote(text):
    return '"' + text.replace('"', '""') + '"'


def labelled_rows():
    """Pairs of the golden texts with labels that have a little to do with the scores, and repeated questions."""
    texts = nul_texts(GOLDEN / "pairs.txt")
    pairs = list(zip(texts[::2], texts[1::2])) * 4
    return [(a, b, int(sorted(a) == sorted(b) or i % 7 == 0)) for i, (a, b) in enumerate(pairs)]


def numbers(scores, labels, threshold):
    called = [s >= threshold for s in scores]
    tp = sum(c and l for c, l in zip(called, labels))
    fp = sum(c and not l for c, l in zip(called, labels))
    fn = sum(not c and l for c, l in zip(called, labels))
    tn = len(labels) - tp - fp - fn
    ratio = lambda a, b: a / b if b else 0
    return {"f1": ratio(2 * tp, 2 * tp + fp + fn), "precision": ratio(tp, tp + fp), "recall": ratio(tp, tp + fn),
            "accuracy": ratio(tp + tn, len(labels)), "confusion": {"tp": tp, "fp": fp, "fn": fn, "tn": tn}}


def best_f1(scores, labels):
    return max(numbers(scores, labels, t)["f1"] for t in set(scores))


def average_precision(scores, labels):
    total, last = 0, 0
    for t in sorted(set(scores), reverse=True):
        n = numbers(scores, labels, t)
        total += (n["recall"] - last) * n["precision"]
        last = n["recall"]
    return total


class Labelled(Case):
    def setUp(self):
        super().setUp()
        self.rows = labelled_rows()
        self.labels = [l for _, _, l in self.rows]
        self.write_pairs()

    def write_pairs(self):
        self.pairs = self.file("pairs.csv", HEADER + "".join(f"{quote(a)},{quote(b)},{l}\n" for a, b, l in self.rows))

    def scores(self, model):
        raw = self.ok("score", model, "-0", "--pairs", "-", "--threshold", "0",
                      stdin="".join(f"{a}\0{b}\0" for a, b, _ in self.rows))
        return [float(line.split(",")[0]) for line in raw.splitlines()]

    def evaluate(self, model, *words):
        return json.loads(self.ok("eval", model, self.pairs, "--json", *words))

    def assert_numbers(self, got, wanted):
        for key, value in wanted.items():
            if isinstance(value, dict):
                self.assertEqual(got[key], value)
            else:
                self.assertAlmostEqual(got[key], value, places=12)


class Eval(Labelled):
    def test_the_best_threshold_of_all_pairs(self):
        for name in ("bert", "cross"):
            model = self.model(name)
            scores = self.scores(model)
            got = self.evaluate(model)
            self.assertEqual(list(got),
                             ["pairs", "threshold", "threshold_from", "f1", "precision", "recall", "accuracy",
                                         "average_precision", "confusion", "seconds", "questions_per_second"])
            self.assertEqual((got["pairs"], got["threshold_from"]), (len(self.rows), "the same data"))
            self.assertAlmostEqual(got["f1"], best_f1(scores, self.labels), places=12)
            self.assert_numbers(got, numbers(scores, self.labels, got["threshold"]))
            self.assertAlmostEqual(got["average_precision"], average_precision(scores, self.labels), places=12)
            self.assertGreater(got["seconds"], 0)
            self.assertGreater(got["questions_per_second"], 0)

    def test_the_models_threshold_comes_first(self):
        path, scores = self.folder / "m.gguf", self.scores(self.model("bert"))
        few = self.file("few.tsv", "question1\tquestion2\tis_duplicate\ngood\tgood\t1\ngood\tIndia\t0\n")
        self.ok("calibrate", self.model("bert"), few, "-o", path)
        got = self.evaluate(path)
        self.assertEqual(got["threshold_from"], "model")
        self.assert_numbers(got, numbers(scores, self.labels, got["threshold"]))
        self.assertEqual(got["best_on_the_same_data"]["f1"], self.evaluate(self.model("bert"))["f1"])
        table = self.ok("eval", path, self.pairs)
        self.assertRegex(table, r"(?m)^model's threshold +120 ")
        self.assertRegex(table, r"(?m)^best +120 ")
        self.assertIn("optimistic", table)

    def test_splits(self):
        model = self.model("bert")
        for words, sizes in ((["notebook"], (96, 12, 12)), (["60,30,20"], (60, 30, 20)),
                             (["0.5,0.25,0.25"], (60, 30, 30))):
            got = self.evaluate(model, "--split", *words)
            self.assertEqual(list(got),
                             ["pairs", "split", "threshold", "threshold_from", "validation", "test", "seconds",
                                         "questions_per_second"])
            self.assertEqual(tuple(got["split"][k] for k in ("train", "validation", "test")), sizes)
            self.assertEqual(got["threshold_from"], "validation")
            self.assertEqual(got["threshold"], got["test"]["threshold"])
            self.assertEqual(got["threshold"], got["validation"]["threshold"])
            self.assertEqual(sum(got["test"]["confusion"].values()), sizes[2])
            self.assertEqual(sum(got["validation"]["confusion"].values()), sizes[1])
        again = self.evaluate(model, "--split", "notebook")
        self.assertEqual(again["test"], self.evaluate(model, "--split=notebook", "--seed", "42")["test"])
        seeds = [json.dumps(self.evaluate(model, "--split=notebook", "--seed", s)["test"]) for s in range(4)]
        self.assertGreater(len(set(seeds)), 1)

    def test_the_notebooks_grid(self):
        for name, grid in (("bert", [k / 100 for k in range(-100, 101)]), ("cross", [k / 100 for k in range(101)])):
            model = self.model(name)
            scores = self.scores(model)
            got = self.evaluate(model, "--sweep", "grid")
            f1 = [numbers(scores, self.labels, t)["f1"] for t in grid]
            self.assertEqual(got["threshold"], grid[f1.index(max(f1))])
            self.assertEqual(got["f1"], max(f1))
            self.assertEqual(got["threshold_from"], "grid on the same data")
            split = self.evaluate(model, "--sweep", "grid", "--split", "notebook")
            self.assertEqual(split["threshold_from"], "grid on test")
            self.assertIn(split["threshold"], grid)
            self.assertIn("as the seed notebook does",
                          self.ok("eval", model, self.pairs, "--sweep", "grid", "--split", "notebook"))

    def test_table(self):
        said = self.ok("eval", self.model("cross"), self.pairs, "--split", "notebook").splitlines()
        self.assertEqual(said[0].split(),
                         "pairs threshold F1 precision recall accuracy average precision tp fp fn tn".split())
        self.assertEqual([line.split()[0] for line in said[1:3]], ["validation", "test"])
        self.assertEqual(len({len(line) for line in said[:3]}), 1)
        self.assertIn("96 training pairs not used", said[3])
        self.assertRegex(said[4], r"^48 questions in \d+\.\d s, \d+/s$")

    def test_without_a_positive_label(self):
        path = self.file("p.csv", HEADER + "a,b,0\nc,d,0\n")
        got = json.loads(self.ok("eval", self.model("bert"), path, "--json"))
        self.assertEqual((got["threshold"], got["f1"], got["average_precision"]), (None, 0, 0))
        self.assertEqual(got["confusion"], {"tp": 0, "fp": 0, "fn": 0, "tn": 2})
        self.assertRegex(self.ok("eval", self.model("bert"), path), r"(?m)^best +2 +none +0\.0000 ")

    def test_no_pairs(self):
        m, out = self.model("bert"), self.folder / "m.gguf"
        for words in (["eval", m], ["eval", m, "--json"], ["calibrate", m, "-o", out]):
            path = self.file("p.csv", HEADER)
            self.assertEqual(self.refused(*words, path), f"dupq: {path}: no pairs to judge\n")
            self.assertIn(": no pairs to judge", self.refused(*words, self.file("p.jsonl", "")))
            path = self.file("p.csv", HEADER + "a,b,maybe\n")
            self.assertIn("no pairs to judge (1 row skipped; the first: ", self.refused(*words, path, "--skip-bad"))
        self.assertFalse(out.exists())

    def test_labels(self):
        words = ["1", "0", "1.0", "0.0", "true", "FALSE", "Yes", "no"]
        pairs = [("good", f"India {i}") for i in range(len(words))]
        path = self.file("p.csv", HEADER + "".join(f"{a},{b},{w}\n" for (a, b), w in zip(pairs, words)))
        got = json.loads(self.ok("eval", self.model("bert"), path, "--json", stderr=""))
        objects = [json.dumps({"question1": a, "question2": b, "is_duplicate": l}) + "\n"
                   for (a, b), l in zip(pairs, [1, 0, 1.0, 0.0, True, False, "yes", "No"])]
        other = json.loads(self.ok("eval", self.model("bert"), self.file("p.jsonl", "".join(objects)), "--json"))
        wanted = json.loads(self.ok("eval", self.model("bert"), "-", "--json",
                                    stdin="".join(f"{a}\t{b}\t{1 - i % 2}\n" for i, (a, b) in enumerate(pairs))))
        for result in (got, other, wanted):
            self.assertEqual(result["pairs"], len(words))
            del result["seconds"], result["questions_per_second"]
        self.assertEqual(got, wanted)
        self.assertEqual(other, wanted)

    def test_too_small_for_a_split(self):
        path = self.file("p.csv", HEADER + "a,b,0\nc,d,1\n")
        for split in ("notebook", "1,1,1", "100,100,100", "0.6,0.3,0.3"):
            self.assertIn("p.csv", self.refused("eval", self.model("bert"), path, "--split", split))

    def test_lines_with_labels(self):
        lines = self.ok("eval", self.model("bert"), "--json", "-", stdin="good\tgood\t1\ngood\tIndia\t0\n")
        self.assertEqual(json.loads(lines)["f1"], 1)

    def test_bad_labels_and_columns(self):
        m = self.model("bert")
        for label in ("2", "", "y", "1.00", "-1", " 1", "duplicate"):
            path = self.file("p.csv", HEADER + f"a,b,0\nc,d,{label}\n")
            self.assertIn(f"p.csv: line 3: is_duplicate is '{label}', not 0 or 1, true or false, yes or no", self.refused("eval", m, path))
        self.assertIn("p.csv: line 1: no column is_duplicate",
                      self.refused("eval", m, self.file("p.csv", "question1,question2\na,b\n")))
        self.assertIn("no column x", self.refused("eval", m, self.pairs, "--columns", "question1,question2,x"))
        path = self.file("p.csv", HEADER + "a,b,1\nc,d,maybe\ne,f,0\n")
        done = self.run_tool("eval", m, path, "--json", "--skip-bad")
        self.assertEqual(json.loads(done.stdout)["pairs"], 2)
        self.assertEqual(done.stderr.decode(),
                         f"1 row skipped; the first: {path}: line 3: is_duplicate is 'maybe', not 0 or 1, true or false, "
                         "yes or no\n")


class Calibrate(Labelled):
    def test_stores_the_best_threshold(self):
        for name in ("bert", "cross"):
            out = self.folder / "out.gguf"
            said = self.ok("calibrate", self.model(name), self.pairs, "-o", out)
            wanted = self.evaluate(self.model(name))
            self.assertEqual(said, f"{out}: threshold {wanted['threshold']}, F1 {wanted['f1']:.4f} on 120 pairs\n")
            info = json.loads(self.ok("info", out, "--json", "--verify"))
            self.assertEqual(info["threshold"], wanted["threshold"])
            self.assertEqual(self.evaluate(out)["f1"], wanted["f1"])
            self.assertEqual(self.scores(out), self.scores(self.model(name)))

    def test_onto_itself_and_again(self):
        path = self.folder / "m.gguf"
        shutil.copy(self.model("bert"), path)
        self.ok("calibrate", path, self.pairs, "-o", path)
        once = path.read_bytes()
        self.assertNotEqual(once, self.model("bert").read_bytes())
        self.ok("calibrate", path, self.pairs, "-o", path)
        self.assertEqual(path.read_bytes(), once)
        few = self.file("few.csv", HEADER + "good,good,1\ngood,India,0\n")
        self.ok("calibrate", path, few, "-o", path)
        self.assertEqual(len(path.read_bytes()), len(once))
        self.assert_only("m.gguf", "pairs.csv", "few.csv")

    def test_everything_else_keeps_its_bytes(self):
        plain, out = self.folder / "plain.gguf", self.folder / "out.gguf"
        self.ok("convert", GOLDEN / "mpnet", "-o", plain, "--layout", "plain")
        for path in (plain, self.model("mpnet"), *(GOLDEN / "foreign").glob("*.gguf")):
            self.ok("calibrate", path, self.pairs, "-o", out)
            before, after = path.read_bytes(), out.read_bytes()
            infos = before.rindex(b"dupq.") if b"dupq." in before else 24
            self.assertEqual(after[:16], before[:16])
            self.assertEqual(int.from_bytes(after[16:24], "little"), int.from_bytes(before[16:24], "little") + 1)
            self.assertEqual(after[24:infos], before[24:infos])
            self.assertEqual(after[-4096:], before[-4096:])
            self.assertEqual(self.scores(out), self.scores(path))

    def test_no_positive_label(self):
        out = self.folder / "out.gguf"
        path = self.file("p.csv", HEADER + "a,b,0\n")
        self.assertIn("p.csv: no pair is labelled 1", self.refused("calibrate", self.model("bert"), path, "-o", out))
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
