#!/usr/bin/env bash
# Delete what create.sh made: docker/gce/delete.sh NAME. The bucket stays; its contents: gcloud storage rm -r gs://BUCKET/RUN
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# != 1)); then
    sed -n '2s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
# shellcheck source=docker/gce/settings.sh
. "$here/settings.sh"

status=0
gcloud compute instance-groups managed delete "$1" --project="$project" --zone="$zone" --quiet || status=1
gcloud compute instance-templates delete "$1" --project="$project" --quiet || status=1
exit "$status"
