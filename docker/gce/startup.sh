#!/usr/bin/env bash
# Runs at each start of the VM (Container-Optimized OS): drivers, then the training as a service, which resumes by itself.
#
# The service's rules: the command ended well (status 0): no VM is wanted any more. It was told to go (75) or failed: it is
# started again, here or on the VM that comes next. Its arguments are wrong (2): nothing is tried again.
set -euo pipefail
root=${ROOT:-} # tests install elsewhere
metadata() {
    curl --silent --fail --header "Metadata-Flavor: Google" \
        "http://metadata.google.internal/computeMetadata/v1/instance/$1"
}
image=$(metadata attributes/gpugrad-image)
command=$(metadata attributes/gpugrad-command) # words, quoted for the shell

# COS mounts /var without the right to execute; the driver lives there.
cos-extensions install gpu -- --version=latest
mount --bind /var/lib/nvidia /var/lib/nvidia
mount -o remount,exec /var/lib/nvidia

export HOME=$root/home/root # /root is read-only
mkdir -p "$HOME"
docker-credential-gcr configure-docker --registries="${image%%/*}"
docker pull "$image"

folder=$root/var/lib/gpugrad
units=$root/etc/systemd/system
mkdir -p "$folder" "$units"
cat >"$folder/run.sh" <<END
#!/usr/bin/env bash
set -euo pipefail
devices=()
for device in /dev/nvidia*; do
    [ -c "\$device" ] && devices+=("--device=\$device")
done
exec docker run --name=gpugrad --network=host --shm-size=1g "\${devices[@]}" \\
    --volume=cupy:/opt/cupy --read-only --tmpfs=/tmp --tmpfs=/home/gpugrad:uid=1000,gid=1000,mode=0700 \\
    --cap-drop=ALL --security-opt=no-new-privileges --pids-limit=4096 \\
    --volume=/var/lib/nvidia/lib64:/usr/local/nvidia/lib64:ro --env=LD_LIBRARY_PATH=/usr/local/nvidia/lib64 \\
    $(printf %q "$image") $command
END
cat >"$folder/done.sh" <<'END'
#!/usr/bin/env bash
# After the training: if it ended well, the group that made this VM is set to no VM.
set -euo pipefail
if [ "$SERVICE_RESULT" != success ] || [ "$EXIT_STATUS" != 0 ]; then exit 0; fi
at=http://metadata.google.internal/computeMetadata/v1/instance
group=$(curl --silent --fail --header "Metadata-Flavor: Google" "$at/attributes/created-by") || exit 0 # no group made it
token=$(curl --silent --fail --header "Metadata-Flavor: Google" "$at/service-accounts/default/token")
token=${token#*\"access_token\":\"}
curl --silent --fail --request POST --header "Authorization: Bearer ${token%%\"*}" --header "Content-Length: 0" \
    "https://compute.googleapis.com/compute/v1/$group/resize?size=0"
END
cat >"$units/gpugrad.service" <<END
[Unit]
Description=a training with gpugrad
Wants=docker.service
After=docker.service

[Service]
Environment=HOME=$HOME
ExecStartPre=-/usr/bin/docker rm --force gpugrad
ExecStart=/bin/bash $folder/run.sh
ExecStop=/usr/bin/docker stop --time=25 gpugrad
ExecStopPost=/bin/bash $folder/done.sh
TimeoutStopSec=28
Restart=on-failure
RestartPreventExitStatus=2
RestartSec=5
END
systemctl daemon-reload
systemctl start --no-block gpugrad.service
