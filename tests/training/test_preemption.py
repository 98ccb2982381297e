"""Told to go, in any place: everything is saved, the process ends with its status, and the run goes on exactly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gpugrad.training import Checkpointer, Interrupted, Preemption
from gpugrad.training.cloud_notice import Metadata
from gpugrad.training.preemption import BY_HAND, GOING

PLACES = {
    # where it is when the signal comes: the slow place, which time, how long it takes, further options
    "forward": ("forward", 7, 0.3, {}),
    "first forward": ("forward", 1, 0.3, {}),
    "save": ("save", 4, 0.3, {}),
    "save that is waited for": ("save", 4, 0.3, {"asynchronous": False}),
    "loader wait": ("wait", 7, 30, {}),
    "loader wait without prefetching": ("wait", 7, 30, {"prefetch": 0}),
    "first loader wait": ("wait", 1, 30, {}),
    "evaluation": ("evaluation", 6, 0.3, {}),
    "loader wait of an evaluation": ("validation wait", 6, 30, {}),
}


def newest(folder):
    checkpointer = Checkpointer(folder / "checkpoints")
    return checkpointer.load(checkpointer.names()[-1]).step


@pytest.mark.parametrize("place", PLACES)
def test_sigterm(runs, uninterrupted, tmp_path, place):
    slow, at, seconds, more = PLACES[place]
    process = runs.start(folder=tmp_path, slow=slow, at=at, seconds=seconds, **more)
    runs.marked()
    begun = time.monotonic()
    runs.kill(process, signal.SIGTERM)
    assert runs.wait() == GOING == 75, runs.out.read_text()
    assert time.monotonic() - begun < 15
    assert "SIGTERM: saving and leaving within 20 s" in runs.out.read_text()
    step, _ = runs.state()
    assert newest(tmp_path) == step, "nothing that was done is lost"
    assert runs.finished(folder=tmp_path) == uninterrupted


@pytest.mark.parametrize("place", ["forward", "loader wait", "evaluation"])
def test_sigint(runs, uninterrupted, tmp_path, place):
    slow, at, seconds, more = PLACES[place]
    process = runs.start(folder=tmp_path, slow=slow, at=at, seconds=seconds, **more)
    runs.marked()
    runs.kill(process, signal.SIGINT)
    assert runs.wait() == BY_HAND == 130, runs.out.read_text()
    assert "once more quits at once" in runs.out.read_text()
    assert runs.finished(folder=tmp_path) == uninterrupted


def test_a_terminal_that_is_closed_says_so_more_than_once(runs, uninterrupted, tmp_path):
    process = runs.start(folder=tmp_path, slow="forward", at=7, seconds=0.5)
    runs.marked()
    runs.kill(process, signal.SIGHUP)
    time.sleep(0.1)
    runs.kill(process, signal.SIGHUP)
    assert runs.wait() == GOING, runs.out.read_text()
    assert newest(tmp_path) == runs.state()[0]
    assert runs.finished(folder=tmp_path) == uninterrupted


def test_a_second_signal_quits_at_once(runs, uninterrupted, tmp_path):
    process = runs.start(folder=tmp_path, slow="save", at=7, seconds=60, asynchronous=False)
    runs.marked()
    runs.kill(process, signal.SIGTERM)
    while "saving and leaving" not in runs.out.read_text():
        time.sleep(0.01)
    runs.kill(process, signal.SIGTERM)
    assert runs.wait() == -signal.SIGTERM
    assert newest(tmp_path) == 8, "the save of step 12 was broken off"
    assert runs.finished(folder=tmp_path) == uninterrupted


def test_a_step_that_takes_too_long_is_given_up(runs, uninterrupted, tmp_path):
    process = runs.start(folder=tmp_path, slow="forward", at=19, seconds=60, grace=0.5)
    runs.marked()
    runs.kill(process, signal.SIGTERM)
    assert runs.wait() == GOING
    assert "SIGTERM: not done after 0.5 s, leaving without another save" in runs.out.read_text()
    assert newest(tmp_path) == 8
    assert runs.finished(folder=tmp_path) == uninterrupted


# ------------------------------------------------------------------------------------------- the cloud's notice


class Server:
    """A metadata server on loopback, as Google's: it holds questions back until the value changes."""

    def __init__(self, flavor="Google"):
        self.changed, self.asked, self.headers = threading.Event(), [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.headers.append(self.headers.get("Metadata-Flavor"))
                if "wait_for_change=true" in self.path:
                    outer.changed.wait(60)
                text = b"TRUE" if outer.changed.is_set() else b"FALSE"
                self.send_response(200)
                self.send_header("Metadata-Flavor", flavor)
                self.send_header("ETag", "b" if outer.changed.is_set() else "a")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/computeMetadata/v1/instance/preempted"

    def close(self):
        self.changed.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.mark.parametrize("place", ["forward", "loader wait", "evaluation", "thread"])
def test_the_cloud_takes_the_machine_back(runs, uninterrupted, tmp_path, place, server):
    slow, at, seconds, more = PLACES["loader wait" if place == "thread" else place]
    environment = {"GPUGRAD_METADATA_URL": server.url}
    runs.start(
        folder=tmp_path, slow=slow, at=at, seconds=seconds, environment=environment, thread=place == "thread", **more
    )
    runs.marked()
    while len(server.asked) < 2:
        time.sleep(0.01)
    server.changed.set()
    assert runs.wait() == (0 if place == "thread" else GOING), runs.out.read_text()
    assert "preempted: saving and leaving within 20 s" in runs.out.read_text()
    step, _ = runs.state()
    assert newest(tmp_path) == step
    assert runs.finished(folder=tmp_path) == uninterrupted
    assert set(server.headers) == {"Google"}
    assert server.asked[1].endswith("?wait_for_change=true&timeout_sec=60&last_etag=a")


def test_a_signal_that_follows_the_notice_is_not_the_second(server):
    before = signal.getsignal(signal.SIGTERM)
    with Preemption(metadata=server.url) as going:
        server.changed.set()
        with pytest.raises(Interrupted), going.waiting():
            time.sleep(30)
        assert going.reason == "preempted"
        assert signal.getsignal(signal.SIGTERM) == going._handle, "which still does not kill"
    assert signal.getsignal(signal.SIGTERM) == before


def test_who_is_no_metadata_server_is_not_believed(monkeypatch):
    monkeypatch.setattr("gpugrad.training.cloud_notice.PAUSES", (0.01, 0.01))
    server = Server(flavor="other")
    server.changed.set()
    told = []
    Metadata(server.url).start(lambda: told.append(True))
    wait_until_gone("gpugrad-metadata")
    server.close()
    assert told == []
    assert len(server.asked) == 3


def test_where_there_is_no_server_nothing_is_said(monkeypatch, caplog, capfd):
    monkeypatch.setattr("gpugrad.training.cloud_notice.PAUSES", (0.01, 0.01))
    server = Server()
    server.close()
    with Preemption(metadata=server.url) as going:
        wait_until_gone("gpugrad-metadata")
        assert not going.noticed
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_the_question_ends_with_the_run(server):
    with Preemption(metadata=server.url):
        while len(server.asked) < 2:
            time.sleep(0.01)
    wait_until_gone("gpugrad-metadata", "gpugrad-grace")


def wait_until_gone(*names):
    deadline = time.monotonic() + 30
    while any(thread.name in names for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("argument", "variable", "product", "host"),
    [
        (None, None, "Google Compute Engine\n", "metadata.google.internal"),
        (None, None, "Standard PC", None),
        (None, None, None, None),
        (None, "http://127.0.0.1:8/x", None, "127.0.0.1"),
        (False, "http://127.0.0.1:8/x", "Google Compute Engine", None),
        (True, None, None, "metadata.google.internal"),
        ("http://127.0.0.2/", "http://127.0.0.1:8/x", None, "127.0.0.2"),
    ],
)
def test_who_is_asked(argument, variable, product, host, monkeypatch, tmp_path):
    monkeypatch.setattr("gpugrad.training.cloud_notice.PRODUCT", tmp_path / "product")
    if product is not None:
        (tmp_path / "product").write_text(product)
    if variable is None:
        monkeypatch.delenv("GPUGRAD_METADATA_URL", raising=False)
    else:
        monkeypatch.setenv("GPUGRAD_METADATA_URL", variable)
    found = Metadata.at(argument)
    assert (found and found.host) == host


@pytest.mark.parametrize("url", ["metadata.google.internal", "https://127.0.0.1/", "http://", "file:///etc/passwd"])
def test_addresses_that_are_none(url):
    with pytest.raises(ValueError, match="expected the address of a metadata server such as http://"):
        Metadata(url)


# ------------------------------------------------------------------------------------------- in one's own loop


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_handlers_are_there_in_the_block_only():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with Preemption(metadata=False) as going:
        assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == [going._handle, going._handle]
        os.kill(os.getpid(), signal.SIGINT)
        assert going.reason == "SIGINT"
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "once more quits at once"
        with pytest.raises(Interrupted) as caught:
            going.leave()
    assert (caught.value.code, caught.value.reason) == (130, "SIGINT")
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Preemption(metadata=False) as going:
            os.kill(os.getpid(), signal.SIGINT)
            assert not going.noticed
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_no_handler_is_installed():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work():
        with Preemption(metadata=False) as going:
            seen.append((signal.getsignal(signal.SIGTERM), list(going.batches([1, 2]))))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, [1, 2])]


def test_an_error_in_a_wait_stays_that_error():
    def broken():
        yield 1
        raise KeyError("mine")

    with Preemption(metadata=False) as going, pytest.raises(KeyError, match="mine"):
        list(going.batches(broken()))


def test_a_loop_can_be_left_twice_and_entered_again():
    going = Preemption(metadata=False)
    for _ in range(2):
        with going:
            assert not going.noticed
            os.kill(os.getpid(), signal.SIGTERM)
            assert going.noticed


@pytest.mark.parametrize("grace", [0, -1.0, float("nan")])
def test_no_time_is_no_grace(grace):
    with pytest.raises(ValueError, match="expected grace in seconds, more than 0"):
        Preemption(grace)


def test_uncaught_it_ends_the_process_with_its_status():
    code = "from gpugrad.training import Interrupted; raise Interrupted('SIGTERM')"
    environment = {**os.environ, "GPUGRAD_DEVICE": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (75, b"")
