#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mlgraph tune` on programs of the mini-compiler: by networks, and by chance with as many measurements.

    bench/tuning.py --mlgraph build/bin/mlgraph --minicompiler build/bin/minicompiler --programs 20

Both begin with the one rule that is best on other programs (--rules all: with all rules). What each ends with is measured again together, in turn, and the medians are compared.
"""
import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import tempfile

FAMILIES = ["norm", "stencil", "attention", "backward", "fan", "columns", "separable", "hybrid"]


def run(command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} {command[1]}: {done.stderr or done.stdout}")
    return done.stdout


def measure_together(minicompiler, name, configs, rounds):
    """The median over the rounds of each configuration's fastest visit, in seconds."""
    times = [[] for _ in configs]
    for _ in range(rounds):
        for config, of_config in zip(configs, times):
            told = run([minicompiler, "measure", name], input=json.dumps(config), env=dict(os.environ, MLGRAPH_RUNS="5"))
            of_config.append(min(map(float, told.split())))
    return [statistics.median(t) for t in times]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlgraph", default="build/bin/mlgraph")
    parser.add_argument("--minicompiler", default="build/bin/minicompiler")
    parser.add_argument("--programs", type=int, default=20)
    parser.add_argument("--first", type=int, default=5000000, help="number of the first program")
    parser.add_argument("--trials", type=int, default=128, help="measurements of each tuning, the rules among them")
    parser.add_argument("--rules", choices=["one", "all"], default="one", help="baselines of the space")
    parser.add_argument("--rounds", type=int, default=9, help="of the measurement of what they end with")
    parser.add_argument("--folder", help="where logs are kept")
    parser.add_argument("flags", nargs="*", help="more flags of mlgraph tune, behind --")
    options = parser.parse_args()
    mlgraph, minicompiler = os.path.abspath(options.mlgraph), os.path.abspath(options.minicompiler)
    folder = pathlib.Path(options.folder or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    over_chance, over_rule, chance_over_rule, wins = [], [], [], 0
    print("program, reference ms, best rule, by chance, by networks: times as fast as the reference; networks / chance",
          flush=True)
    for number in range(options.first, options.first + options.programs):
        name = f"{FAMILIES[number % len(FAMILIES)]}_{number}"
        run([minicompiler, "space", name, "--out", folder])
        space = json.loads((folder / f"{name}.space.json").read_text())
        rules = [baseline["choices"] for baseline in space["baselines"]]
        if options.rules == "one":
            del space["baselines"][1:]
            (folder / f"{name}.space.json").write_text(json.dumps(space))
        best = {}
        for strategy in ("random", "search"):
            out = folder / f"{name}.{strategy}.json"
            run([mlgraph, "tune", folder / f"{name}.npz", "--space", folder / f"{name}.space.json", "--log",
                 folder / f"{name}.{strategy}.log", "--budget", "1h", "--max-trials", options.trials, "--strategy", strategy,
                 "--seed", number, "--jobs", 1, "--json", out, "--measure", f"{minicompiler} measure {name}",
                 *options.flags])
            told = json.loads(out.read_text())
            best[strategy] = told["best"]["config"]
        chance, networks, *by_rules = measure_together(minicompiler, name, [best["random"], best["search"], *rules],
                                                       options.rounds)
        reference, rule = by_rules[0], min(by_rules)
        print(f"{name}, {1e3 * reference:.3f}, {reference / rule:.3f}, {reference / chance:.3f}, {reference / networks:.3f}; "
              f"{chance / networks:.3f}", flush=True)
        over_chance.append(chance / networks)
        over_rule.append(rule / networks)
        chance_over_rule.append(rule / chance)
        wins += networks < chance

    def mean(ratios):
        return math.exp(statistics.fmean(map(math.log, ratios)))

    print(f"{len(over_chance)} programs, {options.trials} measurements each: networks over chance {mean(over_chance):.3f}, "
          f"{wins} wins; networks over the best rule of each {mean(over_rule):.3f}, chance over it {mean(chance_over_rule):.3f}")


if __name__ == "__main__":
    main()
