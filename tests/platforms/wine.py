"""What builds for Windows with MinGW's g++ and runs it with Debian's Wine. As a program, the steps of ctest:

wine.py build        builds the tool, and starts Wine, for those that follow
wine.py run COMMAND  runs a test of the command line (DUPQ and DUPQ_RUNNER are set)
wine.py end          ends Wine

Needs x86_64-w64-mingw32-g++-posix and wine64: where they are not installed a step is skipped (status 77), but fails where
CI=true. Environment: DUPQ_BUILD, where to build.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = pathlib.Path(os.environ["DUPQ_BUILD"]) / "windows"
COMPILER = "x86_64-w64-mingw32-g++-posix"
WINE = "/usr/lib/wine/wine64"
DOCTEST = pathlib.Path("/usr/include/doctest")
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]

# No window, no debugger that waits for somebody, no server but for these tests. LC_ALL: as what Wine takes the names of
# this machine.
ENVIRONMENT = {**os.environ, "HOME": str(FOLDER), "WINEPREFIX": str(FOLDER / "wine"), "WINEDEBUG": "-all", "LC_ALL": "C.UTF-8",
               "WINEDLLOVERRIDES": "winedbg.exe,winemenubuilder.exe,explorer.exe=d;mscoree,mshtml="}
ENVIRONMENT.pop("DISPLAY", None)
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def missing():
    """What is needed and not installed; nothing if all is there."""
    return [name for name, there in ((COMPILER, shutil.which(COMPILER)), ("wine64", os.path.exists(WINE)),
                                     ("doctest", DOCTEST.is_dir())) if not there]


def compile(name, *sources, flags=("-O1",)):
    """Builds a program into FOLDER; returns it, or raises with what the compiler says."""
    (FOLDER / "include").mkdir(parents=True, exist_ok=True)
    if not (FOLDER / "include/doctest").exists():
        (FOLDER / "include/doctest").symlink_to(DOCTEST)  # not all of /usr/include, which is this machine's
    out = FOLDER / name
    done = subprocess.run(
        [COMPILER, "-std=c++20", *WARNINGS, *flags, "-static", "-s", "-Wa,-mbig-obj", f"-I{ROOT}/include", f"-I{ROOT}/tests",
         f"-I{ROOT}/tools/dupq", "-isystem", FOLDER / "include", f'-DDUPQ_TEST_DIR="{ROOT}/tests/unit"',
         *(ROOT / source for source in sources), "-o", out],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
    if done.returncode != 0:
        raise AssertionError(done.stdout[-4000:])
    return out


def start():
    """Starts Wine and leaves it running. What is started first starts services as well, which keep what they inherit, so
    that whoever waits for the end of a program's output would wait for them; and they end soon after the last program."""
    (FOLDER / "wine").mkdir(parents=True, exist_ok=True)
    subprocess.run(["/usr/lib/wine/wineserver64", "-p600"], env=ENVIRONMENT, timeout=60, check=True, **QUIET)
    subprocess.run([WINE, "wineboot", "-u"], env=ENVIRONMENT, timeout=120, check=True, stdin=subprocess.DEVNULL, **QUIET)


def keep():
    """A program that waits until its input is closed, and keeps Wine's services meanwhile. It runs when this returns: what
    starts earlier than it could start the services."""
    keeper = subprocess.Popen([WINE, "cmd"], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, start_new_session=True)
    keeper.stdin.write(b"echo up and running\r\n")
    keeper.stdin.flush()
    while line := keeper.stdout.readline():
        if b"up and running" in line:
            return keeper
    raise AssertionError("Wine does not start")


def let_go(keeper):
    keeper.stdin.close()
    keeper.wait(60)
    keeper.stdout.close()


def end():
    subprocess.run(["/usr/lib/wine/wineserver64", "-k"], env=ENVIRONMENT, timeout=60, check=False, **QUIET)


def main(step, *words):
    if missing():
        print(*missing(), "is not installed")
        return 1 if os.environ.get("CI") == "true" else 77
    if step == "build":
        end()
        shutil.rmtree(FOLDER / "wine", ignore_errors=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        for kernels in ("kernels", "training/kernels"):  # compiled once: dupq/kernels.hpp
            (FOLDER / f"{kernels.replace('/', '_')}.cpp").write_text(f"#include <dupq/{kernels}.hpp>\n")
        compile("dupq.exe", *sorted((ROOT / "tools/dupq").glob("*.cpp")), *sorted(FOLDER.glob("*kernels.cpp")),
                flags=("-O1", "-DDUPQ_SEPARATE_COMPILATION"))
        start()
    elif step == "run":
        keeper = keep()
        try:
            return subprocess.run(words, env={**ENVIRONMENT, "DUPQ": str(FOLDER / "dupq.exe"), "DUPQ_RUNNER": WINE}).returncode
        finally:
            let_go(keeper)
    elif step == "end":
        end()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
