#!/usr/bin/env python3
"""Compares what servers answer and what it costs, each in its turn, round after round: ours with
`xdp`, in the driver, and chrony, through sockets.

    NTPD=target/release/ntpd CHRONYD=/usr/sbin/chronyd benches/xdp/compare.py [ROUNDS [RATE …]]

It takes root, two processors with nothing else to do, gcc, iproute2 and util-linux, and makes two
network namespaces with a virtual cable between them, which it removes. The server's side runs on
processor 0, the load on processor 1. Both daemons leave the clock alone.

Of ours, the work is that of the kernel's thread that serves the interface, from the frame that
comes in to the frame that goes out. Of chrony it is that of its process alone: what the kernel does
to get a request to its socket runs on processor 1, and is not counted. So the comparison is in
chrony's favour.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

SERVER, LOAD = "meridian-bench-s", "meridian-bench-c"
SERVER_MAC, LOAD_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
ADDRESS = "10.0.0.1"
MILLISECONDS = 800
SOURCES = 20000
LEAVE_CLOCK = ["setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time", "--"]


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def within(namespace, *words):
    return ["ip", "netns", "exec", namespace, *words]


def make_network():
    for namespace in (SERVER, LOAD):
        run("ip", "netns", "add", namespace)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
    run("ip", "-n", SERVER, "link", "add", "srv0", "address", SERVER_MAC, "type", "veth",
        "peer", "name", "cli0", "address", LOAD_MAC, "netns", LOAD)
    run("ip", "-n", SERVER, "addr", "add", f"{ADDRESS}/24", "dev", "srv0")
    run("ip", "-n", SERVER, "link", "set", "srv0", "up")
    run("ip", "-n", LOAD, "link", "set", "cli0", "up")
    run("ip", "-n", SERVER, "neigh", "add", "10.0.0.2", "lladdr", LOAD_MAC, "dev", "srv0")
    run("ip", "-n", SERVER, "route", "add", "10.128.0.0/9", "via", "10.0.0.2")


def remove_network():
    for namespace in (SERVER, LOAD):
        subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)


def napi_thread(interface, namespace):
    """The kernel's thread for an interface, once there is one."""
    run(*within(namespace, "sh", "-c", f"echo 1 > /sys/class/net/{interface}/threaded"))
    for _ in range(50):
        for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
            try:
                if comm.read_text().startswith(f"napi/{interface}"):
                    return int(comm.parent.name)
            except OSError:
                pass
        time.sleep(0.02)
    sys.exit(f"{interface} has no thread: this kernel can't tell what its work costs")


def pin(process, processor, priority):
    run("taskset", "-pc", str(processor), str(process))
    run("chrt", "-f", "-p", str(priority), str(process))


def cost(process):
    """Nanoseconds on a processor."""
    return int(pathlib.Path(f"/proc/{process}/schedstat").read_text().split()[0])


def received():
    words = run(*within(LOAD, "cat", "/proc/net/dev")).replace(":", " ").split()
    return int(words[words.index("cli0") + 2])


def measure(name, load, directory, rate):
    """Replies a second, share of requests answered, nanoseconds for each."""
    make_network()
    log = open(directory / f"{name}.log", "w")
    server = None
    try:
        if name == "xdp":
            conf = directory / "ntp.conf"
            conf.write_text("server 127.127.1.0\nfudge 127.127.1.0 stratum 3\nxdp srv0\n")
            words = [os.environ["NTPD"], "-n", "-g", "-c", str(conf), "--clock", "none"]
        else:
            conf = directory / "chrony.conf"
            conf.write_text("local stratum 4\nallow all\ncmdport 0\nbindcmdaddress /\n"
                            f"pidfile {directory}/chrony.pid\n")
            words = [os.environ["CHRONYD"], "-x", "-d", "-u", "root", "-f", str(conf)]
        server = subprocess.Popen(within(SERVER, *LEAVE_CLOCK, *words), stdout=log, stderr=log)
        time.sleep(3)
        if server.poll() is not None:
            sys.exit(f"{name} ended: {(directory / f'{name}.log').read_text()}")
        if name == "xdp":
            worker = napi_thread("srv0", SERVER)
            pin(worker, 0, 10)
            pin(server.pid, 0, 5)
        else:
            worker = server.pid
            pin(worker, 0, 10)
        generator = subprocess.Popen(
            within(LOAD, "taskset", "-c", "1", "chrt", "-f", "5", load, "cli0", SERVER_MAC,
                   LOAD_MAC, ADDRESS, str(rate), str(MILLISECONDS), str(SOURCES)),
            stdout=subprocess.PIPE, text=True)
        time.sleep(0.05)
        pin(napi_thread("cli0", LOAD), 1, 20)
        before = received()
        used = cost(worker)
        sent = int(generator.communicate()[0])
        replies = received() - before
        used = cost(worker) - used
        if name == "xdp":
            server.terminate()
            server.wait()
            text = (directory / "xdp.log").read_text()
            answered = re.search("xdp: ([0-9]+) requests were answered in the driver", text)
            if not answered or int(answered[1]) < 0.99 * replies:
                sys.exit(f"it was not the driver that answered: {text}")
        return replies * 1000 / MILLISECONDS, replies / sent, used / max(replies, 1)
    finally:
        if server:
            server.terminate()
            server.wait()
        remove_network()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rates = [int(rate) for rate in sys.argv[2:]] or [100000, 200000, 300000, 400000, 600000]
    results = {}
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        load = str(directory / "load")
        run("gcc", "-O2", "-o", load, str(pathlib.Path(__file__).with_name("load.c")))
        for number in range(rounds):
            for rate in rates:
                for name in ("xdp", "chrony"):
                    found = measure(name, load, directory, rate)
                    results.setdefault((name, rate), []).append(found)
                    print(number + 1, name, rate, "offered: %.0f/s, %.3f answered, %.0f ns each"
                          % found, flush=True)
    print("\n| server | offered/s | replies/s | answered | ns each |\n|---|---|---|---|---|")
    for (name, rate), found in sorted(results.items()):
        middle = [statistics.median(column) for column in zip(*found)]
        print(f"| {name} | {rate} | {middle[0]:.0f} | {middle[1]:.1%} | {middle[2]:.0f} |")


if __name__ == "__main__":
    main()
