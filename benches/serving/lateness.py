#!/usr/bin/env python3
"""Compares how near to the network time servers take their timestamps, in two network namespaces
with one clock: the server on the first processor, the client on the second.

    lateness.py                                 every program that is named, seven rounds
    lateness.py --program meridian,chrony --rates 500,10000

What is run is named by the environment, as for compare.py, and takes turns as there. Medians are of
rounds, each of which gives a median; in brackets the part of chrony's of the same rounds.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

from compare import SERVER, Network, Program, run

NAMES = ("late", "early", "interleaved")


def ask(network, rate, seconds):
    binaries = pathlib.Path(os.environ["BINARIES"])
    text = run(
        *("ip", "netns", "exec", network.generator, "taskset", "-c", "1", "chrt", "-f", "20"),
        *(binaries / "ntp-lateness", f"{SERVER}:123"),
        *("--rate", str(rate), "--seconds", str(seconds)),
    )
    words = text.split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


def measure(network, program, rates):
    program.start(network)
    try:
        end = time.monotonic() + 10
        while not ask(network, 100, 0.1)["replies"]:
            if time.monotonic() > end:
                sys.exit(f"{program.name} does not answer:\n{program.log.read_text()}")
        # Shorter than what the kernel lets a task of real-time priority have at a stretch.
        return {rate: ask(network, rate, 0.8) for rate in rates}
    finally:
        program.stop()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", default="echo,meridian,chrony,ntpd,ntpsec")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rates", default="500,10000,50000")
    arguments = parser.parse_args()
    arguments.key, arguments.mru, arguments.processors = "", "", "0"
    rates = [int(rate) for rate in arguments.rates.split(",")]
    variables = {"chrony": "CHRONYD", "ntpd": "NTPD", "ntpsec": "NTPSEC"}
    scratch = pathlib.Path(tempfile.mkdtemp())
    try:
        programs = [
            Program(name, scratch / name, arguments)
            for name in arguments.program.split(",")
            if variables.get(name, "BINARIES") in os.environ
        ]
        results = {program.name: [] for program in programs}
        with Network() as network:
            for number in range(arguments.rounds):
                turn = number % len(programs)
                for program in programs[turn:] + programs[:turn]:
                    results[program.name].append(measure(network, program, rates))
        report(results, rates)
    finally:
        shutil.rmtree(scratch)


def report(results, rates):
    for rate in rates:
        print(f"\n{rate} requests a second, µs (of chrony's):\n")
        print("| server | late | early | interleaved |")
        print("|---|---:|---:|---:|")
        for program, rounds in results.items():
            cells = []
            for name in NAMES:
                value = statistics.median(one[rate][name] for one in rounds)
                cell = "–" if value != value else f"{value:.2f}"
                if value == value and "chrony" in results:
                    parts = [
                        one[rate][name] / other[rate][name]
                        for one, other in zip(rounds, results["chrony"])
                    ]
                    cell += f" ({statistics.median(parts):.2f})"
                cells.append(cell)
            print(f"| {program} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
