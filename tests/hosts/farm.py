"""A Slurm controller and two hosts on this machine, with real daemons, for test_farm_*.py and for looking around.

Each host has a network, process ids, a host name and a /tmp of its own; they share a folder and a bridge of
documentation addresses. Needs root, Slurm and munge (tests/hosts/run installs them)::

    python tests/hosts/farm.py /var/tmp/farm     # up until Ctrl-C; `nsenter --net=/run/netns/tsn-ctl` is its front desk
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

FRONT = "tsn-ctl"
HOSTS = {"n1": "198.51.100.11", "n2": "198.51.100.12"}
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "ip", "unshare")

CONF = """\
ClusterName=tsn
SlurmctldHost=ctl(198.51.100.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket,cred_expire=5
CryptoType=crypto/munge
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool-%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd-%n.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=10
MessageTimeout=5
TCPTimeout=2
KillWait=5
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
NodeName=n1 NodeAddr={n1} CPUs=1 RealMemory=4000 Gres=gpu:1
NodeName=n2 NodeAddr={n2} CPUs=1 RealMemory=4000 Gres=gpu:1
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""

HOST = """\
set -e
ulimit -c 0  # slurmstepd crashes where it can't launch, and would leave its core in the shot's folder
hostname "$1"
mount -t tmpfs tmpfs /tmp
mkdir -p "$2/spool-$1"
export SLURM_CONF="$2/slurm.conf"
exec slurmd -D
"""


def run(*command: str | Path, check: bool = True, timeout: float = 300) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Farm:
    """Up from `start` to `stop`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._hosts: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        lacking = [name for name in NEEDED if shutil.which(name) is None]
        if os.geteuid() or lacking:
            raise RuntimeError(f"The farm needs root and these programs: {', '.join(lacking) or 'all are here'}")
        self._clear()
        for name in ("state",):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        os.chmod(self.home, 0o755)
        (self.home / "slurm.conf").write_text(CONF.format(home=self.home, **HOSTS))
        gpu = self.home / "nvidia0"
        run("mknod", gpu, "c", "1", "3")  # slurmd refuses a plain file
        (self.home / "gres.conf").write_text(f"NodeName=n[1-2] Name=gpu File={gpu}\n")
        key = self.home / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = [f"--{what}={self.home / f'munge.{what[:4]}'}" for what in ("pid-file", "log-file", "seed-file")]
        self._daemon(
            "munged", "--foreground", "--force", f"--socket={self.home}/munge.socket", f"--key-file={key}", *files
        )
        self._until(lambda: (self.home / "munge.socket").exists(), "munged")

        run("ip", "netns", "add", FRONT)
        front = ("ip", "-n", FRONT)
        run(*front, "link", "set", "lo", "up")
        run(*front, "link", "add", "farm0", "type", "bridge")
        run(*front, "addr", "add", "198.51.100.1/24", "dev", "farm0")
        run(*front, "link", "set", "farm0", "up")
        for host, address in HOSTS.items():
            run("ip", "netns", "add", f"tsn-{host}")
            run(*front, "link", "add", f"to-{host}", "type", "veth", "peer", "name", "eth0", "netns", f"tsn-{host}")
            run(*front, "link", "set", f"to-{host}", "master", "farm0", "up")
            inside = ("ip", "-n", f"tsn-{host}")
            run(*inside, "link", "set", "lo", "up")
            run(*inside, "addr", "add", f"{address}/24", "dev", "eth0")
            run(*inside, "link", "set", "eth0", "up")
        # The front desk has a host name of its own too, or slurmctld doesn't know itself.
        self._daemon(
            "nsenter", f"--net=/run/netns/{FRONT}", "unshare", "--uts", "sh", "-c", "hostname ctl; exec slurmctld -D"
        )
        for host in HOSTS:
            self.boot(host)
        self.until_idle()

    # Not `ip netns exec`: that mounts /sys anew, without the cgroups that slurmd looks for.
    def boot(self, host: str) -> None:
        space = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts")
        words = ("nsenter", f"--net=/run/netns/tsn-{host}", *space, "sh", "-c", HOST, "sh", host, str(self.home))
        self._hosts[host] = self._daemon(*words)

    def power_cut(self, host: str) -> None:
        """All its processes are gone at once."""
        self._hosts[host].kill()
        self._hosts[host].wait()

    def freeze(self, host: str) -> None:
        self._signal(host, signal.SIGSTOP)

    def thaw(self, host: str) -> None:
        self._signal(host, signal.SIGCONT)

    def cable(self, host: str, *, plugged: bool) -> None:
        run("ip", "-n", FRONT, "link", "set", f"to-{host}", "up" if plugged else "down")

    def desk(
        self, *command: str | Path, timeout: float = 300, env: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """A command at the front desk."""
        return subprocess.run(
            ["nsenter", f"--net=/run/netns/{FRONT}", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "SLURM_CONF": f"{self.home}/slurm.conf", **env},
            check=False,
        )

    def can_launch(self, host: str, *, can: bool) -> None:
        """Take away the folder in which its daemon starts jobs, or bring it back."""
        spool, away = self.home / f"spool-{host}", self.home / f"spool-{host}.away"
        if can:
            spool.unlink()
            away.rename(spool)
        else:
            spool.rename(away)
            spool.touch()

    def resume(self) -> None:
        """What an administrator does with hosts that Slurm has taken out."""
        drained = [host for host, state in self.nodes().items() if state.startswith("drain")]
        if drained:
            self.desk("scontrol", "update", f"nodename={','.join(drained)}", "state=resume")

    def nodes(self) -> dict[str, str]:
        lines = self.desk("sinfo", "-h", "-N", "-o", "%N %T").stdout.split()
        return dict(zip(lines[::2], lines[1::2], strict=True))

    def until_idle(self, timeout: float = 300) -> None:
        self._until(lambda: set(self.nodes().values()) == {"idle"}, "both hosts idle", timeout)

    def stop(self) -> None:
        for process in reversed(self._daemons):
            process.kill()
            process.wait()
        self._clear()

    def _daemon(self, *command: str) -> subprocess.Popen[bytes]:
        log = (self.home / "daemons.log").open("ab")
        environment = {**os.environ, "SLURM_CONF": f"{self.home}/slurm.conf"}
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        log.close()
        self._daemons.append(process)
        return process

    def _signal(self, host: str, number: signal.Signals) -> None:
        """To the host's processes, from its first one on."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
        todo = [self._hosts[host].pid]
        while todo:
            found = children.get(todo.pop(), [])
            todo += found
            for process in found:
                os.kill(process, number)

    def _clear(self) -> None:
        for name in (FRONT, *(f"tsn-{host}" for host in HOSTS)):
            run("ip", "netns", "del", name, check=False)

    def _until(self, true: object, what: str, timeout: float = 120) -> None:
        limit = time.monotonic() + timeout
        while not true():  # type: ignore[operator]
            if time.monotonic() > limit:
                logs = "".join(f"\n== {log.name}\n{log.read_text()[-1500:]}" for log in self.home.glob("*.log"))
                raise RuntimeError(f"{what}: not within {timeout:.0f} s{logs}")
            time.sleep(0.1)


def main(arguments: Sequence[str]) -> None:
    farm = Farm(Path(arguments[0]))
    started = time.monotonic()
    try:
        farm.start()
        print(f"up in {time.monotonic() - started:.1f} s", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        farm.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
