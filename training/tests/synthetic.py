"""Small seeded data sets in the format that `millwright train` prepares."""

import json
from pathlib import Path

import numpy as np

HISTORY, FEATURES = 12, 6
RUNS, PER_RUN = 30, 30
LABELS = ["normal", "drift", "oscillation", "shift"]


def write_dataset(folder: Path, task: str, seed: int = 1, labelled: float = 1.0) -> dict:
    """
    Runs of correlated noise around levels of their own. Diagnosis: a class a run. Regression: a target that the slope of two
    features tells. Anomaly: healthy runs for training and validation. A twentieth of all values is missing.
    Test rows (split 2): for anomaly, the second half of them oscillates.
    """
    random = np.random.default_rng(seed)
    rows = RUNS * PER_RUN
    runs = np.repeat(np.arange(RUNS, dtype=np.int32), PER_RUN)
    split = np.where(runs % 5 == 3, 1, np.where(runs % 5 == 4, 2, 0)).astype(np.uint8)
    time = np.linspace(0, 1, HISTORY)
    mixing = random.normal(size=(2, FEATURES))
    # Healthy features move together and slowly: two causes with a level and a slope, and little noise of their own.
    causes = random.normal(size=(rows, 1, 2)) + random.normal(size=(rows, 1, 2)) * time[None, :, None]
    windows = causes @ mixing + 0.3 * random.normal(size=(rows, HISTORY, FEATURES))
    targets = np.zeros(rows, np.float32)
    if task == "diagnosis":
        targets[:] = (runs // 5 + runs) % len(LABELS)
        for row, label in enumerate(targets.astype(int)):
            windows[row] += disturbance(LABELS[label], time, random)
        hidden = (random.random(rows) >= labelled) & (split == 0)
        targets[hidden] = -1
    elif task == "regression":
        targets[:] = random.uniform(0, 100, rows)
        windows[:, :, :2] += 0.04 * (targets[:, None, None] - 50) * time[None, :, None]
    else:
        odd = np.flatnonzero(split == 2)[len(np.flatnonzero(split == 2)) // 2 :]
        windows[odd, :, 3] += 3 * np.sin(20 * time)
        targets[odd] = 1
    scale, offset = np.geomspace(0.01, 1000, FEATURES), random.normal(0, 50, FEATURES)
    windows = (windows * scale + offset * scale).astype("<f4")
    windows[random.random(windows.shape) < 0.05] = np.nan
    about = {
        "format": "millwright-dataset/1",
        "task": task,
        "name": f"synthetic-{task}",
        "version": "1",
        "kinds": ["pump"],
        "features": [f"signal{each}.mean" for each in range(FEATURES)],
        "history": HISTORY,
        "rows": rows,
        "batch": 32,
        "data": "synthetic",
        "dataSha256": "0" * 64,
        "command": "npm run test:training",
    }
    if task == "diagnosis":
        about |= {"labels": LABELS, "normal": "normal"}
    if task == "regression":
        about |= {"quantity": "remaining life", "unit": "h", "coverage": 0.9}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(about))
    windows.tofile(folder / "windows.f32")
    targets.astype("<f4").tofile(folder / "targets.f32")
    split.tofile(folder / "split.u8")
    runs.astype("<i4").tofile(folder / "runs.i32")
    return about


def disturbance(label: str, time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    added = np.zeros((HISTORY, FEATURES))
    if label == "drift":
        added[:, 0] = 2.5 * time
    if label == "oscillation":
        added[:, 1] = 1.5 * np.sin(20 * time + random.uniform(0, 2 * np.pi))
    if label == "shift":
        added[:, 2] = 1.2
    return added
