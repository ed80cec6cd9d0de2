#!/usr/bin/env python3
"""Makes the seeds of the fuzz target index: the files of an index of a few texts, by a model of the target gguf.

make_index.py DUPQ      writes tests/fuzz/corpus/index/*.gguf; DUPQ is the command-line tool
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def main():
    out = CORPUS / "index"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        index, model = pathlib.Path(folder) / "i", pathlib.Path(folder) / "m.gguf"
        shutil.copy(CORPUS / "gguf/bert-packed-f32.gguf", model)

        def dupq(*words, texts=""):
            subprocess.run([sys.argv[1], "index", *map(str, words)], input=texts.encode(), check=True,
                           stdout=subprocess.DEVNULL)

        dupq("create", index, "--model", model, "-", texts="what is c\nhello\n\nc++ é\n" + "what is a?\n" * 13)
        dupq("add", index, texts="one more\n")
        dupq("remove", index, "--id", "2", "18")
        for file in sorted(index.glob("*.gguf")):
            # The fuzz target mends the digest.
            content = file.read_bytes().replace(str(model).encode(), b"m" * len(str(model)))
            (out / file.name).write_bytes(content)


if __name__ == "__main__":
    main()
