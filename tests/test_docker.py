"""Images, jobs and scripts: checked by the linters of their kind; the scripts run against stand-ins for the cloud."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_device

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
SCRIPTS = sorted([*DOCKER.rglob("*.sh"), ROOT / ".ci" / "run"])
CLOUD = (ROOT / "docs" / "cloud.md").read_text()


def linter(name):
    """The path of a linter, which the extra ``dev`` brings."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed: pip install 'gpugrad[dev]'")
    return found


def clean(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shell_scripts(path):
    clean(linter("shellcheck"), "--external-sources", f"--source-path={ROOT}", str(path))


def test_scripts_are_executable():
    assert [p.name for p in SCRIPTS if not os.access(p, os.X_OK)] == ["settings.sh"]  # which is only sourced


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.cuda"])
def test_image(name):
    clean(linter("hadolint"), str(DOCKER / name))
    text = (DOCKER / name).read_text()
    assert "\nUSER 1000\n" in text  # by number, or Kubernetes cannot tell that it is not root
    assert "\nHEALTHCHECK " in text
    assert "docker/install.sh" in text  # the script that CI runs too


def test_images_are_pinned_and_need_no_rights():
    bases = set()
    for name in ("Dockerfile", "Dockerfile.cuda"):
        text = (DOCKER / name).read_text()
        (base,) = re.findall(r"^ARG BASE=(.+)$", text, re.M)
        bases.add(base)
        assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${BASE}"}
        assert "LOCK=" in text
    (base,) = bases
    assert re.fullmatch(r"python:3\.12\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)


def test_kernels_of_cupy_are_kept_on_a_volume():
    image, compose = (DOCKER / "Dockerfile.cuda").read_text(), (DOCKER / "compose.yaml").read_text()
    (folder,) = re.findall(r"CUPY_CACHE_DIR=(\S+)", image)
    (made,) = re.findall(r"install -d -o gpugrad -g gpugrad (.+)", image)
    assert folder in made.split()  # a new volume gets the owner of the image's folder
    assert f"- cupy:{folder}" in compose


def written_anew(lock):
    """The requirements of a lock: name, version, hashes."""
    text = re.sub(r"\s*\\\n\s*", " ", lock.read_text())
    entry = r"([a-z0-9.-]+)==([\w.+]+)((?: ; platform_machine == \"\w+\")?)((?: --hash=sha256:[0-9a-f]{64})+)"
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = [re.fullmatch(entry, line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return {match[1]: match[2] for match in found}


@pytest.mark.parametrize("name", ["build", "cpu", "cuda12", "cuda13"])
def test_locks_have_versions_and_hashes_of_all_that_is_needed_and_nothing_else(name, monkeypatch):
    requirements = pytest.importorskip("packaging.requirements", reason="needs packaging, which pytest brings")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import lock

    path = DOCKER / "locks" / f"{name}.txt"
    found = written_anew(path)
    assert found, "no address, option or comment is among them"
    for text in lock.wanted(name):
        wanted = requirements.Requirement(text)
        version = found.get(wanted.name.lower())
        assert version is not None, f"{text} is not locked: run python tools/lock.py {name}"
        assert version in wanted.specifier, f"{text}, locked is {version}: run python tools/lock.py {name}"


def test_locked_packages_are_installed_by_hash(tmp_path):
    machine = Machine(tmp_path, ["python3"])
    for lock in ("cpu", ""):
        machine.log.write_text("")
        done = machine.run(str(DOCKER / "install.sh"), "gcs", LOCK=lock, PYTHON="python3")
        assert ("No such file" in done.stderr) == bool(lock), "the stand-in makes no environment to build in"
        if not lock:
            assert machine.calls[0].endswith(" <.[cli,examples,train,gcs]>")
    python = tmp_path / "bin" / "python3"
    python.write_text(
        python.read_text()
        + """
if [[ "$*" == "-m venv "* ]]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi
if [[ "$*" == *" wheel "* ]]; then touch "${@: -2:1}/gpugrad.whl"; fi
"""
    )
    machine.log.write_text("")
    done = machine.run(str(DOCKER / "install.sh"), LOCK="cuda13", PYTHON="python3")
    assert done.returncode == 0, done.stderr
    installs = [call for call in machine.calls if " <install> " in call]
    assert [call.rpartition(" ")[2] for call in installs[:2]] == [
        "<docker/locks/build.txt>",
        "<docker/locks/cuda13.txt>",
    ]
    assert all("<--require-hashes> <--only-binary> <:all:>" in call for call in installs[:2])
    assert "<--no-deps>" in installs[2]
    assert len(installs) == 3


def test_containers_have_no_rights_and_a_wrong_configuration_is_not_tried_again():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "no"  # Docker's on-failure does not know status 2, until_done.sh does
        assert service["entrypoint"] == ["gpugrad-until-done"]
        assert not {"privileged", "cap_add", "network_mode", "pid"} & service.keys()
    job = yaml.safe_load((DOCKER / "kubernetes" / "job.yaml").read_text())["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert {"action": "FailJob", "onExitCodes": {"containerName": "train", "operator": "In", "values": [2]}} in (
        job["podFailurePolicy"]["rules"]
    )


def test_the_service_account_may_do_what_the_scripts_need():
    roles = set(re.findall(r"role(?:s|=)?[=/](?:roles/)?([\w.]+\.\w+)", CLOUD))
    assert roles == {"storage.objectUser", "artifactregistry.reader", "logging.logWriter"}
    assert set(re.findall(r"compute\.instance\w+\.\w+", CLOUD)) == {
        "compute.instanceGroupManagers.get", "compute.instanceGroupManagers.update",
    }  # fmt: skip
    everywhere = [path.read_text() for path in DOCKER.rglob("*") if path.is_file()] + [CLOUD]
    assert not any(
        re.search(r"roles/(owner|editor)|\.(admin|instanceAdmin)\b|objectAdmin", text) for text in everywhere
    )


def test_compose():
    clean(linter("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DOCKER / "compose.yaml"))


def test_kubernetes():
    clean(linter("kubernetes-validate"), "--strict", str(DOCKER / "kubernetes" / "job.yaml"))


def test_vertex():
    schema = ROOT / "tests" / "vertex_job.schema.json"
    clean(linter("check-jsonschema"), "--schemafile", str(schema), str(DOCKER / "gce" / "vertex.yaml"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"docker/[\w/.]+\w", CLOUD))))
def test_what_the_guide_names_is_there(name):
    assert (ROOT / name).exists()


# -------------------------------------------------------------------- the scripts, with stand-ins

STANDIN = """\
#!/usr/bin/env bash
{{ printf '%s' "$(basename "$0")"; printf ' <%s>' "$@"; echo; }} >>"{log}"
case "$(basename "$0") $*" in
{answers}
esac
"""


class Machine:
    """A PATH of stand-ins that note how they were called."""

    def __init__(self, folder, commands, answers=""):
        self.folder, self.log = folder, folder / "calls"
        self.log.write_text("")
        tools = folder / "bin"
        tools.mkdir()
        for name in commands:
            (tools / name).write_text(STANDIN.format(log=self.log, answers=answers))
            (tools / name).chmod(0o755)
        self.env = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(folder), "ROOT": str(folder / "root")}

    def run(self, *command, **more):
        return subprocess.run(
            command, capture_output=True, text=True, env={**self.env, **more}, cwd=self.folder, check=False
        )

    @property
    def calls(self):
        return self.log.read_text().splitlines()


def test_create_and_delete(tmp_path):
    machine = Machine(tmp_path, ["gcloud"], answers="gcloud\\ config*) echo my-project ;;")
    done = machine.run(
        str(DOCKER / "gce" / "create.sh"), "digits", "eu.pkg.dev/p/i:cuda", "train", "a b.toml", "--out", "gs://b/d"
    )
    assert done.returncode == 0, done.stderr
    template, group = machine.calls[1:]
    assert (
        "<create> <digits> <--project=my-project> <--machine-type=g2-standard-4> <--provisioning-model=SPOT>"
        in template
    )
    assert "<--service-account=gpugrad-train@my-project.iam.gserviceaccount.com> <--scopes=cloud-platform>" in template
    assert "<managed> <create> <digits>" in group
    assert "<--size=1>" in group
    done = machine.run(str(DOCKER / "gce" / "delete.sh"), "digits", PROJECT="other", ZONE="europe-west4-a")
    assert done.returncode == 0
    assert "<managed> <delete> <digits> <--project=other> <--zone=europe-west4-a> <--quiet>" in machine.calls[-2]
    assert "<instance-templates> <delete> <digits> <--project=other> <--quiet>" in machine.calls[-1]


@pytest.mark.parametrize("script", ["create.sh", "delete.sh"])
def test_wrong_arguments_say_what_is_expected(tmp_path, script):
    machine = Machine(tmp_path, ["gcloud"])
    done = machine.run(str(DOCKER / "gce" / script))
    assert done.returncode == 2
    assert f"docker/gce/{script} NAME" in done.stderr
    assert machine.calls == []


def test_no_project(tmp_path):
    done = Machine(tmp_path, ["gcloud"]).run(str(DOCKER / "gce" / "delete.sh"), "digits")
    assert done.returncode == 2
    assert done.stderr == "no Google Cloud project: set PROJECT, or run: gcloud config set project NAME\n"


def test_until_done_tries_again_what_can_become_better(tmp_path):
    machine = Machine(tmp_path, [])
    count = tmp_path / "count"
    gpugrad = tmp_path / "bin" / "gpugrad"
    for statuses, ends in (("1 75 0", 0), ("2", 2), ("1 2", 2), ("130", 130), ("0", 0)):
        machine.log.write_text("")
        count.write_text(statuses)
        gpugrad.write_text(f"""#!/usr/bin/env bash
printf '<%s>' "$@" >>"{machine.log}"; echo >>"{machine.log}"
read -r status rest <"{count}"; echo "$rest" >"{count}"; exit "$status"
""")
        gpugrad.chmod(0o755)
        done = machine.run(str(DOCKER / "until_done.sh"), "train", "a b.toml", RETRY_SECONDS="0")
        assert done.returncode == ends, done.stderr
        assert machine.calls == ["<train><a b.toml>"] * len(statuses.split())


def test_until_done_hands_a_stop_on_and_waits_for_the_save(tmp_path):
    machine = Machine(tmp_path, [])
    gpugrad = tmp_path / "bin" / "gpugrad"
    gpugrad.write_text(f"""#!/usr/bin/env bash
trap 'sleep 0.3; echo saved >>"{machine.log}"; exit 75' TERM
echo started >>"{machine.log}"
while true; do sleep 0.05; done
""")
    gpugrad.chmod(0o755)
    process = subprocess.Popen([str(DOCKER / "until_done.sh"), "train"], env=machine.env)
    while not machine.calls:
        time.sleep(0.01)
    process.terminate()
    assert process.wait(20) == 75
    assert machine.calls == ["started", "saved"]


METADATA = """\
curl*gpugrad-image) printf eu.pkg.dev/p/i:cuda ;;
curl*gpugrad-command) printf 'train a\\\\ b.toml --out gs://b/d ' ;;
curl*created-by) printf projects/1/zones/z/instanceGroupManagers/digits ;;
curl*token) printf '{"access_token":"secret","expires_in":3599}' ;;
"""
TOOLS = ["curl", "cos-extensions", "mount", "docker-credential-gcr", "docker", "systemctl"]


def test_startup(tmp_path):
    machine = Machine(tmp_path, TOOLS, METADATA)
    done = machine.run(str(DOCKER / "gce" / "startup.sh"))
    assert done.returncode == 0, done.stderr
    calls = [call for call in machine.calls if not call.startswith("curl")]
    assert calls == [
        "cos-extensions <install> <gpu> <--> <--version=latest>",
        "mount <--bind> </var/lib/nvidia> </var/lib/nvidia>",
        "mount <-o> <remount,exec> </var/lib/nvidia>",
        "docker-credential-gcr <configure-docker> <--registries=eu.pkg.dev>",
        "docker <pull> <eu.pkg.dev/p/i:cuda>",
        "systemctl <daemon-reload>",
        "systemctl <start> <--no-block> <gpugrad.service>",
    ]
    folder = tmp_path / "root" / "var" / "lib" / "gpugrad"
    unit = (tmp_path / "root" / "etc" / "systemd" / "system" / "gpugrad.service").read_text()
    assert f"ExecStart=/bin/bash {folder}/run.sh\n" in unit
    assert "\nRestart=on-failure\nRestartPreventExitStatus=2\n" in unit
    machine.log.write_text("")
    assert machine.run("bash", str(folder / "run.sh")).returncode == 0
    assert machine.calls[0].startswith("docker <run> <--name=gpugrad> ")
    assert "<--read-only>" in machine.calls[0]
    assert "<--volume=cupy:/opt/cupy>" in machine.calls[0]
    assert "<--cap-drop=ALL> <--security-opt=no-new-privileges>" in machine.calls[0]
    assert machine.calls[0].endswith(" <eu.pkg.dev/p/i:cuda> <train> <a b.toml> <--out> <gs://b/d>")


@pytest.mark.parametrize(
    ("result", "status", "ends"),
    [("success", "0", True), ("exit-code", "75", False), ("success", "75", False), ("signal", "9", False)],
)
def test_only_a_training_that_is_done_ends_the_machine(tmp_path, result, status, ends):
    machine = Machine(tmp_path, TOOLS, METADATA)
    machine.run(str(DOCKER / "gce" / "startup.sh"))
    machine.log.write_text("")
    done = machine.run(
        "bash", str(tmp_path / "root/var/lib/gpugrad/done.sh"), SERVICE_RESULT=result, EXIT_STATUS=status
    )
    assert done.returncode == 0, done.stderr
    posts = [call for call in machine.calls if "<POST>" in call]
    assert len(posts) == ends
    if ends:
        assert "<Authorization: Bearer secret>" in posts[0]
        assert posts[0].endswith("/compute/v1/projects/1/zones/z/instanceGroupManagers/digits/resize?size=0>")
