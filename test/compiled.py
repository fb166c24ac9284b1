# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""C++ and CUDA sources compiled for tests, once per content: results stay in ``build/test`` under a hash of their sources."""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "test"
CXX = os.environ.get("CXX", "g++")
Word = str | Path


def run(command: Sequence[Word]) -> str:
    """Standard output of a command that must succeed and must not warn."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr[-6000:]}"
    return done.stdout


@cache
def _compiler() -> str:
    return run([CXX, "--version"])


def once(content: str, suffix: str, make: Callable[[Path], object]) -> Path:
    """The file that ``make(path)`` wrote for this content, now or earlier; two processes that want it make it once.

    Args:
        content: text that identifies the result: commands and the sources they read.
        suffix: ending of the file name.
        make: function that writes the file at the path it gets.
    """
    path = FOLDER / (hashlib.sha256(f"{_compiler()}\0{content}".encode()).hexdigest()[:24] + suffix)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            partial = path.with_name(f"partial_{path.name}")
            make(partial)
            os.replace(partial, path)
    return path


def compile_object(source: Word, flags: Sequence[Word]) -> Path:
    """The object file of one source; the key is what the preprocessor makes of it, so every header and macro counts."""
    flags = ["-x", "c++", *flags]
    text = run([CXX, *flags, "-E", source])
    seen_by_preprocessor = ("-D", "-I", "-isystem")
    others = [str(flag) for flag in flags if not str(flag).startswith(seen_by_preprocessor)]
    return once(" ".join(others) + text, ".o", lambda path: run([CXX, *flags, "-c", source, "-o", path]))


def build(sources: Sequence[tuple[Word, Sequence[Word]]], link: Sequence[Word] = ()) -> Path:
    """A program, or a library if ``-shared`` is in ``link``, from sources that are compiled in parallel.

    Args:
        sources: C++ or CUDA sources, compiled as C++, each with the flags of its compilation.
        link: flags of the linker, libraries included.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda job: compile_object(*job), sources))
    command = [CXX, *objects, *link]
    return once(" ".join(map(str, command)), ".so" if "-shared" in link else "", lambda path: run([*command, "-o", path]))
