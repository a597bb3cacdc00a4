# SPDX-License-Identifier: Apache-2.0
"""What a comparison with peers ran on: the machine, the versions, the kernels that each peer chose, and the load before it began.

usage: machine.py [--load L]        prints it; L is the load average of a moment before, else that of now
"""
import importlib.metadata
import os
import platform
import sys

PACKAGES = ("torch", "torch_geometric", "onnxruntime", "onnx", "onnxscript", "numpy")
QUIET = 0.3  # load average above which times are not worth much


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return f"{names[0]}, {len(names)} processors"
    except (OSError, IndexError):
        return platform.machine()


def versions():
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def kernels():
    """What the libraries that are loaded chose for this processor."""
    lines = []
    try:
        import torch
        lines.append(f"PyTorch: {torch.backends.cpu.get_cpu_capability()}, oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}, "
                     f"MKL {'on' if torch.backends.mkl.is_available() else 'off'}")
    except (ImportError, AttributeError) as error:
        lines.append(f"PyTorch does not say which kernels it has: {error}")
    try:
        import threadpoolctl
        for pool in threadpoolctl.threadpool_info():
            lines.append(f"{pool['internal_api']} {pool['version'] or ''}: {pool.get('architecture') or 'no kernels of its own'}, "
                         f"{pool['num_threads']} threads, {os.path.basename(pool['filepath'])}")
    except ImportError:
        lines.append("threadpoolctl is not there to say more")
    return lines


def main():
    load = float(sys.argv[2]) if sys.argv[1:2] == ["--load"] else os.getloadavg()[0]
    print(f"{processor()}; {platform.system()} {platform.release()}; Python {platform.python_version()}")
    print(versions())
    for line in kernels():
        print(line)
    print(f"load before the start: {load:.2f}")
    if load > QUIET:
        print(f"WARNING: the machine is not quiet (a load above {QUIET}): times are too long by unequal factors, take no ratio from them")


if __name__ == "__main__":
    main()
