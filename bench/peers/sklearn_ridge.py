#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the ridge regression of the program kernel_runtimes against scikit-learn's. Skips (exit 0) where sklearn is absent.

usage: sklearn_ridge.py FILE.npz      what kernel_runtimes --npz wrote; exit code 1 when a prediction differs by 1e-6 of it
"""
import sys

try:
    import numpy as np
    from sklearn.linear_model import Ridge
except ImportError as error:
    print(f"skipped: {error} (Debian: apt install python3-sklearn)", file=sys.stderr)
    sys.exit(0)


def main(path):
    data = np.load(path)
    counts, log_runtime, worst = data["op_count"].astype(np.float64), np.log(data["runtime"]), 0.0
    for fold in np.unique(data["fold"]):
        train, test = data["fold"] != fold, data["fold"] == fold
        mean, deviation = log_runtime[train].mean(), log_runtime[train].std(ddof=1)
        ridge = Ridge(alpha=1.0).fit(counts[train], (log_runtime[train] - mean) / deviation)
        expected = np.exp(ridge.predict(counts[test]) * deviation + mean)
        worst = max(worst, float((np.abs(data["ridge"][test] - expected) / expected).max()))
    print(f"scikit-learn's ridge predicts the same to {worst:.1e}")
    return 0 if worst <= 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else print(__doc__, file=sys.stderr) or 2)
