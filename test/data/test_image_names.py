# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcis_ros.data.image_names import ImageFolder, name_parts, variants


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("images/a.jpg", "images/more/b.jpg", "images/c d.jpg", "secret.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("more/b.jpg", "more/b.jpg"),
        (r"more\b.jpg", "more/b.jpg"),
        (r"C:\data\more\b.jpg", "more/b.jpg"),
        ("/data/upload/1/a.jpg", "a.jpg"),
        ("images/1/a.jpg", "a.jpg"),
        ("/data/local-files/?d=set/more/b.jpg", "more/b.jpg"),
        ("https://host/bucket/a.jpg?signature=1/2", "a.jpg"),
        ("s3://bucket/more/b.jpg", "more/b.jpg"),
        ("c%20d.jpg", "c d.jpg"),
        ("../more/b.jpg", "more/b.jpg"),
    ],
)
def test_path_of_the_longest_existing_end_is_found(folder, name, stored):
    assert ImageFolder(folder, [name, "other.jpg"]).path_of(name) == folder / stored
    assert ImageFolder(folder, [str(folder / stored)]).path_of(str(folder / stored)) == folder / stored


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "/secret.jpg", "x/../../secret.jpg", r"..\secret.jpg", "..", "/", "%2e%2e/secret.jpg"]
)
def test_path_of_a_file_outside_of_the_folder_is_not_found(folder, name):
    path = ImageFolder(folder, [name]).path_of(name)
    assert folder in path.parents and not path.is_file()


def test_path_of_an_end_of_several_images_is_none_of_them(folder):
    images = ImageFolder(folder, ["x/a.jpg", "y/a.jpg", "more/b.jpg"])
    assert images.path_of("x/a.jpg") == folder / "x/a.jpg" and images.path_of("more/b.jpg").is_file()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_path_of_other_unicode_form_is_found(folder, form):
    """macOS writes names decomposed, other systems as they were typed."""
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    stored, name = (unicodedata.normalize(f, "höhe/Straße é.jpg") for f in (form, other))
    (folder / stored).parent.mkdir()
    (folder / stored).touch()
    assert ImageFolder(folder, [name]).path_of(name) == folder / stored


@pytest.mark.parametrize("blank", ["\u00a0", "\u202f", "\u3000", "\u200b", "\u200d"])
def test_path_of_names_with_blanks_of_any_kind_is_found(folder, blank):
    (folder / f"a{blank}b.jpg").touch()
    assert ImageFolder(folder, [f"a{blank}b.jpg"]).path_of(f"a{blank}b.jpg").is_file()


def test_path_of_a_name_with_a_backslash_is_found_as_it_is(folder):
    (folder / r"a\b.jpg").touch()
    assert ImageFolder(folder, [r"a\b.jpg"]).path_of(r"a\b.jpg") == folder / r"a\b.jpg"


PRINTED = st.characters().filter(lambda character: unicodedata.category(character) not in ("Cs", "Cc"))


@given(st.text(PRINTED, min_size=1, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_path_of_any_name_lies_in_the_folder(folder, name):
    path = ImageFolder(folder, [name]).path_of(name)
    assert folder in path.parents and ".." not in path.parts
    assert all(".." not in parts and "/" not in "".join(parts) for parts in variants(name))
    assert name_parts("/".join(name_parts(name))) in ((), name_parts(name)) or "?d=" in name or ":" in name
