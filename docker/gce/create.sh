#!/usr/bin/env bash
# Train on a spot VM that comes back by itself when it was taken away:
#   docker/gce/create.sh NAME IMAGE COMMAND...
#   docker/gce/create.sh digits europe-docker.pkg.dev/PROJECT/REPOSITORY/gpugrad:cuda train train.toml --out gs://BUCKET/digits
# NAME names the template and the group of one VM. COMMAND is what follows `gpugrad` in the image; its output folder has to
# be in a bucket, since the VM's disk goes with it. Zone, machine and project: see settings.sh.
# When the command ends well, the group is set to no VM; delete.sh removes the rest.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# < 3)); then
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
# shellcheck source=docker/gce/settings.sh
. "$here/settings.sh"
name=$1 image=$2
shift 2
command=$(printf '%q ' "$@") # words stay words on their way through the metadata

gcloud compute instance-templates create "$name" --project="$project" \
    --machine-type="$machine" ${accelerator:+--accelerator="$accelerator"} \
    --provisioning-model=SPOT --maintenance-policy=TERMINATE \
    --image-family=cos-stable --image-project=cos-cloud --boot-disk-size="${disk_gb}GB" \
    --service-account="$account@$project.iam.gserviceaccount.com" --scopes=cloud-platform \
    --metadata=google-logging-enabled=true \
    --metadata-from-file=startup-script="$here/startup.sh",gpugrad-image=<(printf %s "$image"),gpugrad-command=<(printf %s "$command")
gcloud compute instance-groups managed create "$name" --project="$project" --zone="$zone" --template="$name" --size=1
echo "started; its output: gcloud logging read 'jsonPayload._SYSTEMD_UNIT=\"gpugrad.service\"' --project=$project"
