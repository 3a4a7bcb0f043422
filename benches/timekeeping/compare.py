#!/usr/bin/env python3
"""Compares how well time daemons keep time, each run as it is in the clock and network simulator
clknetsim (https://gitlab.com/chrony/clknetsim), which is not part of this project.

    compare.py                                   every program, every network, five seeds
    compare.py --program classic,chrony --network lan-10us,wan --seeds 1-3
    compare.py --list                            the networks

What is run is named by the environment:

    CLKNETSIM    directory of a clknetsim build (clknetsim and clknetsim.so)
    CHRONYD      chronyd, which is also the server of every run
    NTPD         ntpd 4.2.8 of the NTP project
    NTPD_RS      ntp-daemon of ntpd-rs
    MERIDIAN     this project's ntpd

Each run prints one line; the tables of medians come last. Nothing here touches the clock of the
machine, and no packet leaves a process.
"""

import argparse
import concurrent.futures
import dataclasses
import math
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

DURATION = 100_000
SETTLED = 20_000
WANDER = "(sum (* 1e-9 (normal)))"
THRESHOLD = 1e-3


@dataclasses.dataclass(frozen=True)
class Network:
    """A network, the clock in it, and how often its server may be asked."""

    about: str
    up: str
    down: str = ""
    minimum_poll: int = 6
    maximum_poll: int = 10
    servers: int = 1
    wrong_server: float = 0.0
    offset: float = 0.1
    frequency: str = f"(+ 1e-5 {WANDER})"
    settled: int = SETTLED
    # Numbers that the expressions read from the file "noise".
    noise: str = ""


def delay(base, *more):
    return f"(+ {base} {' '.join(more)})"


def exponential(mean):
    return f"(* {mean} (exponential))"


def between(start, length):
    """1 while the simulated time is in that interval, 0 else."""
    return f"(equal {length / 2} {start + length / 2} time)"


def now_and_then(share):
    """1 for that share of the packets, 0 else."""
    return f"(equal {share / 2} {share / 2} (uniform))"


def windows(first, length, period):
    starts = range(first, DURATION, period)
    return f"(+ {' '.join(between(start, length) for start in starts)})"


LAN = delay(1e-4, exponential(1e-4))
WIDE = delay(1e-2, exponential(1e-3))

NETWORKS = {
    "lan-10us": Network(
        "100 µs + exp(10 µs) each way, poll 6", delay(1e-4, exponential(1e-5)), maximum_poll=6
    ),
    "lan-100us": Network("100 µs + exp(100 µs), poll 6", LAN, maximum_poll=6),
    "lan-1ms": Network("100 µs + exp(1 ms), poll 6", delay(1e-4, exponential(1e-3)), maximum_poll=6),
    "lan-poll": Network("100 µs + exp(100 µs), poll 6..10", LAN),
    "wan": Network("20 ms + exp(10 ms), poll 6..10", delay(2e-2, exponential(1e-2))),
    "congestion": Network(
        "10 ms + exp(1 ms), upstream + exp(50 ms) for 1200 s of every 7200 s",
        delay(1e-2, exponential(1e-3), f"(* 5e-2 (exponential) {windows(3600, 1200, 7200)})"),
        WIDE,
    ),
    "square": Network(
        "LAN, frequency ±1 ppm square wave, 10 000 s half period",
        LAN,
        frequency=f"(+ 1e-5 (* 1e-6 (pulse 10000 10000)) {WANDER})",
    ),
    "falseticker": Network("four servers, one 50 ms wrong", LAN, servers=4, wrong_server=0.05),
    "cold": Network("cold start 3600 s behind, LAN", LAN, offset=-3600.0),
    "intermittent": Network(
        "network up 1000 s of every 10 000 s, 10 ms + exp(1 ms)",
        delay(1e-2, exponential(1e-3), f"(* -1 (+ 1 (* -1 {windows(0, 1000, 10000)})))"),
        settled=40_000,
    ),
    "gamma": Network(
        "10 ms + gamma(2, 500 µs)", delay(1e-2, '(* 5e-4 (file "noise"))'), noise="gamma"
    ),
    "log-normal": Network(
        "10 ms + log-normal(500 µs, σ 1)", delay(1e-2, '(* 5e-4 (file "noise"))'), noise="log-normal"
    ),
    "gaussian": Network("10 ms + normal(500 µs)", delay(1e-2, "(max -9e-3 (* 5e-4 (normal)))")),
    "bimodal": Network(
        "10 ms + exp(100 µs), a fifth of the packets 3 ms later",
        delay(1e-2, exponential(1e-4), f"(* 3e-3 {now_and_then(0.2)})"),
    ),
    "route": Network(
        "10 ms + exp(300 µs), 5 ms more each way from 35 000 s to 65 000 s",
        delay(1e-2, exponential(3e-4), f"(* 5e-3 {between(35_000, 30_000)})"),
    ),
    "route-one-way": Network(
        "10 ms + exp(300 µs), 2 ms more upstream from 50 000 s to 60 000 s",
        delay(1e-2, exponential(3e-4), f"(* 2e-3 {between(50_000, 10_000)})"),
        delay(1e-2, exponential(3e-4)),
    ),
    "asymmetric": Network(
        "10 ms, upstream + exp(1 ms), downstream + exp(100 µs)",
        WIDE,
        delay(1e-2, exponential(1e-4)),
    ),
    "spikes": Network(
        "100 µs + exp(50 µs), a packet in 20 + exp(50 ms)",
        delay(1e-4, exponential(5e-5), f"(* 5e-2 (exponential) {now_and_then(0.05)})"),
    ),
    "loss": Network(
        "10 ms + exp(1 ms), half of the packets lost each way",
        delay(1e-2, exponential(1e-3), f"(* -1 {now_and_then(0.5)})"),
    ),
    "temperature": Network(
        "LAN, frequency ±500 ppb sine of 21 600 s",
        LAN,
        frequency=f"(+ 1e-5 (* 5e-7 (sine 21600)) {WANDER})",
    ),
}


@dataclasses.dataclass(frozen=True)
class Program:
    """How to start one of the programs as a client."""

    variable: str
    line: str
    head: str = ""
    arguments: tuple = ()
    suffix: str = "conf"


PROGRAMS = {
    "chrony": Program(
        "CHRONYD",
        "server {address} iburst minpoll {minimum} maxpoll {maximum}",
        "makestep 1 3\npidfile {directory}/pid\ncmdport 0\nbindcmdaddress /\n",
        ("-d", "-u", "root", "-f"),
    ),
    "ntpd": Program(
        "NTPD",
        "server {address} iburst minpoll {minimum} maxpoll {maximum}",
        "restrict default\npidfile {directory}/pid\n",
        ("-n", "-g", "-c"),
    ),
    "classic": Program(
        "MERIDIAN",
        "server {address} iburst minpoll {minimum} maxpoll {maximum}",
        "discipline classic\nrestrict default\npidfile {directory}/pid\n",
        ("-n", "-g", "-c"),
    ),
    "precise": Program(
        "MERIDIAN",
        "server {address} iburst minpoll {minimum} maxpoll {maximum}",
        "discipline precise\nrestrict default\npidfile {directory}/pid\n",
        ("-n", "-g", "-c"),
    ),
    "ntpd-rs": Program(
        "NTPD_RS",
        '[[source]]\nmode = "server"\naddress = "{address}"\n'
        "poll-interval-limits = {{ min = {minimum}, max = {maximum} }}\n",
        '[observability]\nlog-level = "warn"\n',
        ("--config",),
        "toml",
    ),
}


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run came to; seconds, and seconds per second."""

    rms: float
    maximum: float
    frequency: float
    settled: float
    packets: int
    interval: float

    FIELDS = ("rms", "maximum", "frequency", "settled", "packets", "interval")

    def __str__(self):
        settled = "never" if math.isinf(self.settled) else f"{self.settled:.0f} s"
        return (
            f"rms {time_text(self.rms)}  max {time_text(self.maximum)}  "
            f"freq {self.frequency * 1e9:.1f} ppb  1 ms after {settled}  "
            f"{self.packets} packets, one per {self.interval:.0f} s"
        )


def time_text(seconds):
    for unit, scale in (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3)):
        if abs(seconds) < 1000 * scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds:.3g} s"


class Missing(Exception):
    """Something that has to be there is not."""


def tool(variable, what):
    path = os.environ.get(variable)
    if not path:
        raise Missing(f"{variable} is not set: it has to name {what}")
    found = shutil.which(path)
    if not found:
        raise Missing(f"{variable}={path}: there is no such program")
    return os.path.abspath(found)


def simulator():
    directory = pathlib.Path(os.environ.get("CLKNETSIM", "."))
    for name in ("clknetsim", "clknetsim.so"):
        if not (directory / name).exists():
            raise Missing(f"CLKNETSIM={directory}: there is no {name}; clone and make clknetsim")
    return directory.resolve()


def noise_values(kind, seed):
    source = random.Random(f"{kind} {seed}")
    draw = {
        "gamma": lambda: source.gammavariate(2.0, 1.0),
        "log-normal": lambda: source.lognormvariate(0.0, 1.0),
    }[kind]
    return (draw() for _ in range(20_000))


def simulation(network):
    """The configuration of clknetsim: servers 1 to n, the client last."""
    client = network.servers + 1
    lines = [f"node{client}_offset = {network.offset}", f"node{client}_freq = {network.frequency}"]
    # Each way has numbers of its own: the same ones would make the path symmetric.
    up = network.up.replace('"noise"', '"noise.up"')
    down = (network.down or network.up).replace('"noise"', '"noise.down"')
    for server in range(1, client):
        lines.append(f"node{client}_delay{server} = {up}")
        lines.append(f"node{server}_delay{client} = {down}")
    if network.wrong_server:
        lines.append(f"node{network.servers}_offset = {network.wrong_server}")
    return "\n".join(lines) + "\n"


def start(command, node, directory, seed):
    environment = dict(
        os.environ,
        LD_PRELOAD=str(simulator() / "clknetsim.so"),
        CLKNETSIM_NODE=str(node),
        CLKNETSIM_SOCKET=str(directory / "socket"),
        CLKNETSIM_RANDOM_SEED=str(seed * 100 + node),
        # ntpd takes a date before its own for one of the next era.
        CLKNETSIM_START_DATE=os.environ.get("CLKNETSIM_START_DATE", "1767225600"),
    )
    with open(directory / f"log.{node}", "w", encoding="utf-8") as log:
        return subprocess.Popen(
            command, env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def run(name, network_name, seed, keep=None):
    program, network = PROGRAMS[name], NETWORKS[network_name]
    path = tool(program.variable, f"the program {name}")
    server = tool("CHRONYD", "chronyd, which is the server of every run")
    client = network.servers + 1
    directory = pathlib.Path(keep or tempfile.mkdtemp(prefix="timekeeping-"))
    directory.mkdir(parents=True, exist_ok=True)
    processes = []
    try:
        (directory / "network").write_text(simulation(network), encoding="utf-8")
        if network.noise:
            for way in ("up", "down"):
                values = noise_values(network.noise, f"{seed} {way}")
                (directory / f"noise.{way}").write_text("\n".join(f"{v:.6e}" for v in values))
        for node in range(1, client):
            config = directory / f"server.{node}.conf"
            config.write_text(
                f"local stratum 1\nallow\npidfile {directory}/pid.{node}\n"
                "cmdport 0\nbindcmdaddress /\n"
            )
            processes.append(
                start([server, "-d", "-u", "root", "-f", config], node, directory, seed)
            )
        config = directory / f"client.{program.suffix}"
        lines = [program.head.format(directory=directory)]
        for node in range(1, client):
            lines.append(
                program.line.format(
                    address=f"192.168.123.{node}",
                    minimum=network.minimum_poll,
                    maximum=network.maximum_poll,
                )
            )
        config.write_text("\n".join(lines) + "\n")
        processes.append(start([path, *program.arguments, config], client, directory, seed))
        with open(directory / "stats", "w", encoding="utf-8") as stats:
            outcome = subprocess.run(
                [
                    simulator() / "clknetsim",
                    *("-o", "offsets", "-f", "frequencies", "-p", "packets"),
                    *("-l", str(DURATION), "-s", "socket", "network", str(client)),
                ],
                cwd=directory,
                env=dict(os.environ, CLKNETSIM_RANDOM_SEED=str(seed)),
                stdout=stats,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if outcome.returncode != 0:
            said = (directory / "stats").read_text() + (directory / f"log.{client}").read_text()
            raise RuntimeError(f"the simulation failed:\n{said[-2000:]}")
        return judge(directory, client, network.settled)
    finally:
        for process in processes:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if not keep:
            shutil.rmtree(directory)


def column(path, index):
    with open(path, encoding="utf-8") as lines:
        return [float(line.split("\t")[index - 1]) for line in lines]


def judge(directory, client, settled):
    offsets = column(directory / "offsets", client)
    frequencies = column(directory / "frequencies", client)
    sent = 0
    with open(directory / "packets", encoding="utf-8") as lines:
        for line in lines:
            time, source = line.split("\t")[:2]
            sent += float(time) >= settled and int(source) == client
    late = [number for number, offset in enumerate(offsets) if abs(offset) >= THRESHOLD]
    first = late[-1] + 1 if late else 0
    return Result(
        rms=rms(offsets[settled:]),
        maximum=max(map(abs, offsets[settled:])),
        frequency=rms(frequencies[settled:]),
        settled=math.inf if first >= len(offsets) else first,
        packets=sent,
        interval=(DURATION - settled) / sent if sent else math.inf,
    )


def rms(values):
    return math.sqrt(sum(value * value for value in values) / len(values))


def numbers(text):
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def names(text, known):
    chosen = text.split(",") if text else list(known)
    for name in chosen:
        if name not in known:
            raise Missing(f"there is no {name}; there are {', '.join(known)}")
    return chosen


def attempt(job):
    try:
        return job, run(*job), ""
    except RuntimeError as error:
        return job, None, str(error)


def table(results, programs, networks):
    print(f"\n| network | {' | '.join(programs)} |")
    print(f"|---|{'---|' * len(programs)}")
    for network in networks:
        cells = []
        for program in programs:
            of_all = [found for (p, n, _), found in results.items() if (p, n) == (program, network)]
            if not of_all:
                cells.append("–")
                continue
            middle = Result(
                *(statistics.median(getattr(found, field) for found in of_all) for field in Result.FIELDS)
            )
            settled = "never" if math.isinf(middle.settled) else f"{middle.settled:.0f} s"
            cells.append(f"{time_text(middle.rms)} ({settled}), per {middle.interval:.0f} s")
        print(f"| {NETWORKS[network].about} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", default="", help="some of: " + ", ".join(PROGRAMS))
    parser.add_argument("--network", default="", help="some of the networks")
    parser.add_argument("--seeds", default="1-5", help="such as 1-5 or 3,8")
    parser.add_argument("--jobs", type=int, default=1, help="how many simulations at a time")
    parser.add_argument("--keep", help="leave configuration and logs of a single run there")
    parser.add_argument("--list", action="store_true", help="list the networks")
    arguments = parser.parse_args()
    if arguments.list:
        for name, network in NETWORKS.items():
            print(f"{name:14} {network.about}")
        return 0
    try:
        simulator()
        tool("CHRONYD", "chronyd, which is the server of every run")
        networks = names(arguments.network, NETWORKS)
        if arguments.program:
            programs = names(arguments.program, PROGRAMS)
        else:
            programs = [name for name in PROGRAMS if os.environ.get(PROGRAMS[name].variable)]
        for program in programs:
            tool(PROGRAMS[program].variable, f"the program {program}")
        seeds = numbers(arguments.seeds)
    except (Missing, ValueError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    jobs = [(p, n, s, arguments.keep) for n in networks for p in programs for s in seeds]
    if arguments.keep and len(jobs) > 1:
        print("compare.py: --keep is for one program, one network, one seed", file=sys.stderr)
        return 2
    results, failed = {}, 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for (program, network, seed, _), found, error in pool.map(attempt, jobs):
            print(f"{program:8} {network:14} seed {seed}: {found or error}", flush=True)
            if found:
                results[(program, network, seed)] = found
            failed += not found
    table(results, programs, networks)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
