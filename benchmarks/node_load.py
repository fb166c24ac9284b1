# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The whole node under load, from outside: ``python -m benchmarks.node_load [--minutes N]``.

Eight cameras on one model against one camera with the same total rate, 8 Hz (or as many as keep the network busy for
two thirds of the time, if that is less); latency under overload (30 Hz) as time goes by; memory in the states of the life
cycle. The default model on 480x360 frames of the synthetic clip.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch
from lifecycle_msgs.msg import Transition

from benchmarks.measure import OUT, device_name
from benchmarks.running_node import RunningNode
from fcis_ros.data.synthetic.scenes import SyntheticScenes

CAMERAS, ROUNDS, FRAMES, BUSY = 8, 3, 96, 2 / 3
OVERLOAD_HZ, WINDOWS = 30.0, 10


def paced(node: RunningNode, frames: list[np.ndarray], cameras: list[str], rate: float, count: int) -> None:
    """Sends frames at a steady rate to the cameras in turn, and waits for the last answers."""
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        node.send(cameras[number % len(cameras)], frames[number % len(frames)])
    time.sleep(2.0 + 2 * CAMERAS / rate)


def work_seconds(frames: list[np.ndarray]) -> float:
    """Median seconds of one frame on this machine."""
    with RunningNode() as node:
        node.warm_up(frames[0])
        paced(node, frames, [""], 1.0, 10)
        return statistics.median(stages["total"] for stages in node.stage_ms) / 1000


def eight_or_one(frames: list[np.ndarray]) -> dict:
    """Latency and memory of eight cameras and of one at the same total rate, alternately."""
    names = [f"camera{number}" for number in range(CAMERAS)]
    rate = min(BUSY / work_seconds(frames), float(CAMERAS))
    runs: dict[str, list[dict[str, float]]] = {"one": [], "eight": []}
    for _ in range(ROUNDS):
        for kind, parameters in (("one", {}), ("eight", {"cameras": ",".join(names), "silence_s": 60.0})):
            with RunningNode(**parameters) as node:
                node.warm_up(frames[0])
                paced(node, frames, names if kind == "eight" else [""], rate, FRAMES)
                latencies = [latency for _, _, latency in node.answers]
                figures = {"p50": statistics.median(latencies), "max": max(latencies)}
                figures |= {"answered": len(latencies) / FRAMES, "mb": node.memory_mb}
            runs[kind].append(figures)
            print(kind, {name: round(value, 3) for name, value in figures.items()}, flush=True)
    medians = {
        kind: {name: statistics.median(run[name] for run in kind_runs) for name in kind_runs[0]}
        for kind, kind_runs in runs.items()
    }
    ratios = {name: medians["eight"][name] / medians["one"][name] for name in ("p50", "max", "mb")}
    print(f"eight cameras over one, {rate:.1f} frames/s in all: {ratios}", flush=True)
    return {"rate": rate, "runs": runs, "ratios": ratios}


def overload(frames: list[np.ndarray], seconds: float) -> dict:
    """Median latency at 30 Hz, more than the network can do on a CPU, in ten windows."""
    with RunningNode() as node:
        node.warm_up(frames[0])
        begin = time.monotonic()
        paced(node, frames, [""], OVERLOAD_HZ, round(OVERLOAD_HZ * seconds))
        work = statistics.median(stages["total"] for stages in node.stage_ms)
        windows = [
            [latency for _, moment, latency in node.answers if int((moment - begin) / seconds * WINDOWS) == window]
            for window in range(WINDOWS)
        ]
    p50 = [statistics.median(window) for window in windows if window]
    result = {"work_ms": work, "p50_ms": p50, "bound_ms": work + 1000 / OVERLOAD_HZ, "hz": len(node.answers) / seconds}
    print(f"overload, {seconds:.0f} s: {result}", flush=True)
    return result


def memory(frames: list[np.ndarray]) -> dict:
    """MB in the states of the life cycle, twice round."""
    megabytes = {}
    with RunningNode(autostart=False) as node:
        node.wait_for_state("unconfigured")
        megabytes["unconfigured"] = node.memory_mb
        for cycle in (1, 2):
            node.change_state(Transition.TRANSITION_CONFIGURE)
            node.change_state(Transition.TRANSITION_ACTIVATE)
            node.warm_up(frames[0])
            megabytes[f"active, {cycle}"] = node.memory_mb
            node.change_state(Transition.TRANSITION_DEACTIVATE)
            node.change_state(Transition.TRANSITION_CLEANUP)
            time.sleep(1.0)
            megabytes[f"after cleanup, {cycle}"] = node.memory_mb
    print(f"memory in MB: {megabytes}", flush=True)
    return megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="duration of the overload part")
    minutes = parser.parse_args().minutes
    frames = [sample.image for sample in SyntheticScenes(7).clip(0, 20, 8.0)]
    results = {"device": device_name(torch.device("cpu")), "memory_mb": memory(frames), "cameras": eight_or_one(frames)}
    results["overload"] = overload(frames, minutes * 60)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "node_load.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
