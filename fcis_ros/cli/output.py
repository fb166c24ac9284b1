"""Result folders that appear whole or not at all."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from fcis_ros.errors import InputError


@contextlib.contextmanager
def finished_folder(path: Path, proof: str) -> Iterator[Path]:
    """Gives ``PATH.partial`` to fill, and renames it to ``path`` at the end; on an error nothing stays.

    Args:
        path: the result; an earlier one is replaced.
        proof: file that shows that ``path`` is an earlier result, so that nothing else is ever deleted.

    Raises:
        InputError: ``path`` exists and is something else, or cannot be written.
    """
    path = path.absolute()
    if path.exists() and not (path.is_dir() and ((path / proof).is_file() or not any(path.iterdir()))):
        raise InputError(f"{path}: exists and is not an earlier result (no {proof} in it); choose another folder")
    partial = path.with_name(path.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{partial}: cannot be created ({error.strerror})") from None
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
