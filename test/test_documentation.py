# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Commands, options and files that documentation and comments name exist."""

import argparse
import dataclasses
import fnmatch
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from fcis_ros.cli.main import parser
from fcis_ros.config import ModelConfig
from fcis_ros.training.train_config import TrainConfig

ROOT = Path(__file__).resolve().parents[1]
PAGE_FOLDERS = (".", "docs", "weights", "examples/*", "experiments")
PAGES = sorted(path for folder in PAGE_FOLDERS for path in ROOT.glob(f"{folder}/*.md"))
FOLDERS = [
    *(".ci", "benchmarks", "config", "csrc", "docs", "examples", "experiments", "fcis_ros", "include", "launch", "msg"),
    *("scripts", "srv", "test", "tools", "weights"),
]
SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".h", ".hpp", ".cpp", ".cu", ".cuh", ".sh", ".cmake", ".yaml", ".msg", ".srv")
) + [ROOT / name for name in ("Makefile", "CMakeLists.txt", "setup.py", "pyproject.toml")]
FILE = r"[\w.*-]+\.(?:py|h|hpp|cpp|cu|cuh|md|json|yaml|msg|srv|sh|xml|png|jpg|safetensors|j2)\b"
PATH = re.compile(rf"(?<![\w./~$}}>-])(?:{'|'.join(map(re.escape, FOLDERS))})/(?:[\w.*-]+/)*{FILE}")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
SPAN = re.compile(r"`([\w./*-]+\.(?:py|h|hpp|cpp|cu|cuh))`")
DEFINED = re.compile(r"`([\w./-]+\.py): (\w+(?:, \w+)*)`")  # names of a file
TEST = re.compile(r"`(test_\w+)`")
SETTING = re.compile(r"`(\w+)(?:: (\w+))?`")
FOREIGN = {"psroi_pooling.cu"}  # of the released FCIS
CPP_FILE = re.compile(r"(?<![\w./<*-])(?:\w+/)*[\w*]+\.(?:h|hpp|cpp|cu|cuh)\b")
CALL = re.compile(r"(?:(?<![\w./-])fcis|-m fcis_ros)\s+(?P<command>[a-z][a-z-]*)(?P<rest>[^|;&`\n]*)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def commands() -> dict[str, set[str]]:
    """{command: its options}."""
    (subparsers,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return {name: set(command._option_string_actions) for name, command in subparsers.choices.items()}


def calls(text: str) -> list[tuple[str, list[str]]]:
    """(command, options) of every command line of ``fcis`` in code: a block, or a span within a line."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    lines = [re.sub(r"\s#.*", "", line) for code in (*blocks, *spans) for line in re.sub(r"\\?\n\s+", " ", code).splitlines()]
    return [(call["command"], FLAG.findall(call["rest"])) for line in lines for call in CALL.finditer(line)]


def files(name: str, folder: Path) -> list[Path]:
    """Files to which a path, maybe with ``*``, leads from a folder, the repository's root, the package, or the headers."""
    return [path for parent in (ROOT, folder, ROOT / "include", ROOT / "fcis_ros") for path in parent.glob(name)]


def exists(name: str, folder: Path) -> bool:
    made = re.fullmatch(r"fcis_ros/(?:msg|srv)/[a-z_]+\.hpp", name)  # of the messages, by the build
    return bool(made) or bool(files(name, folder))


def defined(paths: Iterable[Path]) -> set[str]:
    """Functions and classes that files define."""
    return {name for path in paths for name in re.findall(r"^ *(?:def|class) (\w+)", path.read_text("utf-8"), re.MULTILINE)}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_page_names_commands_and_options_that_exist(page):
    known = commands()
    unknown = [
        f"{command} {' '.join(flag for flag in flags if flag not in known.get(command, ()))}"
        for command, flags in calls(page.read_text(encoding="utf-8"))
        if command not in known or not known[command].issuperset(flags)
    ]
    assert not unknown


def test_calls_are_found_in_blocks_and_spans():
    text = (
        "Use `fcis info --json` or fcis nothing.\n```\nxargs -I{} fcis train --out a \\\n    --steps 5   # not --this\n"
        "torchrun -m fcis_ros \\\n    evaluate --limit 3 | tee --append log\n```\n"
    )
    assert sorted(calls(text)) == [("evaluate", ["--limit"]), ("info", ["--json"]), ("train", ["--out", "--steps"])]
    assert sum(len(calls(page.read_text(encoding="utf-8"))) for page in PAGES) > 40


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_page_named_and_linked_files_exist(page):
    text = page.read_text(encoding="utf-8")
    names = {*PATH.findall(text), *LINK.findall(text), *SPAN.findall(text)} - FOREIGN
    known = {path.name for path in SOURCES}
    assert not [name for name in names if not exists(name, page.parent) and ("/" in name or name not in known)]


def test_pages_named_functions_and_tests_exist():
    tests = defined(path for folder in ("test", "experiments") for path in (ROOT / folder).rglob("test_*.py"))
    wrong = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        wrong += [f"{relative(page)}: {name}" for name in TEST.findall(text) if name not in tests]
        for file, names in DEFINED.findall(text):
            missing = set(names.split(", ")) - defined(files(file, page.parent))
            wrong += [f"{relative(page)}: {file}: {name}" for name in sorted(missing)]
    assert not wrong


def test_patent_map_named_settings_exist():
    """The last but one column of every table names files, and settings, alone or with a value that they can have."""
    model = ModelConfig(class_names=("car",))
    training = TrainConfig(model, steps=1)
    rows = [line.split(" | ") for line in (ROOT / "docs/patent-map.md").read_text(encoding="utf-8").splitlines()]
    settings = [setting for row in rows if len(row) > 2 for setting in SETTING.findall(row[-2])]
    assert len(settings) > 30
    for name, value in settings:
        config = model if hasattr(model, name) else training
        value = int(value) if value.isdecimal() else value or getattr(config, name)
        dataclasses.replace(config, **{name: value})


def test_sources_named_files_exist():
    wrong = []
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        wrong += [f"{relative(source)}: {name}" for name in PATH.findall(text) if not exists(name, source.parent)]
    assert not wrong


def test_cpp_comments_named_files_exist():
    """Names without a folder may be files of any folder of operators."""
    known = {path.name for path in SOURCES} | FOREIGN
    wrong = []
    for source in SOURCES:
        if source.suffix in (".h", ".hpp", ".cpp", ".cu", ".cuh"):
            comments = re.findall(r"//.*", source.read_text(encoding="utf-8"))
            named = [name for comment in comments for name in CPP_FILE.findall(comment)]
            wrong += [f"{relative(source)}: {name}" for name in named if not fnmatch.filter(known, Path(name).name)]
    assert not wrong
