#!/usr/bin/env python3
"""join.py OUT SOURCES...: one source file that stands for several, so that what they all include is compiled once.

Each file is included in a namespace of its own, so that the names of one do not meet those of another. What it includes
comes before all of them, outside of the namespaces. A file that this would change is refused.
"""
import re
import sys
from pathlib import Path


def refuse(path, number, why):
    sys.exit(f"{path}:{number}: {why}, so this file cannot be joined with others: see tests/CMakeLists.txt")


def headers(path):
    """The lines that include what the file needs."""
    code, found = False, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := re.match(r'#\s*include ([<"])(.*)[>"]', line):
            if match[2].endswith(".inc"):  # part of the file
                continue
            if code:
                refuse(path, number, "a header is included behind code")
            beside = path.parent / match[2]
            found.append(f'#include "{beside}"' if match[1] == '"' and beside.exists() else match[0])
        elif re.match(r"#\s*(define|undef)", line):
            refuse(path, number, "a macro is defined")
        elif re.match(r"(inline )?namespace (dupq|std|doctest)\b(?! *=)", line):
            refuse(path, number, "it adds to a namespace of others")
        elif line and not line.startswith(("//", "#")):
            code = True
    return found


def main():
    out, sources = Path(sys.argv[1]), [Path(name).resolve() for name in sys.argv[2:]]
    included = dict.fromkeys(line for source in sources for line in headers(source))
    bodies = [f'namespace joined_{source.stem} {{\n#include "{source}"\n}}' for source in sources]
    out.write_text("\n".join([*included, *bodies, ""]), encoding="utf-8")


main()
