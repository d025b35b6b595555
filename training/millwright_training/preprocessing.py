"""What the graph does to its raw input first: imputation, scaling, clipping."""

import numpy as np
import torch
from torch import nn

from .dataset import TRAIN, Dataset

#: Standard deviations beyond which a value says no more.
CLIP = 10.0
#: Windows that are read at a time.
CHUNK = 4096


class Preprocessing(nn.Module):
    """NaN becomes `impute`, then (x - mean) / std, limited to ±clip; the same rule as @millwright/learning's Scaler."""

    def __init__(self, mean: np.ndarray, std: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("std", torch.from_numpy(std))

    def forward(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scaled values, and 1 where a value was there and 0 where it was not: both [batch, H, F]."""
        missing = torch.isnan(raw)
        scaled = (torch.where(missing, self.mean, raw) - self.mean) / self.std
        return scaled.clamp(-CLIP, CLIP), 1.0 - missing.to(raw.dtype)

    def manifest(self) -> dict:
        mean, std = self.mean.tolist(), self.std.tolist()
        return {"impute": mean, "mean": mean, "std": std, "clip": CLIP}


def fit_preprocessing(data: Dataset) -> Preprocessing:
    """Mean and standard deviation of what is there in the training rows; a feature that never varies gets std 1."""
    rows = data.rows(TRAIN, labelled=False)
    width = len(data.features)
    count, total, squares = (np.zeros(width) for _ in range(3))
    for chunk in _chunks(data, rows):
        count += np.isfinite(chunk).sum(0)
        total += np.nansum(chunk, 0)
    mean = total / np.maximum(count, 1)
    for chunk in _chunks(data, rows):
        squares += np.nansum((chunk - mean) ** 2, 0)
    std = np.sqrt(squares / np.maximum(count, 1))
    std[std <= 1e-6 * np.maximum(1e-6, np.abs(mean))] = 1
    return Preprocessing(mean.astype(np.float32), std.astype(np.float32))


def _chunks(data: Dataset, rows: np.ndarray):
    for at in range(0, len(rows), CHUNK):
        yield np.asarray(data.windows[rows[at : at + CHUNK]], np.float64).reshape(-1, len(data.features))
