# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Shards of an evaluation, once merged, are the very bytes of one evaluation of everything."""

import random
import shutil

import pytest
from bag_evaluations import contents, run, run_shards, written

from fcis_ros.errors import InputError
from fcis_ros.evaluation.spec import Shard
from fcis_ros.findings import Finding, from_json
from fcis_ros.results.merge import find_shards, merge
from fcis_ros.results.run_report import write_report


def merged(folders, out):
    out.mkdir()
    merge(*find_shards(folders), out)
    write_report(out)
    return contents(out)


@pytest.mark.parametrize(
    ("count", "annotated", "moved"),
    [(2, True, False), (5, False, False), (5, True, True), (12, True, False), (30, True, False)],
)
def test_merge_shards_equals_one_evaluation(bag, scenes, tmp_path, count, annotated, moved):
    """Also of more shards than frames, and in any order of their folders; tracks go on from shard to shard."""
    objects = [{**entry, "track_id": 1 + entry["category_id"]} for entry in scenes[1]["annotations"]]
    truth = written(tmp_path / "truth.json", scenes[1], annotations=objects) if annotated else None
    report = run(bag, truth, tmp_path / "whole", score=0.1)
    assert bool(report["tracks"]) == annotated
    run_shards(bag, truth, tmp_path / "shards", count, score=0.1)
    folders = [tmp_path / "shards"]
    if moved:
        folders = [shutil.move(path, tmp_path / f"machine{i}") for i, path in enumerate((tmp_path / "shards").iterdir())]
        random.Random(0).shuffle(folders)
    assert merged(folders, tmp_path / "merged") == contents(tmp_path / "whole")


def test_merge_annotation_of_several_shards_counts_once(bags, scenes, tmp_path):
    """Equal stamps: the first frame of all is the annotated one, as in one run; only pictures differ."""
    entries, content = scenes
    for entry in entries[2:]:
        entry[2].header.stamp = entries[2][2].header.stamp
    images = [{**image, "stamp_ns": bags.START + index} for index, image in enumerate(content["images"][:3])]
    kept = {image["id"] for image in images}
    annotations = [entry for entry in content["annotations"] if entry["image_id"] in kept]
    truth = written(tmp_path / "truth.json", content, images=images, annotations=annotations)
    bag = bags.write(entries)
    report = run(bag, truth, tmp_path / "whole")
    assert (report["frames_annotated"], report["frames_repeated"]) == (3, 9)
    run_shards(bag, truth, tmp_path / "shards", 4)
    files = contents(tmp_path / "whole"), merged([tmp_path / "shards"], tmp_path / "merged")
    whole, joined = ({path: data for path, data in of.items() if path.suffix not in (".jpg", ".html")} for of in files)
    assert joined == whole


def test_find_shards_findings_of_all_are_merged(bag, tmp_path):
    """Two machines may notice different things, such as a second copy of a file."""
    common, copy = Finding("bag", "cut off"), Finding("bag", "two files with the same frames", lost=False)
    for number, findings in ((1, [common]), (2, [common, copy]), (3, [])):
        run(bag, None, tmp_path / f"shards/part-{number}-of-3", shard=Shard(number, 3), findings=findings)
    assert from_json(find_shards([tmp_path / "shards"])[1]["findings"]) == (common, copy)


def test_find_shards_of_different_evaluations_are_refused(bag, annotations, bags, scenes, tmp_path):
    run_shards(bag, annotations, tmp_path / "shards", 3, [1, 2])
    shorter = bags.write(scenes[0][:11], name="shorter")
    images = written(tmp_path / "some.json", scenes[1], images=scenes[1]["images"][:11], annotations=[])
    for other, says, arguments in (
        ("truth", "shard of another evaluation than .*: other truth|recordings", (shorter, images, 0.5, Shard(3, 3))),
        ("score", "shard of another evaluation than .*: other score", (bag, annotations, 0.1, Shard(3, 3))),
        ("count", r".*: other number of shards \(3 and 5\)", (bag, annotations, 0.5, Shard(3, 5))),
        ("again", "shard 2 is given twice", (bag, annotations, 0.5, Shard(2, 3))),
    ):
        recording, truth, score, shard = arguments
        run(recording, truth, tmp_path / other, score=score, shard=shard)
        with pytest.raises(InputError, match=f"{other}: {says}"):
            find_shards([tmp_path / "shards", tmp_path / other])
    with pytest.raises(InputError, match="no shard of an evaluation in it"):
        find_shards([tmp_path / "shards/part-1-of-3/pictures"])
