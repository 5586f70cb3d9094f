#!/usr/bin/env python3
"""Times the networks of Times.cs in PyTorch on a GPU, and writes the times as JSON: eager, torch.compile, and with CUDA graphs.

float32 without TensorFloat32, as ours. Progress is printed; a way that fails is an error in the list, not the end. The file is whole after
every time, in case there is no time for all: torch.compile, which takes longest, comes last.
"""
import argparse
import json
import os
import time

import torch
from torch import nn


def perceptron(sizes, activation):
    layers = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        last = i == len(sizes) - 2
        layers.append(nn.Linear(inputs, outputs, bias=last))
        if not last:
            layers += [nn.BatchNorm1d(outputs), activation()]
    return nn.Sequential(*layers)


def convolution(inputs, outputs, kernel):
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = nn.Sequential(*convolution(inputs, outputs, 3), nn.ReLU(), *convolution(outputs, outputs, 3))
        self.around = nn.Sequential(*convolution(inputs, outputs, 1))

    def forward(self, x):
        return self.body(x) + self.around(x)


def residual_network():
    return nn.Sequential(
        *convolution(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        Residual(16, 32), nn.ReLU(), nn.MaxPool2d(2),
        Residual(32, 64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


NETWORKS = {
    "784-512-512-512-10": (lambda: perceptron([784, 512, 512, 512, 10], nn.ReLU), (784,), 10, [256, 4096]),
    "784-1024-1024-1024-10": (lambda: perceptron([784, 1024, 1024, 1024, 10], nn.ReLU), (784,), 10, [1024]),
    "residual CNN": (residual_network, (1, 28, 28), 10, [128]),
    "30-64-32-1 sigmoid": (lambda: perceptron([30, 64, 32, 1], nn.Sigmoid), (30,), 1, [4096]),
}


def best(call, seconds, device):
    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(5):
        call()
    wait()
    start = time.perf_counter()
    call()
    wait()
    count = max(1, int(seconds / 10 / (time.perf_counter() - start)))
    shortest, end = float("inf"), time.perf_counter() + seconds
    while shortest == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(count):
            call()
        wait()
        shortest = min(shortest, (time.perf_counter() - start) / count)
    return shortest * 1e6


def training(build, shape, outputs, rows, way, device):
    network = build().to(device)
    x = torch.rand(rows, *shape, device=device) * 3 - 1.5
    if outputs == 1:
        y, loss = torch.randint(2, (rows, 1), device=device).float(), nn.BCEWithLogitsLoss()
    else:
        y, loss = torch.randint(outputs, (rows,), device=device), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, foreach=True)
    run = torch.compile(network) if way == "compile" else network

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(run(x), y).backward()
        optimizer.step()

    return recorded(step) if way == "graph" else step


def scoring(build, shape, rows, way, device):
    network = build().to(device).eval()
    x = torch.rand(rows, *shape, device=device) * 3 - 1.5
    run = torch.compile(network) if way == "compile" else network

    def score():
        with torch.inference_mode():
            return run(x)

    return recorded(score) if way == "graph" else score


def recorded(call):
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(5):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1, help="how long each time is measured")
    parser.add_argument("--device", default="cuda", help="cuda or cpu")
    parser.add_argument("file", help="the JSON file that is written")
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    times = []
    gpu = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    for way in ("eager", "graph", "compile") if options.device == "cuda" else ("eager",):
        for name, (build, shape, outputs, counts) in NETWORKS.items():
            for rows in counts:
                for what in ("train", "score rows on the device"):
                    result = {"what": what, "network": name, "rows": rows, "way": way}
                    try:
                        torch.manual_seed(1)
                        call = (training(build, shape, outputs, rows, way, options.device) if what == "train"
                                else scoring(build, shape, rows, way, options.device))
                        result["microseconds"] = round(best(call, options.seconds, options.device), 1)
                    except Exception as error:  # a way may be missing here; the others count
                        result["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                    print(result, flush=True)
                    times.append(result)
                    with open(options.file + ".new", "w", encoding="utf-8") as file:
                        json.dump({"peer": f"PyTorch {torch.__version__}", "gpu": gpu, "times": times}, file, indent=2)
                    os.replace(options.file + ".new", options.file)


if __name__ == "__main__":
    main()
