# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Exceptions that mean "your input or installation is wrong", as opposed to "our code is wrong"."""


class InputError(ValueError):
    """Something from outside (a file, a frame, a parameter) cannot be used.

    The message is one line that names the thing and says what is wrong with it. The command line prints it and exits with
    status 2; the node counts it and serves the next frame.
    """


def reason_of(error: Exception) -> str:
    """Returns what a library says in one line of at most 300 characters; the type of the error if it says nothing."""
    return " ".join(str(error).split())[:300] or type(error).__name__


class OperatorsError(ImportError):
    """The compiled operators are missing or stale; the message is one line with the command that builds them."""
