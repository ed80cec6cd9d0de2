#!/usr/bin/env python3
"""Writes the corpus of the target torch_file: what torch.save makes of small state dicts, and pickles that must be refused.

    make_torch.py        (needs torch; tests/fuzz/corpus/torch_file was made with torch 2.15)
"""
import io
import pathlib
import pickle
import struct
import tempfile
from collections import OrderedDict

import torch

OUT = pathlib.Path(__file__).resolve().parent / "corpus" / "torch_file"


def saved(what, **options):
    out = io.BytesIO()
    torch.save(what, out, **options)
    return out.getvalue()


def entries_of(data):
    """Names and bytes of the entries of an archive, from its directory."""
    out, end = {}, data.rindex(b"PK\5\6")
    count, at = struct.unpack("<H4xI", data[end + 10:end + 20])
    for _ in range(count):
        size, = struct.unpack("<I", data[at + 24:at + 28])
        name, extra, comment = struct.unpack("<HHH", data[at + 28:at + 34])
        local, = struct.unpack("<I", data[at + 42:at + 46])
        skip = sum(struct.unpack("<HH", data[local + 26:local + 30]))
        out[data[at + 46:at + 46 + name].decode()] = data[local + 30 + skip:local + 30 + skip + size]
        at += 46 + name + extra + comment
    return out


def archive(entries, wide=False):
    """A ZIP archive of stored entries; `wide`: every size and place in 64 bits, as in one of more than 4 GB."""
    out, directory, none = b"", b"", 0xFFFFFFFF
    for name, data in entries.items():
        sizes = (none, none) if wide else (len(data), len(data))
        field = struct.pack("<HHQQ", 1, 16, len(data), len(data)) if wide else b""
        head = struct.pack("<HHHHHIIIHH", 45, 0, 0, 0, 0, 0, *sizes, len(name), len(field))
        more = struct.pack("<HHQQQ", 1, 24, len(data), len(data), len(out)) if wide else b""
        directory += (b"PK\1\2" + struct.pack("<H", 45) + head[:-2] + struct.pack("<HHHHII", len(more), 0, 0, 0, 0,
                      none if wide else len(out)) + name.encode() + more)
        out += b"PK\3\4" + head + name.encode() + field + data
    begin, count = len(out), len(entries)
    out += directory
    if wide:
        end = struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, len(directory), begin)
        out += b"PK\6\6" + end + b"PK\6\7" + struct.pack("<IQI", 0, begin + len(directory), 1)
        return out + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, none, none, 0)
    return out + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), begin, 0)


def only(pickled):
    return archive({"archive/data.pkl": pickled})


def main():
    numbers = torch.arange(12, dtype=torch.float32)
    shared = torch.arange(20, dtype=torch.float32)
    layer = torch.nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(numbers[:6].view(2, 3))
        layer.bias.copy_(numbers[:2])
    types = OrderedDict((str(t).removeprefix("torch."), numbers.to(t).view(3, 4)) for t in (
        torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool))
    views = {"all": shared, "middle": shared[3:7], "turned": shared.view(4, 5).t(), "apart": shared[::3],
             "one": torch.tensor(7.0), "none": torch.zeros(0, 5), "parameter": torch.nn.Parameter(numbers[:4])}
    good = saved(layer.state_dict())
    with tempfile.TemporaryDirectory() as folder:
        script = pathlib.Path(folder) / "script.pt"
        torch.jit.script(layer).save(script)
        program = script.read_bytes()

    class Call:
        def __reduce__(self):
            return print, ("called",)

    big = {name: data for name, data in entries_of(good).items() if not name.endswith("byteorder")}
    files = {
        "layer": good,
        "types": saved(types),
        "views": saved(views),
        "protocol_4": saved(layer.state_dict(), pickle_protocol=4),
        "wide": archive(entries_of(good), wide=True),
        "legacy": saved(layer.state_dict(), _use_new_zipfile_serialization=False),
        "script": program[:4000] + program[-4000:] if len(program) > 8000 else program,
        "big_endian": archive(big | {next(iter(big)).split("/")[0] + "/byteorder": b"big"}),
        "nested": saved({"state_dict": layer.state_dict()}),
        "call": only(pickle.dumps({"a": Call()}, 2)),
        "list": only(pickle.dumps([1, 2.5, -3, 1 << 40, None, True, "x"], 2)),
        "itself": only(b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01h\x00s."),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (OUT / name).write_bytes(data)


if __name__ == "__main__":
    main()
