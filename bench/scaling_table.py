#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs bench/scaling.cpp on this machine's processors, and computes from its figures what more ranks should give.

usage: scaling_table.py <scaling> <mpirun> [--steps N] [--json FILE]

Measured: one step of a training by 1, 2, 4, ... ranks, of one thread each, as many as there are processors; the number of slates is
the same for all (strong) or for each rank (weak).

Computed, for R ranks with S slates each (weak scaling), from the seconds c that a slate takes here and the n floats of the gradient:

    step     = S c + exchange
    exchange = 2 log2 R L + (2 * 4 n (R - 1) / R + (8 + 32 S) (R - 1)) / B
    loss     = exchange / step

where R is a power of two and the costs of slates are equal (other shares: R - 1 + 2 ceil(log2 R) messages, and the sums of all
subtrees; see sum_over_ranks() of dist/tree_sum.hpp), with latency L and bandwidth B of the network: 30 us and 10 Gbit/s of Ethernet by TCP, 3 us and 100 Gbit/s. These two are assumed, and
so is that nothing else is on the network; a rank of several threads has a smaller c.
"""
import argparse
import json
import math
import os
import subprocess
import sys

COLLECTIONS = ("tile", "layout-xla-random", "layout-xla-default", "layout-nlp-random", "layout-nlp-default")
NETWORKS = (("10 Gbit/s", 30e-6, 1.25e9), ("100 Gbit/s", 3e-6, 12.5e9))
SLATES = 8  # of a rank
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def run(arguments, ranks, collection, slates):
    steps = arguments.steps * (20 if collection == "tile" else 1)
    done = subprocess.run([arguments.mpirun, "-np", str(ranks), arguments.scaling, collection, str(slates), str(steps)],
                          capture_output=True, text=True, env=ENVIRONMENT, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])


def loss(ranks, slates, seconds_of_slate, floats, latency, bandwidth):
    messages = 2 * math.log2(ranks)
    notes = (8 + 32 * slates) * (ranks - 1)  # what each rank says of its slates
    exchange = messages * latency + (8 * floats * (ranks - 1) / ranks + notes) / bandwidth
    return exchange / (slates * seconds_of_slate + exchange)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("scaling")
    parser.add_argument("mpirun")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    processors = len(os.sched_getaffinity(0))
    counts = [1 << i for i in range(processors.bit_length()) if 1 << i <= processors]
    most = counts[-1]
    figures = []
    print(f"Measured on {processors} processors, {most * SLATES} slates a step (strong), {SLATES} for each rank (weak):\n")
    print("| collection | ranks | strong: step | speed-up | weak: step | of one rank's | a rank sends in a step |")
    print("|---|---|---|---|---|---|---|")
    one = {}
    for collection in COLLECTIONS:
        for ranks in counts:
            strong = run(arguments, ranks, collection, most * SLATES)
            weak = run(arguments, ranks, collection, ranks * SLATES)
            figures += [strong, weak]
            if ranks == 1:
                one[collection] = (strong, weak)
            print(f"| {collection} | {ranks} | {1e3 * strong['seconds']:.1f} ms | {one[collection][0]['seconds'] / strong['seconds']:.2f} "
                  f"| {1e3 * weak['seconds']:.1f} ms | {weak['seconds'] / one[collection][1]['seconds']:.2f} "
                  f"| {weak['bytes'] / 1e3:.0f} kB in {weak['messages']:.0f} messages |", flush=True)
    print(f"\nComputed, not measured: the share of a step of {SLATES} slates for each rank that the exchange takes.\n")
    print("| collection | a slate | floats | " + " | ".join(f"{ranks} ranks, {name}" for name, _, _ in NETWORKS for ranks in (8, 64, 512)) + " |")
    print("|---|---|---|" + "---|" * 6)
    for collection in COLLECTIONS:
        weak = one[collection][1]
        seconds = weak["seconds"] / SLATES
        cells = [f"{100 * loss(ranks, SLATES, seconds, weak['floats'], latency, bandwidth):.1f} %"
                 for _, latency, bandwidth in NETWORKS for ranks in (8, 64, 512)]
        print(f"| {collection} | {1e3 * seconds:.2f} ms | {weak['floats']} | " + " | ".join(cells) + " |")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
