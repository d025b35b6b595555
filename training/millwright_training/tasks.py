"""What is asked of a net: its head, its loss, how good it is on validation rows, and the graph that is exported.

A task's score is better when higher, 1 at best, and a hundredth of it is "a point"."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .calibration import expected_calibration_error, fit_temperature, upper_quantile
from .dataset import TRAIN, Dataset
from .nets import WIDTH, Augment, Decoder, Encoder
from .preprocessing import Preprocessing


class Model(nn.Module):
    """Raw windows [batch, H, F] to what the head says; scaled values and where there are any come along."""

    def __init__(self, preprocessing: Preprocessing, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.preprocessing, self.augment, self.encoder, self.head = preprocessing, Augment(), encoder, head

    def forward(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        scaled, there = self.preprocessing(raw)
        return self.head(self.encoder(self.augment(scaled))), scaled, there


@dataclass(frozen=True)
class Calibrated:
    """A model with everything fitted: the graph to export, names of its outputs, and figures on validation rows."""

    graph: nn.Module
    outputs: tuple[str, ...]
    figures: dict[str, float]


class Task(Protocol):
    def head(self, net: str, encoder: Encoder) -> nn.Module: ...

    def loss(self, said: tuple[torch.Tensor, ...], targets: torch.Tensor) -> torch.Tensor:
        """Mean loss of a batch."""

    def score(self, said: tuple[torch.Tensor, ...], targets: torch.Tensor) -> float:
        """Of all validation rows at once."""

    def calibrate(self, model: Model, said: tuple[torch.Tensor, ...], targets: torch.Tensor) -> Calibrated:
        """Fits what is fitted on validation rows."""

    def outputs_score(self, outputs: list[np.ndarray], said: tuple[torch.Tensor, ...], targets: np.ndarray) -> float:
        """Score of an exported graph's outputs."""

    def manifest(self, outputs: list[np.ndarray]) -> dict:
        """The task's own fields, limits among them, which are fitted on the exported graph's outputs on validation rows."""


class Diagnosis:
    SMOOTHING = 0.05
    #: Share of known conditions that is to be recognised as such.
    KNOWN = 0.98

    def __init__(self, data: Dataset) -> None:
        self.labels, self.normal = data.about["labels"], data.about["normal"]
        counts = np.bincount(data.targets[data.rows(TRAIN)].astype(int), minlength=len(self.labels))
        # A rare class counts for more, though never more than ten times as much: a handful of windows is not to lead.
        weights = np.where(counts > 0, counts.sum() / (np.maximum(counts, 1) * (counts > 0).sum()), 0)
        self.weights = torch.tensor(np.minimum(weights, 10), dtype=torch.float32)

    def head(self, net: str, encoder: Encoder) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * WIDTH, len(self.labels)))

    def loss(self, said, targets):
        return functional.cross_entropy(said[0], targets.long(), self.weights.to(targets.device), label_smoothing=self.SMOOTHING)

    def score(self, said, targets):
        return macro_f1(said[0].argmax(1).cpu().numpy(), targets.cpu().numpy())

    def calibrate(self, model, said, targets):
        logits, classes = said[0].double().cpu().numpy(), targets.cpu().numpy().astype(int)
        temperature = fit_temperature(logits, classes)
        figures = {
            "temperature": temperature,
            "validation_ece_before": expected_calibration_error(logits, classes),
            "validation_ece": expected_calibration_error(logits / temperature, classes),
        }
        return Calibrated(Probabilities(model, temperature), ("probabilities",), figures)

    def outputs_score(self, outputs, said, targets):
        return macro_f1(outputs[0].argmax(1), targets)

    def manifest(self, outputs):
        # Two of a hundred known conditions fall below; what falls below is called unknown.
        threshold = min(1.0, -upper_quantile(-outputs[0].max(1), self.KNOWN))
        return {"labels": self.labels, "normal": self.normal, "unknown": {"threshold": threshold}}


class Probabilities(nn.Module):
    """Temperature scaling (Guo et al. 2017)."""

    def __init__(self, model: Model, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.model(raw)[0] / self.temperature, 1)


class Regression:
    def __init__(self, data: Dataset) -> None:
        self.about = {field: data.about[field] for field in ("quantity", "unit", "coverage")}
        targets = data.targets[data.rows(TRAIN)].astype(np.float64)
        self.mean, self.std = float(targets.mean()), float(targets.std()) or 1.0
        self.outer = (1 - self.about["coverage"]) / 2

    def head(self, net: str, encoder: Encoder) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.1), nn.Linear(2 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 3))

    def loss(self, said, targets):
        scaled = (targets - self.mean) / self.std
        value, lower, upper = interval(said[0])
        low, high = scaled - lower, scaled - upper
        # The value is the mean; the bounds are quantiles (pinball loss, Koenker & Bassett 1978).
        pinball = torch.maximum(self.outer * low, (self.outer - 1) * low) + torch.maximum((1 - self.outer) * high, -self.outer * high)
        return ((value - scaled) ** 2 + pinball).mean()

    def score(self, said, targets):
        return r_squared(self._values(said[0])[0].cpu().numpy(), targets.cpu().numpy())

    def calibrate(self, model, said, targets):
        value, lower, upper = (each.cpu().numpy() for each in interval(said[0]))
        scaled = (targets.cpu().numpy() - self.mean) / self.std
        # Conformalised quantile regression (Romano et al. 2019): how far bounds must move outward to hold their share.
        margin = upper_quantile(np.maximum(lower - scaled, scaled - upper), self.about["coverage"])
        rmse = float(np.sqrt(np.mean((value - scaled) ** 2))) * self.std
        graph = Interval(model, self.mean, self.std, margin)
        return Calibrated(graph, ("value", "lower", "upper"), {"validation_rmse": rmse, "conformal_margin": margin * self.std})

    def outputs_score(self, outputs, said, targets):
        return r_squared(outputs[0][:, 0], targets)

    def manifest(self, outputs):
        return self.about

    def _values(self, head: torch.Tensor) -> list[torch.Tensor]:
        return [each * self.std + self.mean for each in interval(head)]


def interval(head: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Value, lower and upper bound [batch], scaled. The loss of the bounds does not move the value."""
    value = head[:, 0]
    centre = value.detach()
    return value, centre - functional.softplus(head[:, 1]), centre + functional.softplus(head[:, 2])


class Interval(nn.Module):
    def __init__(self, model: Model, mean: float, std: float, margin: float) -> None:
        super().__init__()
        self.model, self.mean, self.std, self.margin = model, mean, std, margin

    def forward(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        head = self.model(raw)[0]
        value = head[:, :1]
        lower = torch.minimum(value, value - functional.softplus(head[:, 1:2]) - self.margin)
        upper = torch.maximum(value, value + functional.softplus(head[:, 2:3]) + self.margin)
        return value * self.std + self.mean, lower * self.std + self.mean, upper * self.std + self.mean


class Anomaly:
    """Reconstruction by an autoencoder of healthy windows; labels are not looked at."""

    #: Share of healthy windows that is to stay below the limit.
    HEALTHY = 0.99
    #: Least spread of a reconstruction error that counts, in standard deviations of its feature.
    LEAST = 0.02

    def __init__(self, data: Dataset) -> None:
        self.shape = (data.history, len(data.features))

    def head(self, net: str, encoder: Encoder) -> nn.Module:
        return Decoder(net, encoder, *self.shape)

    def loss(self, said, targets):
        return self._errors(said).sum() / said[2].sum().clamp(min=1)

    def score(self, said, targets):
        """Share of the variance that is reconstructed."""
        _, scaled, there = said
        return 1 - float(self._errors(said).sum() / (there * scaled**2).sum().clamp(min=1e-9))

    def calibrate(self, model, said, targets):
        there = said[2]
        spread = self._errors(said).sum((0, 1)) / there.sum((0, 1)).clamp(min=1)
        self.spread = spread.clamp(min=self.LEAST**2)
        return Calibrated(Distance(model, self.spread), ("score", "contributions"), {})

    def outputs_score(self, outputs, said, targets):
        """As score, with every feature's error in units of its spread."""
        _, scaled, there = said
        naive = (there * scaled**2 / self.spread).sum((1, 2)) / there.sum((1, 2)).clamp(min=1)
        return 1 - float(outputs[0].mean() / naive.mean().clamp(min=1e-9))

    def manifest(self, outputs):
        return {"limit": upper_quantile(outputs[0][:, 0], self.HEALTHY)}

    @staticmethod
    def _errors(said: tuple[torch.Tensor, ...]) -> torch.Tensor:
        restored, scaled, there = said
        return there * (restored - scaled) ** 2


class Distance(nn.Module):
    """Mean squared error of what is there, each feature in units of its spread on healthy validation rows; and each feature's share of it."""

    def __init__(self, model: Model, spread: torch.Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("spread", spread)

    def forward(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        restored, scaled, there = self.model(raw)
        contributions = (there * (restored - scaled) ** 2 / self.spread).sum(1) / there.sum((1, 2)).clamp(min=1).unsqueeze(1)
        return contributions.sum(1, keepdim=True), contributions


TASKS = {"diagnosis": Diagnosis, "regression": Regression, "anomaly": Anomaly}


def macro_f1(said: np.ndarray, truth: np.ndarray) -> float:
    """Mean F1 over the classes that occur."""
    scores = []
    for each in np.unique(truth):
        hits = np.sum((said == each) & (truth == each))
        scores.append(2 * hits / (np.sum(said == each) + np.sum(truth == each)))
    return float(np.mean(scores))


def r_squared(said: np.ndarray, truth: np.ndarray) -> float:
    truth = truth.astype(np.float64)
    return float(1 - np.sum((said - truth) ** 2) / max(1e-12, np.sum((truth - truth.mean()) ** 2)))
