"""eval --report: the page is well-formed and needs nothing else, says what --json says, and no text breaks it."""

import json
import os
import re
import unittest
from html.parser import HTMLParser

from test_eval import HEADER, Labelled, best_f1, quote
from tool import posix_only

VOID = {"meta", "path", "circle"}
HEADINGS = {"results", "curves", "models", "mistakes"}


class Page(HTMLParser):
    """The page's elements, in order, with the text inside each; fails where tags are not nested."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.open, self.all = [], []
        self.feed(source)
        self.close()
        assert not self.open, [e["tag"] for e in self.open]

    def handle_starttag(self, tag, attributes):
        names = [n for n, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        element = {"tag": tag, "text": "", "inside": [e["tag"] for e in self.open], **dict(attributes)}
        self.all.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        assert tag in VOID, tag
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1]["tag"] == tag, (tag, [e["tag"] for e in self.open])
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def find(self, tag, name=None):
        return [e for e in self.all if e["tag"] == tag and (name is None or name in (e.get("class") or "").split())]

    def rows(self, name):
        """Of each table of that class: its rows of cells."""
        tables, row = [], []
        for e in self.all:
            if e["tag"] == "table":
                tables.append([] if name in e["class"] else None)
            elif e["tag"] == "tr" and tables and tables[-1] is not None:
                row = []
                tables[-1].append(row)
            elif e["tag"] in ("td", "th") and tables and tables[-1] is not None:
                row.append(e["text"])
        return [t for t in tables if t is not None]

    def drawings(self):
        """By name: what each has of titles and of curves."""
        found = {}
        for e in self.all:
            if e["tag"] == "svg":
                assert e["role"] == "img" and e["aria-labelledby"], e
                name = e["aria-labelledby"].split()[0].removesuffix("-t")
                assert name not in found, name
                found[name] = {"titles": [], "curves": []}
            elif e["tag"] == "title" and "svg" in e["inside"]:
                found[name]["titles"].append(e["text"])
            elif e["tag"] == "path" and "curve" in e["class"].split():
                found[name]["curves"].append(e["d"])
        return found


class Report(Labelled):
    def report(self, *words, pairs=None):
        """The page, its source, and what --json says beside it."""
        path = self.folder / "page.html"
        said = json.loads(self.ok("eval", *words, pairs or self.pairs, "--json", "--report", path))
        source = path.read_bytes().decode()
        page = Page(source)
        self.sound(page, source)
        return page, source, said

    def sound(self, page, source):
        self.assertTrue(source.startswith("<!DOCTYPE html>\n<html lang=\"en\">\n"))
        self.assertEqual({e["tag"] for e in page.all} & {"script", "img", "link", "iframe", "object", "base", "use"}, set())
        self.assertNotRegex(source, r"(?i)(https?:|//[a-z]|url\(|@import|javascript:)")
        for e in page.all:
            self.assertFalse([a for a in e if a.startswith("on") or a in ("src", "xlink:href")], e)
            if "href" in e:
                self.assertIn(e["href"].removeprefix("#"), [o.get("id") for o in page.all])
        ids = [e["id"] for e in page.all if "id" in e]
        self.assertEqual(len(ids), len(set(ids)))
        for e in page.find("svg"):
            for name in e["aria-labelledby"].split():
                self.assertIn(name, ids)
        self.assertEqual({e["id"] for e in page.find("h2")} - {"disagreements"}, HEADINGS)
        self.assertNotRegex(source, r"(?i)\b(nan|inf)\b")
        self.assertNotRegex(source, "[\0-\x08\x0b-\x1f\x7f-\x9f]")

    def numbers_of(self, page):
        """Of each model: the exact numbers in its row of results."""
        rows, table = [], False
        for e in page.all:
            if e["tag"] == "table":
                table = "results" in e["class"]
            elif e["tag"] == "tr" and table:
                rows.append([])
            elif e["tag"] == "data" and table:
                rows[-1].append(float(e["value"]))
        return rows[1:]

    def test_numbers_are_those_of_json(self):
        models = [self.model(n) for n in ("bert", "mpnet", "cross")]
        cascade = ["--cascade", f"{models[0]},{models[2]}"]
        for words in ([], ["--split", "60,30,30"], ["--split", "notebook", "--bootstrap", "50", *cascade]):
            page, _, said = self.report(*models, *words)
            self.assertEqual(len(self.numbers_of(page)), len(said["models"]))
            self.assertEqual(page.drawings().keys() - {"f1-4"},
                             {"f1-1", "recall", *(f"scores-{i + 1}" for i in range(len(said["models"])))})
            for i, (row, one) in enumerate(zip(self.numbers_of(page), said["models"])):
                test = one.get("test", one)
                wanted = [one["validation"]["f1"]] if "validation" in one else []
                wanted += [test["f1"], *one.get("f1_interval", {}).values(), one["threshold"], test["precision"],
                           test["recall"], test["average_precision"], one["questions_per_second"]]
                self.assertEqual(row, wanted)
                # The confusion, in its table and in the bars of the scores.
                counts = test["confusion"]
                cells = page.rows("confusion")[i]
                self.assertEqual([[int(re.match(r"\d+", c)[0]) for c in r[1:]] for r in cells[1:]],
                                 [[counts["tp"], counts["fn"]], [counts["fp"], counts["tn"]]])
                bars = [re.match(r"(\d+) (duplicate|different), scores from (\S+) to", t)
                        for t in page.drawings()[f"scores-{i + 1}"]["titles"][1:]]
                for label, (called, other) in (("duplicate", ("tp", "fn")), ("different", ("fp", "tn"))):
                    counted = [sum(int(b[1]) for b in bars if b[2] == label and (float(b[3]) >= one["threshold"] - 1e-3) == up)
                               for up in (True, False)]
                    self.assertEqual(counted, [counts[called], counts[other]])
            self.assertEqual(len(page.rows("differences")), 1 if "--bootstrap" in words else 0)

    def test_one_model(self):
        for name, words in (("bert", []), ("cross", ["--split", "60,30,30"]), ("bert", ["--sweep", "grid"]),
                            ("bert", ["--split", "60,30,30", "--cascade", self.model("cross")])):
            page, source, said = self.report(self.model(name), *words)
            test = said.get("test", said)
            wanted = [said["validation"]["f1"]] if "validation" in said else []
            wanted += [test["f1"], said["threshold"], test["precision"], test["recall"], test["average_precision"],
                       said["questions_per_second"]]
            self.assertEqual(self.numbers_of(page), [wanted])
            self.assertEqual(page.drawings().keys(), {"f1-1", "recall", "scores-1"})
            self.assertNotIn("disagree", source.split("</style>")[1].lower())
            self.assertIn("notebook" if words[:1] == ["--sweep"] else "validation" if words else "optimistic",
                          source)

    def test_curves_reach_the_best_f1(self):
        page, _, said = self.report(self.model("bert"), self.model("cross"))
        for i, name in enumerate(("bert", "cross")):
            path = page.drawings()["f1-1"]["curves"][i]
            places = [tuple(map(float, p)) for p in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]
            self.assertEqual([x for x, _ in places], sorted(x for x, _ in places))
            # The axis, from its ticks: F1 0 and the highest one.
            ticks = {}
            first = page.all[:page.all.index(page.find("svg")[1])]
            for e in first:
                if e.get("class") == "tick end":  # of y
                    ticks.setdefault(float(e["text"].replace("\u2212", "-")), float(e["y"]) - 4)
            top = max(ticks)
            per_unit = (ticks[0] - ticks[top]) / top
            self.assertAlmostEqual((ticks[0] - min(y for _, y in places)) / per_unit,
                                   best_f1(self.scores(self.model(name)), self.labels), delta=0.001)

    def test_mistakes_are_the_worst_ones(self):
        page, _, said = self.report(self.model("bert"), self.model("cross"))
        tables = page.rows("pairs")
        calls = []
        for i, name in enumerate(("bert", "cross")):
            scores, threshold = self.scores(self.model(name)), said["models"][i]["threshold"]
            calls.append([s >= threshold for s in scores])
            for called in (True, False):
                wrong = [k for k, l in enumerate(self.labels) if calls[i][k] == called and bool(l) != called]
                wrong.sort(key=lambda k: -scores[k] if called else scores[k])
                rows = tables.pop(0)[1:] if wrong else []
                self.assertEqual([int(r[4]) - 1 for r in rows], wrong[:10])
                self.assertEqual([r[0] for r in rows], [f"{scores[k]:.3f}".replace("-", "\u2212") for k in wrong[:10]])
                self.assertEqual({r[1] for r in rows}, {"different" if called else "duplicate"} if wrong else set())
        disputed = {k for k in range(len(self.labels)) if calls[0][k] != calls[1][k]}
        shown = tables.pop(0)[1:]
        self.assertEqual(len(shown), min(len(disputed), 20))
        self.assertLessEqual({int(r[4]) - 1 for r in shown}, disputed)
        right = [[c == bool(l) for c, l in zip(calls[m], self.labels)] for m in range(2)]
        self.assertEqual(page.rows("only")[0][1:],
                         [["1 bert", "\u2013", str(sum(a and not b for a, b in zip(*right)))],
                          ["2 cross", str(sum(b and not a for a, b in zip(*right))), "\u2013"]])

    def test_texts_are_texts(self):
        hostile = ["</style><script>alert(1)</script>", "<!-- <b onclick='x'>\"quoted\"</b> &amp; & &lt;", "a\0b\x01\x1b[31m\x7f",
                   "\ufffd \ufffe \ufdd0 \x85 \u202eoverridden", "]]></svg></td></table>", "", "x" * 5000,
                   "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627", "line\nbreak\ttab\r\nend", "\U0001f9d1\u200d\U0001f680"]
        rows = [(t, t, 0) for t in hostile] + [("good", f"India {i}", 1) for i in range(3)] + [("bad", "India", 0)]
        csv = HEADER + "".join(f"{quote(a)},{quote(b)},{l}\n" for a, b, l in rows)
        broken = csv.encode() + b'"cut \xe2\x82 here \xff","cut \xe2\x82 here \xff",0\n'
        path = self.file("it's & co.csv", broken)
        page, source, _ = self.report(self.model("bert"), self.model("cross"), pairs=path)
        texts = {e["text"] for e in page.find("td", "text")}
        for wanted in ("</style><script>alert(1)</script>", "<!-- <b onclick='x'>\"quoted\"</b> &amp; & &lt;",
                       "a\u2400b\u2401\u241b[31m\u2421", "\ufffd \ufffd \ufffd \ufffd \u202eoverridden", "]]></svg></td></table>",
                       "(empty)", "x" * 240 + "\u2026 (5,000 characters)", "line\u240abreak\u2409tab\u240d\u240aend",
                       "\U0001f9d1\u200d\U0001f680", "cut \ufffd here \ufffd"):
            self.assertIn(wanted, texts)
        self.assertTrue(all(e["dir"] == "auto" for e in page.find("td", "text")))
        self.assertIn("it's & co.csv", page.find("h1")[0]["text"])
        self.assertEqual(source.count("<script"), 0)

    @posix_only
    def test_names_of_models_are_texts(self):
        names = ["a \"b\" <i>.gguf", "other/a \"b\" <i>.gguf", "\u05d0\udcff.gguf"]
        (self.folder / "other").mkdir()
        paths = []
        for name in names:
            paths.append(self.folder / name)
            os.link(self.model("bert"), paths[-1])
        page, source, said = self.report(*paths)
        titles = [r[0] for r in page.rows("results")[0][1:]]
        self.assertEqual(titles, [f"1 {paths[0]} bi-encoder", f"2 {paths[1]} bi-encoder", "3 \u05d0\ufffd bi-encoder"])
        self.assertIn("They agree on every pair", source)

    def test_many_models_and_few_pairs(self):
        path = self.file("p.csv", HEADER + "good,good,1\n")
        page, source, _ = self.report(*[self.model(n) for n in ("bert", "mpnet", "cross")] * 4, pairs=path)
        self.assertEqual(len(page.find("circle", "disc")), 24)
        self.assertIn("1 pair, of which 1 ", source)
        self.assertIn("No false hits.", source)

    def test_empty_classes(self):
        for label in "01":
            path = self.file("p.csv", HEADER + "".join(f"good,India {i},{label}\n" for i in range(4)))
            page, source, said = self.report(self.model("bert"), pairs=path)
            self.assertEqual([r[1] for r in page.rows("results")[0][1:]], [f"{int(label):.4f}"])
            self.assertEqual("none" in page.rows("results")[0][1], label == "0")
            self.assertEqual(len(page.find("line", "threshold") + page.find("path", "threshold")), int(label))

    def test_equal_scores(self):
        path = self.file("p.csv", HEADER + "good,good,1\ngood,good,0\n" * 3)
        page, _, said = self.report(self.model("bert"), pairs=path)
        self.assertEqual([r[0] for r in page.rows("pairs")[0][1:]], ["1.000"] * 3)
        self.assertEqual([r[4] for r in page.rows("pairs")[0][1:]], ["2", "4", "6"])

    def test_the_same_bytes(self):
        words = (self.model("bert"), self.model("cross"), "--split", "60,30,30", "--bootstrap", "50")
        but_speed = lambda source: re.sub(r'<td class="[^"]*rate">.*?</td>', "", source)
        sources = [but_speed(self.report(*words, "--threads", t)[1]) for t in (1, 2)]
        self.assertEqual(*sources)
        self.assertNotIn("rate\"", sources[0])

    def test_it_stays_small(self):
        rows = [(f"question {i * 7919 % 3001}", f"question {i * 104729 % 2999}", i % 3 == 0) for i in range(9000)]
        path = self.file("p.csv", HEADER + "".join(f"{a},{b},{int(l)}\n" for a, b, l in rows))
        _, source, _ = self.report(self.model("bert"), self.model("cross"), pairs=path)
        self.assertLess(len(source.encode()), 150_000)

    def test_what_is_refused(self):
        m = self.model("bert")
        for path in ("-", "page.pdf", "model.gguf", "", "html"):
            self.assertIn("--report needs a file whose name ends in .html", self.refused("eval", m, self.pairs, "--report", path, status=2))
        self.assertIn("is a directory", self.folder_in_the_way())
        self.assertIn("page.html: cannot be created", self.refused("eval", m, self.pairs, "--report", self.folder / "no" / "page.html"))

    def folder_in_the_way(self):
        (self.folder / "folder.html").mkdir()
        return self.refused("eval", self.model("bert"), self.pairs, "--report", self.folder / "folder.html")

    def test_an_old_page_stays(self):
        path = self.file("page.html", "old")
        bad = self.file("bad.csv", HEADER + "a,b,maybe\n")
        for words in ((self.model("bert"), bad), (self.model("bert"), self.folder / "nowhere.gguf", self.pairs),
                      (self.model("bert"), self.model("cross"), self.pairs, "--sweep", "grid", "--split", "9999,1,1")):
            self.assertEqual(self.run_tool("eval", *words, "--report", path).returncode, 1)
            self.assertEqual(path.read_text(), "old")
        self.assert_only("page.html", "bad.csv", "pairs.csv")

    @posix_only
    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_a_full_disk_loses_no_table(self):
        path = self.folder / "page.html"
        path.symlink_to("/dev/full")
        for models in ([self.model("bert")], [self.model("bert"), self.model("cross")]):
            done = self.run_tool("eval", *models, self.pairs, "--json", "--report", path)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr.decode().splitlines()[-1],
                             f"dupq: {path}: cannot be written: No space left on device")
            self.assertEqual(json.loads(done.stdout)["pairs"], len(self.rows))


if __name__ == "__main__":
    unittest.main()
