# Sourced by the scripts beside it: what they share. Each value can be set in the environment.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

zone=${ZONE:-us-central1-a}
machine=${MACHINE:-g2-standard-4} # one L4; the N1 machines take ACCELERATOR=type=nvidia-tesla-t4,count=1 beside it
accelerator=${ACCELERATOR:-}
disk_gb=${DISK_GB:-50}
account=${SERVICE_ACCOUNT:-gpugrad-train}

project=${PROJECT:-$(gcloud config get-value project 2>/dev/null || true)}
if [ -z "$project" ]; then
    echo "no Google Cloud project: set PROJECT, or run: gcloud config set project NAME" >&2
    exit 2
fi
