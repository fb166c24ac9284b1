# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Parts that were evaluated apart are, once joined, the very bytes of one run over everything."""

import json
import random
import shutil

import pytest
from bag_evaluations import Network, contents, run, written

from fcis_ros.cli.main import main
from fcis_ros.errors import InputError
from fcis_ros.evaluation.spec import Shard
from fcis_ros.results.merge import find_shards, merge, shard_path
from fcis_ros.results.run_report import write_report


def run_shards(bag, annotations, folder, count, numbers=None):
    for number in numbers or range(1, count + 1):
        run(bag, annotations, shard_path(folder, number, count), shard=Shard(number, count))


def merged(folder, out):
    shards, what = find_shards([folder] if not isinstance(folder, list) else folder)
    out.mkdir()
    merge(shards, what, out)
    write_report(out)
    return contents(out)


@pytest.mark.parametrize("count", [2, 5, 7, 12, 30])
def test_merge_shards_equals_one_evaluation(bag, annotations, tmp_path, count):
    run(bag, annotations, tmp_path / "whole")
    run_shards(bag, annotations, tmp_path / "shards", count)
    assert merged(tmp_path / "shards", tmp_path / "merged") == contents(tmp_path / "whole")


def test_merge_any_order_of_folders_equals_one_evaluation(bag, annotations, tmp_path):
    run(bag, annotations, tmp_path / "whole")
    run_shards(bag, annotations, tmp_path / "shards", 5)
    folders = []
    for number, folder in enumerate(sorted((tmp_path / "shards").iterdir())):
        folders.append(shutil.move(folder, tmp_path / f"machine{number}"))
    random.Random(0).shuffle(folders)
    assert merged(folders, tmp_path / "merged") == contents(tmp_path / "whole")


def test_merge_without_ground_truth_equals_one_evaluation(bag, tmp_path):
    run(bag, None, tmp_path / "whole")
    run_shards(bag, None, tmp_path / "shards", 5)
    assert merged(tmp_path / "shards", tmp_path / "merged") == contents(tmp_path / "whole")


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
    whole, joined = contents(tmp_path / "whole"), merged(tmp_path / "shards", tmp_path / "merged")
    for files in (whole, joined):
        for path in [path for path in files if path.suffix in (".jpg", ".html")]:
            del files[path]
    assert joined == whole


def test_find_shards_of_different_evaluations_are_refused(bag, annotations, bags, scenes, tmp_path):
    run_shards(bag, annotations, tmp_path / "shards", 3, [1, 2])
    other = bags.write(scenes[0][:11], name="other")
    (tmp_path / "some.json").write_text(json.dumps({**scenes[1], "images": scenes[1]["images"][:11], "annotations": []}))
    run(other, tmp_path / "some.json", tmp_path / "of_another", shard=Shard(3, 3))
    with pytest.raises(InputError, match="of_another: shard of another evaluation than .*: other truth|recordings"):
        find_shards([tmp_path / "shards", tmp_path / "of_another"])
    run(bag, annotations, tmp_path / "score", shard=Shard(3, 3), score=0.1)
    with pytest.raises(InputError, match="score: shard of another evaluation than .*: other score"):
        find_shards([tmp_path / "shards", tmp_path / "score"])
    run(bag, annotations, tmp_path / "of_five", shard=Shard(3, 5))
    with pytest.raises(InputError, match=r"other number of shards \(3 and 5\)"):
        find_shards([tmp_path / "shards", tmp_path / "of_five"])
    run(bag, annotations, tmp_path / "again", shard=Shard(2, 3))
    with pytest.raises(InputError, match="again: shard 2 is given twice"):
        find_shards([tmp_path / "shards", tmp_path / "again"])
    with pytest.raises(InputError, match="no shard of an evaluation in it"):
        find_shards([tmp_path / "shards/part-1-of-3/pictures"])


def test_evaluate_merge_incomplete_shards_are_reported(bag, annotations, tmp_path, capsys):
    folder = tmp_path / "shards"
    run_shards(bag, annotations, folder, 4, [1, 3])
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, shard_path(folder, 2, 4), Network(fails_at=3), shard=Shard(2, 4))
    assert main(["evaluate-merge", str(folder), "--status"]) == 1
    expected = "2 of 4 shards complete, 1 interrupted, 1 not begun\nshard 2: interrupted, 2 frames\nshard 4: not begun\n"
    assert capsys.readouterr().out == expected
    assert main(["evaluate-merge", str(folder)]) == 2 and not (folder / "merged").exists()
    assert "shard 2: interrupted, 2 frames; shard 4: not begun" in capsys.readouterr().err
    assert main(["evaluate-merge", str(folder), "--partial"]) == 0
    report = json.loads((folder / "merged/report.json").read_text())
    assert (report["complete"], report["state"], report["frames_in"]) == (False, "partial", 8)
    run_shards(bag, annotations, folder, 4, [2, 4])  # resumed
    assert main(["evaluate-merge", str(folder)]) == 0
    assert json.loads((folder / "merged/report.json").read_text())["complete"]
    assert main(["evaluate-merge", str(folder), "--status"]) == 0
