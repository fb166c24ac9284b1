#!/usr/bin/env bash
# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0

# Runs the README's commands under "On a robot", up to the launch, in a workspace FOLDER (default: a temporary one), on a system
# Python that refuses `pip install`; then replays a short clip through the node that they built.
#
# Instead of a distribution's ROS it sources a prefix with the wheels of constraints.txt and the packages that rosdep would bring, in
# the versions of Ubuntu 24.04. rosdep itself needs a network index and is left out.
set -euo pipefail
source_tree=$(cd "$(dirname "$0")/.." && pwd)
source "$source_tree/tools/wheels.sh"
work=$(realpath -m "${1:-$(mktemp -d)}")
[ $# -gt 0 ] || trap 'rm -rf "$work"' EXIT
python=${SYSTEM_PYTHON:-/usr/bin/python3}
prefix=$work/ros

fail() { echo "robot path: $*" >&2; exit 1; }
refusal=$("$python" -m pip install six 2>&1) && fail "$python does not refuse pip install: choose a SYSTEM_PYTHON that does"
[[ $refusal == *externally-managed* ]] || fail "$refusal"

install_ros() {
  "$python" -m venv "$prefix"
  local wheels=("ros-rclpy[fastrtps]" ros-{sensor,std,geometry,diagnostic,visualization,lifecycle}-msgs ros-rcl-interfaces)
  wheels+=(ros-ament-{cmake,package,cmake-ros-core,cmake-include-directories,cmake-pytest} ros-rosidl-{default,core}-generators)
  wheels+=(catkin-pkg colcon-common-extensions "numpy==1.26.4" "scipy==1.11.4" "opencv-python-headless==4.6.0.66")
  wheels+=("matplotlib==3.6.3" "Jinja2==3.1.2" "tqdm==4.66.2" "setuptools==68.1.2")
  grep -E '^(ros|colcon|catkin|empy|lark|uv=)' "$source_tree/constraints.txt" >"$work/limits.txt"
  install_wheels "$prefix" "$work/limits.txt" "${wheels[@]}"
  repair_exports "$prefix"
}

source_ros() {  # exports like a distribution's setup.bash
  export ROS_DISTRO=kilted AMENT_PREFIX_PATH=$prefix CMAKE_PREFIX_PATH=$prefix LD_LIBRARY_PATH=$prefix/lib
  export PYTHONPATH; PYTHONPATH=$("$prefix/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  LD_LIBRARY_PATH+=$(printf ':%s' "$PYTHONPATH"/*.libs)  # system libraries in the wheels
  # The system's Python first, and colcon under it.
  mkdir -p "$work/bin"
  ln -sf "$python" "$work/bin/python3"
  printf '#!/bin/sh\nexec %s -m colcon "$@"\n' "$python" >"$work/bin/colcon"
  chmod +x "$work/bin/colcon"
  export PATH=$work/bin:$PATH
}

# The lines of the README's block up to the first launch.
lines() {
  awk '/^## /{here = /On a robot/} here && /^```/{if (block++) exit; next} here && block && /^ros2 launch/{exit} here && block' \
    "$source_tree/README.md"
}

unset PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
mkdir -p "$work/home"
install_ros
source_ros
# Reuses the caches of set-up: this script tests the README's lines, not downloads.
export PIP_CACHE_DIR; PIP_CACHE_DIR=$("$prefix/bin/python" -m pip cache dir)
export FCIS_OPERATOR_CACHE=${FCIS_OPERATOR_CACHE:-$source_tree/build/operators}
export HOME=$work/home PIP_CONSTRAINT=$work/constraints.txt ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
export ROS_DOMAIN_ID=${ROS_DOMAIN_ID:-$((1 + $$ % 101))}
grep '^torch==' "$source_tree/constraints.txt" >"$PIP_CONSTRAINT"  # not the newest, which is several GB
rosdep() { echo "robot path: rosdep $* is taken as done"; }
commands=$(lines)
[ "$(grep -c . <<<"$commands")" -ge 6 ] || fail "the README's lines were not found"
echo "$commands"
set +u
eval "${commands/<this repository>/$source_tree}"
[ "$(head -n 1 install/fcis_ros/lib/fcis_ros/fcis_node)" = "#!$work/home/ros2_ws/.venv/bin/python" ] || fail "built for another Python"
install/fcis_ros/lib/fcis_ros/fcis demo --frames 6 --out "$work/demo"
"$python" -c "import json, sys; sys.exit(json.load(open('$work/demo/report.json'))['frames_out'] == 0)" || fail "no frame was answered"
echo "robot path: works"
