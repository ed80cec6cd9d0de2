"""search: the nearest texts of an index."""

import json
import subprocess
import threading
import unittest

from test_index import TEXTS, Index
from tool import COMMAND, PATIENCE


class Search(Index):
    def hits(self, out):
        return [(float(s), i, t) for s, i, t in (line.split("\t") for line in out.splitlines())]

    def test_scores_are_those_of_score(self):
        for model, lowest in (("bert", -2), ("bert-prompt", -100)):
            index = self.create(name=model, model=model)
            for query in ("good", "what is India"):
                hits = self.hits(self.ok("search", index, query, "-k", 100))
                self.assertEqual(len(hits), len(TEXTS))
                self.assertEqual(hits, sorted(hits, key=lambda h: (-h[0], int(h[1]))))
                for score, number, text in hits:
                    self.assertEqual(text, TEXTS[int(number) - 1])
                    alone = self.ok("score", self.model(model), query, text, "--threshold", "0").split("\t")[0]
                    self.assertEqual(score, float(alone))
                for k in (1, 2, 5):
                    self.assertEqual(self.hits(self.ok("search", index, query, "-k", k)), hits[:k])
                self.assertEqual(self.hits(self.ok("search", index, query)), hits[:5])
                middle = hits[3][0]
                self.assertEqual(self.hits(self.ok("search", index, query, "--threshold", str(middle), "-k", 99)),
                                 [h for h in hits if h[0] >= middle])
                self.assertEqual(self.hits(self.ok("search", index, query, f"--threshold={lowest}", "-k", 99)), hits)
        self.assertEqual(self.ok("search", self.folder / "bert", "good", "--threshold", "1.5"), "")

    def test_many_queries_are_answered_as_each_alone(self):
        index = self.create()
        queries = ["good", "India", "", "what is bad", "good"]
        alone = [self.ok("search", index, q) if q else None for q in queries]
        path = self.file("q.txt", "".join(q + "\n" for q in queries))
        answers = self.ok("search", index, "--queries", path).split("\n\n")
        self.assertEqual(len(answers), len(queries) + 1)
        self.assertEqual(answers[-1], "")
        for one, answer in zip(alone, answers):
            if one is not None:
                self.assertEqual(answer + "\n", one)
        self.assertEqual(self.ok("search", index, "-", stdin=path.read_bytes()),
                         self.ok("search", index, "--queries", path))
        self.assertEqual(self.ok("search", index, stdin=path.read_bytes()), self.ok("search", index, "--queries", path))
        table = self.file("q.csv", 'id,question\n1,"good"\n2,"India"\n')
        self.assertEqual(self.ok("search", index, "--queries", table), alone[0] + "\n" + alone[1] + "\n")
        self.assertEqual(self.ok("search", index, "-", "--threshold", "1.5", stdin="a\nb\n"), "\n\n")
        self.assertEqual(self.ok("search", index, "-", stdin=""), "")

    def test_json(self):
        index = self.create(["good\tbad", "what \"is\" é"])
        out = self.ok("search", index, "-", "--json", stdin="go\"od\nIndia\n")
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([o["query"] for o in lines], ["go\"od", "India"])
        for o in lines:
            self.assertEqual(list(o), ["query", "hits"])
            self.assertEqual({h["text"] for h in o["hits"]}, {"good\tbad", "what \"is\" é"})
            for h in o["hits"]:
                self.assertEqual(list(h), ["id", "score", "text"])
                self.assertIsInstance(h["id"], str)
        one = json.loads(self.ok("search", index, "India", "--json", "-k", 1))
        self.assertEqual(one["hits"], lines[1]["hits"][:1])
        self.assertIn("\tgood bad\n", self.ok("search", index, "good"))  # a line a hit

    def test_texts_with_line_breaks_stay_on_a_line(self):
        index = self.folder / "i"
        self.ok("index", "create", index, "--model", self.model("bert"), "-", "-0", stdin="good\nbad\0a\tb\r\nc\0")
        hits = self.hits(self.ok("search", index, "good"))
        self.assertEqual({t for _, _, t in hits}, {"good bad", "a b  c"})

    def test_rerank(self):
        index, cross = self.create(), self.model("cross")
        for query in ("good", "what is India"):
            hits = self.hits(self.ok("search", index, query, "-k", 99, "--rerank", cross))
            self.assertEqual(len(hits), len(TEXTS))
            self.assertEqual(hits, sorted(hits, key=lambda h: -h[0]))
            for score, _, text in hits:
                alone = self.ok("score", cross, query, text, "--threshold", "0").split("\t")[0]
                self.assertEqual(score, float(alone))
            # The best of all candidates, not the order of as many as are asked for.
            self.assertEqual(self.hits(self.ok("search", index, query, "-k", 2, "--rerank", cross)), hits[:2])
            middle = hits[2][0]
            self.assertEqual(self.hits(self.ok("search", index, query, f"--threshold={middle}", "--rerank", cross)),
                             [h for h in hits if h[0] >= middle][:5])
        self.assertIn("a cross_encoder is needed", self.refused("search", index, "a", "--rerank", self.model("bert")))

    def test_more_than_there_are(self):
        index = self.create()
        everything = self.hits(self.ok("search", index, "good", "-k", 1000))
        self.assertEqual(len(everything), 6)
        self.assertEqual(self.hits(self.ok("search", index, "good", "-k", 5)), everything[:5])
        self.assertEqual(self.ok("search", index, "good", "--threshold", 2), "")

    def test_wrong_usage(self):
        index = self.create()
        for words, says in ((["-k", "0"], "-k cannot be '0'"), (["-k", "-1"], "-k cannot be '-1'"),
                            (["-k", "x"], "-k cannot be 'x'"), (["--threshold", "high"], "--threshold cannot be 'high'"),
                            (["--threshold", "nan"], "--threshold cannot be 'nan'"),
                            (["--queries", "q.txt"], "a query or --queries FILE, not both"),
                            (["--column", "x"], "--column needs --queries"), (["more"], "too many arguments")):
            self.assertIn(says, self.refused("search", index, "good", *words, status=2))
        self.assertIn("nowhere.txt: cannot be opened",
                      self.refused("search", index, "--queries", self.folder / "nowhere.txt"))


class Held(Index):
    """`search -` as an editor or a web server holds it open."""

    def hold(self, index, *words):
        process = subprocess.Popen([*COMMAND, "search", index, "-", "-k", "2", *map(str, words)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        watchdog = threading.Timer(60 * PATIENCE, process.kill)  # instead of waiting for ever
        watchdog.start()
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(watchdog.cancel)
        return process

    def ask(self, process, query):
        process.stdin.write(query.encode() + b"\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def test_answers_line_by_line(self):
        index = self.create()
        process = self.hold(index, "--json")
        for query in ("good", "India", "what is good"):
            answer = self.ask(process, query)
            self.assertEqual(answer, json.loads(self.ok("search", index, query, "-k", 2, "--json")))
        process.stdin.close()
        self.assertEqual(process.wait(60), 0)

    def test_sees_what_is_added_meanwhile(self):
        index = self.create()
        process = self.hold(index, "--json")
        self.assertEqual({h["id"] for h in self.ask(process, "good")["hits"]}, {"1", "3"})
        self.ok("index", "remove", index, "--id", "1")
        self.assertEqual(self.ask(process, "good")["hits"][0]["id"], "3")
        self.ok("index", "add", index, stdin="good\n")
        self.ok("index", "compact", index)
        self.assertEqual([h["id"] for h in self.ask(process, "good")["hits"]], ["3", "7"])

    def test_readers_beside_a_writer(self):
        index = self.create()
        stop, failed = threading.Event(), []

        def read():
            while not stop.is_set():
                done = self.run_tool("search", index, "good", "-k", "1000")
                # An index of so many texts is one that was committed: 6, then 16, 26, ... each with one removed.
                n = len(done.stdout.splitlines())
                if done.returncode != 0 or n not in {6 + 9 * i for i in range(9)} | {6 + 9 * i + 10 for i in range(8)}:
                    failed.append((done.stderr, n))
                    return

        readers = [threading.Thread(target=read) for _ in range(2)]
        for r in readers:
            r.start()
        for i in range(6):
            self.ok("index", "add", index, stdin="".join(f"what is {i} {j}\n" for j in range(10)))
            self.ok("index", "remove", index, "--id", str(i + 1))
            if i % 2:
                self.ok("index", "compact", index)
        stop.set()
        for r in readers:
            r.join()
        self.assertEqual(failed, [])


if __name__ == "__main__":
    unittest.main()
