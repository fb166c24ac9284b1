# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0

# Every target runs the set-up it needs: `make demo` and `make test` work on a bare machine (see the README).

SHELL := /bin/bash
PYTHON ?= python3
OUT ?= out/demo

# The user's values reach the command through the environment, literally, so that no quoting is needed.
override INPUT := $(value INPUT)
override ANNOTATIONS := $(value ANNOTATIONS)
override RATE := $(value RATE)
override OUT := $(value OUT)
export PYTHON INPUT ANNOTATIONS RATE OUT

# Nodes started from here stay on this host and outside the environment's domain. Tests and demos choose separate domains.
export ROS_DOMAIN_ID := $(shell echo $$((1 + $$$$ % 101)))
export ROS_AUTOMATIC_DISCOVERY_RANGE := LOCALHOST
ifeq ($(ROS_DISTRO),humble)
export ROS_LOCALHOST_ONLY := 1
endif
unexport ROS_STATIC_PEERS ROS_DISCOVERY_SERVER

# Container images set it. Then Python compiles PyTorch's modules at every start, which takes 3 s.
unexport PYTHONDONTWRITEBYTECODE

# local_setup.sh adds the built package to the installed ROS, or to the wheels in .venv.
RUN := source .venv/local_setup.sh && .venv/bin/python

.PHONY: setup demo test test-quick test-slow test-all setup-oldest test-oldest setup-jazzy test-jazzy try-robot-path try-builds lint train-road bench soak test-gpu sanitize-gpu clean

setup:
	@tools/setup.sh

demo: setup
	@$(RUN) -m fcis_ros demo $${ANNOTATIONS:+--annotations="$$ANNOTATIONS"} $${RATE:+--rate="$$RATE"} --out="$$OUT" \
		-- $${INPUT:+"$$INPUT"}

# A test of ROS, Ray or pretrained weights that cannot run is a failure here, because set-up has installed all three.
# One worker per core, at most four; the tests of a file stay together, because they share costly fixtures.
export FCIS_REQUIRE_ROS := 1
export FCIS_REQUIRE_FLEET := 1
export FCIS_REQUIRE_PRETRAINED := 1
PARALLEL := -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Six minutes on two cores. Tests marked `slow` are left out and counted in the last line.
test: setup
	$(RUN) $(PARALLEL) -m "not slow"

# A minute: fast tests without a ROS graph and without compilers.
test-quick: setup
	$(RUN) $(PARALLEL) -m "not (slow or ros or compiler or nvcc or export or fleet)" $(addprefix --ignore=test/,training bags results evaluation cli examples test_omp.py tracking/test_tracker.py ros/test_inference_worker.py ros/test_model_loading.py)

# Sanitizers, the CUDA emulator through the bindings, every GPU architecture, endurance, fleets (CONTRIBUTING.md has the list).
test-slow: setup
	$(RUN) $(PARALLEL) -m slow

# All tests, with eight times as many examples of every property.
test-all: setup
	FCIS_HYPOTHESIS=thorough $(RUN) $(PARALLEL)

# python_of VERSION: the command of that Python, by name or next to the running one (pyenv); empty if none is installed.
python_of = $(shell for python in python$(1) $$($(PYTHON) -c "import sys; print(sys.base_prefix)")/../$(1).*/bin/python; do \
	$$python -c "" 2>/dev/null && echo $$python && break; done)

# The oldest supported versions, in a separate environment with Python 3.10: the tests of code that calls PyTorch, NumPy, OpenCV,
# pycocotools, rosbags, matplotlib and Ray. Compiled kernels depend on none of them, and the ROS graph equals that of `make test`:
# of the node, message conversions and one file suffice.
OLDEST_PYTHON ?= $(call python_of,3.10)
OLDEST := $(addprefix test/,data evaluation metrics results messages tracking model training bags cli test_*.py ros/test_fcis_node.py) \
	$(filter-out test/ops/test_cuda% test/ops/test_emulator.py test/ops/test_fuzz.py,$(wildcard test/ops/test_*.py)) test/ops/reference
setup-oldest:
	@test -n "$(OLDEST_PYTHON)" || { echo "test-oldest: there is no Python 3.10; OLDEST_PYTHON=... says where one is" >&2; exit 1; }
	@PYTHON=$(OLDEST_PYTHON) tools/setup.sh .venv-oldest constraints-oldest.txt
test-oldest: setup-oldest
	source .venv-oldest/local_setup.sh && .venv-oldest/bin/python $(PARALLEL) -m "not slow" $(OLDEST) \
		$(addprefix --ignore=test/evaluation/test_,demo_run.py live.py camvid.py replay.py)

# ROS 2 Jazzy, the long-term release, in a separate environment: the tests marked `ros`, which use rclpy, the middleware or launch, and
# a short demo. The rest imports no ROS (test/test_layers.py); `make test` runs it with the same versions.
# Python 3.12, as in Ubuntu 24.04; the default Python where it is not installed.
JAZZY_PYTHON ?= $(or $(call python_of,3.12),$(PYTHON))
setup-jazzy:
	@PYTHON=$(JAZZY_PYTHON) tools/setup.sh .venv-jazzy constraints-jazzy.txt
test-jazzy: setup-jazzy
	source .venv-jazzy/local_setup.sh && \
		.venv-jazzy/bin/python $(PARALLEL) -m "ros and not slow" && \
		.venv-jazzy/bin/python -m fcis_ros demo --frames 40 --out out/demo-jazzy

# The README's commands for robots, on a system Python that refuses `pip install`, in a workspace in /tmp.
try-robot-path:
	tools/try_robot_path.sh

# colcon build with old setuptools, without PyTorch, with PyTorch installed later; `CUDA=1`: with a CUDA PyTorch and no GPU.
try-builds:
	tools/try_builds.sh

# The style of Python and C++, and Python's types; `clang-format -i` mends C++ files.
lint: setup
	.venv/bin/ruff check .
	.venv/bin/mypy
	find csrc include examples test benchmarks -name '*.h' -o -name '*.hpp' -o -name '*.cpp' -o -name '*.cu' | \
		xargs .venv/bin/clang-format --dry-run --Werror

# DATA: a folder of camvid/ (train/, val/ and their instances_*.json) and coco100/. Starts from ImageNet weights, which set-up has
# installed; resumes an interrupted run.
DATA ?= ../shared/data
train-road: setup
	$(RUN) -m experiments.ladder.data $(DATA) out/road
	$(RUN) -m fcis_ros train --config config/train_road.json --init efficientnet_lite0 --out runs/train-road \
		--annotations out/road/road.json --images $(DATA) \
		--eval-annotations $(DATA)/camvid/instances_val.json --eval-images $(DATA)/camvid/val --eval-limit 101 --resume auto

# Prints a table and writes out/bench/*.json; uses the GPU if there is one.
bench: setup
	$(RUN) -m benchmarks
	$(RUN) -m benchmarks.convolutions
	$(RUN) -m benchmarks.patent
	$(RUN) -m benchmarks.node $(addprefix --annotations ,$(wildcard $(DATA)/camvid/instances_train.json))
	$(RUN) -m benchmarks.bags
	$(RUN) -m benchmarks.overlay
	$(RUN) -m benchmarks.node_load

# 100 000 malformed frames through the stages before the network, 10 000 frames through a node whose cameras and parameters change;
# the suite sends 2000 and 200.
soak: setup
	FCIS_REQUIRE_ROS=1 FCIS_FUZZ_FRAMES=100000 FCIS_SOAK_FRAMES=10000 $(RUN) -m pytest --timeout 3600 test/ros/test_fuzz.py test/ros/test_soak.py

# All tests that need a CUDA device; a test that cannot run is a failure.
test-gpu: setup
	FCIS_REQUIRE_CUDA=1 FCIS_REQUIRE_NVCC=1 $(RUN) -m pytest -m cuda

# The same operators under NVIDIA's checkers of memory accesses, races, barriers and uninitialised memory, one after the other.
# Every tensor has a separate allocation, which CUDA graphs do not support.
TOOLS ?= memcheck racecheck synccheck initcheck
sanitize-gpu: setup
	source .venv/local_setup.sh && export FCIS_REQUIRE_CUDA=1 PYTORCH_NO_CUDA_MEMORY_CACHING=1 && for tool in $(TOOLS); do \
		compute-sanitizer --tool $$tool --error-exitcode 1 .venv/bin/python -m pytest -m cuda test/ops \
			-k "not graph and not replay and not 4_gib" || exit 1; done

# Removes everything that can be built again in minutes; runs/ holds days of training.
clean:
	rm -rf .venv .venv-oldest .venv-jazzy build install log out .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
