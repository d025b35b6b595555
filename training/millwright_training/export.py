"""From a trained net to model.onnx, and back through ONNX Runtime."""

import contextlib
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from .dataset import TRAIN, VALIDATION, Dataset

INPUT = "windows"
#: Opset and format that the onnxruntime-node of package.json reads.
OPSET, IR_VERSION = 18, 10
CHECKED = 100
TOLERANCE = 1e-4


def export(graph: nn.Module, outputs: tuple[str, ...], data: Dataset, file: Path) -> None:
    """Writes the graph for the fixed shape [batch, H, F]. The same net gives the same bytes."""
    example = torch.zeros(data.about["batch"], data.history, len(data.features))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # Standard output carries events, and the exporter's remarks are about its own workings.
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph, (example,), input_names=[INPUT], output_names=list(outputs), opset_version=OPSET, dynamo=True, optimize=True, verbose=False
        )
    save(program.model_proto, file)


def save(model: onnx.ModelProto, file: Path) -> None:
    model.ir_version = IR_VERSION
    model.doc_string = ""
    # Exporters note the lines of code that a node came from, with folders of the machine.
    del model.metadata_props[:]
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.checker.check_model(model)
    file.write_bytes(model.SerializeToString(deterministic=True))


def run(file: Path, windows: np.ndarray, batch: int) -> list[np.ndarray]:
    """Outputs of a package's graph for windows [n, H, F], a full batch at a time; rows beyond those asked for are zero."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    parts = []
    for at in range(0, len(windows), batch):
        chunk = windows[at : at + batch]
        padded = np.zeros((batch, *windows.shape[1:]), np.float32)
        padded[: len(chunk)] = chunk
        parts.append([output[: len(chunk)] for output in session.run(None, {INPUT: padded})])
    return [np.concatenate(output) for output in zip(*parts, strict=True)]


def difference(file: Path, graph: nn.Module, data: Dataset, seed: int) -> float:
    """
    Largest difference of ONNX Runtime and PyTorch on 100 windows, half of them with values missing. Outputs larger than 1 count
    relative to their largest.
    """
    random = np.random.default_rng(seed)
    rows = np.concatenate([data.rows(TRAIN, labelled=False), data.rows(VALIDATION, labelled=False)])
    windows = np.array(data.windows[np.sort(random.choice(rows, CHECKED, replace=len(rows) < CHECKED))])
    windows[: CHECKED // 2][random.random(windows[: CHECKED // 2].shape) < 0.05] = np.nan
    with torch.no_grad():
        expected = graph(torch.from_numpy(windows))
    expected = expected if isinstance(expected, tuple) else (expected,)
    said = run(file, windows, data.about["batch"])
    return max(float(np.abs(one - other.numpy()).max() / max(1.0, other.abs().max().item())) for one, other in zip(said, expected, strict=True))
