"""Images, jobs and scripts: checked by the linters of their kind; the scripts run against stand-ins for the cloud."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
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
