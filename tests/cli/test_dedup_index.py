"""dedup --against an index."""

import unittest

from test_dedup import MORE, PAIRS, TEXTS, Dedup


class AgainstIndex(Dedup):
    def test_pairs_and_nearest(self):
        """An index is what a file with the same texts would be; `second` is the id of the first of equal texts."""
        m, folder = self.model("bert"), self.folder / "index"
        for begin in (0, 7):
            part = self.file("q.csv", "question,key\n" + "".join('"%s",q%d\n' % (t.replace('"', '""'), begin + i) for i, t
                                                                 in enumerate(MORE[begin:begin + 7])))
            self.ok("index", *(["add", folder] if begin else ["create", folder, "--model", m]), part, "--id", "key")
        self.ok("index", "remove", folder, "--id", "q0", "q5")
        left = {f"q{i}": t for i, t in enumerate(MORE) if i not in (0, 5)}
        ids = [k for k, t in left.items() if next(i for i, other in left.items() if other == t) == k]
        self.assertEqual(len(ids), 9)  # q11 repeats q3
        texts = TEXTS + MORE[1:5]
        scores = self.scores(texts, MORE)
        for threshold in (-2, 0.9, 2):
            expected = [(i + 1, k, scores[a, left[k]], a, left[k]) for i, a in enumerate(texts) for k in ids
                        if a == left[k] or scores[a, left[k]] >= threshold]
            expected.sort(key=lambda r: (-r[2], r[0], ids.index(r[1])))
            words = ["--threshold", threshold, "--against", folder]
            found = self.rows(PAIRS, *words, stdin="\n".join(texts))
            self.assertEqual([(int(a), k, float(s), x, y) for a, k, s, x, y in found], expected)
            kept = self.ok("dedup", m, "--keep", "-", *words, stdin="\n".join(texts) + "\n")
            known = {r[0] for r in expected}
            self.assertEqual(kept, "".join(t + "\n" for i, t in enumerate(texts) if i + 1 not in known))
        self.assertEqual(len(expected), 4)
        near = self.rows(PAIRS, "--nearest", "1", "--against", folder, stdin="good\n")
        best = min(ids, key=lambda k: (-scores["good", left[k]], ids.index(k)))
        self.assertEqual(near, [["1", best, near[0][2], "good", left[best]]])

    def test_another_model_is_refused(self):
        folder = self.folder / "index"
        self.ok("index", "create", folder, "--model", self.model("bert"), stdin="good\n")
        said = self.refused("dedup", self.model("mpnet"), "--threshold", "0", "--against", folder, stdin="good\n")
        self.assertIn("bert.gguf (digest ", said)
        self.assertIn(f"not with {self.model('mpnet')} (digest ", said)
        said = self.refused("dedup", self.model("bert"), "--threshold", "0", "--against", self.folder, stdin="good\n")
        self.assertIn("no such file", said)


    def test_an_index_is_not_replaced(self):
        m, folder = self.model("bert"), self.folder / "index"
        self.ok("index", "create", folder, "--model", m, self.file("q.txt", "good\nbad\n"))
        before = {p.name: p.read_bytes() for p in folder.iterdir()}
        for name in ("manifest.gguf", "manifest.next", "segment-1.gguf", "lock", "segment-2.gguf"):
            for option in ("--keep", "-o"):
                said = self.refused("dedup", m, self.folder / "q.txt", "--threshold", "0.9", "--against", folder, option,
                                    folder / name)
                self.assertEqual(said, f"dupq: {folder / name}: is of an index, and must not be replaced by what is written\n")
        self.assertEqual({p.name: p.read_bytes() for p in folder.iterdir()}, before)


if __name__ == "__main__":
    unittest.main()
