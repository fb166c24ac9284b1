# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Output of commands: findings on the terminal, and result folders that are replaced as a whole."""

import contextlib
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from fcis_ros.errors import InputError
from fcis_ros.files import UNWRITABLE
from fcis_ros.findings import Finding, exit_status, shortened


def print_findings(findings: Iterable[Finding]) -> int:
    """Prints findings to the standard error, a line each; the remarks come first, so that the last line explains the status.

    Of more than ``LISTED`` remarks, or things that are lost, the others are only counted.

    Args:
        findings: findings of everything that the command has read.

    Returns:
        The exit status that follows from the findings alone.
    """
    findings = list(findings)
    print(end="", flush=True)  # so that the lines come last where both outputs go to one file
    for lost, head in ((False, "fcis: remark: "), (True, "fcis: ")):
        for line in shortened([str(finding) for finding in findings if finding.lost == lost]):
            print(head + printable(line), file=sys.stderr)
    return exit_status(findings)


def printable(line: str) -> str:
    """Escapes what would move the cursor, add lines or cannot be printed: anyone may have written the input.

    Blanks of other scripts (category Zs), which names have, stay.
    """
    return "".join(
        char if char.isprintable() or unicodedata.category(char) == "Zs" else repr(char)[1:-1] for char in line
    )


@contextlib.contextmanager
def finished_folder(path: Path, proof: str, log: str | None = None) -> Iterator[Path]:
    """Yields ``PATH.partial`` and renames it to ``path`` at the end; an error removes it, except for the log.

    The earlier or the new result is complete at every moment, in ``path`` or, during the exchange, in ``PATH.old``.

    Args:
        path: folder of the result; an earlier result is replaced.
        proof: name of a file that identifies an earlier result, so that no other folder is deleted.
        log: name of a file in the folder that an error moves to ``PATH.LOG``; the error names it.

    Raises:
        InputError: ``path`` exists and is no earlier result, or cannot be written.
    """
    path = path.absolute()
    partial, old = path.with_name(path.name + ".partial"), path.with_name(path.name + ".old")
    kept = path.with_name(f"{path.name}.{log}") if log else None
    for folder in (path, old):
        if folder.exists() and not (folder.is_dir() and ((folder / proof).is_file() or not any(folder.iterdir()))):
            raise InputError(f"{folder}: exists and is not an earlier result (no {proof} in it); choose another folder")
    try:
        if old.exists() and not path.exists():
            old.rename(path)  # a process was killed during the exchange
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{partial}: cannot be created ({error.strerror})") from None
    try:
        yield partial
        _replace(path, partial, old)
    except BaseException as error:
        note = _keep(partial / log, kept) if log and kept and isinstance(error, Exception) else ""
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise InputError(f"{path}: cannot be written ({error.strerror}){note}") from None
        if isinstance(error, InputError) and note:
            raise InputError(f"{error}{note}") from None
        raise
    if kept:
        kept.unlink(missing_ok=True)  # of an earlier failure


@contextlib.contextmanager
def finished_bag(path: Path, topic: str) -> Iterator[Path]:
    """Like ``finished_folder``, for a rosbag2 folder, which its writer creates under its final name.

    Args:
        path: folder of the recording; an earlier result is replaced.
        topic: topic that identifies an earlier result, so that no other recording is deleted.

    Raises:
        InputError: ``path`` exists and is no earlier result, or cannot be written.
    """
    metadata = path / "metadata.yaml"
    other = [file.name for file in path.glob("*") if file != metadata and file.suffix != ".mcap"]
    if metadata.is_file() and (other or f"name: {topic}\n" not in metadata.read_text(encoding="utf-8", errors="replace")):
        raise InputError(f"{path}: exists and is not an earlier result (a recording without {topic}); choose another folder")
    with finished_folder(path, proof="metadata.yaml") as folder:
        bag = folder / path.absolute().name
        yield bag
        for file in bag.iterdir():
            file.rename(folder / file.name)
        bag.rmdir()


def _replace(path: Path, new: Path, old: Path) -> None:
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _keep(log: Path, kept: Path) -> str:
    if not log.is_file():
        return ""
    with contextlib.suppress(OSError):
        log.replace(kept)
        return f" (log: {kept})"
    return ""
