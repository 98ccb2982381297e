#!/usr/bin/env bash
# Install gpugrad and what trains with it: docker/install.sh [EXTRAS], such as cuda13,gcs.
# Both images are built by it, and it runs the same in any clean environment: PYTHON=path/to/python docker/install.sh
# With ARCH (sm_90, "sm_80 sm_90" or all) the kernel cache is filled too, in GPUGRAD_CACHE_DIR; that needs no GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
"$python" -m pip install --quiet --no-cache-dir ".[cli,examples,train${1:+,$1}]"
# -P: the installed one, not the one in this folder
read -ra architectures <<<"${ARCH:-}"
if ((${#architectures[@]})); then
    "$python" -P -m gpugrad precompile "${architectures[@]/#/--arch=}"
fi
"$python" -P -m gpugrad info
