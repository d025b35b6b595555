"""Weights of eight bits instead of 32."""

import contextlib
import logging
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from .dataset import TRAIN, Dataset
from .export import INPUT, save

#: Windows that ranges of activations are taken from.
CALIBRATED = 512
#: What a package may lose: a point of its score.
MOST_LOST = 0.01


def quantise(net: str, source: Path, target: Path, data: Dataset, seed: int) -> None:
    """
    Convolutions: weights and activations in int8, per channel, ranges from training windows (static, QDQ). Recurrent and attending
    nets: weights alone, activations as they come (dynamic). Weights keep to seven bits, so that processors without VNNI can't
    overflow (ONNX Runtime, "Quantize ONNX models").
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Windows(CalibrationDataReader):
        def __init__(self) -> None:
            rows, batch = data.rows(TRAIN, labelled=False), data.about["batch"]
            chosen = np.random.default_rng(seed).choice(rows, min(CALIBRATED, len(rows)) // batch * batch or batch, replace=len(rows) < batch)
            self.batches = iter(np.sort(chosen).reshape(-1, batch))

        def get_next(self) -> dict | None:
            rows = next(self.batches, None)
            return None if rows is None else {INPUT: np.array(data.windows[rows])}

    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        prepared, raw = Path(folder) / "prepared.onnx", Path(folder) / "quantised.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        if net == "cnn":
            quantize_static(
                str(prepared),
                str(raw),
                Windows(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        else:
            quantize_dynamic(str(prepared), str(raw), op_types_to_quantize=["LSTM", "MatMul", "Gemm"], per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
        save(onnx.load(raw), target)
