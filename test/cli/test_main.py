# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The command line as people meet it: help, results, and one clear line for every kind of bad input."""

import itertools
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fcis_ros import Predictor
from fcis_ros.cli.main import COMMANDS, main
from fcis_ros.config import ModelConfig
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS

CONFIG = ModelConfig(
    class_names=("car", "pedestrian", "bicyclist"), backbone="resnet18", width=8, stride_in_1x1=False, short_side=64,
    max_side=128, reduced_channels=16, rpn_channels=8, anchor_scales=(1.0, 2.0), rpn_pre_nms=50, rpn_post_nms=10,
)  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny checkpoint with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    checkpoint.save(path, FCIS(CONFIG), {"trained_on": "nothing at all"})
    return path


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    return folder


@pytest.fixture
def annotations(tmp_path):
    path = tmp_path / "instances.json"
    write_annotations(path)
    return path


def write_annotations(path, **changes):
    content = {
        "images": [
            {"id": 7, "file_name": "a.png", "height": 48, "width": 64},
            {"id": 3, "file_name": "b.png", "height": 48, "width": 64},
        ],
        "categories": [{"id": 5, "name": "car"}, {"id": 2, "name": "pedestrian"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 5, "bbox": [8, 8, 16, 16], "area": 256, "iscrowd": 0,
             "segmentation": [[8, 8, 24, 8, 24, 24, 8, 24]]}
        ],
    }  # fmt: skip
    path.write_text(json.dumps({**content, **changes}))
    return path


def damaged(model, path, **changes):
    """The checkpoint with other metadata or tensors."""
    tensors = safetensors.torch.load_file(model)
    with safetensors.safe_open(model, "pt") as file:
        metadata = file.metadata()
    for key, value in changes.items():
        if isinstance(value, torch.Tensor):
            tensors[key] = value
        else:
            metadata[key] = value
    safetensors.torch.save_file(tensors, path, metadata)
    return path


def refused(capfd, arguments, *says):
    """The command exits with 2 and one line that says this."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capfd.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("fcis: ")]
    assert len(lines) == 1 and "Traceback" not in captured.err and captured.out == ""
    for part in says:
        assert str(part) in lines[0]


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as done:
        main([command, "--help"] if command else ["--help"])
    text = capsys.readouterr().out
    assert done.value.code == 0
    for name in COMMANDS if command is None else ():
        assert name in text


def test_info(model, capsys):
    assert main(["info", str(model)]) == 0
    text = capsys.readouterr().out
    for part in ("car, pedestrian, bicyclist", "resnet18", "nothing at all", torch.__version__, "device"):
        assert part in text
    assert main(["info", str(model), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["config"]["width"] == 8


@pytest.mark.parametrize("value", [0, -1.5, True, None, "", "a\nb\x1b[2J\ud800", [], [1, [2]], {"a": {"b": []}}, "x" * 10000])
def test_info_prints_whatever_provenance_holds(value, model, tmp_path, capsys):
    """One line per entry, whatever is in it, and nothing that a terminal would obey."""
    path = damaged(model, tmp_path / "odd.safetensors", provenance=json.dumps({"note\n": value, "last": 1}))
    assert main(["info", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("provenance:")
    assert lines[first + 1].startswith("  note\\n") and lines[first + 2].split() == ["last", "1"]
    assert all(line.isprintable() for line in lines)
    assert main(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"] == {"note\n": value, "last": 1}


@pytest.mark.parametrize("key", ["config", "provenance"])
@pytest.mark.parametrize("text", ["", "[]", "7", "NaN", "[" * 50_000, '{"class_names": 5, "a": 1e999}'])
def test_info_of_hostile_metadata(key, text, model, tmp_path, capfd):
    refused(capfd, ["info", damaged(model, tmp_path / "bad.safetensors", **{key: text})], "bad.safetensors", key)


@pytest.mark.parametrize(("unit", "precision"), [("amx_bf16", "bf16"), (None, "fp32")])
def test_info_says_what_auto_means_here_and_why(model, capsys, monkeypatch, unit, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("fcis_ros.model.hardware.cpu_bf16_unit", lambda: unit)
    assert main(["info", str(model)]) == 0
    text = capsys.readouterr().out
    assert f"device: cpu (PyTorch sees no CUDA device)\nprecision: {precision} (the CPU has {unit or 'none of'}" in text
    assert main(["info", str(model), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["device"], about["precision"]) == ("cpu", precision)
    assert about["why"]["device"] == "PyTorch sees no CUDA device" and (unit or "none of") in about["why"]["precision"]


def test_predict(model, images, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["predict", str(images), "--out", str(out), "--checkpoint", str(model), "--min-score", "0"]) == 0
    pictures = ["a.png.overlay.jpg", "b.png.overlay.jpg"]
    assert sorted(path.name for path in out.iterdir()) == [*pictures, "images.json", "results.json"]
    assert cv2.imread(str(out / "a.png.overlay.jpg")).shape == (48, 64, 3)
    listed = json.loads((out / "images.json").read_text())
    assert [(image["id"], image["file_name"]) for image in listed["images"]] == [(1, "a.png"), (2, "b.png")]
    results = json.loads((out / "results.json").read_text())
    assert {result["image_id"] for result in results} == {1, 2}  # the untrained network finds something everywhere
    for result in results:
        assert set(result) == {"image_id", "category_id", "segmentation", "bbox", "score"}
    assert str(out) in capsys.readouterr().out


def test_predict_takes_ids_from_annotations(model, images, annotations, tmp_path):
    out = tmp_path / "out"
    arguments = ["predict", images / "b.png", "--annotations", annotations, "--out", out, "--checkpoint", model]
    assert main([str(argument) for argument in [*arguments, "--min-score", 0]]) == 0
    results = json.loads((out / "results.json").read_text())
    assert {result["image_id"] for result in results} == {3} and {result["category_id"] for result in results} <= {5, 2}
    assert len(COCO(str(annotations)).loadRes(str(out / "results.json")).getAnnIds()) == len(results)


def coco_results(model, images) -> list[dict]:
    """What the model says about the two images, as pycocotools takes it; classes have the numbers of the annotations."""
    predictor = Predictor.from_checkpoint(model, "cpu", precision="fp32")
    results = []
    for number, name in ((7, "a.png"), (3, "b.png")):
        found = predictor(cv2.imread(str(images / name))[..., ::-1].copy())
        for mask, label, score in zip(found.masks, found.labels, found.scores, strict=True):
            if label < 3:  # the annotations know no bicyclists
                encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
                results.append({"image_id": number, "category_id": {1: 5, 2: 2}[int(label)], "score": float(score),
                                "segmentation": encoded, "area": float(mask.sum())})  # fmt: skip
    return results


def test_evaluate(model, images, tmp_path, capsys):
    """Truth is every other of the cars that the model finds, and one that it cannot: pycocotools agrees on the AP."""
    results = coco_results(model, images)
    truth = [dict(result) for result in results if result["category_id"] == 5][1::2]
    assert len(truth) > 1
    for number, entry in enumerate(truth, start=1):
        mask = coco_mask.decode(entry["segmentation"])
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), columns.max() - columns.min() + 1, rows.max() - rows.min() + 1]
        counts = entry["segmentation"]["counts"].decode()
        entry |= {"id": number, "iscrowd": 0, "bbox": [int(value) for value in box]}
        entry["segmentation"] = {"size": [48, 64], "counts": counts}
        del entry["score"]
    missed = {"id": 99, "image_id": 3, "category_id": 5, "iscrowd": 0, "bbox": [0, 0, 3, 3], "area": 9,
              "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]]}  # fmt: skip
    annotations = write_annotations(tmp_path / "truth.json", annotations=[*truth, missed])

    out = tmp_path / "report"
    arguments = ["evaluate", "--annotations", annotations, "--images", images, "--checkpoint", model, "--out", out]
    assert main([*map(str, arguments), "--precision", "fp32"]) == 0
    said = capsys.readouterr().out
    result = json.loads((out / "report.json").read_text())
    assert result["frames_in"] == result["frames_out"] == 2 and result["fps"] > 0
    assert {path.name for path in out.iterdir()} == {"report.json", "report.html"}
    coco = COCO(str(annotations))
    evaluation = COCOeval(coco, coco.loadRes(results), "segm")
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][..., -1]  # [IoU, recall, class, area]
    for name, thresholds in (("AP", slice(None)), ("AP50", 0), ("AP75", 5)):
        own = precision[thresholds]
        assert result["ap"]["segm"][name] == pytest.approx(own[own > -1].mean(), abs=1e-6), name
    assert 0 < result["ap"]["segm"]["AP"] < 1
    assert result["ap"]["per_class"]["pedestrian"] is None
    assert f"{result['ap']['segm']['AP']:.3f}" in said and "car" in said
    assert said.splitlines()[-1] == f"-> {out / 'report.html'}"
    page = (out / "report.html").read_text()
    assert "a.png" in page and "data:image/jpeg;base64," in page
    assert main([*map(str, arguments), "--precision", "fp32", "--score", "0.01"]) == 0  # an earlier result is replaced
    assert json.loads((out / "report.json").read_text())["score"] == 0.01


def test_evaluate_does_not_write_over_what_it_did_not_write(model, images, annotations, capfd):
    arguments = ["evaluate", "--images", images, "--annotations", annotations, "--checkpoint", model, "--out", images]
    refused(capfd, arguments, "not an earlier result")
    assert len(list(images.iterdir())) == 2


def test_as_a_process():
    command = [sys.executable, "-m", "fcis_ros", "info", "missing.safetensors"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == ["fcis: checkpoint missing.safetensors: no such file"]


KINDS = ["missing", "damaged", "version", "foreign", "classes"]


@pytest.mark.parametrize(
    ("command", "kind"),
    [*itertools.product(["predict", "evaluate", "demo"], KINDS), *itertools.product(["info"], KINDS[:-1])],  # metadata alone
)
def test_unusable_checkpoint(command, kind, model, images, annotations, tmp_path, capfd):
    path = tmp_path / f"{kind}.safetensors"
    says = {"missing": "no such file", "damaged": "not a readable safetensors", "version": "format version 99",
            "classes": "classes", "foreign": "not an fcis_ros checkpoint"}[kind]  # fmt: skip
    if kind == "damaged":
        path.write_bytes(model.read_bytes()[:1000])
    elif kind == "version":
        damaged(model, path, format_version="99")
    elif kind == "classes":
        config = json.dumps({**CONFIG.to_dict(), "class_names": ["car", "pedestrian", "tram", "van"]})
        damaged(model, path, config=config)
    elif kind == "foreign":
        safetensors.torch.save_file({"x": torch.zeros(1)}, path)
    out = tmp_path / "out"
    arguments = {
        "info": ["info", path],
        "predict": ["predict", images, "--out", out, "--checkpoint", path],
        "evaluate": ["evaluate", "--annotations", annotations, "--images", images, "--checkpoint", path, "--out", out],
        "demo": ["demo", images, "--out", out, "--checkpoint", path],
    }[command]
    refused(capfd, arguments, path.name, says)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("command", ["predict", pytest.param("demo", marks=pytest.mark.ros)])
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.png", None, "no such"),
        ("empty", "folder", "no images"),
        ("text.png", b"hello", "not an image"),
        ("nothing.png", b"", "not an image"),
        ("dot.png", (1, 1), "too small"),
        ("line.png", (2, 300), "too elongated"),
    ],
)
def test_unusable_image(command, name, content, says, model, tmp_path, capfd):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        cv2.imwrite(str(path), np.zeros((*content, 3), np.uint8))
    refused(capfd, [command, path, "--out", tmp_path / "out", "--checkpoint", model], name, says)
    assert not list(tmp_path.glob("out*"))


def test_second_image_unusable_leaves_nothing(model, images, tmp_path, capfd):
    (images / "c.png").write_bytes(b"broken")
    refused(capfd, ["predict", images, "--out", tmp_path / "out", "--checkpoint", model], "c.png")
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("module", "needed", "hint"), [("rosbags", "clip.mcap", "pip install rosbags"), ("rclpy", "", "source a ROS 2")]
)
def test_demo_names_the_library_that_is_missing(module, needed, hint, model, images, tmp_path):
    """In a process of its own, where the library cannot be imported."""
    (tmp_path / "clip.mcap").write_bytes(b"")
    given = tmp_path / needed if needed else images
    arguments = ["demo", str(given), "--out", str(tmp_path / "out"), "--checkpoint", str(model)]
    code = f"import sys; sys.modules[{module!r}] = None; from fcis_ros.cli.main import main; sys.exit(main({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"fcis: {module}") and "not usable here" in done.stderr and hint in done.stderr
    assert not list(tmp_path.glob("out*"))


def test_unreadable_video(model, tmp_path, capfd):
    (tmp_path / "clip.mp4").write_bytes(b"not a video" * 1000)
    refused(capfd, ["demo", tmp_path / "clip.mp4", "--out", tmp_path / "out", "--checkpoint", model], "clip.mp4", "not a video")
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"categories": [{"id": 5, "name": "boat"}, {"id": 2, "name": "plane"}]}, "plane, boat"),
        ({"images": []}, "not listed"),
        ({"annotations": 3}, "not a COCO instance file"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "predict", "demo"])
def test_annotations_that_do_not_fit(command, changes, says, model, images, tmp_path, capfd):
    path = write_annotations(tmp_path / "other.json", **changes)
    rest = ["--images", images] if command == "evaluate" else [images, "--out", tmp_path / "out"]
    refused(capfd, [command, *rest, "--annotations", path, "--checkpoint", model], "other.json", says)
    assert not list(tmp_path.glob("out*"))


def test_image_that_annotations_name_is_missing(model, images, annotations, capfd):
    (images / "b.png").unlink()
    arguments = ["evaluate", "--images", images, "--annotations", annotations, "--checkpoint", model]
    refused(capfd, arguments, "b.png", "no such image")


def test_image_that_annotations_do_not_name(model, images, annotations, tmp_path, capfd):
    (images / "a.png").rename(images / "z.png")
    arguments = ["predict", images, "--annotations", annotations, "--out", tmp_path / "out", "--checkpoint", model]
    refused(capfd, arguments, "z.png", "annotations")


def test_output_that_is_something_else(model, images, tmp_path, capfd):
    refused(capfd, ["predict", images, "--out", images, "--checkpoint", model], "not an earlier result")
    assert len(list(images.iterdir())) == 2


def test_same_name_twice(model, images, tmp_path, capfd):
    arguments = ["predict", images, images / "a.png", "--out", tmp_path / "out", "--checkpoint", model]
    refused(capfd, arguments, "a.png", "same file name")


def test_unknown_device(model, images, tmp_path, capfd):
    refused(capfd, ["predict", images, "--out", tmp_path / "o", "--checkpoint", model, "--device", "tpu"], "tpu")


@pytest.mark.parametrize(
    "arguments", [["demo", "--rate", "0"], ["demo", "--rate", "inf"], ["demo", "--frames", "0"], ["nothing"], []]
)
def test_unusable_options(arguments, capsys):
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2 and "usage" in capsys.readouterr().err


def test_evaluate_bag(model, images, annotations, tmp_path, capsys):
    from fcis_ros.bags.writing import record
    from fcis_ros.data.frames import open_source

    record(open_source(str(images)).frames(), tmp_path / "bag")
    command = ["evaluate-bag", str(tmp_path / "bag"), "--checkpoint", str(model), "--device", "cpu", "--out"]
    assert main([*command, str(tmp_path / "out"), "--annotations", str(annotations)]) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["frames_in"], report["frames_annotated"], report["matched_by"]) == (2, 2, "name")
    assert "mask AP / AP50 / AP75" in capsys.readouterr().out
    assert main([*command, str(tmp_path / "out"), "--annotations", str(annotations)]) == 2
    assert "holds this evaluation already" in capsys.readouterr().err
    others = write_annotations(tmp_path / "others.json", images=[], annotations=[])
    assert main([*command, str(tmp_path / "none"), "--annotations", str(others)]) == 2
    assert "annotations of other frames" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "none"), "--topic", "/up"]) == 2
    assert "no images on topic /up" in capsys.readouterr().err


def test_record(images, annotations, model, tmp_path, capsys):
    """What is recorded with truth is evaluated against it as against the annotations."""
    bag = str(tmp_path / "bag")
    assert main(["record", str(images), "--annotations", str(annotations), "--out", bag]) == 0
    assert "2 frames with truth" in capsys.readouterr().out
    command = ["evaluate-bag", bag, "--checkpoint", str(model), "--device", "cpu", "--out"]
    assert main([*command, str(tmp_path / "topic"), "--truth-topic", "/truth/masks"]) == 0
    assert main([*command, str(tmp_path / "file"), "--annotations", str(annotations)]) == 0
    assert main(["report", str(tmp_path / "file"), "--results"]) == 0
    results = ["evaluate-bag", str(tmp_path / "file/results"), "--checkpoint", str(model)]
    assert main([*results, "--out", str(tmp_path / "again")]) == 0  # its overlays are images, too
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("topic", "file")]
    assert reports[0]["ap"] == reports[1]["ap"] and reports[0]["frames_annotated"] == 2
    others = write_annotations(tmp_path / "others.json", images=[], annotations=[])
    assert main(["record", str(images), "--annotations", str(others), "--out", str(tmp_path / "other")]) == 2
    assert "none of the 0 file names in it" in capsys.readouterr().err and not (tmp_path / "other").exists()
    assert main(["record", "synthetic", "--frames", "2", "--out", str(tmp_path / "clip")]) == 0
