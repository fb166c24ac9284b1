"""Ground truth for frames that come from elsewhere: COCO annotations found by file name."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fcis_ros.errors import InputError
from fcis_ros.evaluation.coco import evaluate_annotations, to_annotations, to_results
from fcis_ros.structures import Instances, Sample


class Truth:
    """The annotated objects of named images, for the classes of one model.

    Attributes:
        image_ids: {file name: id in the annotation file}.
        paths: {file name: path as the annotation file has it, which may name folders}.
        category_ids: the annotation file's id of each of the model's classes, None where it has no such class.
    """

    def __init__(self, class_names: tuple[str, ...]):
        self.class_names = class_names
        self._origin = "annotations"
        self.image_ids: dict[str, int] = {}
        self.paths: dict[str, str] = {}
        self.category_ids: list[int | None] = list(range(1, len(class_names) + 1))
        self._sizes: dict[str, tuple[int, int]] = {}
        self._annotations: dict[str, list[dict]] = {}
        self._stems: dict[str, str] = {}

    @classmethod
    def load(cls, path: Path, class_names: tuple[str, ...]) -> "Truth":
        """Reads a COCO instance file; classes are matched by name.

        Raises:
            InputError: missing, not such a file, or none of its categories is a class of the model.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            names = {int(category["id"]): str(category["name"]) for category in content["categories"]}
            files = {
                int(image["id"]): (str(image["file_name"]), (int(image["height"]), int(image["width"])))
                for image in content["images"]
            }
            annotations = [dict(annotation) for annotation in content["annotations"]]
            owners = [(int(annotation["image_id"]), int(annotation["category_id"])) for annotation in annotations]
            whole = all(len(a["bbox"]) == 4 and "area" in a and "segmentation" in a for a in annotations)
        except FileNotFoundError:
            raise InputError(f"annotations {path}: no such file") from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"annotations {path}: not a COCO instance file ({type(error).__name__}: {error})") from None
        if not whole:
            raise InputError(f"annotations {path}: not a COCO instance file (an annotation lacks bbox, area or segmentation)")
        truth = cls(class_names)
        truth._origin = f"annotations {path}"
        truth.category_ids = [next((id_ for id_, name in names.items() if name == own), None) for own in class_names]
        if not any(id_ is not None for id_ in truth.category_ids):
            raise InputError(
                f"annotations {path}: none of its categories ({', '.join(sorted(names.values()))}) "
                f"is a class of the model ({', '.join(class_names)})"
            )
        for image_id, (path_inside, size) in files.items():
            truth._add(path_inside, image_id, size, [])
        for annotation, (image_id, category_id) in zip(annotations, owners, strict=True):
            if image_id not in files:
                raise InputError(f"annotations {path}: an annotation belongs to image {image_id}, which is not listed")
            if category_id in truth.category_ids:
                label = truth.category_ids.index(category_id) + 1
                truth._annotations[Path(files[image_id][0]).name].append({**annotation, "category_id": label})
        return truth

    def add(self, sample: Sample, class_names: tuple[str, ...]) -> None:
        """Takes over the objects of a sample, whose labels number ``class_names``, as far as the model knows their classes."""
        labels = {own: self.class_names.index(name) + 1 for own, name in enumerate(class_names, 1) if name in self.class_names}
        known = to_annotations(sample, len(self.image_ids) + 1, sum(map(len, self._annotations.values())) + 1)
        known = [{**a, "category_id": labels[a["category_id"]]} for a in known if a["category_id"] in labels]
        self._add(sample.name, len(self.image_ids) + 1, sample.image.shape[:2], known)

    def _add(self, path: str, image_id: int, size: tuple[int, int], annotations: list[dict]) -> None:
        name = Path(path).name
        self.paths[name] = path
        self.image_ids[name] = image_id
        self._sizes[name] = size
        self._annotations[name] = annotations
        self._stems[Path(name).stem] = name

    def find(self, frame_name: str) -> str | None:
        """The annotated file that a frame is, None if there is none: the same name, endings left aside if need be."""
        if frame_name in self.image_ids:
            return frame_name
        return self._stems.get(frame_name) or self._stems.get(Path(frame_name).stem)

    def require_match(self, frame_names: Iterable[str]) -> None:
        """Raises InputError if no frame is annotated."""
        names = list(frame_names)
        if not any(self.find(name) for name in names):
            example = next(iter(self.image_ids), "none")
            raise InputError(
                f"{self._origin}: none of the {len(self.image_ids)} file names in it (such as {example}) "
                f"is a frame of the input (such as {names[0]})"
            )

    def evaluate(self, predictions: Iterable[tuple[str, Instances]]) -> dict[str, Any]:
        """AP over the annotated frames among ``predictions``, pairs of a frame's name and what was found in it.

        Raises:
            InputError: a frame has another size than its annotations say.
        """
        images, annotations, results = [], [], []
        for frame_name, instances in predictions:
            if (name := self.find(frame_name)) is None:
                continue
            image_id = self.image_ids[name]
            height, width = self._sizes[name]
            if (instances.height, instances.width) != (height, width):
                raise InputError(
                    f"{self._origin}: {name} is {width}x{height} there, the frame {instances.width}x{instances.height}"
                )
            images.append({"id": image_id, "height": height, "width": width})
            annotations += self._annotations[name]
            results += to_results(instances, image_id)
        return evaluate_annotations(images, annotations, results, self.class_names)

    def to_json(self) -> dict[str, Any]:
        """A COCO instance file's content."""
        return {
            "images": [
                {"id": image_id, "file_name": name, "height": int(self._sizes[name][0]), "width": int(self._sizes[name][1])}
                for name, image_id in self.image_ids.items()
            ],
            "annotations": [annotation for annotations in self._annotations.values() for annotation in annotations],
            "categories": [{"id": label, "name": name} for label, name in enumerate(self.class_names, start=1)],
        }
