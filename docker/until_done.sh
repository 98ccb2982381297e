#!/usr/bin/env bash
# Run gpugrad with these arguments, and again after it failed or was preempted: it resumes from its last checkpoint.
#   gpugrad-until-done train train.toml --out runs/digits
# Not again: after 0 (done), 2 (the configuration is wrong: trying again does not help) and 130 (Ctrl-C), and when this
# script itself is told to stop, by `docker stop` for instance. Then gpugrad is told, saves and leaves with status 75.
# Between two tries: RETRY_SECONDS, 5 if it is not set.
set -euo pipefail

child='' stopping='' told=''
stop() {
    stopping=yes told=yes
    if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null || true; fi
}
trap stop TERM INT

while true; do
    gpugrad "$@" &
    child=$!
    if [ -n "$stopping" ]; then stop; fi
    while true; do
        told='' status=0
        wait "$child" || status=$?
        if [ -z "$told" ]; then break; fi # else a signal ended the wait, and gpugrad is still saving
    done
    case $status in 0 | 2 | 130) exit "$status" ;; esac
    if [ -n "$stopping" ]; then exit "$status"; fi
    echo "gpugrad left with status $status: again in ${RETRY_SECONDS:-5} seconds" >&2
    sleep "${RETRY_SECONDS:-5}" &
    child=$!
    wait "$child" || true
    if [ -n "$stopping" ]; then exit "$status"; fi
done
