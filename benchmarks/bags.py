# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings: reading, offline evaluation against the predictor alone, several processes, joining shards, and memory.

``python -m benchmarks.bags`` writes ``out/bench/bags.json``. Files are made in a temporary folder and read from the page cache.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import OUT, device_name, versions
from fcis_ros.bags.reader import open_recording
from fcis_ros.bags.writer import image_message, mcap_writer
from fcis_ros.data.frame_sources import Frame
from fcis_ros.data.synthetic.scenes import SyntheticScenes
from fcis_ros.messages.typestore import IMAGE, message_types
from fcis_ros.results.merge import find_shards, merge, shard_path
from fcis_ros.results.run_report import write_report
from fcis_ros.results.run_writer import RunWriter

FRAMES = int(os.environ.get("BENCH_BAG_FRAMES", "60"))  # of the default clip's size, for evaluation
READ_GB = float(os.environ.get("BENCH_BAG_GB", "2"))
SHARDS = 1000


def write_clip(folder: Path, images: list[np.ndarray], count: int) -> Path:
    """A recording of so many frames, which repeat."""
    store = message_types()
    with mcap_writer(folder) as writer:
        connection = writer.add_connection("/cam", IMAGE, typestore=store)
        for number in range(count):
            stamp = 10**18 + number * 33_000_000
            message = image_message(store, Frame("", stamp, images[number % len(images)]))
            writer.write(connection, stamp, store.serialize_cdr(message, IMAGE))
    return folder


def reading(folder: Path) -> dict[str, float]:
    """GB/s of one core over an uncompressed recording of 1080p frames with checksums, and without looking at the images."""
    images = [np.random.default_rng(seed).integers(0, 255, (1080, 1920, 3), np.uint8) for seed in range(4)]
    count = max(1, round(READ_GB * 1e9 / images[0].nbytes))
    bag = write_clip(folder / "read", images, count)
    size = sum(file.stat().st_size for file in bag.iterdir())
    best = {"messages": 0.0, "images": 0.0}
    for _ in range(3):
        for what in best:
            start = time.process_time()
            for record in open_recording(bag).frames():
                if what == "images":
                    record.image()
            best[what] = max(best[what], size / 1e9 / (time.process_time() - start))
    shutil.rmtree(bag)
    return {"frames": count, "gb": size / 1e9, "messages_gb_per_cpu_s": best["messages"], "images_gb_per_cpu_s": best["images"]}


CHILD = """
import resource, sys, time
from pathlib import Path
from fcis_ros.evaluation.offline import evaluate_recordings
from fcis_ros.evaluation.spec import EvaluationSpec, Shard
from fcis_ros.bags.reader import open_recording
from fcis_ros.model.checkpoint import default_checkpoint
from fcis_ros.model.predictor import Predictor
mode, bag, out, threads, number, count = sys.argv[1:]
predictor = Predictor.from_checkpoint(None, "auto", int(threads) or None)
images = [record.image() for record in open_recording(Path(bag)).frames()][:3] if mode == "bare" else []
warm = images or [next(open_recording(Path(bag)).frames()).image()]
for image in warm:
    predictor(image, 0.02)
print("ready", flush=True)
sys.stdin.readline()
start = time.perf_counter()
if mode == "bare":
    frames = open_recording(Path(bag)).count
    for index in range(frames):
        predictor(images[index % 3], 0.02)
else:
    spec = EvaluationSpec((bag,), None, None, "/truth/masks" if mode == "truth" else None, default_checkpoint(), "auto",
                          int(threads) or None, "auto", 0.5, Shard(int(number), int(count)))
    frames = evaluate_recordings(spec, Path(out), show_progress=False, predictor=predictor)["frames_out"]
print(frames, time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, flush=True)
"""


def evaluation(mode: str, bag: Path, out: Path, threads: int, processes: int = 1) -> dict[str, float]:
    """Frames per second of processes that begin together, and the most memory that one of them took, GB."""
    commands = [
        [
            sys.executable,
            "-c",
            CHILD,
            mode,
            str(bag),
            str(out / f"{mode}{processes}-{number}"),
            str(threads),
            str(number),
            str(processes),
        ]
        for number in range(1, processes + 1)
    ]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands]
    for child in children:
        child.stdout.readline()
    start = time.perf_counter()
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    answers = [child.communicate()[0].split() for child in children]
    seconds = time.perf_counter() - start if processes > 1 else float(answers[0][1])
    frames = sum(int(answer[0]) for answer in answers)
    return {"fps": frames / seconds, "memory_gb": max(float(answer[2]) for answer in answers)}


def merging(folder: Path) -> dict[str, float]:
    """CPU seconds to join shards of 20 frames with 50 detections each, and for the report of the whole."""
    rng = np.random.default_rng(0)
    what = {
        "mode": "offline", "bags": [{"path": "a", "topic": "/cam", "messages": SHARDS * 20}], "class_names": ["car", "tram"],
        "category_ids": [1, 2], "score_floor": 0.02, "score": 0.5, "device": "cpu", "precision": "fp32",
        "model": {"name": "m", "sha256": "0"}, "truth": {"file": "t", "matched_by": "stamp"},
    }  # fmt: skip
    segmentation = {"size": [1080, 1920], "counts": "Zkd01R1e0O1O1O2N1O1O1O1O2N1O1N2N2O1N2O1N3N1O1O1N2O1N2N2O001O"}
    for number in range(1, SHARDS + 1):
        run = RunWriter(shard_path(folder / "parts", number, SHARDS), {**what, "shard": [number, SHARDS]})
        for index in range((number - 1) * 20, number * 20):
            scores = np.sort(rng.random(50))[::-1].tolist()
            codes = rng.integers(0, 2**20, (50, 4)).tolist()
            frame = {
                "bag": 0, "index": index, "name": f"{index:06d}", "stamp": index, "log_time": index, "problem": None,
                "moment": index * 48 // (SHARDS * 20), "height": 1080, "width": 1920, "truth": index, "listed": True,
                "tracked": False, "repeated": False, "own_id": index + 1, "image_id": index + 1,
                "rates": [0.5, 8, 17, 0, 0.0, 25],
                "objects": [[1, 0, 900.0, 0.5]] * 8, "labels": rng.integers(1, 3, 50).tolist(), "scores": scores,
                "masks": codes, "boxes": [0] * 50, "voc": [0] * 50,
            }  # fmt: skip
            shared = {"image_id": index + 1, "category_id": 1, "segmentation": segmentation}
            entries = [{**shared, "score": score} for score in scores]
            run.add(frame, {"detections": entries})
        with run:
            pass
    (folder / "merged").mkdir()
    start = time.process_time()
    shards, found = find_shards([folder / "parts"])
    merge(shards, found, folder / "merged")
    joined = time.process_time() - start
    write_report(folder / "merged")
    reported = time.process_time() - start
    return {"parts": SHARDS, "detections": SHARDS * 1000, "join_cpu_s": joined, "with_report_cpu_s": reported}


def main() -> None:
    found: dict[str, object] = {
        "device": device_name(torch.device("cuda" if torch.cuda.is_available() else "cpu")),
        **versions(),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        found["reading"] = reading(root)
        print("reading", found["reading"], flush=True)
        found["merging"] = merging(root)
        print("merging", found["merging"], flush=True)
        images = [sample.image for sample in SyntheticScenes(0).clip(0, 8)]
        bag = write_clip(root / "clip", images, FRAMES)
        bare, ours = (evaluation(mode, bag, root, 0) for mode in ("bare", "evaluate"))
        found["offline"] = {
            "bare_fps": bare["fps"],
            "fps": ours["fps"],
            "share": ours["fps"] / bare["fps"],
            **{"memory_gb": ours["memory_gb"]},
        }
        print("offline", found["offline"], flush=True)
        one, two = (evaluation("evaluate", bag, root / "shared", 1, processes) for processes in (1, 2))
        found["processes"] = {"one_fps": one["fps"], "two_fps": two["fps"], "ratio": two["fps"] / one["fps"]}
        print("processes", found["processes"], flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "bags.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
