"""Reads the folder that `millwright train` prepares (format millwright-dataset/1)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .errors import BadInput

TRAIN, VALIDATION = 0, 1
#: Class of a window that nobody has labelled; pre-training alone looks at it.
UNLABELLED = -1
TASKS = ("diagnosis", "regression", "anomaly")
AGAIN = "prepare it again with millwright train"


@dataclass(frozen=True)
class Dataset:
    """Windows stay on disk until a batch of them is asked for, so that a set may be larger than memory."""

    about: dict
    windows: np.ndarray  # [N, H, F] float32, NaN where a value is missing
    targets: np.ndarray  # [N] float32
    split: np.ndarray  # [N] uint8

    @property
    def task(self) -> str:
        return self.about["task"]

    @property
    def history(self) -> int:
        return self.about["history"]

    @property
    def features(self) -> list[str]:
        return self.about["features"]

    def rows(self, part: int, labelled: bool = True) -> np.ndarray:
        """Indices of a part's rows; those without a label only where asked for."""
        chosen = self.split == part
        if labelled and self.task == "diagnosis":
            chosen &= self.targets != UNLABELLED
        return np.flatnonzero(chosen)

    def batch(self, rows: np.ndarray, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows [n, H, F] and targets [n] of these rows."""
        return torch.from_numpy(self.windows[rows]).to(device), torch.from_numpy(self.targets[rows]).to(device)


def read_dataset(folder: Path) -> Dataset:
    """:raises BadInput: where a file is missing or does not fit the others."""
    file = folder / "dataset.json"
    try:
        about = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise BadInput(f"{file}: can't be read ({error.strerror}); give the folder that millwright train prepared.") from error
    except ValueError as error:
        raise BadInput(f"{file}: not JSON ({error}); {AGAIN}.") from error
    if not isinstance(about, dict) or about.get("format") != "millwright-dataset/1":
        raise BadInput(f'{file}, field format: not "millwright-dataset/1"; {AGAIN}.')
    if about.get("task") not in TASKS:
        raise BadInput(f"{file}, field task: not one of {', '.join(TASKS)}; {AGAIN}.")
    common = ("name", "version", "kinds", "features", "history", "rows", "batch", "data", "dataSha256", "command")
    special = {"diagnosis": ("labels", "normal"), "regression": ("quantity", "unit", "coverage"), "anomaly": ()}
    for field in (*common, *special[about["task"]]):
        if field not in about:
            raise BadInput(f"{file}, field {field}: missing; {AGAIN}.")
    rows, shape = about["rows"], (about["rows"], about["history"], len(about["features"]))
    dataset = Dataset(
        about,
        _array(folder / "windows.f32", "<f4", shape, mapped=True),
        _array(folder / "targets.f32", "<f4", (rows,)),
        _array(folder / "split.u8", "u1", (rows,)),
    )
    _check(dataset, folder)
    return dataset


def _array(file: Path, kind: str, shape: tuple[int, ...], mapped: bool = False) -> np.ndarray:
    expected = int(np.prod(shape)) * np.dtype(kind).itemsize
    try:
        size = file.stat().st_size
    except OSError as error:
        raise BadInput(f"{file}: can't be read ({error.strerror}); {AGAIN}.") from error
    if size != expected or size == 0:
        raise BadInput(f"{file}: {size} bytes, and dataset.json asks for {expected}; {AGAIN}.")
    return np.memmap(file, kind, "r", shape=shape) if mapped else np.fromfile(file, kind).reshape(shape)


def _check(dataset: Dataset, folder: Path) -> None:
    for part, name in ((TRAIN, "training"), (VALIDATION, "validation")):
        rows = dataset.rows(part)
        if len(rows) < 2:
            raise BadInput(f"{folder}: {len(rows)} labelled windows for {name}, and two are the least; give more runs or another split.")
        targets = dataset.targets[rows]
        if dataset.task == "regression" and not np.isfinite(targets).all():
            raise BadInput(f"{folder / 'targets.f32'}: a target for {name} is not a number; {AGAIN}.")
        if dataset.task == "diagnosis" and not np.isin(targets, np.arange(len(dataset.about["labels"]))).all():
            raise BadInput(f"{folder / 'targets.f32'}: a target for {name} is not the index of a label; {AGAIN}.")
