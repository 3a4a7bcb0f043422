#!/usr/bin/env python3
"""Reads a long list of clients (ntpq's mrulist) from several servers with several programs, in two
network namespaces of its own, and counts what is lost or doubled.

    clients.py                       100 000 clients, three rounds
    clients.py --clients 400000 --rounds 5

What is run is named by the environment; what is not named is left out:

    BINARIES      directory with this project's ntpd, ntpq, and ntp-load of its benches
    NTPD, NTPQ    ntpd and ntpq 4.2.8 of the NTP project, the first so that it leaves the clock alone
    NTPSEC_NTPQ   ntpq of NTPsec: a command line

The programs take turns within each round. No program may set the clock, and no packet leaves the
namespaces. Needs root.
"""

import argparse
import collections
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import compare

# Requests a second while the clients become known: none of the servers loses one.
INTRODUCTION = 20_000


class Server:
    """A daemon that remembers everybody."""

    def __init__(self, name, directory, clients):
        self.name = name
        directory.mkdir()
        conf = directory / "conf"
        conf.write_text(
            "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\nrestrict default nomodify\n"
            f"mru maxdepth {2 * clients} mindepth {2 * clients} maxage 86400\n"
        )
        if name == "meridian":
            binary = pathlib.Path(os.environ["BINARIES"]) / "ntpd"
            self.command = [binary, "-n", "-c", conf, "--clock", "none"]
        else:
            self.command = [os.environ["NTPD"], "-n", "-c", conf]
        self.log = directory / "log"
        self.processors = "0"

    start = compare.Program.start
    stop = compare.Program.stop
    processes = compare.Program.processes
    memory = compare.Program.memory


def depth(network):
    ntpq = pathlib.Path(os.environ["BINARIES"]) / "ntpq"
    text = compare.run(
        *("ip", "netns", "exec", network.generator, ntpq, "-n", "-c", "rv 0 mru_depth"),
        compare.SERVER,
    )
    digits = "".join(letter for letter in text if letter.isdigit())
    return int(digits or 0)


def fill(network, server, clients):
    end = time.monotonic() + 60
    load = pathlib.Path(os.environ["BINARIES"]) / "ntp-load"
    while depth(network) < clients:
        if time.monotonic() > end:
            sys.exit(f"{server.name} knows {depth(network)} only:\n{server.log.read_text()}")
        compare.run(
            *("ip", "netns", "exec", network.generator, load, f"{compare.SERVER}:123"),
            *("--rate", str(INTRODUCTION), "--seconds", str(clients / INTRODUCTION)),
            *("--clients", str(clients), "--network", compare.CLIENTS),
        )


def high_water(number):
    """KiB that a process has held at most; it may be gone by now."""
    try:
        status = pathlib.Path(f"/proc/{number}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) if found else 0


def read(network, command, clients):
    """Seconds, KiB at most, and how many clients were lost, doubled and told of."""
    line = ["ip", "netns", "exec", network.generator, *command]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        begun = time.monotonic()
        process = subprocess.Popen(line, stdout=out, stderr=error, stdin=subprocess.DEVNULL)
        highest = 0
        while process.poll() is None:
            highest = max(highest, high_water(process.pid))
            time.sleep(0.005)
        seconds = time.monotonic() - begun
        out.seek(0)
        rows = [row.split() for row in out]
        error.seek(0)
        complaint = error.read()[-300:]
    seen = collections.Counter(row[-1] for row in rows if row and row[-1].startswith("10."))
    if not seen:
        sys.exit(f"{line} reads nothing: {complaint}")
    return {
        "seconds": seconds,
        "KiB": highest,
        "lost": clients - len(seen),
        "doubled": sum(seen.values()) - len(seen),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=100_000)
    arguments = parser.parse_args()
    ask = ["-n", "-c", "mrulist", compare.SERVER]
    readers = {"meridian": [pathlib.Path(os.environ["BINARIES"]) / "ntpq", *ask]}
    if "NTPQ" in os.environ:
        readers["ntpq 4.2.8"] = [os.environ["NTPQ"], *ask]
    if "NTPSEC_NTPQ" in os.environ:
        readers["NTPsec's"] = [*shlex.split(os.environ["NTPSEC_NTPQ"]), *ask]
    scratch = pathlib.Path(tempfile.mkdtemp())
    names = ["meridian"] + (["ntpd"] if "NTPD" in os.environ else [])
    results = collections.defaultdict(list)
    memory = {}
    try:
        for name in names:
            with compare.Network() as network:
                server = Server(name, scratch / name, arguments.clients)
                server.start(network)
                try:
                    time.sleep(1)
                    fill(network, server, arguments.clients)
                    for number in range(arguments.rounds):
                        turn = number % len(readers)
                        order = list(readers)
                        for reader in order[turn:] + order[:turn]:
                            outcome = read(network, readers[reader], arguments.clients)
                            results[name, reader].append(outcome)
                    memory[name] = server.memory()
                finally:
                    server.stop()
    finally:
        shutil.rmtree(scratch)
    report(results, memory)


def report(results, memory):
    def median(rounds, what):
        return statistics.median(one[what] for one in rounds)

    print("| Server | Reader | Seconds | of ours | MiB of the reader | Lost | Doubled |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for (server, reader), rounds in results.items():
        part = statistics.median(
            one["seconds"] / ours["seconds"]
            for one, ours in zip(rounds, results[server, "meridian"])
        )
        print(
            f"| {server} | {reader} | {median(rounds, 'seconds'):.2f} | {part:.2f} "
            f"| {median(rounds, 'KiB') / 1024:.0f} | {max(one['lost'] for one in rounds)} "
            f"| {max(one['doubled'] for one in rounds)} |"
        )
    for server, size in memory.items():
        print(f"\n{server} holds {size / 1024:.1f} MiB.")


if __name__ == "__main__":
    main()
