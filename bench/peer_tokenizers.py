"""The tokenizers that `peers.py --tokenizer` runs in turn, one thread each, over all texts of a file.

Every program gets what suits it: dupq a list of string views, nanotoken a list of str (its words' cache emptied before
the run, and filled by a run over the same texts) and the file itself, the tokenizers package its fast batch call without
offsets, flash-tokenizer its batch call without processes. Times are of tokenizing only, the lists of Python included
where a program makes them.
"""

import importlib.util
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NEEDED = ["nanotoken", "tokenizers", "numpy"]
OPTIONAL = ["flash-tokenizer"]
RUNS = 5  # of dupq in one process; their median is what counts


def flat(rows):
    import numpy

    return numpy.concatenate([numpy.asarray(row, dtype=numpy.int32) for row in rows])


def cut(row, limit):
    """Its last token is [SEP], which stays."""
    import numpy

    return row if len(row) <= limit else numpy.append(row[: limit - 1], row[-1])


def timed(call):
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def dupq(options, texts, folder, _):
    import numpy

    file = Path(folder) / "ids.i32"
    command = [options.bench, options.gguf, options.texts, "--tokenizer", "--unsorted", "--count", len(texts)]
    command += ["--runs", RUNS, "--ids", file]

    def run():
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        rates = re.findall(r"^([0-9.]+) questions/s", done.stdout, re.MULTILINE)
        if done.returncode != 0 or not rates:
            sys.exit(f"peers.py: bench_encode failed: {done.stderr.strip()}")
        return statistics.median(float(rate) for rate in rates), lambda: numpy.fromfile(file, dtype=numpy.int32)

    return {"dupq": run}


def nanotoken(options, texts, _, limit):
    import nanotoken

    tokenizer = nanotoken.Tokenizer(str(options.model / "tokenizer.json"))
    source = nanotoken.TextFileSource(str(options.texts), separator="\n")

    def strings():
        return tokenizer.encode_batch(texts, max_length=limit, parallel=False)

    def file():
        return tokenizer.encode_files(source, parallel=False)

    def run(call, warm):
        def once():
            tokenizer.clear_cache()
            if warm:
                call()
            seconds, rows = timed(call)
            return len(texts) / seconds, lambda: flat(cut(row, limit) for row in rows)  # files are not cut

        return once

    programs = {"nanotoken, cold": run(strings, False), "nanotoken, warm": run(strings, True)}
    if options.whole_file:
        programs |= {"nanotoken, cold, the file": run(file, False), "nanotoken, warm, the file": run(file, True)}
    return programs


def hugging_face(options, texts, _, limit):
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(options.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)

    def run():
        seconds, rows = timed(lambda: tokenizer.encode_batch_fast(texts))
        return len(texts) / seconds, lambda: flat([row.ids for row in rows])

    return {"Hugging Face tokenizers": run}


def flash(options, texts, _, limit):
    vocabulary = options.model / "vocab.txt"
    if importlib.util.find_spec("flash_tokenizer") is None or not vocabulary.exists():
        print("flash-tokenizer is not installed, or the model has no vocab.txt, and it is left out", file=sys.stderr)
        return {}
    import flash_tokenizer

    tokenizer = flash_tokenizer.BertTokenizerFlash(str(vocabulary), do_lower_case=True, model_max_length=limit)

    def run():
        seconds, rows = timed(lambda: tokenizer.tokenizer.batch_encode(texts, "longest", limit, False))
        return len(texts) / seconds, lambda: flat(rows)

    return {"flash-tokenizer": run}


def compare(options, texts):
    """Runs all of them in turn and prints the table."""
    limit = json.loads((options.model / "sentence_bert_config.json").read_text(encoding="utf-8"))["max_seq_length"]
    rates, ids = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        programs = {}
        for make in (dupq, nanotoken, hugging_face, flash):
            programs |= make(options, texts, folder, limit)
        for number in range(options.rounds):
            for name, run in programs.items():
                rate, get_ids = run()
                rates.setdefault(name, []).append(rate)
                if number == 0:
                    ids[name] = get_ids()
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    judge, ours = ids["Hugging Face tokenizers"], rates["dupq"]
    print(f"{options.model.resolve().name}, {len(texts)} texts, {len(judge)} tokens, one thread, {options.rounds} rounds\n")
    print("| tokenizer | questions/s, median | lowest - highest | dupq is faster by | ids are Hugging Face's |")
    print("|---|---|---|---|---|")
    for name, speeds in rates.items():
        ratio = statistics.median(a / b for a, b in zip(ours, speeds))  # of the same round
        same = len(ids[name]) == len(judge) and bool((ids[name] == judge).all())
        print(f"| {name} | {statistics.median(speeds):.0f} | {min(speeds):.0f} - {max(speeds):.0f} | {ratio:.2f} | "
              f"{'yes' if same else 'no'} |")
