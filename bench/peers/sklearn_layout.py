#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ridge regression and gradient-boosted trees on the configs of one layout file, without its graph.

usage: sklearn_layout.py FILE.npz INDICES.json OUT.json

INDICES.json has the held-out configs (`mlgraph train --split-indices`); all measurements of the others are trained
on. Ridge sees every entry of the config one-hot, the trees see the entries. Both predict the logarithm of the
runtime; strength and number of trees are chosen by five folds of the training configs, by Kendall's tau.
"""

import json
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a few thousand rows: threads would wait for each other

import numpy as np
from scipy.stats import kendalltau
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold


def metrics(score, runtime):
    """As mlgraph has them: tau-b, and what is lost by the first choice and the best of ten."""
    order = np.argsort(score, kind="stable")
    slowdown = {f"slowdown@{k}": float(runtime[order[:k]].min() / runtime.min() - 1) for k in (1, 10)}
    return {"kendall_tau": float(kendalltau(score, runtime)[0]), **slowdown}


def choose(models, x, y, group):
    """The name of the model that ranks held-out folds best."""
    folds = list(GroupKFold(5).split(x, y, group))

    def tau(model):
        return np.mean([kendalltau(model().fit(x[a], y[a]).predict(x[b]), y[b])[0] for a, b in folds])

    return max(models, key=lambda name: tau(models[name]))


def main():
    path, indices_path, out = sys.argv[1:4]
    data = np.load(path)
    runtime = data["config_runtime"].astype(np.int64)
    configs = data["node_config_feat"].reshape(len(runtime), -1).astype(np.int8)
    (held_out,) = json.load(open(indices_path, encoding="utf-8")).values()
    test = np.zeros(len(runtime), bool)
    test[held_out] = True
    group = np.unique(configs, axis=0, return_inverse=True)[1].ravel()
    assert not set(group[test]) & set(group[~test]), "a config is on both sides of the split"

    one_hot = np.concatenate([configs == value for value in np.unique(configs)], axis=1).astype(np.float64)
    y = np.log(runtime)
    ridges = {f"alpha {a:g}": lambda a=a: Ridge(alpha=a) for a in (0.01, 0.1, 1, 10)}
    trees = {f"{n} trees": lambda n=n: HistGradientBoostingRegressor(max_iter=n, random_state=0) for n in (100, 200, 400)}
    result = {"train_rows": int((~test).sum()), "test_rows": int(test.sum())}
    for name, models, x in (("ridge", ridges, one_hot), ("trees", trees, configs)):
        chosen = choose(models, x[~test], y[~test], group[~test])
        score = models[chosen]().fit(x[~test], y[~test]).predict(x[test])
        result[name] = {"chosen": chosen, **metrics(score, runtime[test])}
    with open(out, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=2)
        file.write("\n")


main()
