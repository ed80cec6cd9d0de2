"""The example programs on the tiny models. Environment: DUPQ, the tool; DUPQ_BUILD, the build's folder."""

import csv
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from tool import Case  # noqa: E402

PROGRAMS = pathlib.Path(os.environ["DUPQ_BUILD"]) / "examples"
SHIPPED = pathlib.Path(__file__).resolve().parent.parent.parent / "examples"


def run(name, *words, stdin=""):
    return subprocess.run([PROGRAMS / ("example_" + name), *map(str, words)], input=stdin, capture_output=True,
                          text=True, timeout=60)


class Examples(Case):
    def example(self, name, *words, stdin=""):
        """Runs a program, which must be content, and returns its lines."""
        done = run(name, *words, stdin=stdin)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def says(self, name, *words):
        """Runs a program, which must fail with one line, and returns that."""
        done = run(name, *words)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr.count("\n"), 1)
        return done.stderr

    def cosine(self, a, b):
        """What the tool makes of a pair."""
        return float(self.ok("score", self.model("bert"), a, b).split("\t")[0])

    def cross_score(self, a, b):
        return float(self.ok("score", self.model("cross"), a, b).split("\t")[0])

    def test_score_pair(self):
        bert = self.model("bert")
        self.assertEqual(self.example("score_pair", bert, "How do I learn?", "how do I LEARN?"), ["1.000 duplicate"])
        score, decision = self.example("score_pair", bert, "How do I learn?", "food")[0].split()
        self.assertAlmostEqual(float(score), self.cosine("How do I learn?", "food"), delta=6e-4)
        self.assertEqual(decision, "duplicate" if float(score) >= 0.75 else "different")
        self.assertRegex(self.says("score_pair", "nowhere.gguf", "a", "b"), "^nowhere.gguf: no such file\n$")
        self.assertIn("wrong kind", self.says("score_pair", self.model("cross"), "a", "b"))
        self.assertEqual(run("score_pair").returncode, 2)

    def test_training(self):
        texts = ["What is the best food?", "Is Python better than Java?", "How do I sell a house?", "Who is the man from Paris?"]
        rows = [(a, b, int(a == b)) for a in texts for b in texts]
        pairs = self.file("pairs.tsv", "".join(f"{a}\t{b}\t{l}\n" for a, b, l in rows))
        lines = self.example("training", self.model("bert"), pairs)
        self.assertEqual([line.split(":")[0] for line in lines], [f"epoch {n}" for n in range(1, 6)])
        losses = [float(line.split()[-1]) for line in lines]
        self.assertLess(losses[-1], 0.9 * losses[0])
        self.assertEqual(self.example("training", self.model("bert"), pairs), lines)
        self.assertIn("wrong kind", self.says("training", self.model("cross"), pairs))
        self.assertEqual(self.says("training", self.model("bert"), self.file("few", "a\tb\t1\n")), "fewer than 8 pairs\n")
        self.assertEqual(run("training").returncode, 2)

    def test_deduplicate(self):
        lines = ["What is the best food?", "Is Python better than Java?", "How do I sell a house?",
                 "what is the BEST food ?", "Who is the man from Paris?", "How do I sell a house?"]
        texts = self.file("questions", "\n".join(lines) + "\n")
        bert = self.model("bert")
        self.assertEqual(self.example("deduplicate", bert, texts, "0.99999"),
                         ["1 4 1.000", "3 6 1.000", "2 pairs among 6 lines"])
        self.assertEqual(self.example("deduplicate", bert, texts, "-1.1")[-1], "15 pairs among 6 lines")
        self.assertEqual(self.example("deduplicate", bert, self.file("empty", "")), ["0 pairs among 0 lines"])
        self.assertIn("nowhere: cannot be read", self.says("deduplicate", bert, "nowhere"))

    def test_evaluate(self):
        with open(SHIPPED / "questions.csv", newline="", encoding="utf-8") as file:
            rows = [[" ".join(field.split()) for field in row] for row in csv.reader(file)][1:]
        pairs = self.file("pairs", "".join("\t".join(row) + "\n" for row in rows))
        table = [line.split() for line in self.example("evaluate", self.model("bert"), self.model("cross"), pairs)]
        self.assertEqual([row[0] for row in table], ["model", "bi_encoder", "cross_encoder"])
        self.assertEqual(table[0], ["model", "threshold", "F1", "precision", "recall"])
        labels = [row[2] == "1" for row in rows]
        self.assertIn(True, labels[len(labels) // 2:])
        given = self.file("pairs.csv", "question1,question2\n" +
                          "".join('"%s","%s"\n' % tuple(q.replace('"', '""') for q in row[:2]) for row in rows))
        for row, model in zip(table[1:], ("bert", "cross")):
            scored = csv.DictReader(self.ok("score", self.model(model), "--pairs", given).splitlines())
            scores = [float(line["score"]) for line in scored]
            half = len(scores) // 2
            # Every threshold between two scores of the first half: none is better than the one that was chosen.
            best = max(self.f1(scores[:half], labels[:half], t) for t in scores[:half])
            # (The table has four digits, which may leave out or take in a pair that is as near as that.)
            near = [t for t in scores + [float(row[1])] if abs(t - float(row[1])) < 1e-4]
            self.assertIn(True, [abs(self.f1(scores[:half], labels[:half], t) - best) < 1e-9 for t in near])
            self.assertIn(row[2], ["%.4f" % self.f1(scores[half:], labels[half:], t) for t in near])
            f1, precision, recall = map(float, row[2:])
            self.assertAlmostEqual(f1, 2 * precision * recall / (precision + recall), delta=2e-4)

    @staticmethod
    def f1(scores, labels, threshold):
        called = [score >= threshold for score in scores]
        hits = sum(c and label for c, label in zip(called, labels))
        return 2 * hits / (sum(called) + sum(labels))

    def test_rerank(self):
        bert, cross = self.model("bert"), self.model("cross")
        questions = (SHIPPED / "questions.txt").read_text(encoding="utf-8").splitlines()
        query = questions[12]
        lines = [re.split("  ", line, maxsplit=2)
                 for line in self.example("rerank", bert, cross, SHIPPED / "questions.txt", query, 7)]
        self.assertEqual(len(lines), 7)
        scores = [float(score) for score, _, _ in lines]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertIn(["1.000", query], [line[1:] for line in lines])  # the query itself is nearest
        for score, cosine, text in lines[:3]:
            self.assertAlmostEqual(float(score), self.cross_score(query, text), delta=6e-4)
            self.assertAlmostEqual(float(cosine), self.cosine(query, text), delta=6e-4)
        # The candidates are the best by cosine: nothing outside is nearer than the least of them.
        given = self.file("pairs.csv", "question1,question2\n" + "".join(f'"{query}","{q}"\n' for q in questions))
        scored = csv.DictReader(self.ok("score", bert, "--pairs", given).splitlines())
        order = sorted(scored, key=lambda line: -float(line["score"]))
        self.assertEqual({line["question2"] for line in order[:7]}, {text for _, _, text in lines})

    def scores(self, texts, others):
        """{(text, other): cosine} of each of `texts` with each of `others`."""
        pairs = [(a, b) for a in texts for b in others]
        given = self.file("pairs.tsv", "question1\tquestion2\n" + "".join(f"{a}\t{b}\n" for a, b in pairs))
        lines = self.ok("score", self.model("bert"), "--pairs", given, "--threshold", "0").splitlines()[1:]
        return {pair: float(line.split("\t")[2]) for pair, line in zip(pairs, lines, strict=True)}

    def test_as_you_type(self):
        path = SHIPPED / "questions.txt"
        questions = path.read_text(encoding="utf-8").splitlines()
        typed = ["how", "how do I", "how do I learn to sw", questions[7]]
        lines = self.example("as_you_type", self.model("bert"), path, stdin="\n".join(typed) + "\n")
        scores = self.scores(typed, questions)
        for i, text in enumerate(typed):
            order = sorted(questions, key=lambda q: (-scores[text, q], questions.index(q)))[:5]
            self.assertEqual(lines[6 * i:6 * i + 6], [f"{scores[text, q]:.3f}  {q}" for q in order] + [""])
        self.assertEqual(len(lines), 24)
        self.assertEqual(self.example("as_you_type", self.model("bert"), self.file("one", "good\n"), stdin="good\n"),
                         ["1.000  good", ""])
        self.assertIn("nowhere: cannot be read", self.says("as_you_type", self.model("bert"), "nowhere"))

    def test_semantic_cache(self):
        asked = [("How do I learn to swim?", "slowly"), ("Is Python better than Java?", "no"),
                 ("how do I LEARN to swim ?", "never asked"), ("Is Java better than Python?", "yes"),
                 ("How do I learn to swim?", "nor this")]
        scores = self.scores([q for q, _ in asked], [q for q, _ in asked])
        kept, expected = [], []
        for question, answer in asked:
            near = [(scores[question, k], i) for i, (k, _) in enumerate(kept) if scores[question, k] >= 0.75]
            if near:
                score, i = max(near, key=lambda n: (n[0], -n[1]))
                expected.append(f"hit {score:.3f}  {kept[i][1]}")
            else:
                kept.append((question, answer))
                expected.append("miss       " + answer)
        expected.append(f"{len(kept)} of 5 answers had to be worked out")
        self.assertIn("hit 1.000  slowly", expected)
        given = "".join(f"{q}\t{a}\n" for q, a in asked)
        self.assertEqual(self.example("semantic_cache", self.model("bert"), stdin=given), expected)
        self.assertEqual(self.example("semantic_cache", self.model("bert")), ["0 of 0 answers had to be worked out"])

    def test_clusters(self):
        """The same groups as the tool's."""
        path, bert = SHIPPED / "questions.txt", self.model("bert")
        lines = self.example("clusters", bert, path, "0.9")
        found, groups = [], {}
        for line in lines:
            if line.startswith("    "):
                found[-1][1].append(line[4:])
            else:
                found.append((line.split("  ", 1)[1], []))
                self.assertTrue(line.split("  ")[0].isdigit())
        for row in csv.DictReader(self.ok("dedup", bert, path, "--groups", "--threshold", "0.9").splitlines()):
            groups.setdefault(row["group"], []).append(row["text"])
        self.assertEqual([head for head, _ in found], [texts[0] for texts in groups.values()])
        self.assertEqual([sorted(texts) for _, texts in found], [sorted(texts[1:]) for texts in groups.values()])
        self.assertGreater(len(found), 2)

    def test_ann(self):
        if not (PROGRAMS / "example_ann").exists():
            self.skipTest("hnswlib is not installed")
        said = self.example("ann", self.model("bert"), SHIPPED / "questions.txt")
        found = re.fullmatch(r"exact in [0-9.]+ s, index made and asked in [0-9.]+ s, recall ([0-9.]+)", said[0])
        self.assertGreater(float(found[1]), 0.95)
        self.assertLessEqual(float(found[1]), 1)
        self.assertIn("two lines are needed", self.says("ann", self.model("bert"), self.file("one", "good\n")))

    def test_embedded(self):
        self.assertEqual(self.example("embedded"), ["duplicate"])
        listed = subprocess.run(["nm", "-u", PROGRAMS / "example_embedded"], capture_output=True, text=True, check=True)
        wanted = {re.sub("@.*", "", line.split()[-1]) for line in listed.stdout.splitlines()}
        self.assertIn("memcpy", wanted)
        heap_and_files = r"(.*alloc|free|_Zn[wa].*|_Zd[la].*|f?open|f?read|f?write|mmap|munmap|.*printf|_ZNSo.*|_ZNSi.*)$"
        self.assertEqual([symbol for symbol in wanted if re.match(heap_and_files, symbol)], [])

    def test_embedded_static(self):
        millionths, decision = self.example("embedded_static")
        table = self.folder / "table.gguf"
        self.ok("distill", self.model("bert"), "--type", "int8", "-o", table)
        score = float(self.ok("score", table, "How do I learn Python?", "What is the best way to learn Python?").split()[0])
        self.assertLessEqual(abs(int(millionths) - 1e6 * score), 1)
        self.assertEqual(decision, "different")

    def test_wrapper(self):
        self.assertEqual(self.example("wrapper", self.model("bert"), "a book", "A  book"), ["1.000"])
        score = self.example("wrapper", self.model("cross"), "a book", "the house")
        self.assertAlmostEqual(float(score[0]), self.cross_score("a book", "the house"), delta=6e-4)
        self.assertEqual(self.says("wrapper", "nowhere.gguf", "a", "b"), "nowhere.gguf: no such file\n")


if __name__ == "__main__":
    unittest.main()
