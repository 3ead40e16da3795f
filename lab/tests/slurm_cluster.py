# SPDX-License-Identifier: MIT
"""A Slurm of one node, on the loopback address, in a temporary directory, for as long as a test
takes. No file of the system is changed: configuration, keys, sockets, logs and state of munged,
slurmctld and slurmd are all in there.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Callable, Iterator, Optional
from unittest import SkipTest, mock

from lab.tests.support import eventually

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")

_CONFIGURATION = """
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
CredType=cred/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 NodeHostname={host} CPUs=2
PartitionName=lab Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no Slurm here; empty if nothing is known to be in its way."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    absent = [name for name in _PROGRAMS if not shutil.which(name, path=path)]
    return f"not installed: {', '.join(absent)} (Debian's slurm-wlm)" if absent else ""


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextlib.contextmanager
def cluster(place: Path) -> Iterator[None]:
    """A Slurm that runs in `place`, which sbatch and the others of this process talk to.

    Raises SkipTest, with the reason, where it does not come up.
    """
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (place / name).mkdir()
    key = place / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    place.chmod(0o755)  # munge insists that others can reach its socket
    configuration = place / "slurm.conf"
    configuration.write_text(_CONFIGURATION.format(
        host=host, ports=_free_ports(2), place=place, user=pwd.getpwuid(os.geteuid()).pw_name))
    environment = {"SLURM_CONF": str(configuration),
                   "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    with mock.patch.dict(os.environ, environment), contextlib.ExitStack() as daemons:
        munged = _start(daemons, place, "munged", "--foreground", *(
            f"--{name}={place}/munge.{ending}" for name, ending in (
                ("socket", "socket"), ("key-file", "key"), ("pid-file", "pid"),
                ("log-file", "log"), ("seed-file", "seed"))))
        _insist(place, munged, (place / "munge.socket").exists)
        controller = _start(daemons, place, "slurmctld", "-D", "-f", str(configuration))
        _start(daemons, place, "slurmd", "-D", "-f", str(configuration), "-N", host)
        _insist(place, controller, _is_idle)
        yield


def _start(daemons: contextlib.ExitStack, place: Path, *command: str) -> subprocess.Popen[bytes]:
    log = daemons.enter_context(open(place / f"{command[0]}.out", "wb"))
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    daemons.callback(_end, daemon)
    return daemon


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _insist(place: Path, daemon: subprocess.Popen[bytes], is_up: Callable[[], bool]) -> None:
    """Raise SkipTest, with what the daemons said, unless `is_up` within a minute."""
    if eventually(lambda: daemon.poll() is not None or is_up(), 60) and daemon.poll() is None:
        return
    said = [line for path in sorted(place.glob("*.out"))
            for line in path.read_text("utf-8", "replace").splitlines() if "rror" in line]
    raise SkipTest(f"Slurm does not run here: {said[-1] if said else 'it does not come up'}")


def _is_idle() -> bool:
    return ask("sinfo", "--noheader", "--format=%T") == "idle"


def ask(*command: str) -> Optional[str]:
    """What one of Slurm's programs says; None if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
