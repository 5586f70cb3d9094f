"""Writes what PyTorch computes for small networks, one JSON file for each case, next to this script.

    /usr/bin/python3 generate.py          (Debian's python3-torch, 1.13)

PyTorch computes in float64 here: it stands for the true value, and the library, which computes in float32, has to come near it.
Names and layouts are the library's: a dense weight is [in, out] (PyTorch's is [out, in]); gamma, beta, mean and variance are PyTorch's weight,
bias, running_mean and running_var. A dense layer in front of a batch normalization has no bias. Weight decay acts on dense weights only.
Every loss is summed over a row's outputs and averaged over the rows.
"""

import json
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

ROWS, FEATURES, BATCH = 22, 5, 8  # batches of 8, 8 and 6 rows
CHECKPOINTS = (1, 2, 100)
DISTURBANCE = 1e-7  # about float32's own rounding

ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "leakyrelu": torch.nn.LeakyReLU,
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "identity": torch.nn.Identity,
}

LOSSES = {
    "sigmoidCrossEntropy": lambda y, t: F.binary_cross_entropy_with_logits(y, t, reduction="none").sum(1).mean(),
    "weightedSigmoidCrossEntropy": lambda y, t: F.binary_cross_entropy_with_logits(
        y, t, weight=torch.tensor([0.5]), pos_weight=torch.tensor([6.0]), reduction="none").sum(1).mean(),
    "softmaxCrossEntropy": lambda y, t: F.cross_entropy(y, t.argmax(1), reduction="none").mean(),
    "smoothedCrossEntropy": lambda y, t: F.cross_entropy(y, t.argmax(1), reduction="none", label_smoothing=0.1).mean(),
    "weightedSoftmaxCrossEntropy": lambda y, t: F.cross_entropy(
        y, t.argmax(1), reduction="none", weight=torch.tensor([0.5, 1.0, 3.0]), label_smoothing=0.2).mean(),
    "squaredError": lambda y, t: 0.5 * F.mse_loss(y, t, reduction="none").sum(1).mean(),
    "huber": lambda y, t: F.huber_loss(y, t, delta=0.7, reduction="none").sum(1).mean(),
    "absoluteError": lambda y, t: F.l1_loss(y, t, reduction="none").sum(1).mean(),
}

OPTIMIZERS = {
    "sgd": lambda groups: torch.optim.SGD(groups(0), lr=0.05),
    "momentum": lambda groups: torch.optim.SGD(groups(0.01), lr=0.01, momentum=0.9),
    "nesterov": lambda groups: torch.optim.SGD(groups(0.01), lr=0.01, momentum=0.9, nesterov=True),
    "adam": lambda groups: torch.optim.Adam(groups(0), lr=0.003),
    "adamw": lambda groups: torch.optim.AdamW(groups(0.1), lr=0.003),
}

TWO_LAYERS = ["dense 6", "batchnorm", "{0}", "dense 4", "batchnorm", "{0}", "dense {1}"]


def two_layers(activation, outputs):
    return [layer.format(activation, outputs) for layer in TWO_LAYERS]


# No parameter here has a gradient that is zero by nature (a beta in front of the next batch normalization with only an identity between, a
# bias in front of a relu that is open for every row): Adam divides such a gradient by its own size, so rounding would decide its step.
# name: layers, loss, optimizer, the norm that gradients are clipped to
CASES = {
    "relu-softmax-sgd": (two_layers("relu", 3), "softmaxCrossEntropy", "sgd", None),
    "leakyrelu-softmax-momentum": (two_layers("leakyrelu", 3), "softmaxCrossEntropy", "momentum", None),
    "sigmoid-sigmoid-nesterov": (two_layers("sigmoid", 1), "sigmoidCrossEntropy", "nesterov", None),
    "tanh-squared-adam": (two_layers("tanh", 2), "squaredError", "adam", None),
    "identity-squared-adamw": (["dense 6", "batchnorm", "identity", "dense 1"], "squaredError", "adamw", None),
    "relu-after-sigmoid-adamw": (
        ["dense 6", "relu", "batchnorm", "dense 4", "sigmoid", "batchnorm", "dense 1"], "sigmoidCrossEntropy", "adamw", None),
    "plain-softmax-sgd": (["dense 6", "tanh", "dense 3"], "softmaxCrossEntropy", "sgd", None),
    "tanh-weighted-sigmoid-adam": (two_layers("tanh", 1), "weightedSigmoidCrossEntropy", "adam", None),
    "sigmoid-smoothed-softmax-momentum": (two_layers("sigmoid", 3), "smoothedCrossEntropy", "momentum", None),
    "sigmoid-weighted-softmax-nesterov": (two_layers("sigmoid", 3), "weightedSoftmaxCrossEntropy", "nesterov", None),
    "tanh-huber-momentum": (two_layers("tanh", 2), "huber", "momentum", None),
    "sigmoid-absolute-sgd": (two_layers("sigmoid", 2), "absoluteError", "sgd", None),
    "tanh-squared-clipped-sgd": (two_layers("tanh", 2), "squaredError", "sgd", 0.25),
    "relu-softmax-clipped-adam": (two_layers("relu", 3), "softmaxCrossEntropy", "adam", 0.1),
}


def build(layers):
    """The modules, and for each parameter of the library's names the tensor that holds it and whether it is transposed."""
    modules, named, counts, width = [], {}, {}, FEATURES
    for i, layer in enumerate(layers):
        kind, *size = layer.split()
        counts[kind] = counts.get(kind, 0) + 1
        name = f"{kind}{counts[kind]}"
        if kind == "dense":
            feeds_batchnorm = i + 1 < len(layers) and layers[i + 1] == "batchnorm"
            module = torch.nn.Linear(width, int(size[0]), bias=not feeds_batchnorm)
            width = int(size[0])
            named[f"{name}.weight"] = (module.weight, True)
            if not feeds_batchnorm:
                named[f"{name}.bias"] = (module.bias, False)
        elif kind == "batchnorm":
            module = torch.nn.BatchNorm1d(width)
            with torch.no_grad():  # Ones and zeros would hide a mistake.
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.8, 1.2)
            named[f"{name}.gamma"] = (module.weight, False)
            named[f"{name}.beta"] = (module.bias, False)
            named[f"{name}.mean"] = (module.running_mean, False)
            named[f"{name}.variance"] = (module.running_var, False)
        else:
            module = ACTIVATIONS[kind]()
        modules.append(module)
    model = torch.nn.Sequential(*modules)
    with torch.no_grad():  # Values that float32 holds exactly, so that both start from the same point.
        for tensor, _ in named.values():
            tensor.copy_(tensor.float().double())
    return model, named, width


def make_targets(loss, outputs, x):
    if "igmoidCrossEntropy" in loss:
        return (x[:, :1] + torch.randn(ROWS, 1) > 0).double()
    if "rossEntropy" in loss:
        return F.one_hot(torch.randint(outputs, (ROWS,)), outputs).double()
    return (x[:, :outputs] + 0.5 * torch.randn(ROWS, outputs)).float().double()


def snapshot(named, gradients=False):
    result = {}
    for name, (tensor, transposed) in named.items():
        value = tensor.grad if gradients else tensor.detach()
        if value is not None:
            result[name] = [float(f"{v:.9g}") for v in (value.t() if transposed else value).flatten().tolist()]
    return result


def flat(tensor):
    return [float(f"{v:.9g}") for v in tensor.flatten().tolist()]


def run(layers, loss_name, optimizer_name, clip, disturbance=0.0):
    model, named, outputs = build(layers)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + disturbance * torch.sin(torch.arange(parameter.numel()) * 7.0 + 1).reshape(parameter.shape))
    loss_of = LOSSES[loss_name]
    x = (torch.randn(ROWS, FEATURES) * torch.tensor([1.0, 3.0, 0.2, 1.0, 10.0]) + torch.tensor([0.0, 5.0, -1.0, 0.5, 20.0])).float().double()
    if layers[1] != "batchnorm":  # Nothing brings wild values back.
        x = torch.tanh(x).float().double()
    target = make_targets(loss_name, outputs, x)

    def groups(decay):
        weights = [tensor for name, (tensor, _) in named.items() if name.endswith(".weight")]
        others = [tensor for name, (tensor, _) in named.items() if tensor.requires_grad and not name.endswith(".weight")]
        return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0}]

    optimizer = OPTIMIZERS[optimizer_name](groups)
    case = {
        "layers": layers, "loss": loss_name, "optimizer": optimizer_name, "clipNorm": clip,
        "rows": ROWS, "features": FEATURES, "outputs": outputs, "batch": BATCH,
        "x": flat(x), "targets": flat(target), "initial": snapshot(named),
    }
    batches = list(zip(x.split(BATCH), target.split(BATCH)))
    for step in range(max(CHECKPOINTS)):
        features, targets = batches[step % len(batches)]
        optimizer.zero_grad()
        output = model(features)
        loss = loss_of(output, targets)
        loss.backward()
        if step == 0:
            case.update(trainingOutput=flat(output), firstLoss=loss.item(), gradients=snapshot(named, gradients=True))
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        if step + 1 in CHECKPOINTS:
            case[f"after{step + 1}"] = snapshot(named)
    model.eval()
    case["inferenceOutput"] = flat(model(x))
    return case


def require_calm(name, case, disturbed):
    """Refuses a case where training itself makes rounding errors grow: there, no two float32 programs agree after 100 steps."""
    for parameter, values in case["after100"].items():
        difference = max(abs(a - b) for a, b in zip(values, disturbed["after100"][parameter])) / max(map(abs, values))
        if difference > 1e-4:
            raise SystemExit(f"{name}: {parameter} moves by {difference:.1e} when the first parameters move by {DISTURBANCE}; choose other settings.")


def main():
    folder = pathlib.Path(__file__).parent
    for number, (name, case) in enumerate(CASES.items()):
        results = []
        for disturbance in (0, DISTURBANCE):
            torch.manual_seed(100 + number)
            results.append(run(*case, disturbance))
        require_calm(name, *results)
        (folder / f"{name}.json").write_text(json.dumps(results[0], separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
