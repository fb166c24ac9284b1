# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Optional libraries of commands."""

import contextlib
from collections.abc import Iterator

from fcis_ros.errors import InputError, OperatorsError


@contextlib.contextmanager
def needing(hint: str) -> Iterator[None]:
    """Turns an ImportError into an InputError that names the missing library and how to install it.

    Args:
        hint: command for libraries whose name differs from that of their pip package.
    """
    try:
        yield
    except OperatorsError:  # names its remedy
        raise
    except ImportError as error:
        name = (error.name or "").split(".")[0]
        how = f"pip install {name}" if name in ("rosbags", "matplotlib", "jinja2", "tqdm") else hint
        if error.name is None:
            raise InputError(f"not usable here: {error}; {hint}".replace("\n", " ")) from None
        raise InputError(f"{error.name}: not usable here ({error}); {how}".replace("\n", " ")) from None
