"""--cascade of calibrate, eval and score: two models against a plain computation from the scores of each."""

import csv
import io
import json
import math
import struct
import unittest


from test_eval import HEADER, Labelled, average_precision, best_f1, numbers

def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def bands(similarities, probabilities, labels):
    """Every band of these pairs: what it calls duplicates, and how many pairs are unsure. The threshold is the
    cross-encoder's own."""
    best = max(set(probabilities), key=lambda t: (numbers(probabilities, labels, t)["f1"], t))
    cuts = sorted(set(similarities)) + [math.inf]
    for i, lower in enumerate(cuts):
        for upper in cuts[i:]:
            called = [s >= upper or (lower <= s and p >= best) for s, p in zip(similarities, probabilities)]
            yield sum(lower <= s < upper for s in similarities), numbers(called, labels, 1)["f1"]


class Cascade(Labelled):
    def setUp(self):
        super().setUp()
        self.bi, self.cross = self.model("bert"), self.model("cross")
        # Labels of which each model knows something: the bi-encoder what is far apart, the other one the rest.
        similarities, probabilities = self.scores(self.bi), self.scores(self.cross)
        low, high = (sorted(similarities)[k] for k in (40, 80))
        middle = sorted(p for s, p in zip(similarities, probabilities) if low <= s < high)[20]
        self.labels = [int((s >= high or (s >= low and p >= middle)) != (i % 11 == 0))
                       for i, (s, p) in enumerate(zip(similarities, probabilities))]
        self.rows = [(a, b, l) for (a, b, _), l in zip(self.rows, self.labels)]
        self.write_pairs()
        self.out = self.folder / "m.gguf"

    def calibrate(self, *words, cross=None):
        return self.ok("calibrate", self.bi, self.pairs, "-o", self.out, "--cascade", cross or self.cross, *words)

    def cascade(self, model):
        band = json.loads(self.ok("info", model, "--json"))["cascade"]
        return band and {k: f32(v) if isinstance(v, float) else v for k, v in band.items()}

    def wanted(self, band):
        scores = []
        for s, p in zip(self.scores(self.bi), self.scores(self.cross)):
            sure = f32(f32(s) - band["lower"]) if s < band["lower"] else f32(1 + f32(f32(s) - band["upper"]))
            scores.append(f32(p) if band["lower"] <= s < band["upper"] else sure)
        return scores


class Calibrate(Cascade):
    def test_the_fewest_pairs_for_an_f1(self):
        similarities, probabilities = self.scores(self.bi), self.scores(self.cross)
        every = list(bands(similarities, probabilities, self.labels))
        shares = []
        for aim, best in (("cross", best_f1(probabilities, self.labels)), ("best", max(f1 for _, f1 in every))):
            said = self.calibrate("--aim", aim)
            fewest = min(n for n, f1 in every if f1 >= best - 0.002)
            f1 = max(f1 for n, f1 in every if n == fewest)
            self.assertRegex(said, rf"; cascade \S+ to \S+, F1 {f1:.4f} \(the cross-encoder alone "
                                   rf"{best_f1(probabilities, self.labels):.4f}\), {100 * fewest / 120:.1f}% of the pairs")
            band = self.cascade(self.out)
            self.assertEqual(sum(band["lower"] <= s < band["upper"] for s in similarities), fewest)
            self.assertEqual(band["cross_encoder"], "cross.gguf")
            shares.append(fewest)
        self.assertGreater(shares[1], 0)
        self.assertEqual(self.calibrate(), self.calibrate("--aim", "cross"))

    def test_the_model_is_the_same_otherwise(self):
        self.calibrate()
        plain = self.folder / "plain.gguf"
        self.ok("calibrate", self.bi, self.pairs, "-o", plain)
        info, other = (json.loads(self.ok("info", p, "--json", "--verify")) for p in (self.out, plain))
        self.assertIsNone(other["cascade"])
        self.assertEqual(info["threshold"], other["threshold"])
        self.assertEqual(self.scores(self.out), self.scores(self.bi))
        # Onto itself, and again: nothing piles up. A plain calibration leaves the cascade as it is.
        once = self.out.read_bytes()
        self.ok("calibrate", self.out, self.pairs, "-o", self.out, "--cascade", self.cross)
        self.assertEqual(self.out.read_bytes(), once)
        band = self.cascade(self.out)
        self.ok("calibrate", self.out, self.pairs, "-o", self.out)
        self.assertEqual(self.cascade(self.out), band)
        self.assertRegex(self.ok("info", self.out), r'(?m)^cascade +"lower":')

    def test_refused(self):
        for words, reason in ((["calibrate", self.cross, self.pairs, "--cascade", self.cross], "cross.gguf: a bi_encoder is needed"),
                              (["calibrate", self.bi, self.pairs, "--cascade", self.bi], "bert.gguf: a cross_encoder is needed"),
                              (["calibrate", self.bi, self.pairs, "--cascade", self.pairs], "pairs.csv: not a GGUF"),
                              (["calibrate", self.bi, self.pairs, "--cascade", "gone.gguf"], "gone.gguf: no such file"),
                              (["calibrate", self.bi, self.file("p.csv", HEADER + "a,b,0\n"), "--cascade", self.cross],
                               "p.csv: no pair is labelled 1")):
            self.assertIn(reason, self.refused(*words, "-o", self.out))
        nameless = self.file("cross.gguf", self.cross.read_bytes().replace(b"dupq.digest", b"dupq.digesT"))
        self.assertIn(f"{nameless}: dupq.digest: missing key",
                      self.refused("calibrate", self.bi, self.pairs, "--cascade", nameless, "-o", self.out))
        self.assertFalse(self.out.exists())
        self.assertIn("--aim needs --cascade", self.refused("calibrate", self.bi, self.pairs, "-o", self.out, "--aim",
                                                            "best", status=2))
        self.assertIn("--aim cannot be 'low'", self.refused("calibrate", self.bi, self.pairs, "-o", self.out, "--cascade",
                                                            self.cross, "--aim", "low", status=2))


class Use(Cascade):
    def setUp(self):
        super().setUp()
        self.calibrate("--aim", "best")
        self.band = self.cascade(self.out)
        self.expected = self.wanted(self.band)
        self.seen = sum(self.band["lower"] <= s < self.band["upper"] for s in self.scores(self.bi))

    def test_score(self):
        done = self.run_tool("score", self.out, "--pairs", self.pairs, "--cascade", self.cross, "--threads", "2")
        lines = [line[-2:] for line in csv.reader(io.StringIO(done.stdout.decode(), newline=""))][1:]
        self.assertEqual([f32(float(s)) for s, _ in lines], self.expected)
        self.assertEqual([int(d) for _, d in lines], [int(s >= self.band["threshold"]) for s in self.expected])
        share = 100 * self.seen / 120
        self.assertIn("texts cut to 24 tokens", done.stderr.decode())
        self.assertEqual(done.stderr.decode().splitlines(True)[1], f"the cross-encoder saw {self.seen} of 120 pairs ({share:.1f}%)\n")
        self.assertTrue(0 < self.seen < 120)
        for (a, b, _), score in list(zip(self.rows, self.expected))[:8]:
            said = self.ok("score", self.out, a, b, "--cascade", self.cross)
            self.assertEqual(said, f"{said.split(chr(9))[0]}\t"
                                   f"{'duplicate' if score >= self.band['threshold'] else 'different'}\n")
            self.assertEqual(f32(float(said.split("\t")[0])), score)
        strict = self.ok("score", self.out, "--pairs", self.pairs, "--cascade", self.cross, "--threshold", "1")
        lines = list(csv.reader(io.StringIO(strict, newline="")))[1:]
        self.assertEqual([line[-1] for line in lines], [str(int(s >= 1)) for s in self.expected])

    def test_eval(self):
        done = self.run_tool("eval", self.out, self.pairs, "--json", "--cascade", self.cross)
        got = json.loads(done.stdout)
        self.assertEqual(got["threshold_from"], "model")
        self.assert_numbers(got, numbers(self.expected, self.labels, self.band["threshold"]))
        self.assertAlmostEqual(got["average_precision"], average_precision(self.expected, self.labels), places=12)
        self.assertAlmostEqual(got["cross_encoder_share"], self.seen / 120, places=12)
        self.assertEqual(got["best_on_the_same_data"]["f1"], best_f1(self.expected, self.labels))
        self.assertIn(f"the cross-encoder saw {self.seen} of 120 pairs", done.stderr.decode())

    def test_eval_with_a_split_chooses_on_validation(self):
        plain = self.bi
        for aim in ("cross", "best"):
            got = json.loads(self.ok("eval", plain, self.pairs, "--json", "--split", "60,40,20", "--cascade", self.cross,
                                     "--aim", aim))
            own = json.loads(self.ok("eval", self.cross, self.pairs, "--json", "--split", "60,40,20"))
            self.assertGreaterEqual(got["validation"]["f1"], own["validation"]["f1"] - 0.002)
            self.assertEqual(got["threshold"], own["threshold"])
            self.assertEqual(sum(got["test"]["confusion"].values()), 20)
            for part in ("validation", "test"):
                self.assertTrue(0 <= got[part]["cross_encoder_share"] <= 1)
        self.assertNotIn("cross_encoder_share", json.loads(self.ok("eval", plain, self.pairs, "--json")))

    def test_each_model_has_its_own_limits(self):
        long = self.file("p.tsv", "question1\tquestion2\tis_duplicate\n" + "".join(
            f"{'good ' * 40}{i}\t{'India ' * 40}{i}\t{i % 2}\n" for i in range(6)))
        done = self.run_tool("score", self.out, "--pairs", long, "--cascade", self.cross, "--max-length", "12")
        self.assertEqual(done.returncode, 0)
        self.assertIn("12 texts cut to 12 tokens", done.stderr.decode())

    def test_refused(self):
        good = self.out.read_bytes()
        for verb in (["score", "--pairs"], ["eval"]):
            words = lambda m, cross: [verb[0], m, *verb[1:], self.pairs, "--cascade", cross]
            other = self.model("cross_identity")
            self.assertEqual(self.refused(*words(self.out, other)),
                             f"dupq: {self.out}: its cascade is made with the cross-encoder 'cross.gguf', and {other} is "
                             "another one\n")
            self.assertIn(f"{self.bi}: no cascade in the model: `dupq calibrate --cascade`",
                          self.refused(*words(self.bi, self.cross)))
            self.assertIn("cross.gguf: a bi_encoder is needed", self.refused(*words(self.cross, self.cross)))
            self.assertIn("m.gguf: a cross_encoder is needed", self.refused(*words(self.out, self.out)))
            self.assertIn("gone.gguf: no such file", self.refused(*words(self.out, "gone.gguf")))
            self.assertIn("no such file", self.refused(*words(self.out, "")))
            for key in (b"upper", b"threshold", b"name", b"digest"):
                at = good.index(b"dupq.cascade." + key) + len(b"dupq.cascade." + key)
                if key in (b"upper", b"threshold"):
                    broken = good[:at + 4] + struct.pack("<f", math.nan) + good[at + 8:]
                    reason = "holds NaN or infinity"
                else:
                    broken, reason = good[:at] + struct.pack("<I", 4) + good[at + 4:], ""
                path = self.file("broken.gguf", broken)
                self.assertRegex(self.refused(*words(path, self.cross)), f"broken.gguf: .*{reason}")
                path = self.file("broken.gguf", good.replace(b"dupq.cascade." + key, b"dupq.cascade." + key.upper()))
                if key != b"name":
                    self.assertIn(f"dupq.cascade.{key.decode()}: missing key", self.refused(*words(path, self.cross)))
        self.assertIn("exclude each other", self.refused("eval", self.out, self.pairs, "--cascade", self.cross, "--sweep",
                                                         "grid", status=2))
        self.assertIn("--aim needs --cascade and --split", self.refused("eval", self.out, self.pairs, "--cascade",
                                                                        self.cross, "--aim", "best", status=2))
        self.assertIn("unknown option", self.refused("dedup", self.out, self.pairs, "--cascade", self.cross, status=2))


del Labelled, Cascade  # which have no tests of their own

if __name__ == "__main__":
    unittest.main()
