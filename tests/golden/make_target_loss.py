#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Golden numbers of target_loss() from PyTorch, in float64: writes target_loss.hpp beside this script. Run by hand; output committed.

usage: make_target_loss.py
"""
import os

import torch
from torch.nn import functional as F

torch.manual_seed(7)
ROWS, COLS = 6, 3


def draw(*shape):
    return torch.randn(*shape).round(decimals=3).double()


S, Y = 2 * draw(ROWS, COLS), (draw(ROWS, COLS).abs() + 0.25).round(decimals=3)
W, V = torch.tensor([1, 0.5, 2, 0, 1.25, 3]).double(), torch.tensor([1, 0.25, 2]).double()
MASK = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1], [1, 1, 1], [1, 0, 1], [1, 1, 1]]).double()
MEAN, SCALE = torch.tensor([0.5, -0.25, 1]).double(), torch.tensor([2, 0.5, 1.5]).double()
LABEL = torch.tensor([2, 0, 1, 1, 0, 2])
TRUE = (Y > 0.8).double()
POSITIVE = torch.tensor([1.5, 1, 3]).double()


def weighted(elements):
    weight = W[:, None] * V * MASK
    return (weight * elements).sum() / weight.sum()


def cases(s):
    for log in (False, True):
        z = Y.log() if log else Y
        t, p = (z - MEAN) / SCALE, MEAN + SCALE * s
        name = "log_" if log else ""
        yield name + "mse", weighted(F.mse_loss(s, t, reduction="none"))
        yield name + "l1", weighted(F.l1_loss(s, t, reduction="none"))
        yield name + "huber", weighted(F.huber_loss(s, t, reduction="none", delta=0.75))
        yield name + "mape", weighted(((p.exp() if log else p) - Y).abs() / Y.abs())
    yield "binary", weighted(F.binary_cross_entropy_with_logits(s, TRUE, pos_weight=POSITIVE, reduction="none"))
    rows = MASK[:, 0] * W
    each = F.cross_entropy(s, LABEL, weight=V, reduction="none")
    yield "cross_entropy", (rows * each).sum() / (rows * V[LABEL]).sum()
    # The same without weights, by torch's own mean: what the weights are a generalisation of.
    yield "plain_mse", F.mse_loss(s, Y)
    yield "plain_l1", F.l1_loss(s, Y)
    yield "plain_huber", F.huber_loss(s, Y, delta=0.75)
    yield "plain_binary", F.binary_cross_entropy_with_logits(s, TRUE)
    yield "plain_cross_entropy", F.cross_entropy(s, LABEL, weight=V)


def numbers(values, as_int=False):
    flat = values.flatten().tolist()
    return ", ".join(str(int(v)) if as_int else repr(v) for v in flat)


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "target_loss.hpp")
    with open(path, "w", encoding="utf-8") as out:
        out.write("// SPDX-License-Identifier: Apache-2.0\n"
                  f"// Written by make_target_loss.py with PyTorch {torch.__version__.split('+')[0]}.\n"
                  "#ifndef MLGRAPH_TESTS_GOLDEN_TARGET_LOSS_HPP\n#define MLGRAPH_TESTS_GOLDEN_TARGET_LOSS_HPP\n\n"
                  "#include <cstdint>\n\nnamespace mlgraph::testing::golden_target_loss {\n\n// clang-format off\n"
                  f"inline constexpr int kRows = {ROWS}, kCols = {COLS};\n")
        for name, values in (("kOutputs", S), ("kScalingMean", MEAN), ("kScalingScale", SCALE), ("kOutputWeight", V),
                             ("kPositiveWeight", POSITIVE)):
            out.write(f"inline constexpr double {name}[] = {{{numbers(values)}}};\n")
        for name, values in (("kValues", Y), ("kRowWeight", W), ("kTrue", TRUE)):
            out.write(f"inline constexpr double {name}[] = {{{numbers(values)}}};\n")
        for name, values in (("kMask", MASK), ("kLabel", LABEL)):
            out.write(f"inline constexpr std::int32_t {name}[] = {{{numbers(values, True)}}};\n")
        out.write("\nstruct Case {\n  const char* name;\n  double loss;\n  double gradient[kRows * kCols];\n};\n"
                  "inline constexpr Case kCases[] = {\n")
        names = [name for name, _ in cases(S)]
        for i, name in enumerate(names):
            s = S.clone().requires_grad_()
            loss = list(cases(s))[i][1]
            loss.backward()
            out.write(f'    {{"{name}", {loss.item()!r}, {{{numbers(s.grad)}}}}},\n')
        out.write("};\n// clang-format on\n\n}  // namespace mlgraph::testing::golden_target_loss\n\n"
                  "#endif  // MLGRAPH_TESTS_GOLDEN_TARGET_LOSS_HPP\n")


if __name__ == "__main__":
    main()
