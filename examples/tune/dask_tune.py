#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tunes with the workers of a Dask cluster: here, over SSH, or under Slurm. Needs `pip install distributed`, for --slurm
also dask-jobqueue.

    dask_tune.py --measure './bench --tile {tile}' --workers 2 -- mlgraph tune prog.npz --space space.json --log tune.log

A worker measures one configuration at a time (resources: device=1). Dask starts a measurement again whose worker died;
the tuner asks again for what nobody answers, and counts what is told twice once.
"""
import argparse
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time

from dask.distributed import Client, LocalCluster, SSHCluster, as_completed

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from ask_and_tell import Tuner  # noqa: E402


def measure(trial, command, files, device):
    """Runs on the worker: the last line that the command prints has the seconds of each run."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (content, mode) in files.items():
            path = pathlib.Path(folder, name)
            path.write_bytes(content)
            path.chmod(mode)
        for name, choice in trial["config"].items():
            command = command.replace("{%s}" % name, shlex.quote(choice))
        told = dict(os.environ, MLGRAPH_RUNS=str(trial["runs"]), MLGRAPH_TRIAL=str(trial["id"]))
        process = subprocess.Popen(command, shell=True, cwd=folder if files else None, env=told, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        try:
            out, error = process.communicate(json.dumps(trial["config"]) + "\n", timeout=trial["timeout"])
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return {"failure": "timeout", "message": f"after {trial['timeout']} s", "device": device}
    line = (out.strip().splitlines() or [""])[-1]
    if line.startswith("failed: "):
        kind, _, why = line[8:].partition(" ")
        return {"failure": kind, "message": why, "device": device}
    if process.returncode != 0:
        return {"failure": "run", "message": f"exit code {process.returncode}: {error[-300:]}", "device": device}
    try:
        return {"seconds": [float(number) for number in line.replace(",", " ").split()], "device": device}
    except ValueError:
        return {"failure": "run", "message": f"printed no number, but {line[:200]}", "device": device}


def measure_here(trial, command, files, devices):
    """measure() with the name of the device that this worker is."""
    from dask.distributed import get_worker
    return measure(trial, command, files, str(get_worker().name) if devices == "worker" else get_worker().ip)


def cluster_of(options):
    if options.scheduler:
        return options.scheduler  # the address of one that runs
    if options.ssh:
        return SSHCluster(options.ssh, worker_options={"nthreads": 1, "resources": {"device": 1}})
    if options.slurm:
        from dask_jobqueue import SLURMCluster
        cluster = SLURMCluster(cores=1, processes=1, memory="4GB", worker_extra_args=["--resources", "device=1"],
                               job_extra_directives=shlex.split(options.slurm))
        cluster.scale(options.workers)
        return cluster
    return LocalCluster(n_workers=options.workers, threads_per_worker=1, resources={"device": 1},
                        dashboard_address=options.dashboard)


def tune(client, tuner, options):
    """Keeps two measurements at each worker: one under way, and one to begin with at once."""
    files = {pathlib.Path(f).name: (pathlib.Path(f).read_bytes(), os.stat(f).st_mode & 0o777) for f in options.send}
    under_way, running = {}, as_completed()  # (trial, worker, device) of each future

    def fill():
        for address, worker in client.scheduler_info(n_workers=-1)["workers"].items():
            device = str(worker["name"]) if options.devices == "worker" else worker["host"]
            free = 2 - sum(at == address for _, at, _ in under_way.values())
            for trial in tuner.ask(free, device=device, wait=False) if free > 0 else []:
                # A trial may come again while its first task still runs: pure=False makes them different tasks.
                # Where its worker dies, another one measures it.
                future = client.submit(measure_here, trial, options.measure, files, options.devices, pure=False,
                                       resources={"device": 1}, retries=options.retries, workers=[address],
                                       allow_other_workers=True)
                under_way[future.key] = trial, address, device
                running.add(future)

    while not tuner.done or under_way:
        fill()
        if not under_way:
            time.sleep(0.2)  # for workers to come, or for leases to end
            continue
        future = next(running)
        if future.status in ("pending", "lost"):  # its worker died with the result: another one measures it again
            running.add(future)
            continue
        trial, _, device = under_way.pop(future.key)
        if future.status == "finished":
            tuner.tell(trial, **future.result())
        else:  # it raised an exception again and again, or one worker after the other died of it
            tuner.tell(trial, failure="run", message=repr(future.exception()), device=device)


def parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tuner", nargs="+", help="mlgraph tune PROGRAM --space SPACE.json --log LOG ...")
    parser.add_argument("--measure", required=True, help="a command, as mlgraph tune --measure has it, in seconds")
    parser.add_argument("--send", nargs="*", default=[], help="files that the command needs, put beside it on each worker")
    parser.add_argument("--workers", type=int, default=1, help="of this machine or of Slurm")
    parser.add_argument("--ssh", nargs="*", help="hosts: the first is the scheduler, the others are workers")
    parser.add_argument("--slurm", help="run the workers as jobs, with these options of sbatch")
    parser.add_argument("--scheduler", help="the address of a scheduler that runs; its workers need --resources device=1")
    parser.add_argument("--devices", choices=["host", "worker"], default="host", help="what is compared with itself alone")
    parser.add_argument("--retries", type=int, default=2, help="of a measurement that raised an exception")
    parser.add_argument("--dashboard", default=None, help="where Dask's dashboard listens, such as :8787")
    return parser


def main():
    options = parser().parse_args()
    with Tuner(options.tuner) as tuner, Client(cluster_of(options)) as client:
        tune(client, tuner, options)
        print(json.dumps(tuner.best()))


if __name__ == "__main__":
    main()
