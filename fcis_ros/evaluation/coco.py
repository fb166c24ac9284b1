# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""How good the instances are: COCO average precision (pycocotools) and the paper's mAP^r."""

import contextlib
import io
import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fcis_ros.strips import Strips
from fcis_ros.structures import Instances, Sample

MAX_DETECTIONS = 100
VOC_IOUS = (0.5, 0.7)


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """[H, W] bool -> COCO's compressed RLE with ``counts`` as text, ready for JSON."""
    return with_text(rle.encode(np.asfortranarray(mask, dtype=np.uint8)))


def with_text(encoded: dict[str, Any]) -> dict[str, Any]:
    """Compressed RLE as pycocotools gives it, ready for JSON."""
    counts = encoded["counts"]
    text = counts if isinstance(counts, str) else counts.decode("ascii")
    return {"size": [int(side) for side in encoded["size"]], "counts": text}


def to_results(instances: Instances, image_id: int, category_ids: Iterable[int | None] | None = None) -> list[dict[str, Any]]:
    """Instances as entries of a COCO result file.

    Args:
        instances: what was found in one image.
        image_id: the image's id in the annotation file.
        category_ids: category id of each class, None for a class to leave out; by default the classes are numbered 1..C.
    """
    categories = list(category_ids or range(1, len(instances.class_names) + 1))
    rows = zip(
        instances.boxes.tolist(), instances.scores.tolist(), instances.labels.tolist(), segmentations(instances), strict=True
    )
    return [
        {
            "image_id": image_id,
            "category_id": categories[label - 1],
            "segmentation": segmentation,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": score,
        }
        for (x1, y1, x2, y2), score, label, segmentation in rows
        if categories[label - 1] is not None
    ]


def segmentations(instances: Instances) -> list[dict[str, Any]]:
    """The masks as ``encode_mask`` gives them, from run length to run length without the pixels between."""
    strips = Strips.from_runs(instances.runs, instances.boxes)
    height, width = instances.height, instances.width
    first, last = strips.x * height + strips.top, strips.x * height + strips.bottom
    encoded = []
    for begin, end in itertools.pairwise(strips.starts.tolist()):
        apart = first[begin + 1 : end] != last[begin : end - 1]  # else the strip goes on in the next column
        starts, ends = first[begin:end][np.append(True, apart)], last[begin:end][np.append(apart, True)]
        edges = np.concatenate([[0], np.stack([starts, ends], 1).ravel(), [height * width]])
        counts = np.diff(edges).tolist()
        runs = rle.frPyObjects({"size": [height, width], "counts": counts if counts[-1] else counts[:-1]}, height, width)
        encoded.append({"size": [height, width], "counts": runs["counts"].decode("ascii")})
    return encoded


def to_annotations(sample: Sample, image_id: int, first_id: int) -> list[dict[str, Any]]:
    """A sample's objects as COCO annotations, numbered from ``first_id``; category ids are the labels."""
    annotations = []
    for offset, (mask, label, crowd) in enumerate(zip(sample.masks, sample.labels, sample.crowd, strict=True)):
        segmentation = encode_mask(mask)
        annotations.append(
            {
                "id": first_id + offset,
                "image_id": image_id,
                "category_id": int(label),
                "segmentation": segmentation,
                "bbox": rle.toBbox(segmentation).tolist(),
                "area": int(mask.sum()),
                "iscrowd": int(crowd),
            }
        )
    return annotations


def evaluate(ground_truth: Iterable[Sample], predictions: Iterable[Instances], class_names: Iterable[str]) -> dict[str, Any]:
    """AP of predictions against samples; see ``evaluate_annotations`` for what comes back."""
    images, annotations, results = [], [], []
    for image_id, (sample, instances) in enumerate(zip(ground_truth, predictions, strict=True), start=1):
        height, width = sample.image.shape[:2]
        images.append({"id": image_id, "height": height, "width": width})
        annotations += to_annotations(sample, image_id, first_id=len(annotations) + 1)
        results += to_results(instances, image_id)
    return evaluate_annotations(images, annotations, results, class_names)


def evaluate_annotations(
    images: list[dict], annotations: list[dict], results: list[dict], class_names: Iterable[str]
) -> dict[str, Any]:
    """AP of COCO results against COCO annotations, over all areas with at most 100 instances per image.

    Args:
        images: entries with ``id``, ``height`` and ``width``.
        annotations: COCO annotations with masks as compressed RLE, ``bbox`` and ``area``; ``iscrowd`` regions are ignored;
            category ids are labels 1..C. Their own ids do not matter.
        results: COCO results with masks as compressed RLE; category ids are labels 1..C.
        class_names: the C class names.

    Returns:
        ``segm`` and ``bbox``: {AP, AP50, AP75}; ``per_class``: {name: AP50 of masks}; ``mAPr``: {"0.5", "0.7"}, VOC-style
        11-point AP of masks, mean over classes. None stands where no object of the class (or of any class) is annotated.
    """
    names = tuple(class_names)
    truth = _Quiet(images, annotations, names)
    precision = {kind: truth.precision(results, kind) for kind in ("segm", "bbox")}
    voc = {str(iou): voc_map(annotations, results, len(names), iou) for iou in VOC_IOUS}
    per_class = {name: _mean(precision["segm"][0, :, index]) for index, name in enumerate(names)}
    return {**{kind: _summary(values) for kind, values in precision.items()}, "per_class": per_class, "mAPr": voc}


class _Quiet:
    """pycocotools without its prints and without changes to the caller's dicts."""

    def __init__(self, images: list[dict], annotations: list[dict], names: tuple[str, ...]):
        self._coco = COCO()
        self._annotations = annotations
        self._coco.dataset = {
            "images": [dict(image) for image in images],
            # Numbered anew: pycocotools keeps one of equal ids, and takes id 0 for "matches nothing".
            "annotations": [{**annotation, "id": number} for number, annotation in enumerate(annotations, start=1)],
            "categories": [{"id": label, "name": name} for label, name in enumerate(names, start=1)],
        }
        with contextlib.redirect_stdout(io.StringIO()):
            self._coco.createIndex()

    def precision(self, results: list[dict], kind: str) -> np.ndarray:
        """[10 IoUs 0.5..0.95, 101 recalls, C] precision; -1 for classes without annotations."""
        thresholds, recalls = 10, 101
        categories = len(self._coco.dataset["categories"])
        if not results:  # pycocotools refuses an empty list
            labels = [annotation["category_id"] for annotation in self._annotations if not annotation.get("iscrowd", 0)]
            present = np.isin(np.arange(1, categories + 1), labels)
            return np.broadcast_to(np.where(present, 0.0, -1.0), (thresholds, recalls, categories))
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(self._coco, self._coco.loadRes([dict(result) for result in results]), kind)
            evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
            evaluation.params.maxDets = [MAX_DETECTIONS]
            evaluation.evaluate()
            evaluation.accumulate()
        return evaluation.eval["precision"][:, :, :, 0, 0]


def _mean(precision: np.ndarray) -> float | None:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None


def _summary(precision: np.ndarray) -> dict[str, float | None]:
    return {"AP": _mean(precision), "AP50": _mean(precision[0]), "AP75": _mean(precision[5])}


def voc_map(annotations: list[dict], results: list[dict], num_classes: int, iou: float) -> float | None:
    """mAP^r: VOC average precision of masks at one IoU, mean over the classes that occur (None if none does).

    Hariharan et al. 2014, as the paper reports it: results of a class in order of score; each takes its best annotation of
    that class in its image, right if that one's IoU is at least ``iou`` and it is not taken yet. Results that lie in a crowd
    region are left out of the count.

    Args:
        annotations: as for ``evaluate_annotations``.
        results: as for ``evaluate_annotations``.
        num_classes: C.
        iou: least mask IoU of a right result.
    """
    objects, found = _by_class_and_image(annotations), _by_class_and_image(results)
    averages = []
    for label in range(1, num_classes + 1):
        total = sum(not a.get("iscrowd", 0) for own in objects[label].values() for a in own)
        if not total:
            continue
        flags = []
        for image_id, own in found[label].items():
            best = sorted(own, key=lambda result: -result["score"])[:MAX_DETECTIONS]
            flags += _match(objects[label].get(image_id, []), best, iou)
        right = [hit for _, hit in sorted(flags, key=lambda flag: -flag[0])]
        averages.append(eleven_point_ap(right, total))
    return float(np.mean(averages)) if averages else None


def _by_class_and_image(entries: list[dict]) -> dict[int, dict[int, list[dict]]]:
    index: dict[int, dict[int, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        index[entry["category_id"]][entry["image_id"]].append(entry)
    return index


def _match(annotations: list[dict], results: list[dict], iou: float) -> list[tuple[float, bool]]:
    """(score, right or wrong) of one image's results, which come best first; those in crowd regions are left out."""
    if not annotations or not results:
        return [(result["score"], False) for result in results]
    crowd = np.array([annotation.get("iscrowd", 0) for annotation in annotations])
    overlaps = rle.iou([r["segmentation"] for r in results], [a["segmentation"] for a in annotations], crowd.tolist())
    taken, flags = set(), []
    for result, row in zip(results, overlaps, strict=True):
        objects = np.where(crowd == 0, row, -1.0)
        best = int(objects.argmax())
        if objects[best] >= iou:
            flags.append((result["score"], best not in taken))
            taken.add(best)
        elif row.max() < iou:  # else: in a crowd region
            flags.append((result["score"], False))
    return flags


def eleven_point_ap(right: list[bool], total: int) -> float:
    """VOC 2007 average precision: mean over recalls 0, 0.1 .. 1 of the best precision at that recall or beyond.

    Args:
        right: whether each result is right, best score first.
        total: number of annotated objects.
    """
    hits = np.cumsum(np.asarray(right, dtype=np.float64))
    recall = hits / total
    precision = hits / np.arange(1, len(hits) + 1)
    return float(np.mean([precision[recall >= level - 1e-9].max(initial=0.0) for level in np.linspace(0, 1, 11)]))
