# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0

# Every target does its own set-up: `make demo` and `make test` work on a bare machine (see the README).

SHELL := /bin/bash
PYTHON ?= python3
OUT ?= out/demo

# What the user gives goes to the command through the environment, literally: no quoting can go wrong.
override INPUT := $(value INPUT)
override ANNOTATIONS := $(value ANNOTATIONS)
override RATE := $(value RATE)
override OUT := $(value OUT)
export PYTHON INPUT ANNOTATIONS RATE OUT

# Nodes started from here neither hear nor disturb a robot: this host only, and not in the environment's domain. Tests and demos
# take domains of their own.
export ROS_DOMAIN_ID := $(shell echo $$((1 + $$$$ % 101)))
export ROS_AUTOMATIC_DISCOVERY_RANGE := LOCALHOST
ifeq ($(ROS_DISTRO),humble)
export ROS_LOCALHOST_ONLY := 1
endif
unexport ROS_STATIC_PEERS ROS_DISCOVERY_SERVER

# Container images set it. Without it, what a process imports is compiled once; PyTorch's modules take 3 s, each time.
unexport PYTHONDONTWRITEBYTECODE

# local_setup.sh adds what was built to the ROS that is there, or to the wheels in .venv.
RUN := source .venv/local_setup.sh && .venv/bin/python

.PHONY: setup demo test test-quick test-slow test-all setup-oldest test-oldest setup-jazzy test-jazzy try-robot-path try-builds lint train-road bench soak test-gpu sanitize-gpu clean

setup:
	@tools/setup.sh

demo: setup
	@$(RUN) -m fcis_ros demo $${ANNOTATIONS:+--annotations="$$ANNOTATIONS"} $${RATE:+--rate="$$RATE"} --out="$$OUT" \
		-- $${INPUT:+"$$INPUT"}

# A test that needs ROS, or Ray and the like, is a failure here if it cannot run: set-up has just installed what it needs.
# One worker per core, at most four; a file's tests stay together, because they share what is costly to make.
export FCIS_REQUIRE_ROS := 1
export FCIS_REQUIRE_FLEET := 1
PARALLEL := -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Six minutes on two cores. What is marked `slow` is left out, and counted in the last line.
test: setup
	$(RUN) $(PARALLEL) -m "not slow"

# A minute: neither a ROS graph nor compilers, and of the rest what answers soon.
test-quick: setup
	$(RUN) $(PARALLEL) -m "not (slow or ros or compiler or nvcc or export or fleet)" $(addprefix --ignore=test/,training bags results evaluation cli examples test_prior_work.py test_omp.py tracking/test_tracker.py ros/test_inference_worker.py)

# Sanitizers, the CUDA emulator through the bindings, every GPU architecture, endurance, fleets (CONTRIBUTING.md has the list).
test-slow: setup
	$(RUN) $(PARALLEL) -m slow

# Everything, and eight times as many examples of every property.
test-all: setup
	FCIS_HYPOTHESIS=thorough $(RUN) $(PARALLEL)

# python_of VERSION: the command of that Python, by its name or from the folder of the one that is there (pyenv); empty if there is none.
python_of = $(shell for python in python$(1) $$($(PYTHON) -c "import sys; print(sys.base_prefix)")/../$(1).*/bin/python; do \
	$$python -c "" 2>/dev/null && echo $$python && break; done)

# The oldest versions that the package is for, in an environment of their own with Python 3.10: the tests of what calls PyTorch,
# NumPy, OpenCV, pycocotools, rosbags, matplotlib and Ray. Compilers on kernels know none of them, and the ROS graph is that of
# `make test`: of what needs a node, the conversions of messages and one file suffice.
OLDEST_PYTHON ?= $(call python_of,3.10)
OLDEST := $(addprefix test/,data evaluation metrics results messages tracking model training bags cli test_*.py ros/test_fcis_node.py) \
	$(addprefix test/ops/test_,arguments.py box_operators.py map_operators.py mask_operators.py patent.py network_input.py reference.py)
setup-oldest:
	@test -n "$(OLDEST_PYTHON)" || { echo "test-oldest: there is no Python 3.10; OLDEST_PYTHON=... says where one is" >&2; exit 1; }
	@PYTHON=$(OLDEST_PYTHON) tools/setup.sh .venv-oldest constraints-oldest.txt
test-oldest: setup-oldest
	source .venv-oldest/local_setup.sh && .venv-oldest/bin/python $(PARALLEL) -m "not slow" $(OLDEST) \
		$(addprefix --ignore=test/evaluation/test_,demo_run.py live.py camvid.py replay.py)

# ROS 2 Jazzy, the long-term release, in an environment of its own: the tests that are marked `ros`, because they talk to rclpy, the
# middleware or launch, and a short demo. The rest imports no ROS (test/test_layers.py); `make test` has run it with the same versions.
# Python 3.12, as in Ubuntu 24.04; the usual one where there is none.
JAZZY_PYTHON ?= $(or $(call python_of,3.12),$(PYTHON))
setup-jazzy:
	@PYTHON=$(JAZZY_PYTHON) tools/setup.sh .venv-jazzy constraints-jazzy.txt
test-jazzy: setup-jazzy
	source .venv-jazzy/local_setup.sh && \
		.venv-jazzy/bin/python $(PARALLEL) -m "ros and not slow" && \
		.venv-jazzy/bin/python -m fcis_ros demo --frames 40 --out out/demo-jazzy

# The README's robot path as it is typed, on a system Python that refuses `pip install`; a workspace in /tmp.
try-robot-path:
	tools/try_robot_path.sh

# colcon build with old setuptools, without PyTorch, with PyTorch installed later; `CUDA=1`: with a CUDA PyTorch and no GPU.
try-builds:
	tools/try_builds.sh

# The style of Python and of C++, and Python's types; `clang-format -i` on what it complains about.
lint: setup
	.venv/bin/ruff check .
	.venv/bin/mypy
	find csrc include examples test benchmarks -name '*.h' -o -name '*.hpp' -o -name '*.cpp' -o -name '*.cu' | \
		xargs .venv/bin/clang-format --dry-run --Werror

# CAMVID: a folder with train/, val/ and their instances_*.json. Goes on where an interrupted run stopped.
CAMVID ?= ../shared/data/camvid
train-road: setup
	$(RUN) -m fcis_ros train --config config/train_road.json --out runs/train-road \
		--annotations $(CAMVID)/instances_train.json --images $(CAMVID)/train \
		--eval-annotations $(CAMVID)/instances_val.json --eval-images $(CAMVID)/val --eval-limit 101 --resume auto

# Prints a table and writes out/bench/*.json; on the GPU where there is one.
bench: setup
	$(RUN) -m benchmarks
	$(RUN) -m benchmarks.convolutions
	$(RUN) -m benchmarks.patent
	$(RUN) -m benchmarks.node $(addprefix --annotations ,$(wildcard $(CAMVID)/instances_train.json))
	$(RUN) -m benchmarks.bags
	$(RUN) -m benchmarks.overlay
	$(RUN) -m benchmarks.node_load

# 100 000 hostile frames through what lies before the network, 10 000 frames through a node whose cameras and parameters change
# all along; the suite sends 2000 and 200.
soak: setup
	FCIS_REQUIRE_ROS=1 FCIS_FUZZ_FRAMES=100000 FCIS_SOAK_FRAMES=10000 $(RUN) -m pytest --timeout 3600 test/ros/test_fuzz.py test/ros/test_soak.py

# Everything that needs a CUDA device; a test that cannot run is a failure.
test-gpu: setup
	FCIS_REQUIRE_CUDA=1 FCIS_REQUIRE_NVCC=1 $(RUN) -m pytest -m cuda

# The same operators under NVIDIA's checkers of memory accesses, races, barriers and uninitialised memory, one after the other:
# every tensor in an allocation of its own, which graphs cannot have.
TOOLS ?= memcheck racecheck synccheck initcheck
sanitize-gpu: setup
	source .venv/local_setup.sh && export FCIS_REQUIRE_CUDA=1 PYTORCH_NO_CUDA_MEMORY_CACHING=1 && for tool in $(TOOLS); do \
		compute-sanitizer --tool $$tool --error-exitcode 1 .venv/bin/python -m pytest -m cuda test/ops \
			-k "not graph and not replay and not 4_gib" || exit 1; done

# What was built and what can be made again in minutes; runs/ holds days of training.
clean:
	rm -rf .venv .venv-oldest .venv-jazzy build install log out .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
