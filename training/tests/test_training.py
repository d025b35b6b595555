"""Trains every net on every task as `millwright train` would, and asks the packages through Millwright's own loader and engine."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic import LABELS, write_dataset

HERE = Path(__file__).parent
NETS = ["lstm", "cnn", "transformer", "transformer-pretrained"]
TASKS = ["diagnosis", "regression", "anomaly"]


def call(dataset: Path, model: str, out: Path, *more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "millwright_training", "--dataset", dataset, "--model", model, "--out", out, "--seed", "7", "--device", "cpu", *more]
    return subprocess.run([str(each) for each in command], cwd=HERE.parent, capture_output=True, text=True)


def trained(dataset: Path, model: str, out: Path, *more: str) -> list[dict]:
    """Events of a run that went well; nothing else is on standard output."""
    run = call(dataset, model, out, "--epochs", "25", "--patience", "8", *more)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def asked(package: Path, dataset: Path) -> tuple[dict, dict, np.ndarray]:
    """Manifest as our loader reads it, outputs on test rows as our engine says them, and the truth."""
    command = [os.environ.get("MILLWRIGHT_NODE", "node"), HERE / "run-package.mjs", package, dataset]
    run = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    test = np.fromfile(dataset / "split.u8", "u1") == 2
    return answer["manifest"], {role: np.array(rows) for role, rows in answer["outputs"].items()}, np.fromfile(dataset / "targets.f32", "<f4")[test]


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("datasets")
    for task in TASKS:
        write_dataset(folder / task, task)
    # A tenth of the windows has a label.
    write_dataset(folder / "few", "diagnosis", labelled=0.1)
    return {each: folder / each for each in (*TASKS, "few")}


def judge(task: str, outputs: dict[str, np.ndarray], truth: np.ndarray, manifest: dict) -> None:
    """Clearly better than what knows nothing, on rows that training has not seen."""
    if task == "diagnosis":
        probabilities = outputs["probabilities"]
        assert probabilities.sum(1) == pytest.approx(np.ones(len(truth)), abs=1e-5)
        assert np.mean(probabilities.argmax(1) == truth) > 0.85  # chance: 1 / 4
        known = np.mean(probabilities.max(1) >= manifest["unknown"]["threshold"])
        assert known > 0.9
    elif task == "regression":
        value, lower, upper = (outputs[each][:, 0] for each in ("value", "lower", "upper"))
        assert np.sqrt(np.mean((value - truth) ** 2)) < 0.5 * truth.std()
        assert (lower <= value).all() and (value <= upper).all()
        assert 0.8 < np.mean((lower <= truth) & (truth <= upper)) <= 1
        assert np.mean(upper - lower) < 0.6 * 90  # 90: width that covers as much of the targets without looking
    else:
        score = outputs["score"][:, 0]
        odd = score > manifest["limit"]
        assert odd[truth == 0].mean() < 0.1
        assert odd[truth == 1].mean() > 0.5
        contributions = outputs["contributions"]
        assert contributions.sum(1) == pytest.approx(score, rel=1e-4)
        # Feature 3 is the one that was disturbed.
        assert np.mean(contributions[(truth == 1) & odd].argmax(1) == 3) > 0.9


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("net", NETS)
def test_learns_and_gives_a_package_that_our_engine_runs(net: str, task: str, datasets: dict[str, Path], tmp_path: Path) -> None:
    events = trained(datasets[task], net, tmp_path)
    epochs = [each for each in events if each["event"] == "epoch"]
    assert [each["epoch"] for each in epochs] == list(range(1, len(epochs) + 1))
    assert any(each["event"] == "pretraining" for each in events) == (net == "transformer-pretrained")
    done = events[-1]
    assert done["event"] == "done" and done["device"] == "cpu" and done["parameters"] > 1000
    assert done["onnx_difference"] < 1e-4
    manifest, outputs, truth = asked(tmp_path, datasets[task])
    assert manifest["task"] == task
    # The weights that are kept are the best ones, not the last.
    if task != "anomaly":
        assert done["validation_score"] == pytest.approx(max(each["validation_score"] for each in epochs), abs=1e-3)
    judge(task, outputs, truth, manifest)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("net", ["lstm", "cnn", "transformer"])
def test_eight_bits_are_smaller_and_still_good(net: str, task: str, datasets: dict[str, Path], tmp_path: Path) -> None:
    events = trained(datasets[task], net, tmp_path, "--quantise")
    (quantised,) = (each for each in events if each["event"] == "quantised")
    assert quantised["refused"] == (quantised["score_after"] < quantised["score_before"] - 0.01)
    assert not (tmp_path / "quantised.onnx").exists()
    manifest, outputs, truth = asked(tmp_path, datasets[task])
    assert ("of 32 bits" in manifest["description"]) == quantised["refused"]
    if not quantised["refused"]:
        assert (tmp_path / "model.onnx").stat().st_size < 2.5 * events[-1]["parameters"]
    judge(task, outputs, truth, manifest)


def test_same_seed_same_bytes_other_seed_other_bytes(datasets: dict[str, Path], tmp_path: Path) -> None:
    for net in NETS:
        sums = []
        for place, seed in (("a", "7"), ("b", "7"), ("c", "8")):
            run = call(datasets["few"], net, tmp_path / place, "--epochs", "2", "--quantise", "--force", "--seed", seed)
            assert run.returncode == 0, run.stderr
            sums.append([hashlib.sha256((tmp_path / place / file).read_bytes()).hexdigest() for file in ("model.onnx", "manifest.json")])
        assert sums[0] == sums[1]
        assert sums[0] != sums[2]


def test_learns_from_few_labels_with_and_without_pretraining(datasets: dict[str, Path], tmp_path: Path) -> None:
    for net in ("transformer", "transformer-pretrained"):
        trained(datasets["few"], net, tmp_path / net)
        _, outputs, truth = asked(tmp_path / net, datasets["few"])
        assert np.mean(outputs["probabilities"].argmax(1) == truth) > 0.5


def test_says_unknown_of_what_it_has_never_seen(datasets: dict[str, Path], tmp_path: Path) -> None:
    """Calibration: the threshold keeps what is known, and means what it says on validation rows."""
    events = trained(datasets["diagnosis"], "cnn", tmp_path)
    done = events[-1]
    manifest, _, _ = asked(tmp_path, datasets["diagnosis"])
    assert manifest["labels"] == LABELS
    assert 1 / len(LABELS) < manifest["unknown"]["threshold"] <= 1
    assert done["validation_ece"] <= done["validation_ece_before"] + 0.01


def test_refuses_bad_data_in_one_sentence(datasets: dict[str, Path], tmp_path: Path) -> None:
    def complaint(dataset: Path, *more: str) -> str:
        run = call(dataset, "cnn", tmp_path / "out", *more)
        assert (run.returncode, run.stdout) == (2, ""), run.stderr
        assert run.stderr.count("\n") == 1 and run.stderr.endswith(".\n")
        return run.stderr

    assert "dataset.json: can't be read" in complaint(tmp_path / "nowhere")
    broken = tmp_path / "broken"
    about = write_dataset(broken, "diagnosis")
    (broken / "windows.f32").write_bytes(b"1234")
    assert f"windows.f32: 4 bytes, and dataset.json asks for {about['rows'] * 12 * 6 * 4}" in complaint(broken)
    write_dataset(broken, "diagnosis")
    np.full(about["rows"], 9, "<f4").tofile(broken / "targets.f32")
    assert "not the index of a label" in complaint(broken)
    write_dataset(broken, "diagnosis")
    np.zeros(about["rows"], "u1").tofile(broken / "split.u8")
    assert "0 labelled windows for validation" in complaint(broken)


def test_one_step_and_long_histories_fit(tmp_path: Path) -> None:
    """A history of one, and one of more steps than a net has tokens, with a feature that never varies and one that is never there."""
    random = np.random.default_rng(3)
    for history in (1, 150):
        folder = tmp_path / str(history)
        about = write_dataset(folder, "diagnosis")
        windows = random.normal(size=(about["rows"], history, 3)).astype("<f4")
        targets = random.integers(0, len(LABELS), about["rows"]).astype("<f4")
        windows[:, :, 0] += targets[:, None]
        windows[:, :, 1], windows[:, :, 2] = 1e6, np.nan
        windows.tofile(folder / "windows.f32")
        targets.tofile(folder / "targets.f32")
        (folder / "dataset.json").write_text(json.dumps(about | {"history": history, "features": ["a.mean", "b.mean", "c.mean"]}))
        for net in NETS:
            run = call(folder, net, tmp_path / f"{history}-{net}", "--epochs", "2", "--quantise", "--force")
            assert run.returncode == 0, run.stderr
            _, outputs, truth = asked(tmp_path / f"{history}-{net}", folder)
            assert np.mean(outputs["probabilities"].argmax(1) == truth) > 0.3
