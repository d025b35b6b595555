"""manifest.json of a model package (libs/models/src/manifest.ts, format millwright-model/1)."""

import hashlib
import json
import re
from pathlib import Path

from .dataset import Dataset
from .export import INPUT
from .preprocessing import Preprocessing


def write_manifest(folder: Path, data: Dataset, description: str, preprocessing: Preprocessing, outputs: tuple[str, ...], own: dict, metrics: dict) -> None:
    """Comes after model.onnx, so that a package that was cut short does not load."""
    about = data.about
    manifest = {
        "format": "millwright-model/1",
        "task": data.task,
        "name": about["name"],
        "version": about["version"],
        "description": description,
        "kinds": about["kinds"],
        "input": {"name": INPUT, "features": data.features, "history": data.history},
        "batch": about["batch"],
        **own,
        "outputs": {each: each for each in outputs},
        "preprocessing": preprocessing.manifest(),
        "training": {"data": about["data"], "dataSha256": about["dataSha256"], "command": about["command"], "metrics": metrics},
        "sha256": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest(),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    # Arrays of numbers on one line each, as @millwright/models writes them.
    text = re.sub(r'\[\s+(-?\d[^\[\]{}"]*?)\s+\]', lambda found: "[" + " ".join(found[1].split()) + "]", text)
    (folder / "manifest.json").write_text(f"{text}\n", "utf-8")
