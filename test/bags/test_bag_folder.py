# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which files a recording has, whatever its metadata.yaml says."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcis_ros.bags.bag_folder import BagFile, bag_files
from fcis_ros.errors import InputError

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def listing(*names, **fields):
    """The content of a metadata.yaml that names these files."""
    return json.dumps({"rosbag2_bagfile_information": {"relative_file_paths": names, **fields}})


def folder_with(path, *names, metadata=None):
    for name in names:
        (path / name).write_text("x")
    if metadata is not None:
        (path / "metadata.yaml").write_text(metadata)
    return path


def test_bag_files_without_metadata_are_in_natural_order(tmp_path):
    """Other files, and those that macOS adds, are none of the recording's."""
    folder_with(tmp_path, "s_10.mcap", "s_9.mcap.zstd", "s_8.db3.zst", "notes.txt", "._s_9.mcap", ".DS_Store", "s.db3-wal")
    files, findings = bag_files(tmp_path)
    assert [file.path.name for file in files] == ["s_8.db3.zst", "s_9.mcap.zstd", "s_10.mcap"] and not findings


def test_bag_files_recordings_in_folders_beside_loose_files_are_remarked(tmp_path):
    for name in ("a", "b", "notes"):
        (tmp_path / name).mkdir()
    folder_with(tmp_path, "loose.mcap", "a/a.db3", "b/metadata.yaml", "notes/readme.txt")
    files, (remark,) = bag_files(tmp_path)
    assert [file.path.name for file in files] == ["loose.mcap"] and not remark.lost
    assert remark.text == "its files are read as one recording; the recordings in its folders are not: a, b"


@pytest.mark.parametrize("content", ["", "\n", "a: [", "{}", "{}: 3", "&a [*a]", "- 1", listing(), "\0", listing("a/")[:-3]])
def test_bag_files_unusable_metadata_is_one_line(tmp_path, content):
    content = content.format("rosbag2_bagfile_information") if content.startswith("{}") else content
    folder_with(tmp_path, metadata=content)
    with pytest.raises(InputError, match="not a readable rosbag2 folder .metadata.yaml: ") as error:
        bag_files(tmp_path)
    assert "\n" not in str(error.value) and "NoneType" not in str(error.value)
    folder_with(tmp_path, "b.mcap", "a.mcap")
    files, (finding,) = bag_files(tmp_path)
    assert [file.path.name for file in files] == ["a.mcap", "b.mcap"] and not finding.lost
    assert finding.source == f"{tmp_path.name}/metadata.yaml" and "\n" not in finding.text


def test_bag_files_folder_that_cannot_be_listed_is_refused(tmp_path, monkeypatch):
    def iterdir(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", iterdir)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)$"):
        bag_files(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_bag_files_metadata_of_other_systems_is_read(tmp_path, encoding):
    """A byte order mark, and paths of Windows."""
    (tmp_path / "metadata.yaml").write_text(listing("drive\\b.mcap", "drive/a.mcap"), encoding=encoding)
    folder_with(tmp_path, "a.mcap", "b.mcap")
    assert bag_files(tmp_path) == ([BagFile(tmp_path / "b.mcap", True), BagFile(tmp_path / "a.mcap", True)], [])


@pytest.mark.parametrize(
    ("named", "there"), [("a.mcap", "a.mcap.zstd"), ("a.mcap.zstd", "a.mcap"), ("a.mcap.zstd", "a.mcap.zst")]
)
def test_bag_files_are_taken_as_they_are_stored(tmp_path, named, there):
    folder_with(tmp_path, there, metadata=listing(named))
    assert bag_files(tmp_path) == ([BagFile(tmp_path / there, True)], [])


def test_bag_files_unlisted_and_missing_files_are_both_returned(tmp_path):
    files = [{"path": "a.mcap", "message_count": 7}, {"path": "b.mcap", "message_count": 9}]
    folder_with(tmp_path, "a.mcap", "c.mcap", metadata=listing("a.mcap", "b.mcap", files=files))
    expected = [BagFile(tmp_path / "a.mcap", True, 7), BagFile(tmp_path / "b.mcap", True, 9), BagFile(tmp_path / "c.mcap")]
    assert bag_files(tmp_path) == (expected, [])


@pytest.mark.parametrize(("there", "lost"), [(("x.mcap", "y.mcap"), False), (("x.mcap",), True)])
def test_bag_files_renamed_files_are_read(tmp_path, there, lost):
    folder_with(tmp_path, *there, metadata=listing("a.mcap", "b.mcap"))
    files, (finding,) = bag_files(tmp_path)
    assert [file.path.name for file in files] == [*there] and finding.lost == lost
    assert finding.text == f"names a.mcap, b.mcap, but the folder has {', '.join(there)}: these are read"


@pytest.mark.parametrize(
    ("name", "says"),
    [("a.mcap", "a.mcap: no such recording"), ("a", "a: no such recording"), ("", "no metadata.yaml and no .mcap or .db3")],
)
def test_bag_files_other_path_is_refused(tmp_path, name, says):
    with pytest.raises(InputError, match=says):
        bag_files(tmp_path / name)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=9) | st.sampled_from(["a.mcap", "b.mcap", "../c.mcap", "."]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["relative_file_paths", "files", "path", "message_count"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@FUZZ
@given(content=JSON)
def test_bag_files_any_metadata_gives_files_of_the_folder(tmp_path, content):
    folder_with(tmp_path, "a.mcap", metadata=json.dumps({"rosbag2_bagfile_information": content}))
    files, _ = bag_files(tmp_path)
    assert all(file.path.parent == tmp_path for file in files)
