"""A program of peers.py in a process, and if need be with a Python, of its own.

    peer_worker.py NAME OPTIONS

OPTIONS are peers.py's as JSON. Answers each line of JSON on its input, {"texts": [...], "batch": N, "vectors": FILE},
with one of its own: seconds for all texts in batches of N or, where N is 0, the seconds of each. The vectors go to FILE.
"""

import json
import os
import sys
import time
from types import SimpleNamespace


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what packages print
    options = SimpleNamespace(**json.loads(sys.argv[2]))

    import numpy

    import peer_models

    encode = peer_models.make(sys.argv[1], options)
    answers.write("{}\n")
    for line in sys.stdin:
        request = json.loads(line)
        texts, batch = request["texts"], request["batch"]
        times, parts = [], []
        for i in range(0, len(texts), batch or 1):
            begin = time.perf_counter()
            parts.append(encode(texts[i : i + (batch or 1)]))
            times.append(time.perf_counter() - begin)
        numpy.concatenate(parts).astype(numpy.float32).tofile(request["vectors"])
        answers.write(json.dumps({"seconds": times if batch == 0 else sum(times)}) + "\n")


main()
