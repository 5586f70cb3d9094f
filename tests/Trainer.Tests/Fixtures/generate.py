"""Writes what PyTorch computes for small networks, one JSON file for each case, next to this script.

    /usr/bin/python3 generate.py [CASE...]          (Debian's python3-torch, 1.13; all cases where none is named)

PyTorch computes in float64 here: it stands for the true value, and the library, which computes in float32, has to come near it.
Layers are written as the library writes them (Network.Parse). Names and layouts are the library's: a dense weight is [in, out] (PyTorch's is
[out, in]); gamma, beta, mean and variance are PyTorch's weight, bias, running_mean and running_var. A dense or convolution layer in front of a
batch normalization that is not frozen has no bias. Weight decay acts on the weights of these layers only.
Every loss is summed over a row's outputs, times the row's weight, and averaged over the rows.
With ranks, each step is what DistributedDataParallel makes of it: every rank normalizes its own part of the mini-batch and keeps running
statistics of its own, and the gradients are averaged. The statistics that are written down are those of the ranks joined: the mean of the
means, and the mean of the variances plus the variance of the means.
"""

import json
import pathlib
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

FEATURES = 5
ROWS, BATCH = 22, 8  # batches of 8, 8 and 6 rows
IMAGE_ROWS, IMAGE_BATCH = 10, 4  # batches of 4, 4 and 2 rows
CHECKPOINTS = (1, 2, 100)
DISTURBANCE = 1e-7  # about float32's own rounding, in every step

ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "leakyrelu": torch.nn.LeakyReLU,
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU,
    "softplus": torch.nn.Softplus,
    "identity": torch.nn.Identity,
}

# The loss of each row.
LOSSES = {
    "sigmoidCrossEntropy": lambda y, t: F.binary_cross_entropy_with_logits(y, t, reduction="none").sum(1),
    "weightedSigmoidCrossEntropy": lambda y, t: F.binary_cross_entropy_with_logits(
        y, t, weight=torch.tensor([0.5]), pos_weight=torch.tensor([6.0]), reduction="none").sum(1),
    "softmaxCrossEntropy": lambda y, t: F.cross_entropy(y, t.argmax(1), reduction="none"),
    "smoothedCrossEntropy": lambda y, t: F.cross_entropy(y, t.argmax(1), reduction="none", label_smoothing=0.1),
    "weightedSoftmaxCrossEntropy": lambda y, t: F.cross_entropy(
        y, t.argmax(1), reduction="none", weight=torch.tensor([0.5, 1.0, 3.0]), label_smoothing=0.2),
    "squaredError": lambda y, t: 0.5 * F.mse_loss(y, t, reduction="none").sum(1),
    "huber": lambda y, t: F.huber_loss(y, t, delta=0.7, reduction="none").sum(1),
    "absoluteError": lambda y, t: F.l1_loss(y, t, reduction="none").sum(1),
}

OPTIMIZERS = {
    "sgd": lambda groups: torch.optim.SGD(groups(0), lr=0.05),
    "momentum": lambda groups: torch.optim.SGD(groups(0.01), lr=0.01, momentum=0.9),
    "nesterov": lambda groups: torch.optim.SGD(groups(0.01), lr=0.01, momentum=0.9, nesterov=True),
    "adam": lambda groups: torch.optim.Adam(groups(0), lr=0.003),
    "adamw": lambda groups: torch.optim.AdamW(groups(0.1), lr=0.003),
}

# The library's schedules look at the middle of a step, (t + 1/2)/T. PyTorch's do there on a grid of half steps (see half_steps).
STEPS = max(CHECKPOINTS)
SCHEDULES = {
    "step:0.1,0.5,0.75": lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [STEPS, 3 * STEPS // 2], 0.1),
    "cosine": lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2 * STEPS),
    "warmup:0.2": lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1e-12, 1.0, 2 * STEPS // 5),
}

TWO_LAYERS = ["dense 6", "batchnorm", "{0}", "dense 4", "batchnorm", "{0}", "dense {1}"]


def two_layers(activation, outputs):
    return [layer.format(activation, outputs) for layer in TWO_LAYERS]


# No parameter here has a gradient that is zero by nature (a beta in front of the next batch normalization with only an identity between, a
# bias in front of a relu that is open for every row): Adam divides such a gradient by its own size, so rounding would decide its step.
# name: layers, loss, optimizer, and what is not as usual. A new case goes to the end: its place is its seed.
CASES = {
    "relu-softmax-sgd": (two_layers("relu", 3), "softmaxCrossEntropy", "sgd", {}),
    "leakyrelu-softmax-momentum": (two_layers("leakyrelu", 3), "softmaxCrossEntropy", "momentum", {}),
    "sigmoid-sigmoid-nesterov": (two_layers("sigmoid", 1), "sigmoidCrossEntropy", "nesterov", {}),
    "tanh-squared-adam": (two_layers("tanh", 2), "squaredError", "adam", {}),
    "identity-squared-adamw": (["dense 6", "batchnorm", "identity", "dense 1"], "squaredError", "adamw", {}),
    "relu-after-sigmoid-momentum": (
        ["dense 6", "relu", "batchnorm", "dense 4", "sigmoid", "batchnorm", "dense 1"], "sigmoidCrossEntropy", "momentum", {}),
    "plain-softmax-sgd": (["dense 6", "tanh", "dense 3"], "softmaxCrossEntropy", "sgd", {}),
    "tanh-weighted-sigmoid-adam": (two_layers("tanh", 1), "weightedSigmoidCrossEntropy", "adam", {}),
    "sigmoid-smoothed-softmax-momentum": (two_layers("sigmoid", 3), "smoothedCrossEntropy", "momentum", {}),
    "sigmoid-weighted-softmax-nesterov": (two_layers("sigmoid", 3), "weightedSoftmaxCrossEntropy", "nesterov", {}),
    "tanh-huber-momentum": (two_layers("tanh", 2), "huber", "momentum", {}),
    "sigmoid-absolute-sgd": (two_layers("sigmoid", 2), "absoluteError", "sgd", {}),
    "tanh-squared-clipped-sgd": (two_layers("tanh", 2), "squaredError", "sgd", {"clip": 0.25}),
    "relu-softmax-clipped-adam": (two_layers("relu", 3), "softmaxCrossEntropy", "adam", {"clip": 0.1}),
    "gelu-silu-softplus-adam": (
        ["dense 6", "batchnorm", "gelu", "dense 5", "batchnorm", "silu", "dense 4", "batchnorm", "softplus", "dense 2"], "squaredError", "adam", {}),
    "weighted-rows-softmax-nesterov": (two_layers("tanh", 3), "softmaxCrossEntropy", "nesterov", {"weighted": True}),
    "step-schedule-momentum": (two_layers("sigmoid", 3), "softmaxCrossEntropy", "momentum", {"schedule": "step:0.1,0.5,0.75"}),
    "cosine-schedule-adamw": (two_layers("tanh", 2), "squaredError", "adamw", {"schedule": "cosine"}),
    "warmup-schedule-sgd": (two_layers("silu", 3), "softmaxCrossEntropy", "sgd", {"schedule": "warmup:0.2"}),
    "frozen-sgd": (["dense 6", "batchnorm frozen=yes", "tanh", "dense 2"], "squaredError", "sgd", {}),
    "no-gamma-no-beta-cumulative-momentum": (
        ["dense 6", "batchnorm scale=no epsilon=0.001", "tanh", "dense 4", "batchnorm center=no", "sigmoid", "dense 2"], "squaredError", "momentum", {"statistics": "cumulative"}),
    "layernorm-softmax-adam": (["dense 6", "layernorm", "tanh", "dense 4", "layernorm epsilon=0.001", "gelu", "dense 3"], "softmaxCrossEntropy", "adam", {}),
    "conv2d-stride-groups-momentum": (
        ["conv2d 4 3 stride=2", "batchnorm", "relu", "conv2d 4 3 groups=2 padding=0", "batchnorm", "relu", "flatten", "dense 3"],
        "softmaxCrossEntropy", "momentum", {"shape": [2, 7, 6]}),
    "conv2d-depthwise-adam": (
        ["conv2d 3 3 groups=3 bias=yes", "tanh", "conv2d 5 1", "batchnorm", "silu", "globalaveragepool", "dense 2"],
        "squaredError", "adam", {"shape": [3, 4, 5]}),
    "conv1d-maxpool-huber-nesterov": (
        ["conv1d 4 4 stride=2 padding=1", "batchnorm", "gelu", "conv1d 4 3 groups=4", "batchnorm", "softplus", "maxpool 2", "flatten", "dense 2"],
        "huber", "nesterov", {"shape": [3, 11]}),
    "overlapping-pools-sgd": (
        ["conv2d 3 3", "batchnorm", "tanh", "maxpool 3 stride=2 padding=1", "averagepool 2 stride=1 padding=1", "flatten", "dense 2"],
        "squaredError", "sgd", {"shape": [1, 6, 7]}),
    "groupnorm-layernorm-images-momentum": (
        ["conv2d 4 3", "groupnorm 2", "silu", "conv2d 2 3", "layernorm", "tanh", "averagepool 2", "flatten", "dense 3"],
        "smoothedCrossEntropy", "momentum", {"shape": [2, 4, 4]}),
    "residual-momentum": (
        ["conv2d 3 3", "batchnorm", "relu", "residual", "conv2d 3 3", "batchnorm", "end", "tanh",
         "residual", "conv2d 4 3 stride=2", "batchnorm", "around", "conv2d 4 1 stride=2", "batchnorm", "end", "silu", "globalaveragepool", "dense 3"],
        "softmaxCrossEntropy", "momentum", {"shape": [1, 5, 4]}),
    "two-ranks-softmax-sgd": (two_layers("tanh", 3), "softmaxCrossEntropy", "sgd", {"ranks": 2, "batch": ROWS}),
    "two-ranks-images-momentum": (
        ["conv2d 3 3", "batchnorm", "relu", "flatten", "dense 5", "batchnorm", "tanh", "dense 2"], "squaredError", "momentum",
        {"ranks": 2, "shape": [2, 5, 4], "batch": 10}),
}


class Residual(torch.nn.Module):
    def __init__(self, body, around):
        super().__init__()
        self.body, self.around = body, around

    def forward(self, x):
        return self.body(x) + self.around(x)


class Frozen(torch.nn.Module):
    """A batch normalization that stays in inference mode."""

    def __init__(self, batchnorm):
        super().__init__()
        self.batchnorm = batchnorm

    def forward(self, x):
        bn = self.batchnorm
        return F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias, False, 0.0, bn.eps)


def build(lines, shape, prefix, named, momentum):
    """Takes layers off the lines up to the end of a block: their modules, and the shape that comes out.

    Adds to named, for each parameter of the library's names, the tensor that holds it and whether it is transposed.
    """
    modules, counts = [], {}
    while lines and lines[0] not in ("around", "end"):
        keyword, *words = lines.pop(0).split()
        values = [int(word) for word in words if "=" not in word]
        options = dict(word.split("=") for word in words if "=" in word)
        kind = "conv" if keyword.startswith("conv") else keyword
        counts[kind] = counts.get(kind, 0) + 1
        name = f"{prefix}{kind}{counts[kind]}"
        axes = len(shape) - 1
        pooling = dict(stride=int(options.get("stride", values[0] if values else 1)), padding=int(options.get("padding", 0)))
        bias = options["bias"] == "yes" if "bias" in options else not (lines and lines[0].startswith("batchnorm") and "frozen" not in lines[0])
        if keyword == "dense":
            module = torch.nn.Linear(shape[0], values[0], bias=bias)
        elif kind == "conv":
            module = (torch.nn.Conv1d, torch.nn.Conv2d)[axes - 1](
                shape[0], values[0], values[1], int(options.get("stride", 1)), int(options.get("padding", values[1] // 2)),
                groups=int(options.get("groups", 1)), bias=bias)
        elif keyword == "batchnorm":
            module = (torch.nn.BatchNorm1d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)[axes](shape[0], eps=float(options.get("epsilon", 1e-5)), momentum=momentum)
            with torch.no_grad():
                randomize(module)
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.8, 1.2)
                for option, parameter, value in (("scale", module.weight, 1), ("center", module.bias, 0)):
                    if options.get(option) == "no":
                        parameter.fill_(value)
                        parameter.requires_grad = False
            named[f"{name}.mean"] = (module.running_mean, False)
            named[f"{name}.variance"] = (module.running_var, False)
        elif keyword == "layernorm":
            module = torch.nn.LayerNorm(shape, eps=float(options.get("epsilon", 1e-5)))
            randomize(module)
        elif keyword == "groupnorm":
            module = torch.nn.GroupNorm(values[0], shape[0])
            randomize(module)
        elif keyword == "maxpool":
            module = (torch.nn.MaxPool1d, torch.nn.MaxPool2d)[axes - 1](values[0], **pooling)
        elif keyword == "averagepool":
            module = (torch.nn.AvgPool1d, torch.nn.AvgPool2d)[axes - 1](values[0], **pooling)
        elif keyword == "globalaveragepool":
            module = torch.nn.Sequential(torch.nn.Flatten(2), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten(1))
        elif keyword == "flatten":
            module = torch.nn.Flatten()
        elif keyword == "residual":
            body, _ = build(lines, shape, f"{name}/", named, momentum)
            around = torch.nn.Identity()
            if lines.pop(0) == "around":
                around, _ = build(lines, shape, f"{name}/projection/", named, momentum)
                lines.pop(0)
            module = Residual(body, around)
        else:
            module = ACTIVATIONS[keyword]()
        if kind in ("dense", "conv"):
            named[f"{name}.weight"] = (module.weight, kind == "dense")
            if bias:
                named[f"{name}.bias"] = (module.bias, False)
        elif keyword in ("batchnorm", "layernorm", "groupnorm"):
            if module.weight.requires_grad:
                named[f"{name}.gamma"] = (module.weight, False)
            if module.bias.requires_grad:
                named[f"{name}.beta"] = (module.bias, False)
        if options.get("frozen") == "yes":
            module = Frozen(module)
        modules.append(module)
        shape = list(F.relu(torch.nn.Sequential(module).eval()(torch.zeros(1, *shape))).shape[1:])
        module.train()
    return torch.nn.Sequential(*modules), shape


def randomize(module):
    """Ones and zeros would hide a mistake."""
    with torch.no_grad():
        module.weight.uniform_(0.5, 1.5)
        module.bias.uniform_(-0.5, 0.5)


def swap(model, values):
    for key, buffer in model.named_buffers():
        buffer.copy_(values[key])


def joined(buffers):
    """The running statistics of all ranks together, by the law of total variance."""
    result = dict(buffers[0])
    for key in result:
        if key.endswith("running_mean"):
            variance = key.replace("running_mean", "running_var")
            means = torch.stack([own[key] for own in buffers])
            result[key] = means.mean(0)
            result[variance] = torch.stack([own[variance] for own in buffers]).mean(0) + means.var(0, unbiased=False)
    return result


def half_steps(scheduler, count):
    for _ in range(count):
        scheduler.step()


def make_targets(loss, rows, outputs, x):
    first = x.flatten(1)
    if "igmoidCrossEntropy" in loss:
        return (first[:, :1] + torch.randn(rows, 1) > 0).double()
    if "rossEntropy" in loss:
        return F.one_hot(torch.randint(outputs, (rows,)), outputs).double()
    return (first[:, :outputs] + 0.5 * torch.randn(rows, outputs)).float().double()


def snapshot(named, gradients=False):
    result = {}
    for name, (tensor, transposed) in named.items():
        value = tensor.grad if gradients else tensor.detach()
        if value is not None:
            result[name] = [float(f"{v:.9g}") for v in (value.t() if transposed else value).flatten().tolist()]
    return result


def flat(tensor):
    return [float(f"{v:.9g}") for v in tensor.flatten().tolist()]


def run(layers, loss_name, optimizer_name, special, disturbance=0.0):
    clip, shape, schedule = special.get("clip"), special.get("shape", [FEATURES]), special.get("schedule")
    statistics = special.get("statistics", "pytorch")
    rows, batch = (ROWS, BATCH) if len(shape) == 1 else (IMAGE_ROWS, IMAGE_BATCH)
    batch = special.get("batch", batch)
    ranks = special.get("ranks", 1)
    named = {}
    model, out = build(list(layers), shape, "", named, None if statistics == "cumulative" else 0.1)
    outputs = out[0]
    with torch.no_grad():
        for tensor, _ in named.values():  # Values that float32 holds exactly, so that both start from the same point.
            tensor.copy_(tensor.float().double())
    if len(shape) > 1:
        x = torch.randn(rows, *shape).float().double()
    else:
        x = (torch.randn(rows, FEATURES) * torch.tensor([1.0, 3.0, 0.2, 1.0, 10.0]) + torch.tensor([0.0, 5.0, -1.0, 0.5, 20.0])).float().double()
        if layers[1] != "batchnorm":  # Nothing brings wild values back.
            x = torch.tanh(x).float().double()
    target = make_targets(loss_name, rows, outputs, x)
    weights = (0.25 * torch.randint(1, 9, (rows,))).double() if special.get("weighted") else torch.ones(rows)

    def groups(decay):
        inner = [tensor for name, (tensor, _) in named.items() if name.endswith(".weight")]
        others = [tensor for name, (tensor, _) in named.items() if tensor.requires_grad and not name.endswith(".weight")]
        return [{"params": inner, "weight_decay": decay}, {"params": others, "weight_decay": 0}]

    optimizer = OPTIMIZERS[optimizer_name](groups)
    scheduler = SCHEDULES[schedule](optimizer) if schedule else None
    if scheduler:
        half_steps(scheduler, 1)
    case = {
        "layers": layers, "loss": loss_name, "optimizer": optimizer_name, "clipNorm": clip, "schedule": schedule or "constant", "statistics": statistics,
        "rows": rows, "shape": shape, "outputs": outputs, "batch": batch,
        "x": flat(x), "targets": flat(target), "rowWeights": flat(weights) if special.get("weighted") else None, "initial": snapshot(named),
    }
    if ranks > 1:
        case["ranks"] = ranks
    buffers = [{key: value.clone() for key, value in model.named_buffers()} for _ in range(ranks)]
    batches = list(zip(x.split(batch), target.split(batch), weights.split(batch)))
    for step in range(max(CHECKPOINTS)):
        features, targets, row_weights = batches[step % len(batches)]
        optimizer.zero_grad()
        loss, outputs_of_ranks = 0, []
        for rank in range(ranks):
            if ranks > 1:
                swap(model, buffers[rank])
            part = slice(len(features) * rank // ranks, len(features) * (rank + 1) // ranks)
            output = model(features[part])
            outputs_of_ranks.append(output)
            share = (row_weights[part] * LOSSES[loss_name](output, targets[part])).mean() / ranks
            share.backward()
            loss = loss + share
            if ranks > 1:
                buffers[rank] = {key: value.clone() for key, value in model.named_buffers()}
        output = torch.cat(outputs_of_ranks)
        if step == 0:
            case.update(trainingOutput=flat(output), firstLoss=loss.item(), gradients=snapshot(named, gradients=True))
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1 + disturbance * torch.sin(torch.arange(parameter.numel()) * 7.0 + step).reshape(parameter.shape))
        if scheduler:
            half_steps(scheduler, 2)
        if step + 1 in CHECKPOINTS:
            if ranks > 1:
                swap(model, joined(buffers))
            case[f"after{step + 1}"] = snapshot(named)
    model.eval()
    case["inferenceOutput"] = flat(model(x))
    return case


def require_calm(name, case, disturbed):
    """Refuses a case where training itself makes rounding errors grow: there, no two float32 programs agree after 100 steps."""
    for parameter, values in case["after100"].items():
        difference = max(abs(a - b) for a, b in zip(values, disturbed["after100"][parameter])) / max(map(abs, values))
        if difference > 1e-4:
            raise SystemExit(f"{name}: {parameter} moves by {difference:.1e} when all parameters move by {DISTURBANCE} in every step; choose other settings.")


def main():
    folder = pathlib.Path(__file__).parent
    for number, (name, case) in enumerate(CASES.items()):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        results = []
        for disturbance in (0, DISTURBANCE):
            torch.manual_seed(100 + number)
            results.append(run(*case, disturbance))
        require_calm(name, *results)
        (folder / f"{name}.json").write_text(json.dumps(results[0], separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
