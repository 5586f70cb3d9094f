#!/usr/bin/env python3
"""Times the networks of the benchmark `score` in PyTorch (Debian's python3-torch), and prints the times as JSON.

Each network is given its best chance: batch norms folded by hand, `inference_mode`, and then eager, frozen TorchScript, or TorchScript
through `optimize_for_inference`, at the best of several thread settings. OpenMP's and OpenBLAS's threads spin against each other in
PyTorch's stock setting, so each combination runs in a process of its own.
"""
import argparse
import itertools
import json
import os
import subprocess
import sys
import time


def dense(sizes):
    import torch

    layers = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers.append(torch.nn.Linear(inputs, outputs))  # a batch norm folded by hand is a bias
        if i < len(sizes) - 2:
            layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers), (sizes[0],)


def residual_cnn():
    import torch

    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            first, second = torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.Conv2d(16, 16, 3, padding=1)
            self.body = torch.nn.Sequential(first, torch.nn.ReLU(), second)

        def forward(self, x):
            return self.body(x) + x

    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2), Residual(), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, 10)), (1, 28, 28)


NETWORKS = {
    "32-64-32-1": lambda: dense([32, 64, 32, 1]),
    "784-512-512-512-10": lambda: dense([784, 512, 512, 512, 10]),
    "residual CNN": residual_cnn,
}


def best_time(call, seconds):
    for _ in range(3):
        call()
    start = time.perf_counter()
    call()
    calls = max(1, int(0.004 / (time.perf_counter() - start)))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter() - start) / calls)
    return best * 1e6


def measure(threads, seconds, counts):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    times = []
    with torch.inference_mode():
        for name, build in NETWORKS.items():
            network, shape = build()
            network.eval()
            for rows in counts:
                x = torch.rand(rows, *shape) * 2 - 1
                frozen = torch.jit.freeze(torch.jit.trace(network, x))
                optimized = torch.jit.optimize_for_inference(torch.jit.trace(network, x))
                best = min(best_time(lambda: way(x), seconds) for way in (network, frozen, optimized))
                times.append({"network": name, "rows": rows, "microseconds": best})
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.25, help="how long each way is timed")
    parser.add_argument("--rows", default="1,16,256,4096", help="rows in a call")
    parser.add_argument("--threads", type=int, help="only this process, with so many threads of PyTorch's")
    options = parser.parse_args()
    if options.threads:
        import torch

        times = measure(options.threads, options.seconds, [int(rows) for rows in options.rows.split(",")])
        print(json.dumps({"peer": f"PyTorch {torch.__version__}", "score": times}))
        return
    best, peer = {}, None
    for torch_threads, blas_threads in itertools.product((1, 2), (1, 2)):
        environment = dict(os.environ, OPENBLAS_NUM_THREADS=str(blas_threads), OMP_NUM_THREADS=str(torch_threads))
        # Settings meant for other programs on some machines; they slow OpenBLAS down.
        environment.pop("OPENBLAS_CORETYPE", None)
        environment.pop("OPENBLAS_L2_SIZE", None)
        child = [sys.executable, __file__, *sys.argv[1:], "--threads", str(torch_threads)]
        result = json.loads(subprocess.run(child, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout)
        peer = result["peer"]
        for time_of in result["score"]:
            key = time_of["network"], time_of["rows"]
            if key not in best or time_of["microseconds"] < best[key]["microseconds"]:
                best[key] = dict(time_of, threads=torch_threads, blasThreads=blas_threads)
    json.dump({"peer": peer, "score": list(best.values())}, sys.stdout, indent=2)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # the child has said why
        sys.exit(error.returncode)
