#!/usr/bin/env bash
# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0

# colcon build in unusual environments, in a workspace FOLDER (default: a temporary one), with the ROS wheels of constraints.txt: with
# the setuptools of Ubuntu 22.04, Debian 12 and Ubuntu 24.04, first without PyTorch and then with a PyTorch
# installed later. CUDA=1 tries another, several GB: PyTorch 2.14.1 with CUDA 13, an nvcc for it and no GPU visible.
set -euo pipefail
source_tree=$(cd "$(dirname "$0")/.." && pwd)
source "$source_tree/tools/wheels.sh"
work=$(realpath -m "${1:-$(mktemp -d)}")
[ $# -gt 0 ] || trap 'rm -rf "$work"' EXIT
venv=$work/venv
python=$venv/bin/python
library=$work/install/fcis_ros/lib/$("${PYTHON:-python3}" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')/site-packages/fcis_ros/_C.so

fail() { echo "builds: $*" >&2; exit 1; }
install() { "$python" -m pip install --quiet "$@"; }

install_ros() {
  "${PYTHON:-python3}" -m venv "$venv"
  grep -E '^(ros|colcon|catkin|empy|lark|numpy|uv=)' "$source_tree/constraints.txt" >limits.txt
  install_wheels "$venv" limits.txt numpy catkin-pkg colcon-common-extensions \
    ros-{sensor,std}-msgs ros-ament-{cmake,package,cmake-ros-core,cmake-include-directories,cmake-pytest} \
    ros-rosidl-{default,core}-generators
  repair_exports "$venv"
}

build() {  # output: $work/build.log
  (cd "$work" && AMENT_PREFIX_PATH=$venv CMAKE_PREFIX_PATH=$venv PATH=$venv/bin:$PATH colcon build --base-paths "$source_tree" \
    --packages-select fcis_ros --cmake-args -DPython3_EXECUTABLE="$python" -DBUILD_TESTING=OFF) >build.log 2>&1 || { cat build.log; fail "$1"; }
}

loads() { (cd "$work" && "$python" -c "import torch; torch.ops.load_library('$library'); print(torch.ops.fcis_ros.sources())"); }

unset PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH ROS_DISTRO
mkdir -p "$work" && cd "$work"
install_ros
unset FCIS_OPERATOR_CACHE  # compiled with each setuptools
# Built anew with each setuptools; messages stay, since they do not depend on it.
for setuptools in 59.6.0 66.1.1 68.1.2; do
  rm -rf install
  install "setuptools==$setuptools"
  build "setuptools $setuptools without PyTorch"
  [ "$(grep -c "operators are left out" build.log)" = 1 ] || fail "no single line says that the operators are left out"
  [ ! -e "$library" ] && [ -f install/fcis_ros/share/fcis_ros/launch/camera.launch.py ] || fail "wrong files were installed"
  (set +u; source install/local_setup.bash && "$python" -c "from fcis_ros.msg import InstanceMaskArray; import fcis_ros.messages.mask_messages") || fail "messages"
  echo "builds: setuptools $setuptools, without PyTorch: works"
done
install_wheels "$venv" limits.txt "$(grep '^torch==' "$source_tree/constraints.txt")"
for setuptools in 59.6.0 66.1.1 68.1.2; do
  rm -rf install build/fcis_ros/operators
  install "setuptools==$setuptools"  # PyTorch asks for a newer one, and brings it
  build "setuptools $setuptools with PyTorch installed later"
  [[ $(loads) == cpu-* ]] || fail "setuptools $setuptools: no operators after PyTorch was installed"
  echo "builds: setuptools $setuptools, with PyTorch installed later: works"
done
[ "${CUDA:-}" = 1 ] || exit 0
install --upgrade torch==2.14.1 "setuptools==79.0.1"
export CUDA_VISIBLE_DEVICES=
build "CUDA PyTorch without a GPU"
[[ $(loads) == cuda-* ]] || fail "no CUDA kernels: $(cat build.log)"
cuobjdump --list-elf "$library" 2>/dev/null | grep -o 'sm_[0-9]*' | sort | uniq -c || true
echo "builds: CUDA PyTorch without a GPU: works"
