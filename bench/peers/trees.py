#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boosted trees beside the networks of bench/rivals, on equal data.

usage: trees.py [--json OUT.json] NAME=FILE.npz...     what rivals wrote, a table for each
       trees.py --save TREES.json FILE.npz             only trains LightGBM on it, for `minicompiler --trees`
       trees.py --kernels FILE.npz                     what kernel_runtimes --npz wrote: runtimes from op counts

LightGBM and XGBoost fit log runtime less its program's mean by squared error. The depth, 4 to 8, and the number of
trees are those that are best on the validation programs; as many seeds as the networks have. Slowdowns and tau are
means over held-out programs and seeds; in brackets those of the scores averaged over the seeds. The bootstrap draws
programs: the 95 % interval of the difference between the network and the tree library that is better at the first place.
"""

import json
import os
import sys
import time

import numpy as np

try:
    import lightgbm
    import xgboost
except ImportError as error:
    print(f"skipped: {error} (python3 -m venv build/venv; build/venv/bin/pip install lightgbm xgboost)")
    sys.exit(0)
from scipy.stats import kendalltau, pearsonr, spearmanr

THREADS = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count()))
DEPTHS = (4, 6, 8)
ROUNDS, PATIENCE, RATE = 1000, 50, 0.05
METRICS = ("tau", "slowdown@1", "slowdown@5")


class LightGBM:
    name = "LightGBM"

    def fit(self, x, y, valid_x, valid_y, depth, seed):
        parameters = {"objective": "regression", "max_depth": depth, "num_leaves": min(2**depth, 127), "verbosity": -1,
                      "learning_rate": RATE, "seed": seed, "bagging_fraction": 0.8, "bagging_freq": 1,
                      "feature_fraction": 0.8, "min_data_in_leaf": min(20, max(1, len(y) // 50)), "num_threads": THREADS,
                      "deterministic": True, "force_row_wise": True}
        train = lightgbm.Dataset(x, y)
        valid = lightgbm.Dataset(valid_x, valid_y, reference=train)
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        self.model = lightgbm.train(parameters, train, ROUNDS, [valid], callbacks=[stop])
        return self.model.best_score["valid_0"]["l2"]

    def predict(self, x, threads=THREADS):
        return self.model.predict(x, num_threads=threads)


class XGBoost:
    name = "XGBoost"

    def fit(self, x, y, valid_x, valid_y, depth, seed):
        parameters = {"objective": "reg:squarederror", "max_depth": depth, "eta": RATE, "seed": seed, "subsample": 0.8,
                      "colsample_bytree": 0.8, "nthread": THREADS, "tree_method": "hist"}
        valid = xgboost.DMatrix(valid_x, valid_y)
        self.model = xgboost.train(parameters, xgboost.DMatrix(x, y), ROUNDS, evals=[(valid, "valid")],
                                   early_stopping_rounds=PATIENCE, verbose_eval=False)
        return self.model.best_score

    def predict(self, x, threads=THREADS):
        self.model.set_param({"nthread": threads})
        return self.model.inplace_predict(x, iteration_range=(0, self.model.best_iteration + 1))


def fit_best(library, x, y, valid_x, valid_y, seeds):
    """A model for each seed, of the depth that validates best with the first; and the seconds that each took."""
    models, seconds, losses = {}, {}, {}
    for depth in DEPTHS:
        start, models[depth] = time.perf_counter(), library()
        losses[depth] = models[depth].fit(x, y, valid_x, valid_y, depth, 1)
        seconds[depth] = time.perf_counter() - start
    depth = min(losses, key=losses.get)
    result = [(models[depth], sum(seconds.values()))]
    for seed in range(2, seeds + 1):
        start, model = time.perf_counter(), library()
        model.fit(x, y, valid_x, valid_y, depth, seed)
        result.append((model, time.perf_counter() - start))
    return result


def metrics(score, label):
    """As mlgraph has them; None where the labels rank nothing."""
    if len(label) < 2 or label.min() == label.max():
        return None
    order = np.argsort(score, kind="stable")
    tau = kendalltau(score, label)[0] if score.min() < score.max() else 0.0
    return [tau] + [label[order[:k]].min() / label.min() - 1 for k in (1, 5)]


class Set:
    """One file of rivals."""

    def __init__(self, path):
        data = np.load(path)
        self.part, self.label, self.x = data["part"], data["label"], data["features"]
        self.scores, self.seconds, self.us = data["scores"], data["seconds"], data["us"]
        self.names = data["names"].tobytes().decode().split("\n")[:-1]
        ptr = data["ptr"]
        self.programs = [np.arange(a, b) for a, b in zip(ptr[:-1], ptr[1:])]
        self.seeds = self.scores.shape[1]

    def rows(self, split, part):
        """Rows of a part, and the targets of trees: log runtime less its program's mean."""
        rows, target = [], []
        for program in self.programs:
            of_part = program[self.part[split][program] == part]
            if len(of_part) > 0:
                log = np.log(self.label[of_part])
                rows.append(of_part)
                target.append(log - log.mean())
        return np.concatenate(rows), np.concatenate(target)

    def trees(self, library):
        """(splits, seeds, rows) scores where held out, (splits, seeds) seconds, microseconds for one configuration."""
        scores, seconds, us = np.zeros_like(self.scores), np.zeros(self.seconds.shape), []
        for split in range(len(self.part)):
            (train, y), (valid, valid_y), (test, _) = (self.rows(split, part) for part in (0, 1, 2))
            fitted = fit_best(library, self.x[train], y, self.x[valid], valid_y, self.seeds)
            for seed, (model, took) in enumerate(fitted):
                scores[split, seed, test] = model.predict(self.x[test])
                seconds[split, seed] = took
            for program in self.programs[:40]:
                rows = np.ascontiguousarray(self.x[program])
                start = time.perf_counter()
                model.predict(rows, 1)
                us.append(1e6 * (time.perf_counter() - start) / len(rows))
        return scores, seconds, self.us[0] + np.median(us)

    def evaluate(self, scores):
        """(programs, seeds + 1, 3): the metrics of each held-out program by seed, and of the average of the seeds."""
        standard = scores.astype(np.float64)
        result = []
        for split in range(len(self.part)):
            for program in self.programs:
                test = program[self.part[split][program] == 2]
                if len(test) == 0:
                    continue
                each = [standard[split, seed, test] for seed in range(self.seeds)]
                # Each on one scale: a seed's scores have a spread of their own.
                average = sum((s - s.mean()) / (s.std() or 1) for s in each)
                of_program = [metrics(s, self.label[test]) for s in (*each, average)]
                if of_program[0] is not None:
                    result.append(of_program)
        return np.array(result)


def interval(differences, draws=10000):
    """95 % of the mean, by drawing programs."""
    rng = np.random.default_rng(1)
    means = differences[rng.integers(len(differences), size=(draws, len(differences)))].mean(axis=1)
    return np.quantile(means, (0.025, 0.975))


def compare(name, path):
    data = Set(path)
    results, rows = {}, {"network": (data.scores, data.seconds, data.us[1])}
    for library in (LightGBM, XGBoost):
        rows[library.name] = data.trees(library)
    for row, (scores, _, _) in rows.items():
        results[row] = data.evaluate(scores)
    programs = len(results["network"])
    print(f"{name}: {programs} held-out rankings, {len(data.label)} configurations, {data.seeds} seeds, "
          f"{data.x.shape[1]} features for trees")
    print(f"  {'':10} {'tau':>15} {'slowdown@1':>18} {'slowdown@5':>18} {'train s':>9} {'us each':>9}")
    figures = {}
    for row, result in results.items():
        mean, joint = result[:, :-1].mean(axis=(0, 1)), result[:, -1].mean(axis=0)
        slowdowns = " ".join(f"{100 * m:8.2f} % ({100 * j:4.2f})" for m, j in zip(mean[1:], joint[1:]))
        print(f"  {row:10} {mean[0]:6.3f} ({joint[0]:6.3f}) {slowdowns} {rows[row][1].mean():9.1f} {rows[row][2]:9.1f}")
        figures[row] = {"mean": dict(zip(METRICS, mean)), "of averaged scores": dict(zip(METRICS, joint)),
                        "seconds": rows[row][1].mean(), "us": float(rows[row][2])}
    better = min(results, key=lambda row: np.inf if row == "network" else results[row][:, :-1, 1].mean())
    figures["better trees"] = better
    if programs > 4:
        for which, label in ((slice(0, -1), "mean of seeds"), (slice(-1, None), "averaged scores")):
            difference = (results["network"][:, which] - results[better][:, which]).mean(axis=1)
            low, high = np.array([interval(difference[:, m]) for m in range(3)]).T
            print(f"  network less {better}, {label}, 95 % by bootstrap over programs: "
                  f"tau {low[0]:+.3f} to {high[0]:+.3f}, slowdown@1 {100 * low[1]:+.2f} to {100 * high[1]:+.2f} %, "
                  f"@5 {100 * low[2]:+.2f} to {100 * high[2]:+.2f} %")
            figures[label] = {m: [a, b] for m, a, b in zip(METRICS, low, high)}
    best = [min(results, key=lambda row: results[row][:, :-1, m].mean()) for m in (1, 2)]
    print(f"  first place: {best[0]}; best of five: {best[1]}\n", flush=True)
    return figures


def save_trees(path, out):
    """LightGBM's trees of the first split, as JSON."""
    data = Set(path)
    (train, y), (valid, valid_y) = (data.rows(0, part) for part in (0, 1))
    (model, seconds), = fit_best(LightGBM, data.x[train], y, data.x[valid], valid_y, 1)
    trees = model.model.dump_model(num_iteration=model.model.best_iteration)
    with open(out, "w", encoding="utf-8") as file:
        json.dump(trees, file)
    print(f"{out}: {len(trees['tree_info'])} trees, {seconds:.1f} s")


def compare_kernels(path):
    """As the table of kernel_runtimes: correlations of predicted and true runtimes, mean over folds."""
    data = np.load(path)
    x, runtime, fold = data["op_count"].astype(np.float32), data["runtime"], data["fold"]
    for library in (LightGBM, XGBoost):
        scores = []
        for held_out in np.unique(fold):
            valid, test = fold == (held_out + 1) % (fold.max() + 1), fold == held_out
            train = ~valid & ~test
            y = np.log(runtime)
            (model, _), = fit_best(library, x[train], y[train], x[valid], y[valid], 1)
            predicted = np.exp(model.predict(x[test]))
            scores.append((pearsonr(predicted, runtime[test])[0], spearmanr(predicted, runtime[test])[0]))
        pearson, spearman = np.mean(scores, axis=0)
        deviation = np.std(scores, axis=0, ddof=1)
        print(f"{library.name + ' on op counts':38}   {pearson:6.3f}  {deviation[0]:6.3f}  {'':6}   {spearman:6.3f}  "
              f"{deviation[1]:6.3f}")


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--kernels":
        compare_kernels(arguments[1])
        return 0
    if len(arguments) == 3 and arguments[0] == "--save":
        save_trees(arguments[2], arguments[1])
        return 0
    out = None
    if arguments[:1] == ["--json"]:
        out, arguments = arguments[1], arguments[2:]
    if not arguments or not all("=" in argument for argument in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    figures = {name: compare(name, path) for name, path in (argument.split("=", 1) for argument in arguments)}
    if out is not None:
        with open(out, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2, default=float)
            file.write("\n")
    return 0


sys.exit(main(sys.argv[1:]))
