#!/usr/bin/env python3
"""Finds the duplicates among the texts of a data set with Apache Spark: the same matches as `dupq dedup`, to the bit.

  spark-submit tools/spark_dedup.py INPUT OUTPUT --model M.gguf --tool dupq [--column question] [--threshold T]

INPUT is Parquet, CSV with a header, or JSON Lines, in any file system that Spark reads. OUTPUT becomes a folder with

  matches    first, second, score     each pair of different texts that scores T or more, and each row whose text is
                                      there before (second) with the first row that has it (first)
  clusters   representative, member   the rows of each group of two or more, the representative among them

where rows are named by the column of --id, or by their numbers from 1 in the order in which Spark reads them. Equal
texts are encoded once. The executors need Python and nothing else: the tool and the model are sent to them, so build
the tool with cmake -DDUPQ_STATIC=ON. Texts are encoded in partitions, then each task compares two blocks of vectors,
each on its disk (--block-rows vectors); a task that fails is run again by Spark and gives the same. Clusters are made
on the driver, whose disk has the matches for that time (about 30 bytes each) and whose memory has 16 bytes for each
and 40 for each text; --no-clusters leaves them out.

All pairs of texts are compared, so nothing is lost, and the time grows with their square. --coarse K loses some matches
and compares about (2 P - 1) / K of the pairs: K of the vectors are centres of groups, and a text is compared with those
whose nearest centre is among its own P nearest (--probes), or the other way round. What that finds is measured: of
--sample texts all matches are found exactly as well, and reported is which part of these is among the matches.

At the end one line of JSON is printed: how many rows, rows without a text (NULL, left out), texts, matches, clusters;
with --coarse also the matches of the sample and their recall.
"""

import argparse
import array
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

PIECE_ROWS = 4096  # vectors that travel as one record: a few megabytes


class Tool:
    """The dupq tool and the model where a task finds them. Only names travel with a task."""

    def __init__(self, tool, model):
        self.tool, self.model = os.path.basename(tool), os.path.basename(model)

    def run(self, *words):
        """Runs a verb; "MODEL" stands for the model. What it says of a failure is the task's."""
        from pyspark import SparkFiles
        path = SparkFiles.get(self.tool)
        if not os.access(path, os.X_OK):
            os.chmod(path, 0o755)
        command = [path] + [SparkFiles.get(self.model) if w == "MODEL" else str(w) for w in words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"dupq {words[0]}: " + done.stderr.decode(errors="replace").strip())
        return done.stdout


def npy_header(rows, dim):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def npy_data(file):
    """Moves behind the header."""
    start = file.read(10)
    file.seek(10 + struct.unpack("<H", start[8:])[0])


def encode_partition(tool, dim, block_rows, threads):
    """(text number, copies, text)... to ("piece", first number, vectors) and, for repeated texts, ("own", number, score).
    The numbers of a partition follow one another."""

    def encode(texts):
        with tempfile.TemporaryDirectory(prefix="dupq-") as folder:
            path = lambda name: os.path.join(folder, name)
            first, count, repeated = None, 0, []
            with open(path("texts.jsonl"), "w", encoding="ascii") as file:
                for number, copies, text in texts:
                    first = number if first is None else first
                    if copies > 1:
                        repeated.append(count)
                    count += 1
                    file.write(json.dumps({"text": text}) + "\n")
            if count == 0:
                return
            tool.run("encode", "MODEL", path("texts.jsonl"), "--column", "text", "-o", path("vectors.npy"), "--threads",
                     threads)
            row_bytes = 4 * dim
            with open(path("vectors.npy"), "rb") as file:
                npy_data(file)
                begin = file.tell()
                if os.path.getsize(file.name) - begin != count * row_bytes:
                    raise RuntimeError("dupq encode: not as many vectors as texts")
                at = 0
                while at < count:  # no piece belongs to two blocks
                    rows = min(PIECE_ROWS, count - at, block_rows - (first + at) % block_rows)
                    yield "piece", first + at, file.read(rows * row_bytes)
                    at += rows
                if not repeated:
                    return
                with open(path("repeated.npy"), "wb") as some:
                    some.write(npy_header(len(repeated), dim))
                    for row in repeated:
                        file.seek(begin + row * row_bytes)
                        some.write(file.read(row_bytes))
            tool.run("match", path("repeated.npy"), "--own", "--similarity", tool.similarity, "-o", path("own.csv"))
            for row, _, score in read_pairs(path("own.csv")):
                yield "own", first + repeated[row], score

    return encode


def read_pairs(path):
    with open(path, encoding="ascii") as lines:
        next(lines)
        for line in lines:
            first, second, score = line.split(",")
            yield int(first), int(second), float(score)


def pair_number(i, j):
    """Numbers the pairs of blocks i <= j from 0."""
    return j * (j + 1) // 2 + i


def pair_of(number):
    j = (math.isqrt(8 * number + 1) - 1) // 2
    return number - j * (j + 1) // 2, j


def to_pairs(blocks, block_rows):
    """A piece goes to every pair that its block is in."""

    def spread(record):
        _, first, vectors = record
        own = first // block_rows
        for other in range(blocks):
            yield pair_number(min(own, other), max(own, other)), (own, first - own * block_rows, vectors)

    return spread


def match_pair(tool, texts, dim, block_rows, threshold, threads):
    """The pieces of two blocks, in any order, to their matches: (text number, text number, score)."""

    def match(number, pieces):
        i, j = pair_of(number)
        with tempfile.TemporaryDirectory(prefix="dupq-") as folder:
            path = {block: os.path.join(folder, f"{block}.npy") for block in (i, j)}
            files, missing = {}, {}
            for block in path:
                missing[block] = min(block_rows, texts - block * block_rows)
                files[block] = open(path[block], "wb")
                files[block].write(npy_header(missing[block], dim))
            try:
                for _, (block, row, vectors) in pieces:
                    files[block].seek(128 + row * 4 * dim)
                    files[block].write(vectors)
                    missing[block] -= len(vectors) // (4 * dim)
            finally:
                for file in files.values():
                    file.close()
            if any(missing.values()):
                raise RuntimeError(f"blocks {i} and {j}: not all vectors have come")
            out = os.path.join(folder, "pairs.csv")
            tool.run("match", *(path[b] for b in sorted(path)), "--threshold", repr(threshold), "--similarity",
                     tool.similarity, "--threads", threads, "-o", out)
            for first, second, score in read_pairs(out):
                yield i * block_rows + first, j * block_rows + second, score

    return match


def coarse_groups(tool, dim, centres, probes, threads):
    """A piece to (group, (own or not, text numbers, vectors)): each text in the groups of its nearest centres."""

    def spread(pieces):
        from pyspark import SparkFiles
        for _, first, vectors in pieces:
            row_bytes, groups = 4 * dim, {}
            with tempfile.TemporaryDirectory(prefix="dupq-") as folder:
                path = lambda name: os.path.join(folder, name)
                with open(path("piece.npy"), "wb") as file:
                    file.write(npy_header(len(vectors) // row_bytes, dim))
                    file.write(vectors)
                tool.run("match", path("piece.npy"), SparkFiles.get(centres), "--nearest", probes, "--similarity",
                         tool.similarity, "--threads", threads, "-o", path("groups.csv"))
                last = -1
                for row, group, _ in read_pairs(path("groups.csv")):
                    own = row != last  # the best comes first
                    last = row
                    numbers, rows = groups.setdefault((group, own), (array.array("q"), []))
                    numbers.append(first + row)
                    rows.append(vectors[row * row_bytes:(row + 1) * row_bytes])
            for (group, own), (numbers, rows) in groups.items():
                yield group, (own, numbers, b"".join(rows))

    return spread


def match_group(tool, dim, threshold, threads):
    """The texts of one group to their matches, with each other and with those that have it among their nearest."""

    def match(records):
        with tempfile.TemporaryDirectory(prefix="dupq-") as folder:
            path = {own: os.path.join(folder, f"{own}.npy") for own in (True, False)}
            numbers = {own: array.array("q") for own in path}
            files = {own: open(path[own], "wb") for own in path}
            try:
                for own in files:
                    files[own].seek(128)
                for _, (own, some, vectors) in records:
                    numbers[own].extend(some)
                    files[own].write(vectors)
                for own in files:
                    files[own].seek(0)
                    files[own].write(npy_header(len(numbers[own]), dim))
            finally:
                for file in files.values():
                    file.close()
            out = os.path.join(folder, "pairs.csv")
            for others in (True, False):
                if len(numbers[True]) == 0 or len(numbers[others]) == 0:
                    continue
                tool.run("match", path[True], *([] if others else [path[False]]), "--threshold", repr(threshold),
                         "--similarity", tool.similarity, "--threads", threads, "-o", out)
                for first, second, score in read_pairs(out):
                    a, b = numbers[True][first], numbers[others][second]
                    yield min(a, b), max(a, b), score

    return match


def match_sample(tool, dim, sample, numbers, threshold, threads):
    """A piece to all matches of the sample's texts in it."""

    def match(pieces):
        from pyspark import SparkFiles
        for _, first, vectors in pieces:
            with tempfile.TemporaryDirectory(prefix="dupq-") as folder:
                piece, out = os.path.join(folder, "piece.npy"), os.path.join(folder, "pairs.csv")
                with open(piece, "wb") as file:
                    file.write(npy_header(len(vectors) // (4 * dim), dim))
                    file.write(vectors)
                tool.run("match", SparkFiles.get(sample), piece, "--threshold", repr(threshold), "--similarity",
                         tool.similarity, "--threads", threads, "-o", out)
                for row, other, _ in read_pairs(out):
                    a, b = numbers[row], first + other
                    if a != b:
                        yield min(a, b), max(a, b)

    return match


def send_vectors(context, pieces, dim, wanted, name, folder):
    """The vectors of texts, by their numbers in order, as an array that every executor gets; returns its name."""
    chosen = frozenset(wanted)

    def pick(record):
        _, first, vectors = record
        for row in range(len(vectors) // (4 * dim)):
            if first + row in chosen:
                yield first + row, vectors[row * 4 * dim:(row + 1) * 4 * dim]

    rows = dict(pieces.flatMap(pick).collect())
    path = os.path.join(folder, f"{name}-{os.path.basename(folder)}.npy")
    with open(path, "wb") as file:
        file.write(npy_header(len(wanted), dim))
        file.writelines(rows[number] for number in wanted)
    context.addFile(path)
    return os.path.basename(path)


def cluster(tool, matches, copies, link):
    """Yields (text, its representative) for the texts that another one represents."""
    with tempfile.TemporaryDirectory(prefix="dupq-") as folder:
        path = lambda name: os.path.join(folder, name)
        with open(path("weights"), "w", encoding="ascii") as file:
            file.writelines(f"{n}\n" for n in copies)
        with open(path("pairs.csv"), "w", encoding="ascii") as file:
            file.write("first,second,score\n")
            file.writelines(f"{a},{b},{score!r}\n" for a, b, score in matches)
        tool.run("cluster", path("pairs.csv"), "--weights", path("weights"), "--link", link, "-o", path("clusters.csv"))
        with open(path("clusters.csv"), encoding="ascii") as lines:
            next(lines)
            for line in lines:
                row, representative = line.split(",")
                if int(row) != int(representative):
                    yield int(row), int(representative)


def read_input(spark, options):
    """The input as a frame of the columns id and text."""
    kind = options.format or {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}.get(
        os.path.splitext(options.input.rstrip("/"))[1])
    if kind is None:
        raise SystemExit(f"spark_dedup: {options.input}: --format parquet, csv or json is needed")
    reader = spark.read
    if kind == "csv":  # as RFC 4180 has it: a quote within quotes is doubled, and line breaks may be there
        reader = reader.option("header", True).option("multiLine", True).option("escape", '"')
    frame = reader.format(kind).load(options.input)
    for column in [options.column] + ([options.id] if options.id else []):
        if column not in frame.columns:
            raise SystemExit(f"spark_dedup: {options.input}: no column {column}, it has {', '.join(frame.columns)}")
    return frame


def deduplicate(spark, options):
    """Runs the job; returns its report."""
    with tempfile.TemporaryDirectory(prefix="dupq-") as folder:
        return run_job(spark, options, folder)


def run_job(spark, options, folder):
    from pyspark import StorageLevel
    from pyspark.sql import functions as f
    from pyspark.sql.types import FloatType, LongType, StringType, StructField, StructType

    context = spark.sparkContext
    tool = Tool(options.tool, options.model)
    context.addFile(os.path.abspath(options.tool))
    context.addFile(os.path.abspath(options.model))
    info = json.loads(tool.run("info", "MODEL", "--json"))
    if info["dimensions"] is None:
        raise SystemExit(f"spark_dedup: {options.model}: a bi_encoder is needed, not a {info['kind']}")
    threshold = options.threshold if options.threshold is not None else info["threshold"]
    if threshold is None:
        raise SystemExit(f"spark_dedup: {options.model}: no threshold in the model, so --threshold is needed")
    tool.similarity = info["similarity"]
    dim, threads = info["dimensions"], int(spark.conf.get("spark.task.cpus", "1"))
    parallel = context.defaultParallelism

    # Rows and their texts; equal texts become one, with the number of the first row that has it.
    frame = read_input(spark, options)
    named = frame.select(f.col(options.id).alias("id") if options.id else f.lit(None).alias("id"),
                         f.col(options.column).cast("string").alias("text"))
    id_type = named.schema["id"].dataType if options.id else LongType()
    schema = StructType([StructField("row", LongType()), StructField("id", id_type), StructField("text", StringType())])
    numbered = named.rdd.zipWithIndex().map(lambda r: (r[1] + 1, r[0][0] if options.id else r[1] + 1, r[0][1]))
    rows = spark.createDataFrame(numbered, schema).persist(StorageLevel.MEMORY_AND_DISK)
    total = rows.count()
    present = rows.where(f.col("text").isNotNull())
    folded = present.groupBy("text").agg(f.min("row").alias("row"), f.count("*").alias("copies"))
    partitions = options.partitions or 4 * parallel
    in_order = folded.rdd.map(lambda r: (r["row"], r["copies"], r["text"])).sortBy(lambda r: r[0], numPartitions=partitions)
    texts = in_order.zipWithIndex().map(lambda r: (r[1], *r[0])).persist(StorageLevel.DISK_ONLY)  # number, row, copies, text
    count = texts.count()

    # Enough blocks that every core has several pairs, few enough that vectors do not travel more often than they must.
    wanted = max(math.isqrt(8 * parallel) + 1, -(-count // options.block_rows), 1)
    block_rows = max(-(-count // wanted), 1)
    blocks = -(-count // block_rows)
    encoded = texts.map(lambda t: (t[0], t[2], t[3])).mapPartitions(
        encode_partition(tool, dim, block_rows, threads)).persist(StorageLevel.DISK_ONLY)
    pieces = encoded.filter(lambda r: r[0] == "piece")
    pair_type = StructType([StructField("a", LongType()), StructField("b", LongType())])
    match_type = StructType([*pair_type, StructField("score", FloatType())])
    if options.coarse is None:
        pairs = blocks * (blocks + 1) // 2
        match = match_pair(tool, count, dim, block_rows, threshold, threads)
        found = (pieces.flatMap(to_pairs(blocks, block_rows)).partitionBy(max(pairs, 1), lambda number: number)
                 .mapPartitionsWithIndex(lambda number, mine: match(number, mine) if number < pairs else iter(())))
        matches = spark.createDataFrame(found, match_type)
    else:
        groups = min(options.coarse, count)
        centres = send_vectors(context, pieces, dim, [i * count // groups for i in range(groups)], "centres", folder)
        found = (pieces.mapPartitions(coarse_groups(tool, dim, centres, options.probes, threads))
                 .partitionBy(max(groups, 1), lambda group: group).mapPartitions(match_group(tool, dim, threshold, threads)))
        matches = spark.createDataFrame(found, match_type).dropDuplicates(["a", "b"])  # two groups may have one
    matches = matches.persist(StorageLevel.DISK_ONLY)

    numbers = spark.createDataFrame(texts.map(lambda t: t[:3]), StructType(
        [StructField(name, LongType()) for name in ("number", "row", "copies")])).join(rows.select("row", "id"), "row")
    numbers = numbers.select("number", "row", "id", "copies").persist(StorageLevel.MEMORY_AND_DISK)
    own = spark.createDataFrame(encoded.filter(lambda r: r[0] == "own").map(lambda r: r[1:]), StructType(
        [StructField("number", LongType()), StructField("score", FloatType())]))
    repeats = (present.join(folded.where("copies > 1").select("text", f.col("row").alias("first")), "text")
               .where("row != first").select("row", "id", "first")
               .join(numbers.select(f.col("row").alias("first"), "number", f.col("id").alias("first_id")), "first"))
    name = lambda column, new: numbers.select(f.col("number").alias(column), f.col("id").alias(new))
    everything = matches.join(name("a", "first"), "a").join(name("b", "second"), "b").select("first", "second", "score")
    everything = everything.unionByName(repeats.join(own, "number").select(
        f.col("first_id").alias("first"), f.col("id").alias("second"), "score"))
    everything.write.parquet(os.path.join(options.output, "matches"))
    report = {"rows": total, "without_text": total - present.count(), "texts": count, "blocks": blocks,
              "threshold": threshold, "matches": matches.count(), "repeats": repeats.count()}

    if options.coarse is not None:
        size = min(options.sample, count)
        numbers_of_sample = [(2 * i + 1) * count // (2 * size) for i in range(size)]
        sample = send_vectors(context, pieces, dim, numbers_of_sample, "sample", folder)
        exact = spark.createDataFrame(pieces.mapPartitions(
            match_sample(tool, dim, sample, numbers_of_sample, threshold, threads)), pair_type).distinct().persist()
        all_of_sample = exact.count()
        there = exact.join(matches, ["a", "b"]).count()
        report |= {"groups": groups, "probes": options.probes, "sample": size, "sample_matches": all_of_sample,
                   "recall": there / all_of_sample if all_of_sample else None}

    if not options.no_clusters:
        copies = (t[2] for t in texts.toLocalIterator())
        joined = cluster(tool, ((m["a"], m["b"], m["score"]) for m in matches.toLocalIterator()), copies, options.link)
        represented = spark.createDataFrame(context.parallelize(list(joined), parallel), StructType(
            [StructField("number", LongType()), StructField("of", LongType())]))
        members = numbers.select("number", "id").unionByName(repeats.select("number", "id"))
        members = members.join(represented, "number", "left").select(
            f.coalesce("of", "number").alias("of"), f.col("id").alias("member"))
        sizes = members.groupBy("of").count().where("count > 1").select("of").persist()
        clusters = members.join(sizes, "of").join(name("of", "representative"), "of")
        clusters.select("representative", "member").write.parquet(os.path.join(options.output, "clusters"))
        report["clusters"] = sizes.count()
    return report


def parse(words):
    parser = argparse.ArgumentParser(prog="spark_dedup", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--model", required=True, help="a bi-encoder, on the driver")
    parser.add_argument("--tool", required=True, help="the dupq tool, on the driver; it must run on the executors")
    parser.add_argument("--column", default="question", help="of the texts (default: question)")
    parser.add_argument("--id", help="the column that names rows (default: their numbers)")
    parser.add_argument("--format", choices=["parquet", "csv", "json"], help="of the input (default: by its name)")
    parser.add_argument("--threshold", type=float, help="default: the model's")
    parser.add_argument("--link", choices=["star", "first", "components"], default="star", help="what makes a cluster")
    parser.add_argument("--no-clusters", action="store_true")
    parser.add_argument("--partitions", type=int, help="in which texts are encoded (default: four a core)")
    parser.add_argument("--block-rows", type=int, default=262144, help="vectors of a block at most (default: 262144)")
    parser.add_argument("--coarse", type=int, metavar="K", help="lose some matches and save most of the time: K groups")
    parser.add_argument("--probes", type=int, default=2, help="groups that each text is compared in (default: 2)")
    parser.add_argument("--sample", type=int, default=1000, help="texts by which recall is measured (default: 1000)")
    options = parser.parse_args(words)
    for name in ("partitions", "block_rows", "coarse", "probes", "sample"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.threshold is not None and not math.isfinite(options.threshold):
        parser.error(f"--threshold cannot be {options.threshold}")
    for path in (options.model, options.tool):
        if not os.path.isfile(path):
            raise SystemExit(f"spark_dedup: {path}: no such file")
    return options


def main(words):
    options = parse(words)
    from pyspark.sql import SparkSession
    spark = SparkSession.builder.appName("dupq dedup").getOrCreate()
    try:
        print(json.dumps(deduplicate(spark, options)))
    finally:
        spark.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
