#!/usr/bin/env bash
# Install gpugrad and what trains with it: docker/install.sh [EXTRAS], such as cuda13,gcs.
# It runs in any clean environment: PYTHON=path/to/python docker/install.sh
# Both images are built by it with LOCK=cpu, cuda12 or cuda13: then the packages are those of docker/locks/$LOCK.txt, for
# Python 3.12 on Linux, and a file with another hash than is written there is an error.
# With ARCH (sm_90, "sm_80 sm_90" or all) the kernel cache is filled too, in GPUGRAD_CACHE_DIR; that needs no GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
install() {
    "$1" -m pip install --quiet --no-cache-dir "${@:2}"
}
if [ -n "${LOCK:-}" ]; then
    locked=(--require-hashes --only-binary ":all:" --requirement)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    "$python" -m venv "$work/build"
    install "$work/build/bin/python" "${locked[@]}" docker/locks/build.txt
    "$work/build/bin/python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work" .
    install "$python" "${locked[@]}" "docker/locks/$LOCK.txt"
    install "$python" --no-deps "$work"/*.whl
else
    install "$python" ".[cli,examples,train${1:+,$1}]"
fi
# -P: the installed one, not the one in this folder
read -ra architectures <<<"${ARCH:-}"
if ((${#architectures[@]})); then
    "$python" -P -m gpugrad precompile "${architectures[@]/#/--arch=}"
fi
"$python" -P -m gpugrad info
