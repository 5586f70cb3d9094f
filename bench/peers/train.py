#!/usr/bin/env python3
"""Times the steps of the benchmark `train` in PyTorch (Debian's python3-torch), and prints the times as JSON.

OpenMP's and OpenBLAS's threads spin against each other in PyTorch's stock setting, so each combination runs in a process of its own with
both numbers fixed; the best one counts.
"""
import argparse
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


# The network of `mlnetbn reproduce mnist` (src/Cli/Reproduction/MnistRun.cs).
RESIDUAL = "1x28x28 residual relu"
STRIDED = "1x28x28 strided relu"


def perceptron(torch, name):
    sizes, batch, activation = NETWORKS[name]
    layers = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        last = i == len(sizes) - 2
        layers.append(torch.nn.Linear(inputs, outputs, bias=last))
        if not last:
            layers += [torch.nn.BatchNorm1d(outputs), getattr(torch.nn, activation)()]
    return torch.nn.Sequential(*layers), torch.rand(batch, sizes[0]) * 3 - 1.5, sizes[-1]


def residual_network(torch):
    nn = torch.nn

    def convolution(inputs, outputs, kernel):
        return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)

    class Residual(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.body = nn.Sequential(*convolution(inputs, outputs, 3), nn.ReLU(), *convolution(outputs, outputs, 3))
            self.around = nn.Sequential(*convolution(inputs, outputs, 1))

        def forward(self, x):
            return self.body(x) + self.around(x)

    network = nn.Sequential(
        *convolution(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        Residual(16, 32), nn.ReLU(), nn.MaxPool2d(2),
        Residual(32, 64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return network, torch.rand(128, 1, 28, 28) * 3 - 1.5, 10


def strided_network(torch):
    nn = torch.nn

    def half(inputs, outputs):
        return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()

    network = nn.Sequential(*half(1, 16), *half(16, 32), nn.Flatten(), nn.Linear(32 * 7 * 7, 10))
    return network, torch.rand(64, 1, 28, 28) * 3 - 1.5, 10


def build(torch, name):
    return {RESIDUAL: residual_network, STRIDED: strided_network}.get(name, lambda torch: perceptron(torch, name))(torch)


def measure(name, torch_threads, seconds):
    import torch

    torch.set_num_threads(torch_threads)
    torch.manual_seed(1)
    network, x, classes = build(torch, name)
    y = torch.randint(classes, (len(x),))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    loss = torch.nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(network(x), y).backward()
        optimizer.step()

    for _ in range(5):
        step()
    start = time.perf_counter()
    step()
    count = max(1, int(seconds / 30 / (time.perf_counter() - start)))
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(count):
            step()
        best = min(best, (time.perf_counter() - start) / count)
    return best * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="how long each network is timed")
    parser.add_argument("--network", help="only this one, in this process")
    parser.add_argument("--threads", type=int, default=1, help="with --network: PyTorch's threads")
    options = parser.parse_args()
    if options.network:
        import torch

        time_of_step = measure(options.network, options.threads, options.seconds)
        print(json.dumps({"peer": f"PyTorch {torch.__version__}", "microseconds": time_of_step}))
        return
    results, peer = [], None
    for name in [*NETWORKS, RESIDUAL, STRIDED]:
        best = None
        for torch_threads, blas_threads in itertools.product((1, 2), (1, 2)):
            environment = dict(os.environ, OPENBLAS_NUM_THREADS=str(blas_threads), OMP_NUM_THREADS=str(torch_threads))
            # Settings meant for other programs on some machines; they slow OpenBLAS down.
            environment.pop("OPENBLAS_CORETYPE", None)
            environment.pop("OPENBLAS_L2_SIZE", None)
            child = [sys.executable, __file__, *sys.argv[1:], "--network", name, "--threads", str(torch_threads)]
            result = json.loads(subprocess.run(child, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout)
            peer = result["peer"]
            if best is None or result["microseconds"] < best["microseconds"]:
                best = {"network": name, "microseconds": result["microseconds"], "threads": torch_threads, "blasThreads": blas_threads}
        results.append(best)
    json.dump({"peer": peer, "train": results}, sys.stdout, indent=2)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # the child has said why
        sys.exit(error.returncode)
