# SPDX-License-Identifier: Apache-2.0
"""Products with a torch.sparse CSR matrix, for the PyTorch peers. Import it after the number of threads is set."""
import torch


def csr(row, col, value, rows, cols):
    order = torch.argsort(row * cols + col)
    row_ptr = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(row, minlength=rows).cumsum(0)])
    return torch.sparse_csr_tensor(row_ptr, col[order], value[order], (rows, cols))


class CsrProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, matrix, transposed):
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(ctx, grad):
        return ctx.transposed @ grad.contiguous(), None, None
