# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Commands that need more than others say what is missing."""

import contextlib
from collections.abc import Iterator

from fcis_ros.errors import InputError


@contextlib.contextmanager
def needing(hint: str) -> Iterator[None]:
    """Says which library is missing, and how to get it: ``hint`` for what pip alone does not bring."""
    try:
        yield
    except ImportError as error:
        name = (error.name or "").split(".")[0]
        how = f"pip install {name}" if name in ("rosbags", "matplotlib", "jinja2", "tqdm") else hint
        if error.name is None:
            raise InputError(f"not usable here: {error}; {hint}".replace("\n", " ")) from None
        raise InputError(f"{error.name}: not usable here ({error}); {how}".replace("\n", " ")) from None
