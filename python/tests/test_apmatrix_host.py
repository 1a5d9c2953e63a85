"""What a user of the fixture relies on; also the sample that packages are tried with."""

import os
import signal
import subprocess

import pytest

APMASK = "/sys/bus/ap/apmask"
STATUS = "/sys/bus/ap/devices/04.0006/status"
UUID = "a0000000-0000-4000-8000-000000000001"
MATRIX = "/sys/devices/vfio_ap/matrix"
# A mediated device with queue 04.0006.
ASSIGNED = f"""
    echo -4 > {APMASK}
    echo {UUID} > {MATRIX}/mdev_supported_types/vfio_ap-passthrough/create
    echo 4 > {MATRIX}/{UUID}/assign_adapter
    echo 6 > {MATRIX}/{UUID}/assign_domain
"""


def test_the_host_gives_a_queue_away(apmatrix_host):
    host = apmatrix_host(machine="tiny")
    assert host.run(["ls", "/sys/bus/ap/devices"]).stdout.split()[0] == "04.0006"
    host.run(f"echo -4 > {APMASK}")
    assert host.read(STATUS) == "unassigned"
    host.hw("unplug", "10")
    assert not host.exists("/sys/bus/ap/devices/card0a")


def test_a_queue_in_use_is_vetoed(apmatrix_host):
    host = apmatrix_host("tiny")
    host.run(ASSIGNED)
    assert host.read(f"{MATRIX}/{UUID}/matrix") == "04.0006"
    host.guest("start", "one", UUID)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        host.write(APMASK, "+4")
    assert "Device or resource busy" in refused.value.stderr
    host.guest("stop", "one")


def test_hosts_are_apart(apmatrix_host, tmp_path):
    machine = tmp_path / "one.toml"
    machine.write_text('schema = "apmatrix.machine/1"\nname = "one"\ndomains = [6]\n[[adapter]]\nid = 4\ntype = "CEX8P"\n')
    one, other = apmatrix_host(machine=machine), apmatrix_host(machine="tiny")
    one.run(f"echo -4 > {APMASK}")
    assert one.read(STATUS) == "unassigned"
    assert not other.exists(STATUS), "only vfio_ap's queues have it"
    assert other.exists("/sys/bus/ap/devices/card0a") and not one.exists("/sys/bus/ap/devices/card0a")


def test_commands_are_as_elsewhere(apmatrix_host, tmp_path):
    host = apmatrix_host()
    assert host.run(["cat"], input="text").stdout == "text"
    assert host.run("echo $WORD", env={**os.environ, "WORD": "given"}).stdout == "given\n"
    assert host.run(["pwd"], cwd=tmp_path).stdout == f"{tmp_path}\n"
    assert host.run("exit 7", check=False).returncode == 7
    host.write(APMASK, "0x0")
    assert set(host.read(APMASK)) == {"0", "x"}
    # As elsewhere: where a directory of PATH can't be searched, it is that which is told.
    with pytest.raises(OSError) as elsewhere:
        subprocess.run(["no-such-command-anywhere"], check=False)
    with pytest.raises(type(elsewhere.value)):
        host.run(["no-such-command-anywhere"])
    with pytest.raises(subprocess.TimeoutExpired):
        host.run(["sleep", "5"], timeout=0.2)
    # And the host goes on.
    assert host.run(["true"]).returncode == 0


def test_a_command_has_the_environment_of_the_run(apmatrix_host, monkeypatch):
    host = apmatrix_host("tiny")
    said = host.run("echo $APMATRIX_MACHINE; command -v modprobe; command -v apmatrix > /dev/null && echo found").stdout
    assert said.split() == ["tiny", "/dev/.apmatrix/modprobe", "found"]
    monkeypatch.setenv("WORD", "changed later")
    monkeypatch.delenv("HOME", raising=False)
    assert host.run("echo $WORD ${HOME-none}").stdout == "changed later none\n"


def test_a_wrong_request_is_said_and_the_host_goes_on(apmatrix_host, tmp_path):
    host = apmatrix_host("tiny")
    for wrong in ({"command": ["echo", "a\0b"]}, {"command": []}, {"command": ["true"], "env": {"A=": "x"}}):
        with pytest.raises(ValueError):
            host.run(**wrong)
    with pytest.raises(ValueError):
        host.run(["cat"], input="\ud800")
    plain = tmp_path / "plain"
    plain.write_text("no program")
    with pytest.raises(PermissionError):
        host.run([plain])
    with pytest.raises(NotADirectoryError):
        host.run([plain / "below"])
    assert host.run("echo goes on").stdout == "goes on\n"


def test_an_interrupted_command_ends_its_host(apmatrix_host):
    class Late(BaseException):
        pass

    def late(*_):
        raise Late

    host = apmatrix_host("tiny")
    former = signal.signal(signal.SIGALRM, late)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(Late):
            host.run("sleep 333; echo stale")
    finally:
        signal.signal(signal.SIGALRM, former)
    with pytest.raises(RuntimeError, match="the host has ended"):
        host.run("echo fresh")


def test_a_write_that_waits_says_for_whom(apmatrix_host):
    host = apmatrix_host("tiny")
    host.run(ASSIGNED)
    host.guest("start", "one", UUID)
    with pytest.raises(subprocess.TimeoutExpired) as late:
        host.run(f"echo 1 > {MATRIX}/{UUID}/remove", timeout=3)
    assert "guest one" in late.value.stderr
    host.guest("stop", "one")


def test_nothing_of_it_is_outside(apmatrix_host):
    apmatrix_host(machine="tiny")
    assert not os.path.exists("/sys/bus/ap/devices/04.0006")


def test_a_wrong_machine_is_said(apmatrix_host):
    with pytest.raises(RuntimeError, match="nonsense"):
        apmatrix_host(machine="nonsense")
