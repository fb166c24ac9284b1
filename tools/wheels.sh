# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0

# Functions for the scripts that create environments.

# pip_setting NAME: the value of a setting of pip from the environment or its files, in pip's order; several folders separated by commas.
pip_setting() {
  local scope
  for scope in :env: site user global; do
    sed -n "s/^$scope\.\.\?$1=['\"]\(.*\)['\"]\$/\1/p" <<<"$configured" | sed 's/\\n/ /g; s/^ *//; s/  */,/g' | grep . && return
  done
  true
}

# install_wheels VENV LIMITS PACKAGE...: installs packages by uv, in a tenth of pip's time and from one cache for all environments, with
# pip's settings of index, wheel folders and certificates. Uses pip where uv fails, or where pip has no index.
install_wheels() {
  local venv=$1 limits=$2 configured pair value
  local -a settings=()
  shift 2
  configured=$("$venv/bin/python" -m pip config list)
  for pair in index-url:UV_DEFAULT_INDEX find-links:UV_FIND_LINKS cert:SSL_CERT_FILE; do
    value=$(pip_setting "${pair%:*}")
    [ -z "$value" ] || settings+=("${pair#*:}=$value")
  done
  if [ -z "$(pip_setting no-index)" ] && "$venv/bin/python" -m pip install --quiet -c "$limits" uv &&
    env "${settings[@]}" "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" -c "$limits" "$@"; then
    return
  fi
  echo "set-up: uv failed; installing by pip, which takes longer" >&2
  "$venv/bin/python" -m pip install --quiet --no-compile -c "$limits" "$@"
}

# repair_exports VENV: replaces the include folders of the wheels' build machine in the message packages' CMake files. It writes new
# files, because uv links the old ones to its cache.
repair_exports() {
  "$1/bin/python" - "$1"/share/*/cmake/export_*__rosidl_generator_pyExport.cmake <<'PY'
import os, re, sys, sysconfig
import numpy
for path in sys.argv[1:]:
    text = open(path).read()
    text = re.sub(r'/opt/python/[^";]*/numpy/_core/include', numpy.get_include(), text)
    text = re.sub(r'/opt/python/[^";]*/include/python3[^";]*', sysconfig.get_paths()["include"], text)
    os.unlink(path)
    open(path, "w").write(text)
PY
}
