"""Masked pre-training: stretches of single features are hidden and have to be told from the rest (Zerveas et al. 2021)."""

import numpy as np
import torch
from torch import nn

from .dataset import VALIDATION, Dataset
from .fit import JUDGED, Emit, Judgement, Options, fit
from .nets import Encoder, Restore
from .preprocessing import Preprocessing

#: Share of the values that are hidden, and the mean length of a hidden stretch in steps.
HIDDEN, STRETCH = 0.3, 5


class Masked(nn.Module):
    def __init__(self, preprocessing: Preprocessing, encoder: Encoder, history: int, features: int) -> None:
        super().__init__()
        self.preprocessing, self.encoder = preprocessing, encoder
        self.restore = Restore(encoder, history, features)

    def errors(self, raw: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Sums over hidden values that are known: squared errors, squares, count."""
        scaled, there = self.preprocessing(raw)
        asked = hidden * there
        restored = self.restore(self.encoder.sequence(scaled * (1 - hidden)))
        return (asked * (restored - scaled) ** 2).sum(), (asked * scaled**2).sum(), asked.sum()


def pretrain(encoder: Encoder, preprocessing: Preprocessing, data: Dataset, options: Options, rate: float, emit: Emit) -> None:
    """Trains the encoder on all windows for training, labelled or not."""
    model = Masked(preprocessing, encoder, data.history, len(data.features)).to(options.device)
    generator = torch.Generator().manual_seed(options.seed)

    def loss(windows: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        error, _, count = model.errors(windows, mask(windows.shape, generator).to(windows.device))
        return error / count.clamp(min=1)

    @torch.no_grad()
    def judge() -> Judgement:
        model.eval()
        # The same values are hidden after every epoch.
        fixed = torch.Generator().manual_seed(options.seed)
        rows = data.rows(VALIDATION, labelled=False)
        sums = np.zeros(3)
        for at in range(0, len(rows), JUDGED):
            windows, _ = data.batch(rows[at : at + JUDGED], options.device)
            sums += [each.item() for each in model.errors(windows, mask(windows.shape, fixed).to(windows.device))]
        error, square, count = sums
        return Judgement(error / max(1, count), 1 - error / max(1e-9, square))

    fit(model, data, options, loss, judge, emit, event="pretraining", labelled=False, rates=[{"params": list(model.parameters()), "lr": rate}])


def mask(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """1 where a value is hidden, [batch, H, F]: each feature's stretches begin and end by chance (a Markov chain of two states)."""
    batch, history, features = shape
    end = 1 / STRETCH
    begin = end * HIDDEN / (1 - HIDDEN)
    chance = torch.rand(history, batch, features, generator=generator)
    hidden = torch.empty(history, batch, features)
    hidden[0] = chance[0] < HIDDEN
    for step in range(1, history):
        hidden[step] = chance[step] < torch.where(hidden[step - 1] > 0, 1 - end, begin)
    return hidden.transpose(0, 1)
