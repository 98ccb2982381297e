#!/usr/bin/env bash
# Install gpugrad and what its examples need: docker/install.sh [EXTRA], such as cuda13.
# Both images are built by it, and it runs the same in any clean environment: PYTHON=path/to/python docker/install.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
"$python" -m pip install --quiet --no-cache-dir ".[examples${1:+,$1}]"
"$python" -P -m gpugrad info # -P: the installed one, not the one in this folder
