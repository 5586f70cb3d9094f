#!/usr/bin/env python3
"""Times the training steps of `mlnetbn bench train` in PyTorch (Debian's python3-torch), at the best of several thread settings.

OpenMP's and OpenBLAS's threads spin against each other in PyTorch's stock setting, so each combination runs in a process of its own with
both numbers fixed; the best one counts.
"""
import itertools
import json
import os
import subprocess
import sys
import time

NETWORKS = {
    "20-64-32-2 relu": ([20, 64, 32, 2], 128, "ReLU"),
    "784-100-100-100-10 sigmoid": ([784, 100, 100, 100, 10], 60, "Sigmoid"),
    "784-512-512-512-10 relu": ([784, 512, 512, 512, 10], 256, "ReLU"),
}


def measure(name, torch_threads):
    import torch

    torch.set_num_threads(torch_threads)
    torch.manual_seed(1)
    sizes, batch, activation = NETWORKS[name]
    layers = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        last = i == len(sizes) - 2
        layers.append(torch.nn.Linear(inputs, outputs, bias=last))
        if not last:
            layers += [torch.nn.BatchNorm1d(outputs), getattr(torch.nn, activation)()]
    network = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    loss = torch.nn.CrossEntropyLoss()
    x, y = torch.rand(batch, sizes[0]) * 3 - 1.5, torch.randint(sizes[-1], (batch,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(network(x), y).backward()
        optimizer.step()

    start = time.perf_counter()
    for _ in range(30):
        step()
    count = max(1, int(30 * 0.05 / (time.perf_counter() - start)))
    best = float("inf")
    for _ in range(30):
        start = time.perf_counter()
        for _ in range(count):
            step()
        best = min(best, (time.perf_counter() - start) / count)
    return best * 1e6


def main():
    if len(sys.argv) == 3:
        print(measure(sys.argv[1], int(sys.argv[2])))
        return
    results = []
    print(f"{'network':<28} {'torch threads':>13} {'BLAS threads':>12} {'us/step':>9}")
    for name in NETWORKS:
        best = None
        for torch_threads, blas_threads in itertools.product((1, 2), (1, 2)):
            environment = dict(os.environ, OPENBLAS_NUM_THREADS=str(blas_threads), OMP_NUM_THREADS=str(torch_threads))
            # Settings meant for other programs on some machines; they slow OpenBLAS down.
            environment.pop("OPENBLAS_CORETYPE", None)
            environment.pop("OPENBLAS_L2_SIZE", None)
            time_per_step = float(subprocess.run([sys.executable, __file__, name, str(torch_threads)], env=environment, check=True, capture_output=True, text=True).stdout)
            if best is None or time_per_step < best[0]:
                best = (time_per_step, torch_threads, blas_threads)
        print(f"{name:<28} {best[1]:>13} {best[2]:>12} {best[0]:>9.1f}", flush=True)
        results.append({"network": name, "torchThreads": best[1], "blasThreads": best[2], "microsecondsPerStep": best[0]})
    if os.environ.get("JSON"):
        with open(os.environ["JSON"], "w", encoding="utf-8") as file:
            json.dump({"train": results}, file, indent=2)


if __name__ == "__main__":
    main()
