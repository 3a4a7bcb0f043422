#!/usr/bin/env python3
"""Compares how many requests time servers answer and what each answer costs, in two network
namespaces of its own: the server on the first processor, the generator on the second.

    compare.py                                  every program that is named, five rounds
    compare.py --program meridian,chrony --rounds 9 --key SHA1
    compare.py --program echo,meridian,meridian-nts,chrony,chrony-nts    Network Time Security
    compare.py --program meridian,meridian-2 --processors 0,1    two threads beside one

What is run is named by the environment; what is not named is left out:

    BINARIES   directory with this project's ntpd, and ntp-load and ntp-echo of its benches
    CHRONYD    chronyd
    NTPD       ntpd 4.2.8 of the NTP project, made so that it leaves the clock alone
    NTPSEC     ntpd of NTPsec

The programs take turns within each round, so that what else the machine does meets all of them.
No program may set the clock, and no packet leaves the namespaces. Needs root.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SERVER, GENERATOR = "192.0.2.1", "192.0.2.2"
CLIENTS = "10.0.0.0"
# Shorter than what the kernel lets a task of real-time priority have at a stretch.
SECONDS = 0.8
PAUSE = 1.0
# Requests a second while the clients become known.
INTRODUCTION = 150_000
KEYS = {
    "MD5": "1 MD5 sesame-sesame-1\n",
    "SHA1": "1 SHA1 0123456789abcdef0123456789abcdef01234567\n",
    "AES128CMAC": "1 AES128CMAC 0123456789abcdef0123456789abcdef\n",
}


# Of nobody: the generator asks whoever answers.
CERTIFICATE = pathlib.Path(__file__).parents[2] / "crates/ntp-nts/tests/data/server.pem"


def run(*command, **more):
    return subprocess.run(command, check=True, text=True, capture_output=True, **more).stdout


class Network:
    def __init__(self):
        self.server, self.generator = (f"mbench{os.getpid()}{end}" for end in "sg")

    def __enter__(self):
        for space in (self.server, self.generator):
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
        run(
            *("ip", "-n", self.server, "link", "add", "net0", "type", "veth"),
            *("peer", "name", "net0", "netns", self.generator),
        )
        for space, address in ((self.server, SERVER), (self.generator, GENERATOR)):
            run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "net0")
            run("ip", "-n", space, "link", "set", "net0", "up")
        run("ip", "-n", self.server, "route", "add", f"{CLIENTS}/8", "via", GENERATOR)
        run("ip", "-n", self.generator, "route", "add", "local", f"{CLIENTS}/8", "dev", "lo")
        return self

    def __exit__(self, *_):
        for space in (self.server, self.generator):
            subprocess.run(["ip", "netns", "delete", space], check=False)


class Program:
    """A server: how it is started."""

    def __init__(self, name, directory, arguments):
        self.name = name
        self.processors = arguments.processors
        binaries = pathlib.Path(os.environ["BINARIES"])
        directory.mkdir()
        keys = directory / "keys"
        keys.write_text(KEYS.get(arguments.key, ""))
        keys.chmod(0o600)
        # "meridian-nts" is asked with Network Time Security, "meridian" is not.
        self.nts = name.endswith("-nts")
        server = name.removesuffix("-nts")
        conf = directory / "conf"
        text = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\nrestrict default nomodify noquery\n"
        if arguments.mru:
            text += f"mru {arguments.mru}\n"
        if arguments.key:
            text += f"keys {keys}\ntrustedkey 1\n"
        if self.nts:
            text += f"nts cert {CERTIFICATE} key {directory}/key cookie {directory}/cookies\n"
            text += "nts enable\n"
            secret = directory / "key"
            secret.write_text(CERTIFICATE.with_suffix(".key").read_text())
            secret.chmod(0o600)
        if server == "echo":
            self.command = [binaries / "ntp-echo", f"{SERVER}:123"]
        elif server.startswith("meridian"):
            # "meridian" is bound to one processor, and so has one thread.
            threads = server.removeprefix("meridian").removeprefix("-")
            conf.write_text(text + f"threads {threads or 1}\n")
            self.command = [binaries / "ntpd", "-n", "-c", conf, "--clock", "none"]
        elif server == "chrony":
            text = f"local stratum 1\nallow all\ncmdport 0\npidfile {directory}/pid\n"
            if arguments.mru:
                text += "clientloglimit 134217728\n"
            if self.nts:
                text += f"ntsserverkey {directory}/key\nntsservercert {CERTIFICATE}\n"
                text += f"ntsdumpdir {directory}\n"
            if arguments.key:
                text += f"keyfile {keys}\n"
                kind = {"AES128CMAC": "AES128"}.get(arguments.key, arguments.key)
                form = "ASCII" if kind == "MD5" else "HEX"
                keys.write_text(f"1 {kind} {form}:{KEYS[arguments.key].split()[2]}\n")
            conf.write_text(text)
            self.command = [os.environ["CHRONYD"], "-d", "-x", "-u", "root", "-f", conf]
        else:
            conf.write_text(text)
            self.command = [os.environ[server.upper()], "-n", "-c", conf]
        self.log = directory / "log"
        # ntpd reads a key of other lengths as hexadecimal, and so does our generator.
        self.key = directory / "generator-keys"
        self.key.write_text(KEYS.get(arguments.key, ""))

    def start(self, network):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", network.server]
            + ["setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time", "--"]
            + ["taskset", "-c", self.processors, "chrt", "-f", "20"]
            + [str(word) for word in self.command],
            stdout=self.log.open("a"),
            stderr=subprocess.STDOUT,
        )

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def processes(self):
        """Wrappers may have started the server as a child."""
        found, more = [], [self.process.pid]
        while more:
            number = more.pop()
            found.append(number)
            children = pathlib.Path(f"/proc/{number}/task/{number}/children")
            more += [int(child) for child in children.read_text().split()]
        return found

    def busy(self):
        """Seconds of processor time, all threads."""
        total = 0
        for number in self.processes():
            for task in pathlib.Path(f"/proc/{number}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory(self):
        """KiB resident, of the largest process."""
        sizes = []
        for number in self.processes():
            for line in pathlib.Path(f"/proc/{number}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    sizes.append(int(line.split()[1]))
        return max(sizes)


def load(network, program, arguments, rate, seconds=SECONDS, first=0):
    # The kernel stops a task of real-time priority that has had 0.95 s of a second.
    time.sleep(PAUSE)
    binaries = pathlib.Path(os.environ["BINARIES"])
    key = ["--key", f"{program.key}:1"] if arguments.key and program.name != "echo" else []
    if program.nts:
        key = ["--nts", "4460"]
    text = run(
        *("ip", "netns", "exec", network.generator, "taskset", "-c", "1", "chrt", "-f", "20"),
        *(binaries / "ntp-load", f"{SERVER}:123", "--rate", str(rate), "--seconds", str(seconds)),
        *("--clients", str(arguments.clients), "--first", str(first)),
        *("--network", CLIENTS, *key),
    )
    words = text.split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


def answers(network, program, arguments):
    try:
        return load(network, program, arguments, 100, 0.1)["answered"] > 0
    except subprocess.CalledProcessError as error:
        # There are no keys before it has started.
        program.log.open("a").write(error.stderr)
        return False


def measure(network, program, arguments):
    program.start(network)
    try:
        end = time.monotonic() + 10
        while not answers(network, program, arguments):
            if time.monotonic() > end:
                sys.exit(f"{program.name} does not answer:\n{program.log.read_text()}")
        # Everybody asks once, so that all are known who ask again.
        for first in range(0, arguments.clients, int(SECONDS * INTRODUCTION)):
            load(network, program, arguments, INTRODUCTION, first=first)
        result = {}
        for rate in arguments.rates:
            before = program.busy()
            outcome = load(network, program, arguments, rate)
            busy = program.busy() - before
            answered = max(outcome["answered"], 1)
            result[rate] = {
                "sent": outcome["sent"] / outcome["seconds"],
                "answered": answered / outcome["seconds"],
                "cost": busy / answered * 1e6,
                "p50": outcome["p50"],
                "p99": outcome["p99"],
            }
        result["memory"] = program.memory()
        return result
    finally:
        program.stop()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", default="echo,meridian,chrony,ntpd,ntpsec")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rates", default="10000,50000,150000,400000")
    parser.add_argument("--clients", type=int, default=20_000, help="addresses that ask")
    parser.add_argument("--mru", default="", help="what follows `mru` in the ntp.conf")
    parser.add_argument("--processors", default="0", help="those of the server, as taskset has them")
    parser.add_argument("--key", choices=sorted(KEYS), default="")
    arguments = parser.parse_args()
    arguments.rates = [int(rate) for rate in arguments.rates.split(",")]
    variables = {"chrony": "CHRONYD", "chrony-nts": "CHRONYD", "ntpd": "NTPD", "ntpsec": "NTPSEC"}
    named = {"echo", "meridian", "meridian-nts", "meridian-2", "meridian-4"} | {
        name for name, variable in variables.items() if variable in os.environ
    }
    scratch = pathlib.Path(tempfile.mkdtemp())
    try:
        programs = [
            Program(name, scratch / name, arguments)
            for name in arguments.program.split(",")
            if name in named
        ]
        results = {program.name: [] for program in programs}
        with Network() as network:
            for number in range(arguments.rounds):
                # Who is first in a round is not always the same.
                turn = number % len(programs)
                for program in programs[turn:] + programs[:turn]:
                    results[program.name].append(measure(network, program, arguments))
        report(results, arguments.rates)
    finally:
        shutil.rmtree(scratch)


def report(results, rates):
    def median(rounds, rate, name):
        return statistics.median(one[rate][name] for one in rounds)

    for rate in rates:
        print(f"\n{rate} requests a second, medians:\n")
        print("| server | asked/s | answered/s | CPU per answer, µs | of echo's | p50, µs | p99, µs |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for name, rounds in results.items():
            cost = median(rounds, rate, "cost")
            # Of the same round each.
            echoes = results.get("echo")
            part = "–"
            if echoes:
                part = statistics.median(
                    one[rate]["cost"] / echo[rate]["cost"] for one, echo in zip(rounds, echoes)
                )
                part = f"{part:.2f}"
            print(
                f"| {name} | {median(rounds, rate, 'sent'):.0f} "
                f"| {median(rounds, rate, 'answered'):.0f} | {cost:.2f} | {part} "
                f"| {median(rounds, rate, 'p50'):.0f} | {median(rounds, rate, 'p99'):.0f} |"
            )
    print("\nResident memory, KiB, medians:")
    for name, rounds in results.items():
        print(f"{name} {statistics.median(one['memory'] for one in rounds):.0f}")


if __name__ == "__main__":
    main()
