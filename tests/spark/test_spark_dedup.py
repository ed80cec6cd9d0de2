"""tools/spark_dedup.py on two local cores, against `dupq dedup` on one machine. Environment: DUPQ, DUPQ_BUILD."""

import csv
import importlib.util
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "tools" / "spark_dedup.py"
TOOL = os.environ["DUPQ"]
os.environ.update(PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")

from pyspark.sql import SparkSession

spec = importlib.util.spec_from_file_location("spark_dedup", SCRIPT)
spark_dedup = importlib.util.module_from_spec(spec)
sys.modules["spark_dedup"] = spark_dedup
spec.loader.exec_module(spark_dedup)

WORDS = [w for w in json.loads((ROOT / "tests/golden/bert/tokenizer.json").read_text("utf-8"))["model"]["vocab"]
         if w.isalpha() and w.isascii() and len(w) > 1]


def questions(n, seed):
    """Texts of which some resemble or repeat others."""
    pick, made = random.Random(seed), []
    for _ in range(n):
        if made and pick.random() < 0.15:
            words = pick.choice(made).split()
            if pick.random() < 0.6:
                words[pick.randrange(len(words))] = pick.choice(WORDS)
        else:
            words = [pick.choice(WORDS) for _ in range(pick.randint(4, 12))]
        made.append(" ".join(words))
    return made


def dupq(*words):
    done = subprocess.run([TOOL, *map(str, words)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


class Spark(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="dupq-spark-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.model = cls.folder / "model.gguf"
        dupq("convert", ROOT / "tests/golden/bert", "-o", cls.model)
        settings = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.sql.shuffle.partitions": "3", "spark.log.level": "OFF",
                    "spark.local.dir": str(cls.folder / "local"), "spark.sql.warehouse.dir": str(cls.folder / "warehouse")}
        builder = SparkSession.builder.master("local[2,4]")
        for key, value in settings.items():
            builder = builder.config(key, value)
        cls.spark = builder.getOrCreate()
        cls.addClassCleanup(cls.spark.stop)
        cls.spark.sparkContext.addPyFile(str(SCRIPT))

    def run_job(self, source, name, *words, tool=TOOL):
        """The job's report, its matches (first, second, score) and its clusters, as sets of members."""
        out = self.folder / name
        options = spark_dedup.parse([str(source), str(out), "--model", str(self.model), "--tool", str(tool), *words])
        report = spark_dedup.deduplicate(self.spark, options)
        matches = sorted((r["first"], r["second"], r["score"]) for r in self.spark.read.parquet(str(out / "matches")).collect())
        clusters = {}
        for r in self.spark.read.parquet(str(out / "clusters")).collect():
            clusters.setdefault(r["representative"], set()).add(r["member"])
        return report, matches, clusters

    def wanted(self, path, threshold, *words):
        single = [str(x) for x in (self.model, path, "--column", "text", "--threshold", threshold, *words)]
        objects = lambda *more: map(json.loads, dupq("dedup", *single, *more).splitlines())
        f32 = lambda number: struct.unpack("<f", struct.pack("<f", number))[0]
        matches = sorted((r["first"], r["second"], f32(r["score"])) for r in objects())
        clusters, first = {}, {}
        for r in objects("--groups"):
            clusters.setdefault(first.setdefault(r["group"], r["line"]), set()).add(r["line"])
        return matches, clusters

    def failing_tool(self, *verbs):
        """The tool, which fails once at each of the verbs."""
        path, done = self.folder / f"failing-{'-'.join(verbs)}", self.folder / "-".join(("failed", *verbs))
        done.mkdir()
        path.write_text(f"#!/bin/sh\ncase $1 in {'|'.join(verbs)})\n  if mkdir '{done}/'$1 2>/dev/null; then "
                        f"echo injected >&2; exit 1; fi ;; esac\nexec '{TOOL}' \"$@\"\n")
        path.chmod(0o755)
        return path, lambda: sorted(p.name for p in done.iterdir())

    def test_the_same_as_one_machine(self):
        texts = questions(20000, 1)
        single, rows = self.folder / "texts.jsonl", self.folder / "rows.jsonl"
        single.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
        with open(rows, "w") as file:  # the same rows, and some without a text
            for line, text in enumerate(texts, 1):
                if line % 1000 == 0:
                    file.write(json.dumps({"line": -line, "text": None}) + "\n")
                file.write(json.dumps({"line": line, "text": text}) + "\n")
        tool, failed = self.failing_tool("encode", "match")
        report, matches, clusters = self.run_job(rows, "large", "--format", "json", "--column", "text", "--id", "line",
                                                 "--threshold", "0.99", "--block-rows", "6000", tool=tool)
        wanted, groups = self.wanted(single, 0.99)
        self.assertEqual(matches, wanted)
        self.assertEqual(clusters, groups)
        self.assertGreater(len(wanted), 3000)
        self.assertGreater(len(groups), 300)
        self.assertEqual(failed(), ["encode", "match"])
        self.assertEqual((report["rows"], report["without_text"], report["texts"]), (20020, 20, len(set(texts))))
        self.assertEqual(report["matches"] + report["repeats"], len(wanted))
        self.assertEqual(report["clusters"], len(groups))
        self.assertGreater(report["blocks"], 3)

    def test_partitions_formats_and_ids(self):
        texts = questions(9, 2) + ['a "quoted", text', "two\nlines", "\u00e9\U0001f600", "a,b;c"]
        texts += texts[:3] + texts[-4:]
        single = self.folder / "few.jsonl"
        single.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
        wanted, groups = self.wanted(single, 0.9)
        table = self.folder / "few.csv"
        with open(table, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["other", "text"])
            writer.writerows([i, t] for i, t in enumerate(texts))
        self.spark.createDataFrame([(f"row {i}", t) for i, t in enumerate(texts, 1)], "name string, text string").repartition(
            3).write.parquet(str(self.folder / "few.parquet"))
        _, matches, clusters = self.run_job(table, "few-csv", "--column", "text", "--threshold", "0.9", "--partitions",
                                            "24")  # some are empty
        self.assertEqual((matches, clusters), (wanted, groups))
        # The rows of Parquet files come in any order; a pair is the same pair, and only its first may be its second.
        _, matches, clusters = self.run_job(self.folder / "few.parquet", "few-parquet", "--column", "text", "--id", "name",
                                            "--threshold", "0.9", "--partitions", "1", "--block-rows", "6")
        pairs = lambda list: sorted((*sorted((a, b)), s) for a, b, s in list)
        distinct = lambda list: [m for m in list if texts[m[0] - 1] != texts[m[1] - 1]]
        number = lambda name: int(name.split()[1])
        by_text = lambda list: sorted((*sorted((texts[a - 1], texts[b - 1])), s) for a, b, s in distinct(list))
        self.assertEqual(by_text((number(a), number(b), s) for a, b, s in matches), by_text(wanted))
        self.assertEqual(len(pairs(matches)), len(wanted))

    def test_coarse_groups(self):
        """Some of the matches, and no others; how many is what the report says, of a sample of all texts exactly."""
        texts = questions(800, 3)
        path = self.folder / "coarse.jsonl"
        path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
        wanted, groups = self.wanted(path, 0.97)
        words = ["--format", "json", "--column", "text", "--threshold", "0.97"]
        distinct = lambda list: {m for m in list if texts[m[0] - 1] != texts[m[1] - 1]}
        every = len(distinct(wanted))
        self.assertGreater(every, 50)
        recalls = []
        for k, probes, sample in ((12, 1, 5000), (4, 99, 100)):
            report, matches, clusters = self.run_job(path, f"coarse-{k}-{probes}", *words, "--coarse", str(k), "--probes",
                                                     str(probes), "--sample", str(sample))
            self.assertLessEqual(set(matches), set(wanted))
            self.assertEqual(len(matches), len(set(matches)))
            self.assertEqual(set(wanted) - distinct(wanted), set(matches) - distinct(matches))  # repeats are not lost
            recalls.append(len(distinct(matches)) / every)
            self.assertEqual((report["groups"], report["sample"]), (k, min(sample, report["texts"])))
            if sample == 100:
                self.assertTrue(0 < report["sample_matches"] < every)
                self.assertEqual(report["recall"], 1)
            else:
                self.assertEqual(report["sample_matches"], every)
                self.assertAlmostEqual(report["recall"], recalls[-1])
        self.assertTrue(0.3 < recalls[0] < recalls[1] == 1, recalls)
        self.assertEqual(clusters, groups)

    def test_nothing_to_do(self):
        path = self.folder / "empty.csv"
        path.write_text("question\n")
        for words in ([], ["--coarse", "3"]):
            report, matches, clusters = self.run_job(path, "-".join(["empty", *words]), "--threshold", "0.5", *words)
            self.assertEqual((matches, clusters, report["rows"], report["texts"]), ([], {}, 0, 0))
        self.assertIsNone(report["recall"])

    def test_what_is_wrong_is_said(self):
        path = self.folder / "wrong.csv"
        path.write_text("question\nsome text\n")
        for words, said in ((["--threshold", "0.5", "--column", "text"], "no column text, it has question"),
                            ([], "no threshold in the model"), (["--format", "json"], "no threshold")):
            with self.assertRaises(SystemExit) as raised:
                self.run_job(path, "wrong", *words)
            self.assertIn(said, str(raised.exception))
        for model, tool, said in (("gone.gguf", TOOL, "gone.gguf: no such file"), (self.model, "gone", "gone: no such file")):
            done = subprocess.run([sys.executable, SCRIPT, path, "out", "--model", model, "--tool", tool], capture_output=True)
            self.assertEqual((done.returncode, done.stderr.decode()), (1, f"spark_dedup: {said}\n"))
        for words, said in ((["--coarse", "0"], "--coarse must be at least 1"), (["--threshold", "nan"], "--threshold cannot be nan"),
                            (["--threshold", "much"], "invalid float value: 'much'"),
                            (["--probes", "-1"], "--probes must be at least 1")):
            done = subprocess.run([sys.executable, SCRIPT, path, "out", "--model", self.model, "--tool", TOOL, *words],
                                  capture_output=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn(said, done.stderr.decode())
        # A failure that does not go away ends the job, and says what the tool said.
        broken = self.folder / "broken"
        broken.write_text(f"#!/bin/sh\nif [ $1 = encode ]; then echo 'dupq: disk full' >&2; exit 1; fi\nexec '{TOOL}' \"$@\"\n")
        broken.chmod(0o755)
        with self.assertRaisesRegex(Exception, "dupq encode: dupq: disk full"):
            self.run_job(path, "wrong", "--threshold", "0.5", tool=broken)


if __name__ == "__main__":
    unittest.main()
