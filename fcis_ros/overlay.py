"""Instances drawn on the image, and as an image of instance numbers."""

import colorsys

import cv2
import numpy as np

from fcis_ros.structures import Instances

FONT, MARGIN = cv2.FONT_HERSHEY_SIMPLEX, 2


def colour(label: int, number: int) -> tuple[int, int, int]:
    """RGB of an instance: a hue for its class, varied a little from one instance to the next; the same in every run."""
    hue = (0.58 + (label - 1) * 0.381966) % 1  # golden-ratio steps keep neighbouring classes far apart
    hue += 0.05 * ((number * 0.618034) % 1 - 0.5)
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw(image: np.ndarray, instances: Instances, alpha: float = 0.5) -> np.ndarray:
    """Blends every mask over the image, outlines it and writes class and score above it.

    Each instance costs the area of its box, not of the image.

    Args:
        image: [H, W, 3] uint8, RGB; left as it is.
        instances: of this image.
        alpha: opacity of the masks, 0..1.

    Returns:
        [H, W, 3] uint8, RGB.
    """
    drawn = np.array(image)
    size = min(max(min(image.shape[:2]) / 1000, 0.35), 1.0)
    # Worst first, so that the best lies on top.
    for index in reversed(range(len(instances))):
        x1, y1, x2, y2 = instances.boxes[index].tolist()
        crop, tint = instances.crops[index], colour(int(instances.labels[index]), index)
        window = drawn[y1:y2, x1:x2]
        blended = cv2.addWeighted(window, 1 - alpha, np.full_like(window, tint), alpha, 0)
        np.copyto(window, blended, where=crop[..., None])
        outlines, _ = cv2.findContours(crop.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(window, outlines, -1, tint, 1)
    for index in reversed(range(len(instances))):
        label = int(instances.labels[index])
        text = f"{instances.class_names[label - 1]} {instances.scores[index]:.2f}"
        _write(drawn, text, instances.boxes[index], colour(label, index), size)
    return drawn


def _write(drawn: np.ndarray, text: str, box: np.ndarray, tint: tuple[int, int, int], size: float) -> None:
    """Text on a plate of the instance's colour, above its box where there is room and always inside the image."""
    (width, height), below = cv2.getTextSize(text, FONT, size, 1)
    plate = height + below + 2 * MARGIN
    left = max(0, min(int(box[0]), drawn.shape[1] - width - 2 * MARGIN))
    top = max(0, min(int(box[1]) - plate, drawn.shape[0] - plate))
    cv2.rectangle(drawn, (left, top), (left + width + 2 * MARGIN - 1, top + plate - 1), tint, -1)
    cv2.putText(drawn, text, (left + MARGIN, top + MARGIN + height), FONT, size, (0, 0, 0), 1, cv2.LINE_AA)


def label_map(instances: Instances) -> np.ndarray:
    """[H, W] uint16: at every pixel the number of the best instance there, counted from 1; 0 where there is none."""
    labels = np.zeros((instances.height, instances.width), dtype=np.uint16)
    for index in reversed(range(len(instances))):
        x1, y1, x2, y2 = instances.boxes[index].tolist()
        labels[y1:y2, x1:x2][instances.crops[index]] = index + 1
    return labels
