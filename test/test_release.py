# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Requirements of a release: notices in every file, a changelog for the release tools, a quality declaration with evidence."""

import re
from datetime import date
from pathlib import Path

import pytest

import fcis_ros

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = ROOT / "CHANGELOG.rst"
FOLDERS = "benchmarks csrc examples experiments fcis_ros include launch msg scripts srv test tools".split()
MARKS = {suffix: "#" for suffix in (".py", ".sh", ".msg", ".srv", "")} | dict.fromkeys((".cpp", ".hpp", ".h", ".cu"), "//")
NOTICE = ("Copyright 2026 fcis_ros maintainers", "SPDX-License-Identifier: Apache-2.0")


def sources() -> list[Path]:
    """Every hand-written source file; a file without a suffix is a script."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    written = [path for path in files if path.suffix in MARKS or path.name == "CMakeLists.txt"]
    written = [path for path in written if "__pycache__" not in path.parts]
    return [*written, ROOT / "setup.py", ROOT / "Makefile", ROOT / "CMakeLists.txt"]


def test_sources_all_files_have_copyright_and_licence():
    """``ruff check`` covers Python files only."""
    assert f"   {NOTICE[0]}\n" in (ROOT / "LICENSE").read_text()
    found = [path for path in sources() if not {"build", "install", "log"} & set(path.relative_to(ROOT).parts)]
    assert {path.suffix for path in found} > set(MARKS) and len(found) > 250
    assert sum(path.name == "CMakeLists.txt" for path in found) > 1
    for path in found:
        lines = path.read_text().splitlines()
        lines = lines[lines[0].startswith("#!") :]
        mark = MARKS.get(path.suffix, "#")
        assert lines[:2] == [f"{mark} {line}" for line in NOTICE], path.relative_to(ROOT)


def test_quality_declaration_named_paths_exist_and_readme_links_it():
    text = (ROOT / "QUALITY_DECLARATION.md").read_text()
    paths = [name for name in re.findall(r"`([^`\s]+)`", text) if "/" in name or re.search(r"\.\w{2,4}$|^LICENSE$", name)]
    assert len(paths) > 15 and [name for name in paths if not (ROOT / name).exists()] == []
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ") and "**" not in line.split("|")[1]]
    assert all(len(row) == 3 and row[2].strip() for row in rows) and len(rows) > 15
    assert "(QUALITY_DECLARATION.md)" in (ROOT / "README.md").read_text()


def test_changelog_form_follows_rep_132():
    """REP-132: a title, one section per version with its date, newest first, in each a list of changes."""
    text = CHANGELOG.read_text()
    title = "Changelog for package fcis_ros"
    assert text.splitlines()[:3] == ["^" * len(title), title, "^" * len(title)]
    sections = re.findall(r"^(.+)\n(-+)\n((?:(?!.+\n-+\n).*\n)*)", text, re.MULTILINE)
    assert sections and text.count("\n---") == len(sections)
    versions = []
    for number, (heading, line, body) in enumerate(sections):
        assert len(line) == len(heading)
        assert body.startswith("* ") and all(row.startswith(("* ", "  ")) or not row for row in body.splitlines()), heading
        if heading != "Forthcoming":
            version, day = re.fullmatch(r"(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)", heading).groups()
            versions.append((date.fromisoformat(day), [int(part) for part in version.split(".")]))
        else:
            assert number == 0
    assert versions == sorted(versions, reverse=True)
    if versions and sections[0][0] != "Forthcoming":
        assert versions[0][1] == [int(part) for part in fcis_ros.__version__.split(".")]


@pytest.mark.ros
def test_changelog_as_a_release_is_read_by_catkin_pkg(tmp_path):
    """With "Forthcoming" replaced by a version, because release tools skip that section."""
    from catkin_pkg.changelog import get_changelog_from_path  # in every ROS 2

    text = CHANGELOG.read_text()
    released = text.replace("Forthcoming\n-----------", "99.0.0 (2099-01-01)\n-------------------")
    (tmp_path / "CHANGELOG.rst").write_text(released)
    changelog = get_changelog_from_path(str(tmp_path / "CHANGELOG.rst"), "fcis_ros")
    lists = [part for _, _, content in changelog.foreach_version() for part in content]
    assert sum(len(part.bullets) for part in lists) == text.count("\n* ") > 0
