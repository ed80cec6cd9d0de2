"""tools/notebook.sh: what it makes of tiny models, that it goes on where it was stopped, and what it refuses."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT, TOOL = ROOT / "tools" / "notebook.sh", pathlib.Path(os.environ["DUPQ"])
QUESTIONS, BASE = ROOT / "examples" / "questions.csv", ROOT / "tests" / "golden" / "bert"
LOSSES = ("cosine", "online-contrastive", "mnr")
MODELS = ("untrained", *LOSSES, "cross")
MISTAKEN = ("untrained", *(loss + end for loss in LOSSES for end in ("", "-as-in-the-notebook")), "cross")


class Notebook(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dupq ")  # names have blanks
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out"

    def command(self, *words):
        return [str(SCRIPT), *map(str, words), "--tool", str(TOOL), "-o", str(self.out)]

    def run_script(self, *words, status=0):
        # Nothing may be installed, fetched or built: there is nothing that could.
        environment = {**os.environ, "DUPQ_DEMO_BUILD": str(self.folder / "build"), "PIP_NO_INDEX": "1"}
        done = subprocess.run(self.command(*words), cwd=self.folder, env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertFalse((self.folder / "build").exists())
        return done.stdout, done.stderr

    def models(self):
        return {path.stem: path.read_bytes() for path in sorted(self.out.glob("*.gguf"))}

    def table(self):
        """The cells of each model's row."""
        lines = (self.out / "table.txt").read_text().splitlines()
        return {line.split()[0].removesuffix(".gguf"): line.split()[1:] for line in lines if ".gguf " in line}

    def assert_row(self, name, row, *words):
        """A row has what `dupq eval` says of the model alone."""
        said = subprocess.run([TOOL, "eval", self.out / f"{name}.gguf", QUESTIONS, "--split", "notebook", "--json", *words],
                              capture_output=True, check=True).stdout
        one = json.loads(said)
        self.assertEqual(row[:3], [f"{one['validation']['f1']:.4f}", f"{one['test']['f1']:.4f}",
                                   str(one["threshold"])])
        return one

    def test_quick(self):
        said, _ = self.run_script("--quick")
        self.assertEqual(sorted(self.models()), sorted(MODELS))
        self.assertEqual(tuple(self.table()), MODELS)
        for name, row in self.table().items():
            self.assert_row(name, row)
        self.assertIn((self.out / "table.txt").read_text(), said)
        page = (self.out / "report.html").read_text()
        self.assertTrue(all(page.count(name) > 1 for name in MODELS))
        for title in ("What it is worth, untrained", *(f"Fine-tuning, {loss}" for loss in LOSSES), "Cross-encoder"):
            self.assertRegex(said, rf"(?m)^ +\d+ s  {title}")
        for loss in (*LOSSES, "cross"):
            self.assertEqual(len((self.out / f"{loss}-steps.csv").read_text().splitlines()), 6 if loss == "mnr" else 11)
        made = self.models()
        self.assertEqual(len(set(made.values())), len(MODELS))

        again, _ = self.run_script("--quick")
        self.assertEqual(again.count(".gguf is there\n"), 4)
        self.assertEqual(self.models(), made)
        (self.out / "mnr.gguf").unlink()
        again, _ = self.run_script("--quick", "--threads", 1)
        self.assertEqual(again.count(".gguf is there\n"), 3)
        self.assertEqual(self.models(), made)

        _, why = self.run_script("--quick", "--epochs", 2, status=1)
        self.assertIn("--fresh trains anew", why)
        self.assertEqual(self.models(), made)
        said, _ = self.run_script("--quick", "--epochs", 2, "--fresh")
        self.assertNotIn("is there", said)
        self.assertEqual(len((self.out / "cosine-steps.csv").read_text().splitlines()), 21)
        self.assertNotEqual(self.models()["cosine"], made["cosine"])

    def test_a_stopped_training_goes_on(self):
        self.run_script("--quick")
        made = self.models()
        cosine, log = self.out / "cosine.gguf", (self.out / "cosine-steps.csv").read_text()
        subprocess.run([TOOL, "train", BASE, QUESTIONS, "--split", "notebook", "--loss", "cosine", "--batch", "8",
                        "--warmup", "4", "--max-steps", "5", "--checkpoint-every", "5", "-o", cosine],
                       check=True, capture_output=True)
        cosine.unlink()
        said, _ = self.run_script("--quick")
        self.assertIn("Fine-tuning, cosine (--loss cosine --resume", said)
        self.assertEqual(self.models(), made)
        self.assertEqual(list(self.out.glob("*.checkpoint")), [])
        self.assertEqual((self.out / "cosine-steps.csv").read_text(), log)

    def test_interrupted(self):
        words = ("--quick", "--epochs", 60)
        with subprocess.Popen(self.command(*words), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              start_new_session=True) as process:
            for _ in range(300):
                time.sleep(0.1)
                if (self.out / "cosine-steps.csv").exists():
                    break
            os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
            _, why = process.communicate(timeout=120)
        if process.returncode != 0:  # else it was done before
            self.assertIn(process.returncode, (-signal.SIGINT, 128 + signal.SIGINT), why)
        self.run_script(*words)
        made = self.models()
        self.assertEqual(sorted(made), sorted(MODELS))
        self.out = self.folder / "other"
        self.run_script(*words)
        self.assertEqual(self.models(), made)

    def test_as_in_the_notebook(self):
        said, told = self.run_script("--quick", "--as-in-the-notebook")
        self.assertEqual(tuple(self.table()), MISTAKEN)
        self.assertEqual(told.count("as in the notebook: "), 3)
        self.assertEqual(len(set(self.models().values())), len(MISTAKEN))
        for name, row in self.table().items():
            one = self.assert_row(name, row, "--as-in-the-notebook")
            self.assertEqual(row[-2:], [f"{one['as_in_the_notebook']['f1']:.4f}",
                                        f"{one['as_in_the_notebook']['threshold']:g}"])
        for name in (*LOSSES, "test F1"):
            self.assertRegex((self.out / "table.txt").read_text(), rf"(?m)^{name} .*; dupq: ")
        # Without the flag the same models serve.
        again, _ = self.run_script("--quick")
        self.assertEqual(again.count(".gguf is there\n"), 4)
        self.assertEqual(tuple(self.table()), MODELS)

    def test_a_model_file_as_base(self):
        base = self.folder / "base.gguf"
        subprocess.run([TOOL, "convert", BASE, "-o", base], check=True, capture_output=True)
        self.run_script(QUESTIONS, "--quick", "--base", base, "--split", "60,20,20")
        self.assertEqual(self.models()["untrained"], base.read_bytes())
        self.assertEqual(sorted(self.models()), sorted(MODELS))
        shutil.copy(self.out / "mnr.gguf", base)
        _, why = self.run_script(QUESTIONS, "--quick", "--base", base, "--split", "60,20,20", status=1)
        self.assertIn("another base", why)
        _, why = self.run_script("--quick", "--base", self.out / "mnr.gguf", "--fresh", status=1)
        self.assertIn("cannot be in the folder", why)
        self.assertEqual(self.models()["mnr"], base.read_bytes())

    def test_refused(self):
        for words, why in ((("gone.csv",), "/gone.csv: no such file"), (("--quick", "gone.csv"), "/gone.csv: no such file"),
                           (("--quick", "--base", "gone"), "/gone: no such file or folder")):
            self.assertIn(why, self.run_script(*words, status=1)[1])
        self.assertFalse(self.out.exists())
        other = self.folder / "other.csv"
        other.write_text("question1,question2,same\na,b,1\n")
        _, why = self.run_script("--quick", "other.csv", status=1)
        self.assertEqual(why, f"dupq: {other}: line 1: no column is_duplicate, only 'question1', 'question2', 'same' (--columns names others)\n")
        self.assertEqual(list(self.models()), ["untrained"])
        shutil.rmtree(self.out)
        self.out.mkdir()
        (self.out / "cosine.gguf").write_text("mine")
        for words in ((), ("--fresh",)):
            self.assertIn("is there, and not made by this script", self.run_script("--quick", *words, status=1)[1])
        self.assertEqual((self.out / "cosine.gguf").read_text(), "mine")

    def test_usage(self):
        for words, why in (((), "TRAIN.csv is missing"), (("--quik",), "unknown option '--quik'"),
                           (("a.csv", "b.csv"), "too many arguments: 'b.csv'"), (("a.csv", "--epochs", "0"), "--epochs cannot be '0'"),
                           (("a.csv", "--threads", "two"), "--threads cannot be 'two'"), (("a.csv", "--base", ""), "--base needs")):
            self.assertIn(f"notebook.sh: {why}", self.run_script(*words, status=2)[1])
        _, why = self.run_script("--quick", "--split", "halves", status=2)
        self.assertIn("--split cannot be 'halves'", why)
        done = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        options = set(re.findall(r"--[a-z-]+", done.stdout))
        self.assertEqual(options, {"--base", "--tool", "--split", "--epochs", "--threads", "--as-in-the-notebook", "--fresh", "--quick"})


if __name__ == "__main__":
    unittest.main()
