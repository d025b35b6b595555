"""From a data set to a model package."""

import time
from pathlib import Path

import numpy as np
import torch

from .dataset import VALIDATION, Dataset
from .errors import BadInput
from .export import TOLERANCE, difference, export, run
from .fit import Emit, Judgement, Options, fit, outputs_on_validation
from .nets import Encoder
from .package import write_manifest
from .preprocessing import fit_preprocessing
from .pretrain import pretrain
from .quantise import MOST_LOST, quantise
from .tasks import TASKS, Model

MODELS = ("lstm", "cnn", "transformer", "transformer-pretrained")
#: Highest learning rates.
RATES = {"lstm": 3e-3, "cnn": 2e-3, "transformer": 1e-3}
#: A pre-trained body moves less than its new head, so as not to forget.
KEPT = 0.3


def train(data: Dataset, name: str, out: Path, options: Options, emit: Emit, *, quantised: bool = False, force: bool = False) -> None:
    """
    Trains, calibrates, exports and checks.

    :param force: keep a quantised graph that loses more than a point, too
    :raises BadInput: where the data is of no use
    """
    started = time.monotonic()
    torch.manual_seed(options.seed)
    torch.use_deterministic_algorithms(True)
    net = name.removesuffix("-pretrained")
    task = TASKS[data.task](data)
    preprocessing = fit_preprocessing(data)
    encoder = Encoder(net, data.history, len(data.features))
    model = Model(preprocessing, encoder, task.head(net, encoder)).to(options.device)
    body = RATES[net]
    if name != net:
        pretrain(encoder, preprocessing, data, options, RATES[net], emit)
        body *= KEPT

    def judge() -> Judgement:
        said, targets = outputs_on_validation(model, data, options.device)
        return Judgement(task.loss(said, targets).item(), task.score(said, targets))

    rates = [{"params": list(encoder.parameters()), "lr": body}, {"params": list(model.head.parameters()), "lr": RATES[net]}]
    fit(model, data, options, lambda windows, targets: task.loss(model(windows), targets), judge, emit, event="epoch", labelled=True, rates=rates)

    model.cpu()
    said, targets = outputs_on_validation(model, data, torch.device("cpu"))
    calibrated = task.calibrate(model, said, targets)
    graph = calibrated.graph.eval()
    out.mkdir(parents=True, exist_ok=True)
    # A package is whole or does not load: its manifest is written last, and one of before is in the way.
    (out / "manifest.json").unlink(missing_ok=True)
    file = out / "model.onnx"
    export(graph, calibrated.outputs, data, file)
    apart = difference(file, graph, data, options.seed)
    if not apart <= TOLERANCE:
        file.unlink()
        raise RuntimeError(f"{file} would differ by {apart} from the net that was trained, and {TOLERANCE} is the most")

    windows = np.asarray(data.windows[data.rows(VALIDATION)])
    truth = targets.numpy()
    outputs = run(file, windows, data.about["batch"])
    score = task.outputs_score(outputs, said, truth)
    bits = 32
    if quantised:
        small = out / "quantised.onnx"
        quantise(net, file, small, data, options.seed)
        outputs_after = run(small, windows, data.about["batch"])
        after = task.outputs_score(outputs_after, said, truth)
        refused = not force and after < score - MOST_LOST
        emit({"event": "quantised", "score_before": score, "score_after": after, "refused": refused})
        if refused:
            small.unlink()
        else:
            small.replace(file)
            outputs, score, bits = outputs_after, after, 8

    parameters = sum(each.numel() for each in model.parameters())
    description = f"{name}, {parameters} parameters of {bits} bits, {data.history} windows of {len(data.features)} features"
    write_manifest(out, data, description, preprocessing, calibrated.outputs, task.manifest(outputs), {"validation_score": score, **calibrated.figures})
    emit(
        {
            "event": "done",
            "seconds": time.monotonic() - started,
            "device": options.device.type,
            "parameters": parameters,
            "onnx_difference": apart,
            "validation_score": score,
            **calibrated.figures,
        }
    )


def device_of(asked: str) -> torch.device:
    """:raises BadInput: where CUDA is asked for and not there"""
    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise BadInput("--device cuda: PyTorch finds no CUDA device here; use --device auto or cpu.")
    return torch.device("cuda" if there and asked != "cpu" else "cpu")
