"""index: a collection of texts on disk. (test_search.py asks it.)"""

import json
import os
import shutil
import subprocess
import unittest

from tool import COMMAND, TOOL, Case, posix_only

TEXTS = ["good", "India", "good", "what is good", "bad", "Good!"]


class Index(Case):
    def create(self, texts=TEXTS, *words, name="i", model="bert"):
        """An index of these texts, in self.folder."""
        path = self.file(name + ".txt", "".join(t + "\n" for t in texts))
        out = self.ok("index", "create", self.folder / name, "--model", self.model(model), path, *words)
        path.unlink()
        self.assertEqual(out, f"{self.folder / name}: {len(texts)} text{'s' if len(texts) != 1 else ''}\n")
        return self.folder / name

    def all(self, index):
        """The ids and texts of an index, the best for "good" first."""
        rows = self.ok("search", index, "good", "-k", 1000, stderr="").splitlines()
        return [tuple(r.split("\t")[1:]) for r in rows]

    def state(self, index):
        """All bytes of an index."""
        return {p.name: p.read_bytes() for p in index.iterdir()}

    def info(self, index):
        return json.loads(self.ok("index", "info", index, "--json"))


class Changes(Index):
    def test_create_add_remove_compact(self):
        index = self.create()
        self.assertEqual(sorted(self.all(index)), sorted((str(i + 1), t) for i, t in enumerate(TEXTS)))
        more = self.file("more.csv", 'question,note\n"what is India",1\n"good\nbad",2\n')
        self.assertEqual(self.ok("index", "add", index, more), f"{index}: 8 texts\n")
        self.assertEqual(self.ok("index", "add", index, stdin="last"), f"{index}: 9 texts\n")
        self.assertEqual(self.ok("index", "remove", index, "--id", "3", "7"), f"{index}: 7 texts\n")
        self.assertEqual(self.ok("index", "remove", index, "--id=1", "--id=9"), f"{index}: 5 texts\n")
        left = sorted([("2", "India"), ("4", "what is good"), ("5", "bad"), ("6", "Good!"), ("8", "good bad")])
        self.assertEqual(sorted(self.all(index)), left)
        before = self.ok("search", index, "what is good", "-k", 10)
        info = self.info(index)
        self.assertEqual((info["texts"], info["removed"], info["segments"]), (5, 4, 3))
        self.assertEqual(self.ok("index", "compact", index), f"{index}: 5 texts\n")
        self.assertEqual(self.ok("search", index, "what is good", "-k", 10), before)
        info = self.info(index)
        self.assertEqual((info["texts"], info["removed"], info["segments"]), (5, 0, 1))
        # A number is given once.
        self.ok("index", "add", index, stdin="new")
        self.assertIn(("10", "new"), self.all(index))

    def test_an_empty_index(self):
        index = self.folder / "empty"
        self.assertEqual(self.ok("index", "create", index, "--model", self.model("bert")), f"{index}: 0 texts\n")
        self.assertEqual(self.all(index), [])
        self.assertEqual(self.ok("search", index, "good", "--json"), '{"query": "good", "hits": []}\n')
        self.ok("index", "add", index, stdin="")
        self.ok("index", "compact", index)
        self.assertEqual(self.ok("index", "add", index, stdin="one\n"), f"{index}: 1 text\n")
        self.assertEqual(self.all(index), [("1", "one")])

    def test_ids_of_a_column_or_key(self):
        index = self.folder / "i"
        table = self.file("t.csv", "id;question\na-7;good\nb 8;India\n")
        self.ok("index", "create", index, "--model", self.model("bert"), table, "--id", "id")
        lines = self.file("t.jsonl", '{"key": 12, "question": "bad"}\n{"question": "what", "key": "\\u00fc"}\n')
        self.ok("index", "add", index, lines, "--id", "key")
        self.assertEqual(sorted(self.all(index)), [("12", "bad"), ("a-7", "good"), ("b 8", "India"), ("ü", "what")])
        self.ok("index", "remove", index, "--id", "ü")
        self.assertEqual(len(self.all(index)), 3)

    def test_ids_that_cannot_be(self):
        index = self.folder / "i"
        self.ok("index", "create", index, "--model", self.model("bert"),
                self.file("t.csv", "id,question\na,good\nb,India\n"), "--id", "id")
        before = self.state(index)
        for name, content, column, says in (
                ("twice.csv", "id,question\nx,1\ny,2\nx,3\n", "id", "twice.csv: line 4: the id 'x' is there already"),
                ("known.csv", "id,question\nx,1\nb,2\n", "id", "known.csv: line 3: the id 'b' is there already"),
                ("empty.csv", "id,question\nx,1\n,2\n", "id", "empty.csv: line 3: the id is empty"),
                ("break.csv", 'id,question\n"x\ny",1\n', "id", "break.csv: line 2: the id 'x?y' holds a control"),
                ("none.csv", "id,question\nx,1\n", "key", "none.csv: line 1: no column key"),
                ("one.csv", "question\nx\n", "key", "one.csv: line 1: no column key"),
                ("none.jsonl", '{"question": "x"}\n', "key", "none.jsonl: line 1: no key key"),
                ("float.jsonl", '{"question": "x", "key": 1.5}\n', "key", "line 1: key is '1.5', not a string or a whole")):
            self.assertIn(says, self.refused("index", "add", index, self.file(name, content), "--id", column))
        self.assertIn("--id needs a file with a header", self.refused("index", "add", index, "--id", "id", status=2))
        self.assertIn("no text has the id 'c', nothing is removed", self.refused("index", "remove", index, "--id", "a", "c"))
        self.assertIn("--id is missing", self.refused("index", "remove", index, status=2))
        self.assertEqual(self.state(index), before)
        # Numbers that the user has given are not given again.
        self.ok("index", "add", index, self.file("n.csv", "id,question\n3,x\n"), "--id", "id")
        self.assertIn("the id '4' is there already", self.refused(
            "index", "add", index, self.file("m.csv", "id,question\n4,x\n4,y\n"), "--id", "id"))

    def test_a_bad_row_leaves_the_index_as_it_was(self):
        index = self.create()
        before = self.state(index)
        self.assertIn("line 2", self.refused("index", "add", index, self.file("b.csv", 'question\n"bad\n')))
        self.assertEqual(self.state(index), before)
        new = self.folder / "new"
        self.refused("index", "create", new, "--model", self.model("bert"), self.file("b.csv", 'question\n"bad\n'))
        self.assertFalse(new.exists())

    def test_the_same_index_from_the_same_texts(self):
        first, second = self.create(name="a"), self.create(name="b")
        self.assertEqual(self.state(first), self.state(second))


class Refused(Index):
    def test_folders(self):
        model = self.model("bert")
        nowhere = self.folder / "nowhere"
        for words in (["index", "add", nowhere], ["index", "info", nowhere], ["index", "compact", nowhere],
                      ["index", "remove", nowhere, "--id", "1"], ["search", nowhere, "good"]):
            self.assertIn("nowhere/manifest.gguf: no such file", self.refused(*words))
        self.assertFalse(nowhere.exists())
        file = self.file("file", "good\n")
        for words in (["index", "add", file], ["search", file, "good"]):
            self.assertRegex(self.refused(*words), r"file/manifest.gguf: (cannot be opened: Not a directory|no such file)\n$")
        self.assertIn("file: exists already", self.refused("index", "create", file, "--model", model))
        index = self.create()
        self.assertIn("exists already", self.refused("index", "create", index, "--model", model))
        full = self.folder / "full"
        full.mkdir()
        (full / "notes.txt").write_text("mine")
        self.assertIn("full: exists already", self.refused("index", "create", full, "--model", model))
        self.assertEqual(self.state(full), {"notes.txt": b"mine"})
        self.assertIn("no/such: cannot be written: No such file", self.refused("index", "create", self.folder / "no/such",
                                                                              "--model", model))
        for words in (["index"], ["index", "grow", index], ["index", "create", index], ["index", "info"]):
            self.refused(*words, status=2)

    def test_models(self):
        index = self.create()
        other = self.model("bert_pooled")
        for words in (["index", "add", index, "--model", other], ["search", index, "good", "--model", other]):
            said = self.refused(*words)
            self.assertIn("bert.gguf (digest ", said)
            self.assertIn("not with " + str(other), said)
        self.assertIn("wrong kind", self.refused("index", "create", self.folder / "x", "--model", self.model("cross")))
        self.assertFalse((self.folder / "x").exists())
        # A model that has moved.
        moved, own = self.folder / "moved.gguf", self.folder / "own.gguf"
        shutil.copy(self.model("bert"), own)
        index = self.folder / "j"
        self.ok("index", "create", index, "--model", own)
        own.rename(moved)
        self.assertIn("--model says where it is now", self.refused("search", index, "good"))
        self.assertIn("--model says where it is now", self.refused("index", "add", index))
        self.ok("index", "add", index, "--model", moved, stdin="good\n")
        self.assertIn("\t1\tgood\n", self.ok("search", index, "good", "--model", moved))
        # Its threshold may change, its vectors may not.
        pairs = self.file("p.csv", "question1,question2,is_duplicate\ngood,good,1\na,b,0\n")
        self.ok("calibrate", moved, pairs, "-o", moved)
        self.ok("search", index, "good", "--model", moved)

    def test_damaged_files(self):
        index = self.create()
        self.ok("index", "add", index, stdin="more")
        before = self.state(index)

        def newer(content):
            at = content.index(b"dupq.index.version") + len("dupq.index.version") + 4
            return content[:at] + bytes([content[at] + 1]) + content[at + 1:]
        for name, change, says in (
                ("manifest.gguf", lambda b: b[:300] + bytes([b[300] ^ 1]) + b[301:], "manifest.gguf: "),
                ("manifest.gguf", lambda b: b[:-1], "manifest.gguf: the file ends too early"),
                ("manifest.gguf", lambda b: b"", "manifest.gguf: not a GGUF"),
                ("manifest.gguf", newer, "manifest.gguf: dupq.index.version: wrong value (2, not 1)"),
                ("segment-1.gguf", newer, "segment-1.gguf: dupq.index.version: wrong value (2, not 1)"),
                ("segment-2.gguf", lambda b: b[:600], "segment-2.gguf: vectors: the file ends too early"),
                ("segment-2.gguf", lambda b: before["segment-1.gguf"], "segment-2.gguf: vectors: wrong shape"),
                ("segment-1.gguf", None, "segment-1.gguf: no such file")):
            path = index / name
            path.unlink()
            if change is not None:
                path.write_bytes(change(before[name]))
            for words in (["search", index, "good"], ["index", "info", index], ["index", "add", index],
                          ["index", "compact", index], ["index", "remove", index, "--id", "1"]):
                self.assertIn(says, self.refused(*words))
            path.write_bytes(before[name])
        self.assertEqual(len(self.all(index)), 7)

    @posix_only
    def test_two_writers(self):
        import fcntl
        index = self.create()
        before = self.state(index)
        with open(index / "lock", "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # as a writer does
            for words in (["add", index], ["remove", index, "--id", "1"], ["compact", index]):
                self.assertEqual(self.refused("index", *words), f"dupq: {index}: in use: another program is changing it\n")
            self.assertEqual(len(self.all(index)), 6)  # readers are not disturbed
            self.assertEqual(self.info(index)["texts"], 6)
        self.assertEqual(self.state(index), before)
        self.ok("index", "remove", index, "--id", "1")

    @posix_only
    def test_a_writer_that_is_killed(self):
        index = self.create()
        for name in ("segment-2.gguf", "segment-3.gguf", "manifest.next"):  # what it may leave
            (index / name).write_bytes(b"half")
        self.ok("index", "add", index, stdin="more")
        self.assertEqual(sorted(p.name for p in index.iterdir()),
                         ["lock", "manifest.gguf", "segment-1.gguf", "segment-2.gguf"])
        self.assertEqual(len(self.all(index)), 7)

    def as_a_stranger(self, *words):
        """Runs the tool as somebody who may read everything here and write nothing, which root may not be."""
        tool = self.folder / "tool"
        shutil.copy(TOOL, tool)
        for folder in (self.folder, self.model_folder):
            folder.chmod(0o755)
        who = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True, timeout=60, cwd="/", **who)
        return done.returncode, done.stdout, done.stderr

    @posix_only
    def test_a_folder_that_is_read_only(self):
        index = self.create()
        for path, mode in ((index / "lock", 0o444), (index, 0o555)):
            path.chmod(mode)
        self.addCleanup(index.chmod, 0o755)
        before = self.state(index)
        new = index / "new"
        path = self.file("q.txt", "good\ngood\n")
        for words, says in ((["index", "add", index, path], f"{index}/lock: cannot be written: Permission denied"),
                            (["index", "remove", index, "--id", "1"], f"{index}/lock: cannot be written: Permission denied"),
                            (["index", "compact", index], f"{index}/lock: cannot be written: Permission denied"),
                            (["index", "create", new, "--model", self.model("bert")],
                             f"{new}: cannot be written: Permission denied"),
                            (["dedup", self.model("bert"), path, "--threshold", "0.9", "--keep", index / "out"],
                             f"{index}/out: cannot be created: Permission denied")):
            self.assertEqual(self.as_a_stranger(*words), (1, "", f"dupq: {says}\n"))
        self.assertEqual(self.state(index), before)
        status, found, said = self.as_a_stranger("search", index, "good", "-k", 1000)  # who reads is not disturbed
        self.assertEqual((status, len(found.splitlines()), said), (0, 6, ""))

    @posix_only
    @unittest.skipUnless(shutil.which("prlimit"), "needs prlimit")
    def test_a_disk_that_is_full(self):
        """As far as a limit of a file's size shows it; tests/crash has every write."""
        index = self.create()
        before = self.state(index)
        texts = self.file("t.txt", "".join(f"text {i}\n" for i in range(200)))
        done = subprocess.run(["prlimit", "--fsize=20000", "sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh", *COMMAND, "index",
                               "add", index, texts], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"segment-2.gguf: cannot be written: File too large", done.stderr)
        self.assertEqual(self.state(index), before)

    def test_verify(self):
        """Damage anywhere is found by --verify, which names file and part; an index that has no digests is still read."""
        index = self.create()
        self.ok("index", "add", index, stdin="more\n")
        self.assertTrue(self.ok("index", "info", index, "--verify").endswith("digests     verified\n"))
        self.assertEqual(json.loads(self.ok("index", "info", index, "--verify", "--json")), self.info(index))
        path = index / "segment-1.gguf"
        good = path.read_bytes()
        first = (good.index(b"digests") + 7 + 4 + 8 + 4 + 8 + 63) // 64 * 64  # where tensors begin
        for at, part in ((good.index(b"dupq.index.model") + 40, ""), (first - 1, "header"), (first, "vectors"),
                         (len(good) - 385, "texts"), (len(good) - 1, "texts"), (len(good) - 384, "header")):
            path.write_bytes(good[:at] + bytes([good[at] ^ 64]) + good[at + 1:])
            self.assertIn(f"segment-1.gguf: {part and part + ': damaged'}", self.refused("index", "info", index, "--verify"))
        path.write_bytes(good.replace(b"digests", b"another", 1))
        self.assertIn("segment-1.gguf: digests: missing tensor, so nothing can be verified: it is of an older dupq\n",
                      self.refused("index", "info", index, "--verify"))
        self.assertEqual(len(self.all(index)), 7)
        self.ok("index", "compact", index)
        self.ok("index", "info", index, "--verify")

    def test_info_in_words(self):
        index = self.create()
        said = self.ok("index", "info", index)
        self.assertIn("texts       6\n", said)
        self.assertRegex(said, r"model       .*[/\\]bert\.gguf\n")
        info = self.info(index)
        self.assertEqual(list(info), ["texts", "removed", "segments", "file_bytes", "dimensions", "similarity", "model",
                                      "digest", "changes"])
        self.assertEqual(len(info["digest"]), 64)
        self.assertEqual(info["file_bytes"], sum(len(b) for b in self.state(index).values()))


if __name__ == "__main__":
    unittest.main()
