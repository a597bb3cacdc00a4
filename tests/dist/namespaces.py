#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training on two hosts that are really apart: network namespaces of this machine, one of which is cut off in the middle.

usage: namespaces.py <mlgraph> <mpirun of Open MPI>

Exit code 77, skipped, where this user may not make namespaces.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import mpi

NODES = ("mlgraph-test-1", "mlgraph-test-2")
ADDRESSES = ("10.213.7.1", "10.213.7.2")


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


def make_hosts():
    """Two namespaces joined by a cable."""
    for node in NODES:
        ip("netns", "add", node)
    ip("link", "add", "mlg1", "netns", NODES[0], "type", "veth", "peer", "name", "mlg2", "netns", NODES[1])
    for i, node in enumerate(NODES):
        ip("-n", node, "address", "add", ADDRESSES[i] + "/24", "dev", f"mlg{i + 1}")
        ip("-n", node, "link", "set", "lo", "up")
        ip("-n", node, "link", "set", f"mlg{i + 1}", "up")


def remove_hosts():
    for node in NODES:
        for pid in ip("netns", "pids", node, check=False).stdout.split():
            subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
        ip("netns", "delete", node, check=False)


class Namespaces(mpi.Ranks):
    def setUp(self):
        super().setUp()
        remove_hosts()
        self.addCleanup(remove_hosts)
        make_hosts()
        # What mpirun starts instead of ssh: its first argument is the host.
        self.agent = self.out / "agent"
        self.agent.write_text("#!/bin/bash\nhost=$1; shift\nnumber=${host##*.}\n"
                              "exec ip netns exec mlgraph-test-$number unshare --uts bash -c \"hostname node$number; $*\"\n")
        self.agent.chmod(0o755)

    def hosts(self, arguments):
        """The command for two ranks on each host."""
        interfaces = [flag for layer in ("btl", "oob") for flag in ("-mca", f"{layer}_tcp_if_include", "10.213.7.0/24")]
        patience = [flag for name, value in (("time", 10), ("intvl", 5), ("probes", 3))
                    for flag in ("-mca", f"oob_tcp_keepalive_{name}", str(value))]
        command = [mpi.MPIRUN, "-np", "4", "--host", ",".join(f"{address}:2" for address in ADDRESSES), "-mca", "plm_rsh_agent",
                   str(self.agent), "-mca", "btl", "tcp,self", *interfaces, *patience, mpi.PROGRAM, *arguments]
        return ["ip", "netns", "exec", NODES[0], "unshare", "--uts", "bash", "-c", 'hostname node1; exec "$@"', "bash", *command]

    def test_two_hosts_have_the_bytes_of_one_process(self):
        self.run_ranks(0, self.arguments("alone"))
        done = subprocess.run(self.hosts(self.arguments("m")), capture_output=True, text=True, timeout=mpi.TIMEOUT,
                              env=mpi.ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("4 ranks", done.stdout)
        self.assertEqual(self.read("m"), self.read("alone"))

    def test_a_host_that_is_cut_off_ends_the_run(self):
        self.run_ranks(0, self.arguments("whole", epochs=3000))
        process = subprocess.Popen(self.hosts(self.arguments("m", "--checkpoint-every", "0", epochs=3000)), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, env=mpi.ENVIRONMENT)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.wait_for(self.out / "m.checkpoint")
        ip("-n", NODES[1], "link", "set", "mlg2", "down")
        began = time.monotonic()
        said, _ = process.communicate(timeout=mpi.TIMEOUT)
        print(f"the run ended {time.monotonic() - began:.0f} s after the host was cut off", file=sys.stderr)
        self.assertNotEqual(process.returncode, 0, said)
        # Either mpirun misses its daemon there, or a rank its neighbour.
        self.assertRegex(said, r"rank \d on node2 has not been heard of|lost communication with a remote daemon")
        ip("-n", NODES[1], "link", "set", "mlg2", "up")
        self.run_ranks(2, self.arguments("m", "--resume", str(self.out / "m.checkpoint"), epochs=3000))
        self.assertEqual(self.read("m"), self.read("whole"))


def may_make_namespaces():
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
        return False
    probe = ip("netns", "add", "mlgraph-test-probe", check=False)
    ip("netns", "delete", "mlgraph-test-probe", check=False)
    return probe.returncode == 0


if __name__ == "__main__":
    mpi.PROGRAM, mpi.MPIRUN = str(pathlib.Path(sys.argv[1]).resolve()), sys.argv[2]
    if not may_make_namespaces():
        print("skipped: this user may not make network namespaces (needs root and iproute2)")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
