"""Weights of eight bits instead of 32. Ranges are fixed in the graph, so that what is said of a window does not depend on its batch."""

import contextlib
import logging
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .dataset import TRAIN, Dataset
from .export import INPUT, save

#: Windows that ranges of activations are taken from.
CALIBRATED = 512
#: What a package may lose: a point of its score.
MOST_LOST = 0.01
#: The weights among the inputs of an operation.
WEIGHTS = {"Conv": (1,), "MatMul": (1,), "Gemm": (1,), "LSTM": (1, 2)}


def quantise(net: str, source: Path, target: Path, data: Dataset, seed: int) -> None:
    """
    CNN and Transformer: weights per channel and activations, ranges from training windows (static, QDQ). ONNX Runtime has an LSTM of
    eight bits only with ranges that it takes from each batch, so an LSTM's weights alone are stored in eight bits, and computed with in 32.
    """
    if net == "lstm":
        save(with_small_weights(onnx.load(source)), target)
    else:
        quantise_statically(source, target, data, seed)


def quantise_statically(source: Path, target: Path, data: Dataset, seed: int) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Windows(CalibrationDataReader):
        def __init__(self) -> None:
            rows, batch = data.rows(TRAIN, labelled=False), data.about["batch"]
            count = max(batch, min(CALIBRATED, len(rows)) // batch * batch)
            chosen = np.random.default_rng(seed).choice(rows, count, replace=len(rows) < count)
            self.batches = iter(np.sort(chosen).reshape(-1, batch))

        def get_next(self) -> dict | None:
            rows = next(self.batches, None)
            return None if rows is None else {INPUT: np.array(data.windows[rows])}

    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        prepared, raw = Path(folder) / "prepared.onnx", Path(folder) / "quantised.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        # Weights are turned when they are quantised, and noted shapes would contradict them.
        del model.graph.value_info[:]
        onnx.save(model, prepared)
        quantize_static(
            str(prepared),
            str(raw),
            Windows(),
            quant_format=QuantFormat.QDQ,
            # Not the products of activations in attention.
            nodes_to_quantize=[node.name for node, _ in weighted(model)],
            per_channel=True,
            # Seven bits of weights: processors without VNNI would overflow with eight (ONNX Runtime, "Quantize ONNX models").
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        save(onnx.load(raw), target)


def with_small_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Each weight as int8 with a scale a channel, turned back to float32 when the graph is loaded."""
    constants = {each.name: each for each in model.graph.initializer}
    dequantise = []
    for node, places in weighted(model):
        for place in places:
            name = node.input[place]
            values = numpy_helper.to_array(constants[name])
            axis = 1 if node.op_type in ("LSTM", "MatMul") else int(not any(each.name == "transB" and each.i for each in node.attribute))
            scale = np.abs(values).max(tuple(i for i in range(values.ndim) if i != axis), keepdims=True) / 127
            scale[scale == 0] = 1
            whole = np.rint(values / scale).astype(np.int8)
            model.graph.initializer.remove(constants.pop(name))
            model.graph.initializer.extend(
                [
                    numpy_helper.from_array(whole, f"{name}_int8"),
                    numpy_helper.from_array(scale.reshape(-1).astype(np.float32), f"{name}_scale"),
                ]
            )
            dequantise.append(helper.make_node("DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [name], axis=axis))
    for node in reversed(dequantise):
        model.graph.node.insert(0, node)
    return model


def weighted(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, tuple[int, ...]]]:
    """Operations whose weights are constants, and where these stand among their inputs. A sum written as a product is none of them."""
    constants = {each.name for each in model.graph.initializer if each.dims[-1:] != [1]}
    return [
        (node, WEIGHTS[node.op_type])
        for node in model.graph.node
        if node.op_type in WEIGHTS and all(node.input[place] in constants for place in WEIGHTS[node.op_type])
    ]
