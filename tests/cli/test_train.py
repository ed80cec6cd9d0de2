"""train: what it makes of the tiny models, that it is the same whatever computes it and however often it is stopped."""

import csv
import json
import re
import shutil
import signal
import subprocess
import time
import unittest

from tool import COMMAND, GOLDEN, Case, posix_only
from test_eval import HEADER, Labelled, quote

BI = ("cosine", "contrastive", "online-contrastive", "mnr")
FEW = ("--batch", 8, "--lr", "2e-3", "--warmup", 4)


class Train(Labelled):
    def train(self, base, *words, out="out.gguf", pairs=None):
        """Trains, and returns what was said on stdout and stderr."""
        done = self.run_tool("train", base, pairs or self.pairs, "-o", self.folder / out, *words)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode(), done.stderr.decode()

    def trained(self, base, *words, out="out.gguf", pairs=None):
        """The bytes of the model that a training makes."""
        self.train(base, *words, out=out, pairs=pairs)
        return (self.folder / out).read_bytes()

    def not_trained(self, *words, status=1):
        """Why a training that cannot be is refused."""
        said = self.refused("train", *words, "-o", self.folder / "no.gguf", status=status)
        self.assertFalse((self.folder / "no.gguf").exists())
        return said

    def log(self, name="log.csv"):
        with open(self.folder / name, newline="") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]

    def info(self, path):
        return json.loads(self.ok("info", path, "--json", "--verify"))

    def assert_weights_of(self, base, made="out.gguf"):
        """The file differs from its base in what it says of its training alone."""
        data, of_base = (self.folder / made).read_bytes(), base.read_bytes()
        keys = data.index(b"dupq.training.base") - 8
        self.assertIn(b"dupq.digest", data[:keys])
        self.assertEqual(data[24:keys], of_base[24:keys])
        self.info(self.folder / made)  # the digest is that of the weights

    def triplets(self):
        return self.file("triplets.csv", "question1,question2,negative\n" + "".join(
            f"{quote(a)},{quote(b)},{quote(c)}\n" for (a, b, _), (c, _, _) in zip(self.rows, self.rows[5:])))


class Learning(Train):
    def test_every_loss_falls(self):
        for model, loss in [*(("bert", loss) for loss in BI), ("mpnet", "mnr"), ("cross", "cross")]:
            with self.subTest(model=model, loss=loss):
                said, _ = self.train(self.model(model), "--loss", loss, *FEW, "--epochs", 4, "--dropout", 0, "--log",
                                     self.folder / "log.csv")
                log = self.log()
                size = sum(self.labels) if loss == "mnr" else len(self.labels)
                steps = -(-size // 8)
                self.assertEqual([row["step"] for row in log], list(range(1, 4 * steps + 1)))
                total = 4 * steps
                for t, row in enumerate(log):
                    rate = 2e-3 * (t / 4 if t < 4 else (total - t) / (total - 4))
                    self.assertAlmostEqual(row["lr"], rate, delta=1e-12)
                    self.assertGreaterEqual(row["gradient_norm"], 0)
                first, last = (sum(row["loss"] for row in part) for part in (log[:steps], log[-steps:]))
                self.assertLess(last, 0.9 * first)
                self.assertRegex(said, rf"^\S+out.gguf: {total} steps, loss {last / steps:.4f}, \d\.\d MB\n$")
                info = self.info(self.folder / "out.gguf")
                self.assertEqual((info["weights"], info["threshold"]), ("f32", None))

    def test_learning_rate_0_changes_nothing(self):
        still = ("--batch", 8, "--warmup", 4, "--max-steps", 1)
        for model, loss in (("bert", "cosine"), ("mpnet", "mnr"), ("cross", "cross")):
            base = self.model(model)
            for of in (base, GOLDEN / model):
                self.trained(of, "--loss", loss, *still)
                self.assert_weights_of(base)

    def test_half_precision_is_widened_exactly(self):
        half = self.folder / "half.gguf"
        self.ok("convert", GOLDEN / "bert", "-o", half, "--type", "f16")
        self.train(half, "--loss", "cosine", "--batch", 8, "--warmup", 4, "--max-steps", 1)
        self.assertEqual(self.info(self.folder / "out.gguf")["weights"], "f32")
        self.assertEqual(self.scores(self.folder / "out.gguf"), self.scores(half))

    def test_a_plain_file_stays_plain(self):
        plain = self.folder / "plain.gguf"
        self.ok("convert", GOLDEN / "bert", "-o", plain, "--layout", "plain")
        still = ("--loss", "cosine", "--batch", 8, "--warmup", 4)
        self.trained(plain, *still, "--max-steps", 1)
        self.assert_weights_of(plain)
        self.trained(plain, *still, out="a.gguf")
        self.trained(self.model("bert"), *still, out="b.gguf")
        self.assertEqual(self.scores(self.folder / "a.gguf"), self.scores(self.folder / "b.gguf"))

    def test_stale_thresholds_go(self):
        bi = self.folder / "bert.gguf"
        self.ok("calibrate", self.model("bert"), self.pairs, "-o", bi, "--cascade", self.model("cross"))
        self.assertIsNotNone(self.info(bi)["threshold"])
        self.assertEqual(self.trained(bi, "--loss", "cosine", *FEW), self.trained(self.model("bert"), "--loss", "cosine", *FEW))

    def test_the_base_may_be_replaced(self):
        mine = self.folder / "mine.gguf"
        shutil.copy(self.model("bert"), mine)
        expected = self.trained(mine, "--loss", "cosine", *FEW)
        self.assertEqual(self.trained(mine, "--loss", "cosine", *FEW, out="mine.gguf"), expected)

    def test_a_new_head(self):
        words = ("--loss", "cross", "--new-head", *FEW)
        once = self.trained(self.model("bert"), *words)
        info = self.info(self.folder / "out.gguf")
        self.assertEqual((info["kind"], info["activation"], info["pooling"]), ("cross_encoder", "sigmoid", None))
        self.assertTrue(all(0 < s < 1 for s in self.scores(self.folder / "out.gguf")))
        self.assertEqual(self.trained(self.model("bert"), *words), once)
        self.assertNotEqual(self.trained(self.model("bert"), *words, "--seed", 43), once)
        self.assertIn("has a head", self.not_trained(self.model("cross"), self.pairs, *words))
        self.trained(self.model("mpnet"), *words)
        self.assertTrue(all(0 < s < 1 for s in self.scores(self.folder / "out.gguf")))
        self.assertIn("--new-head is for --loss cross",
                      self.not_trained(self.model("bert"), self.pairs, "--loss", "cosine", "--new-head", status=2))

    def test_negatives(self):
        rows = self.triplets()
        for pairs, words in ((rows, ()), (self.file("t.csv", rows.read_text().replace("negative", "other", 1)),
                                          ("--negatives", "other"))):
            _, said = self.train(self.model("bert"), "--loss", "mnr", *FEW, *words, pairs=pairs)
            self.assertIn("115 pairs, 15 steps of 8 pairs", said)
        lines = list(csv.reader(rows.read_text().splitlines()))[1:]
        objects = self.file("t.jsonl", "".join(json.dumps({"question1": a, "question2": b, "negative": c}) + "\n"
                                              for a, b, c in lines))
        out = (self.folder / "out.gguf").read_bytes()
        self.assertEqual(self.trained(self.model("bert"), "--loss", "mnr", *FEW, pairs=objects), out)
        self.assertNotEqual(self.trained(self.model("bert"), "--loss", "mnr", *FEW), out)
        self.assertIn("no column is_duplicate", self.not_trained(self.model("bert"), rows, "--loss", "cosine"))
        self.assertIn("in all files or in none", self.not_trained(self.model("bert"), rows, self.pairs, "--loss", "mnr"))
        self.assertIn("these have negatives", self.not_trained(self.model("bert"), rows, "--loss", "mnr", "--split",
                                                               "notebook", status=2))

    def test_mnr_says_how_many_are_left_out(self):
        _, said = self.train(self.model("bert"), "--loss", "mnr", *FEW)
        n = sum(self.labels)
        self.assertIn(f"{self.pairs}: {n} pairs to learn from; {len(self.labels) - n} are no duplicates and left out\n", said)

    def test_several_files(self):
        halves = [self.file(f"{i}.csv", HEADER + "".join(f"{quote(a)},{quote(b)},{l}\n" for a, b, l in part))
                  for i, part in enumerate((self.rows[:50], self.rows[50:]))]
        words = ("--loss", "cosine", *FEW)
        whole = self.trained(self.model("bert"), *words)
        self.ok("train", self.model("bert"), *halves, *words, "-o", self.folder / "two.gguf")
        self.assertEqual((self.folder / "two.gguf").read_bytes(), whole)

    def test_options_that_change_the_result(self):
        base, seen = self.model("bert"), set()
        for words in ((), ("--seed", 7), ("--no-shuffle",), ("--dropout", 0), ("--weight-decay", 0), ("--clip", "0.01"),
                      ("--margin", "0.9"), ("--epochs", 2)):
            seen.add(self.trained(base, "--loss", "contrastive", *FEW, *words))
        self.assertEqual(len(seen), 8)
        self.assertNotEqual(self.trained(base, "--loss", "cosine", *FEW),
                            self.trained(base, "--loss", "cosine", *FEW, "--negative-label", -1))


class Record(Train):
    """What a model says of its training."""

    def test_of_a_best_epoch(self):
        base = self.folder / "a folder" / "base.gguf"
        base.parent.mkdir()
        shutil.copy(self.model("bert"), base)
        said, _ = self.train(base, "--loss", "contrastive", *FEW, "--valid", self.pairs, "--epochs", 3, "--seed", 7)
        f1, epoch = re.search(r"validation F1 ([\d.]+) at .* \(epoch (\d)\)", said).groups()
        out, epoch = self.folder / "out.gguf", int(epoch)
        told = self.info(out)["training"]
        steps = epoch * -(-len(self.rows) // 8)
        self.assertEqual(f"{told.pop('f1'):.4f}", f1)
        self.assertEqual(told, {"base": "base.gguf", "loss": "contrastive", "epochs": epoch, "steps": steps, "seed": 7})
        self.assertNotIn(self.folder.name.encode(), out.read_bytes())
        self.assertIn('training          "base": "base.gguf", "loss": "contrastive", "epochs": ', self.ok("info", out))
        self.ok("export", out, "-o", self.folder / "exported")
        card = (self.folder / "exported" / "README.md").read_text()
        for row in ("| base | base.gguf |", "| loss | contrastive |", f"| F1 on the validation pairs | {f1} |",
                    f"| trained for | {epoch} epoch{'s' * (epoch != 1)}, {steps} steps, seed 7 |"):
            self.assertIn(row + "\n", card)
        # An index does not mind where weights come from: it is the same model without that.
        index, again = self.folder / "index", self.folder / "exported.gguf"
        self.ok("convert", self.folder / "exported", "-o", again)
        self.assertIsNone(self.info(again)["training"])
        self.ok("index", "create", index, "--model", out, self.file("q.txt", "one\ntwo\n"))
        self.assertIn("\t1\tone\n", self.ok("search", index, "one", "--model", again))

    def test_of_a_part_and_of_another_base(self):
        self.train(GOLDEN / "bert", "--loss", "mnr", *FEW, "--max-steps", 3)
        n, seed = sum(self.labels), {"seed": 42, "f1": None}
        told = self.info(self.folder / "out.gguf")["training"]
        self.assertAlmostEqual(told.pop("epochs"), 24 / n, delta=1e-6)
        self.assertEqual(told, {"base": "bert", "loss": "mnr", "steps": 3, **seed})
        self.train(self.folder / "out.gguf", "--loss", "cosine", *FEW, "--epochs", 2, out="second.gguf")
        steps = 2 * -(-len(self.rows) // 8)
        self.assertEqual(self.info(self.folder / "second.gguf")["training"],
                         {"base": "out.gguf", "loss": "cosine", "epochs": 2, "steps": steps, **seed})

    def test_of_the_wrong_type(self):
        self.train(self.model("bert"), "--loss", "cosine", *FEW, "--valid", self.pairs)
        good, bad = (self.folder / "out.gguf").read_bytes(), self.folder / "bad.gguf"
        for key, kind in (("f1", 6), ("epochs", 6), ("steps", 10), ("seed", 10)):
            at = good.index(b"dupq.training." + key.encode()) + len("dupq.training." + key)
            self.assertEqual(good[at], kind)
            bad.write_bytes(good[:at] + bytes([kind - 2 if kind == 6 else 11]) + good[at + 1:])
            for verb in (("info", bad), ("export", bad, "-o", self.folder / "no")):
                self.assertIn(f"bad.gguf: dupq.training.{key}: wrong type", self.refused(*verb))


class Augmented(Train):
    def questions(self):
        """Pairs whose questions have opposites, and other words."""
        rows = [(f"How do I increase my score to {20 + i} points?", f"Where can I purchase kite number {i + 30}?", i % 2)
                for i in range(24)]
        return self.file("questions.csv", HEADER + "".join(f"{quote(a)},{quote(b)},{y}\n" for a, b, y in rows))

    def test_made_pairs_are_learnt_from(self):
        pairs, base = self.questions(), self.model("cross")
        options = ("--loss", "cross", *FEW)
        plain = self.trained(base, *options, pairs=pairs)
        _, said = self.train(base, *options, "--augment", "opposites", "--augment-share", 0.5, pairs=pairs)
        self.assertIn("questions.csv: 9 pairs made of its questions, 4 of them duplicates; 3 duplicates in other words "
                      "learnt from twice", said)
        self.assertIn("36 pairs, 5 steps", said)
        made = (self.folder / "out.gguf").read_bytes()
        self.assertNotEqual(made, plain)
        self.assertEqual(self.trained(base, *options, "--augment", "opposites", "--augment-share", 0.5, "--threads", 1,
                                      pairs=pairs), made)

    def test_usage(self):
        pairs, base = self.questions(), self.model("bert")
        self.assertIn("mnr takes none", self.not_trained(base, pairs, "--loss", "mnr", "--augment", "opposites", status=2))
        self.assertIn("--augment", self.not_trained(base, pairs, "--loss", "cosine", "--augment", "noise", status=2))
        self.assertIn("--augment-share is for", self.not_trained(base, pairs, "--loss", "cosine", "--augment-share", 0.5,
                                                                 status=2))


class SameBits(Train):
    def test_threads_and_kernels(self):
        for model, loss in (("bert", "online-contrastive"), ("mpnet", "mnr"), ("cross", "cross")):
            words = (self.model(model), "--loss", loss, *FEW)
            once = self.trained(*words, "--threads", 1)
            for n in (2, 3):
                self.assertEqual(self.trained(*words, "--threads", n), once)
            for kernels in self.info(self.model(model))["kernels"]:
                self.assertEqual(self.trained(*words, "--kernels", kernels), once, kernels)

    def test_resume(self):
        valid = self.file("valid.csv", HEADER + "".join(f"{quote(a)},{quote(b)},{l}\n" for a, b, l in self.rows[::3]))
        for words in (("--loss", "online-contrastive"), ("--loss", "mnr", "--valid", valid), ("--loss", "cosine", "--split", "60,40,20")):
            words = (*words, *FEW, "--epochs", 3)
            expected = self.trained(self.model("bert"), *words, "--log", self.folder / "whole.csv", out="whole.gguf")
            steps = len(self.log("whole.csv"))
            for stop in (1, steps // 3, steps // 2, steps):
                log = ("--log", self.folder / "log.csv")
                self.train(self.model("bert"), *words, *log, "--checkpoint-every", 4, "--max-steps", stop)
                self.assertTrue((self.folder / "out.gguf.checkpoint").exists() or stop == steps)
                if stop == steps:
                    self.assertEqual((self.folder / "out.gguf").read_bytes(), expected)
                    continue
                (self.folder / "out.gguf").unlink()
                self.assertEqual(self.trained(self.model("bert"), *words, *log, "--resume"), expected)
                self.assertEqual((self.folder / "log.csv").read_text(), (self.folder / "whole.csv").read_text())
                self.assertFalse((self.folder / "out.gguf.checkpoint").exists())

    @posix_only
    def test_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            words = (self.model("bert"), self.pairs, "--loss", "cosine", *FEW, "--epochs", 5000)
            out, log = self.folder / "out.gguf", self.folder / "log.csv"
            process = subprocess.Popen([*COMMAND, "train", *map(str, words), "-o", str(out), "--log", str(log)],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(600):
                time.sleep(0.1)
                if log.exists() and process.poll() is None:
                    break
            time.sleep(0.3)
            process.send_signal(number)
            said = process.communicate(timeout=60)[1].decode()
            self.assertEqual(process.returncode, -number, said)
            self.assertFalse(out.exists())
            step = int(re.search(r"dupq: stopped after step ([\d,]+), which \S+out.gguf.checkpoint has: the same command with "
                                 r"--resume goes on\n$", said)[1].replace(",", ""))
            self.assertEqual(len(self.log()), step)
            last = ("--max-steps", step + 5)
            self.assertIn("is there, of a training that has not ended", self.refused("train", *words, "-o", out))
            self.ok("train", *words, *last, "-o", self.folder / "whole.gguf")
            self.ok("train", *words, *last, "-o", out, "--resume")
            self.assertEqual(out.read_bytes(), (self.folder / "whole.gguf").read_bytes())
            self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["log.csv", "out.gguf", "pairs.csv", "whole.gguf"])
            out.unlink(), log.unlink()


class Validation(Train):
    def test_the_best_epoch_is_kept_with_its_threshold(self):
        words = (self.model("bert"), "--loss", "online-contrastive", *FEW, "--valid", self.pairs)
        said, told = self.train(*words, "--epochs", 4)
        epochs = re.findall(r"epoch (\d): loss [\d.]+, validation F1 ([\d.]+) at threshold ([-\d.]+)\n", told)
        self.assertEqual([e for e, _, _ in epochs], ["1", "2", "3", "4"])
        f1, threshold, best = re.search(r"validation F1 ([\d.]+) at threshold (\S+) \(epoch (\d)\)", said).groups()
        self.assertEqual(f1, max(e[1] for e in epochs))
        self.assertEqual(best, next(e for e, x, _ in epochs if x == f1))
        out = self.folder / "out.gguf"
        self.assertEqual(self.info(out)["threshold"], float(threshold))
        calibrated = self.ok("calibrate", out, self.pairs, "-o", self.folder / "c.gguf")
        self.assertIn(f"threshold {threshold}, F1 {f1} on {len(self.rows)} pairs", calibrated)
        # The weights are those of that epoch: the run that ends with it has them.
        steps = int(best) * -(-len(self.rows) // 8)
        self.train(*words, "--epochs", 4, "--max-steps", steps, out="b.gguf")
        self.assertEqual((self.folder / "b.gguf").read_bytes(), out.read_bytes())

    def test_split(self):
        said, _ = self.train(self.model("bert"), "--loss", "cosine", *FEW, "--split", "60,40,20")
        out = self.folder / "out.gguf"
        judged = json.loads(self.ok("eval", out, self.pairs, "--split", "60,40,20", "--json"))
        table = {line.split()[0]: line.split() for line in said.splitlines()[1:3]}
        for part in ("validation", "test"):
            self.assertEqual(table[part][3], f"{judged[part]['f1']:.4f}")
        self.assertAlmostEqual(self.info(out)["threshold"], judged["threshold"], delta=1e-7)
        notebook, _ = self.train(self.model("bert"), "--loss", "cosine", *FEW, "--split", "notebook")
        self.assertIn(f"{-(-len(self.rows) * 4 // 5 // 8)} steps", notebook)
        self.assertIn("exclude each other", self.not_trained(self.model("bert"), self.pairs, "--loss", "cosine", "--split",
                                                             "notebook", "--valid", self.pairs, status=2))


class Refused(Train):
    def test_bad_input(self):
        bert, cross = self.model("bert"), self.model("cross")
        row = lambda *labels: HEADER + "".join(f"a{i},b,{label}\n" for i, label in enumerate(labels))
        int8 = self.folder / "int8.gguf"
        self.ok("convert", GOLDEN / "bert", "-o", int8, "--type", "int8")
        for base, text, loss, reason in (
                (bert, row(0, 1, 2), "cosine", "p.csv: line 4: is_duplicate is '2', not 0 or 1"),
                (bert, row(1, 1), "cosine", "p.csv: no pair is labelled 0, so there is nothing to tell apart"),
                (bert, row(0, 0), "contrastive", "p.csv: no pair is labelled 1, so there is nothing to learn"),
                (bert, row(0, 0), "mnr", "p.csv: no pair is labelled 1, so there is nothing to learn"),
                (bert, row(0, 1, 1), "cosine", "p.csv: 3 pairs to learn from, fewer than a batch of 32 (--batch)"),
                (cross, row(0, 1, 1), "cross", "p.csv: 3 pairs to learn from, fewer than a batch of 16 (--batch)"),
                (bert, HEADER, "cosine", "p.csv: no pairs to learn from"),
                (bert, "", "cosine", "p.csv: empty, where a header is expected"),
                (int8, row(0, 1), "cosine", "int8.gguf: its weights are int8, which cannot be trained"),
                (bert, row(0, 1), "cross", "bert.gguf: a bi-encoder: --loss cross needs a cross-encoder, or --new-head"),
                (cross, row(0, 1), "cosine", "cross.gguf: a cross-encoder, which only --loss cross trains"),
                (self.folder / "gone.gguf", row(0, 1), "cosine", "gone.gguf: no such file"),
                (self.pairs, row(0, 1), "cosine", "pairs.csv: not a GGUF")):
            with self.subTest(reason):
                self.assertIn(reason, self.not_trained(base, self.file("p.csv", text), "--loss", loss))
        valid = self.file("v.csv", row(0, 0))
        self.assertIn("v.csv: no pair is labelled 1", self.not_trained(bert, self.pairs, "--loss", "cosine", "--valid", valid))
        self.assertIn("cannot be created", self.refused("train", bert, self.pairs, "--loss", "cosine", "-o",
                                                        self.folder / "nowhere" / "o.gguf"))

    def test_families_without_gradients(self):
        """A file and a folder of each are refused, by the name of what cannot be trained, whatever is asked for."""
        for family, reason in (("distilbert-dense", "dupq.dense.outputs: a layer after the pooling cannot be trained"),
                               ("electra-dense", "dupq.dense.outputs: a layer after the pooling cannot be trained"),
                               ("distilbert-relu", "dupq.hidden_activation: layers with relu cannot be trained, only with gelu"),
                               ("bert-tanh", "dupq.hidden_activation: layers with gelu_tanh cannot be trained, only with gelu"),
                               ("distilbert-cross", "dupq.head_activation: a head with relu cannot be trained, only with tanh")):
            folder, model = self.folder / family, self.folder / (family + ".gguf")
            shutil.copytree(GOLDEN / "families" / family, folder)
            shutil.copy(GOLDEN / "bert" / "tokenizer.json", folder)
            self.ok("convert", folder, "-o", model)
            for base in (model, folder):
                for words in (("--loss", "cosine"), ("--loss", "cross"), ("--loss", "cross", "--new-head")):
                    with self.subTest(base=base, words=words):
                        self.assertIn(f"{base}: {reason}\n", self.not_trained(base, self.pairs, *words))

    def test_usage(self):
        bert = self.model("bert")
        for words, reason in (((), "--loss is missing"), (("--loss", "triplet"), "--loss cannot be 'triplet' (cosine, "),
                              (("--loss", "cosine", "--margin", 1), "--margin is for --loss contrastive"),
                              (("--loss", "cosine", "--scale", 1), "--scale is for --loss mnr"),
                              (("--loss", "mnr", "--negative-label", -1), "--negative-label is for --loss cosine"),
                              (("--loss", "cosine", "--dropout", 1), "--dropout cannot be '1'"),
                              (("--loss", "cosine", "--lr", "nan"), "--lr cannot be 'nan'"),
                              (("--loss", "cosine", "--batch", 0), "--batch cannot be '0'"),
                              (("--loss", "cosine", "--shuffle", "--no-shuffle"), "exclude each other"),
                              (("--loss", "cosine", "--kernels", "abacus"), "--kernels cannot be 'abacus'"),
                              (("--loss", "cosine", "--log", "-"), "--log needs a file")):
            self.assertIn(reason, self.not_trained(bert, self.pairs, *words, status=2))
        self.assertIn("needs an output file", self.refused("train", bert, self.pairs, "--loss", "cosine", "-o", "-",
                                                           "--resume", status=2))

    def test_a_loss_that_is_no_number(self):
        words = ("train", self.model("bert"), self.pairs, "--loss", "cosine", "--batch", 8, "--lr", 1000, "--warmup", 0,
                 "--epochs", 20, "-o", self.folder / "out.gguf")
        checkpoint = self.folder / "out.gguf.checkpoint"
        for more in ((), ("--checkpoint-every", 3)):
            checkpoint.unlink(missing_ok=True)
            done = self.run_tool(*words, *more)
            self.assertEqual(done.returncode, 1)
            said = re.search(r"dupq: \S+pairs.csv: the loss or its gradient is no finite number at step (\d+): try a smaller --lr "
                             r"than 1000, or more --warmup; \S+out.gguf.checkpoint has step (\d+)\n$", done.stderr.decode())
            self.assertIsNotNone(said, done.stderr.decode())
            self.assertFalse((self.folder / "out.gguf").exists())
            # What it left is the last step that was made, and a model comes of it.
            self.assertEqual(int(said[2]), int(said[1]) - 1)
            left = checkpoint.read_bytes()
            again = self.run_tool(*words, *more, "--resume")
            self.assertEqual((again.returncode, again.stderr.decode().splitlines()[-1] + "\n"), (1, said[0]))
            self.assertEqual(checkpoint.read_bytes(), left)
            self.ok(*words, *more, "--resume", "--max-steps", said[2])
            self.info(self.folder / "out.gguf")
            (self.folder / "out.gguf").unlink()

    def test_checkpoints_of_others(self):
        words = (self.model("bert"), self.pairs, "--loss", "cosine", *FEW)
        out = ("-o", self.folder / "out.gguf")
        self.assertIn("no such file, so there is nothing to resume", self.refused("train", *words, *out, "--resume"))
        self.ok("train", *words, *out, "--checkpoint-every", 5, "--max-steps", 10)
        checkpoint = self.folder / "out.gguf.checkpoint"
        good = checkpoint.read_bytes()
        other = "is the checkpoint of another training: the base, the pairs or the options differ"
        self.assertIn(other, self.refused("train", *words, *out, "--resume", "--seed", 1))
        self.assertIn(other, self.refused("train", self.model("bert"), self.pairs, "--loss", "contrastive", *FEW, *out, "--resume"))
        self.assertIn(other, self.refused("train", self.model("mpnet"), *words[1:], *out, "--resume"))
        swapped = self.file("q.csv", self.pairs.read_text().replace("0\n", "1\n", 1))
        self.assertIn(other, self.refused("train", words[0], swapped, *words[2:], *out, "--resume"))
        self.assertIn("has 10 steps already", self.refused("train", *words, *out, "--resume", "--max-steps", 9))
        for damaged, reason in ((good[:-1000], "ends"), (b"GGUF", "end"), (b"x" * 100, "not a GGUF"),
                                (self.model("bert").read_bytes(), "is no checkpoint of a training")):
            checkpoint.write_bytes(damaged)
            self.assertIn(reason, self.refused("train", *words, *out, "--resume"))
            self.assertEqual(checkpoint.read_bytes(), damaged)
        checkpoint.write_bytes(good)
        self.ok("train", *words, *out, "--resume")

    def test_damaged_checkpoints(self):
        """A byte that is another, anywhere, and a file that is cut, anywhere, are found before a step is made."""
        words = ("train", self.model("bert"), self.pairs, "--loss", "cosine", *FEW, "-o", self.folder / "out.gguf")
        self.ok(*words, "--checkpoint-every", 5, "--max-steps", 5)
        checkpoint = self.folder / "out.gguf.checkpoint"
        (self.folder / "out.gguf").unlink()
        good = checkpoint.read_bytes()
        data = good.index(b"token_embd.weight") // 64 * 64  # the header begins to list tensors there
        digits = good.index(b"dupq.digest") + len("dupq.digest") + 12
        flips = [0, 4, 8, 16, digits, digits + 63, *range(24, data, 41), *range(data, len(good), len(good) // 40),
                 len(good) - 1]
        damaged = [good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1:] for at in flips]
        damaged += [good[:size] for size in (0, 1, 23, 24, 100, data, *range(1000, len(good), len(good) // 15), len(good) - 1)]
        damaged += [good + b"\0", good + bytes(64), good.replace(b"dupq.digest", b"dupq.figest", 1)]
        found = 0
        for content in damaged:
            checkpoint.write_bytes(content)
            said = self.refused(*words, "--resume")
            self.assertIn("out.gguf.checkpoint: ", said)
            found += "dupq.digest: another than that of the contents: the file is damaged" in said
            self.assertEqual(checkpoint.read_bytes(), content)
        self.assertGreater(found, 40)  # the others are no GGUF files any more
        self.assertIn("dupq.digest: missing", said)
        self.assert_only("out.gguf.checkpoint", "pairs.csv")
        checkpoint.write_bytes(good)
        self.ok(*words, "--resume")


@posix_only
class NoRoom(Train):
    """The disk is full: no file grows beyond a limit."""

    def limited(self, limit, *words):
        import resource
        done = self.run_tool(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
                             restore_signals=False)
        return done.returncode, done.stdout, done.stderr.decode()

    def setUp(self):
        super().setUp()
        self.words = ("train", self.model("bert"), self.pairs, "--loss", "cosine", *FEW, "-o", self.folder / "out.gguf")
        self.size = self.model("bert").stat().st_size
        self.ok(*self.words)
        self.whole = (self.folder / "out.gguf").read_bytes()
        (self.folder / "out.gguf").unlink()

    def test_for_a_checkpoint(self):
        status, _, said = self.limited(2 * self.size, *self.words, "--checkpoint-every", 5)
        self.assertEqual(status, 0, said)
        self.assertEqual(said.count("dupq: no checkpoint at step 5: "), 1)
        self.assertEqual(said.count("no checkpoint"), 1)
        self.assertEqual((self.folder / "out.gguf").read_bytes(), self.whole)
        self.assert_only("out.gguf", "pairs.csv")

    def test_for_the_model_either(self):
        """The last checkpoint stays, and is named; the result is the same once there is room."""
        self.ok(*self.words, "--checkpoint-every", 5, "--max-steps", 5)
        (self.folder / "out.gguf").unlink()
        checkpoint = self.folder / "out.gguf.checkpoint"
        good = checkpoint.read_bytes()
        status, _, said = self.limited(self.size // 2, *self.words, "--checkpoint-every", 5, "--resume")
        self.assertEqual(status, 1, said)
        self.assertRegex(said, r"\ndupq: \S+out.gguf: cannot be written: \S[^;\n]+; \S+out.gguf.checkpoint has step 5\n$")
        self.assertEqual(checkpoint.read_bytes(), good)
        self.assert_only("out.gguf.checkpoint", "pairs.csv")
        self.ok(*self.words, "--resume")
        self.assertEqual((self.folder / "out.gguf").read_bytes(), self.whole)

    def test_for_the_model_alone(self):
        """Then the last step becomes a checkpoint, although none was asked for."""
        words = (*self.words, "--valid", self.pairs, "--epochs", 3)
        self.ok(*words)
        expected = (self.folder / "out.gguf").read_bytes()
        (self.folder / "out.gguf").unlink()
        (self.folder / "out.gguf").symlink_to("/dev/full")
        done = self.run_tool(*words)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(), r"\ndupq: \S+out.gguf: cannot be written: \S[^;\n]+; \S+out.gguf.checkpoint has "
                                               rf"step {3 * -(-len(self.rows) // 8)}\n$")
        (self.folder / "out.gguf").unlink()
        self.ok(*words, "--resume")
        self.assertEqual((self.folder / "out.gguf").read_bytes(), expected)
        self.assert_only("out.gguf", "pairs.csv")

    def test_for_the_log(self):
        """The model comes all the same, and that there is no log is the last word."""
        words = (*self.words[:-1], "-", "--log", self.folder / "log.csv")
        status, out, said = self.limited(300, *words)
        self.assertEqual(status, 1)
        self.assertEqual(out, self.whole)
        self.assertRegex(said, r"\ndupq: no log at step \d+: \S+log.csv: cannot be written: .+\n")
        self.assertEqual(said.count("no log at"), 1)
        self.assertRegex(said, r"\ndupq: \S+log.csv: cannot be written: .+\n$")
        self.assertEqual((self.folder / "log.csv").read_text(), "step,lr,loss,gradient_norm\n")
        self.assert_only("log.csv", "pairs.csv")


if __name__ == "__main__":
    unittest.main()
