"""The training loop that all nets share."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .dataset import TRAIN, VALIDATION, Dataset

Emit = Callable[[dict], None]
#: Rows that are judged at a time.
JUDGED = 512


@dataclass(frozen=True)
class Options:
    seed: int
    epochs: int
    #: Epochs without a better score after which training ends.
    patience: int
    device: torch.device


@dataclass(frozen=True)
class Judgement:
    loss: float
    score: float


def fit(
    model: nn.Module,
    data: Dataset,
    options: Options,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    judge: Callable[[], Judgement],
    emit: Emit,
    *,
    event: str,
    labelled: bool,
    rates: list[dict],
) -> None:
    """
    AdamW with one cycle of the learning rate (Loshchilov & Hutter 2019; Smith & Topin 2018), clipped gradients, and the weights of
    the epoch that validates best.

    :param loss: of a batch of windows [n, H, F] and targets [n]
    :param judge: of all validation rows
    :param rates: parameters with their highest learning rate, as optimisers take them
    """
    rows = data.rows(TRAIN, labelled)
    size = int(np.clip(len(rows) // 16, 8, 128))
    steps = max(1, len(rows) // size)
    optimiser = torch.optim.AdamW(rates, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [each["lr"] for each in rates], total_steps=options.epochs * steps, pct_start=0.15)
    order = np.random.default_rng(options.seed)
    best, weights, worse = (-np.inf, -np.inf), copy.deepcopy(model.state_dict()), 0
    for epoch in range(1, options.epochs + 1):
        started = time.monotonic()
        model.train()
        total = 0.0
        # The last rows of a shuffle that fill no batch wait for another epoch.
        for batch in order.permutation(rows)[: steps * size].reshape(steps, -1) if len(rows) >= size else [rows]:
            optimiser.zero_grad()
            value = loss(*data.batch(batch, options.device))
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += value.item()
        judged = judge()
        emit(
            {
                "event": event,
                "epoch": epoch,
                "of": options.epochs,
                "train_loss": total / steps,
                "validation_loss": judged.loss,
                "validation_score": judged.score,
                "seconds": time.monotonic() - started,
            }
        )
        if not np.isfinite(judged.loss):
            raise FloatingPointError(f"the loss of epoch {epoch} is not a number")
        if (judged.score, -judged.loss) > best:
            best, weights, worse = (judged.score, -judged.loss), copy.deepcopy(model.state_dict()), 0
        elif (worse := worse + 1) >= options.patience:
            break
    model.load_state_dict(weights)


@torch.no_grad()
def outputs_on_validation(model: nn.Module, data: Dataset, device: torch.device) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """What the model says of all validation rows, and their targets."""
    model.eval()
    rows = data.rows(VALIDATION)
    said, truths = [], []
    for at in range(0, len(rows), JUDGED):
        windows, targets = data.batch(rows[at : at + JUDGED], device)
        said.append(model(windows))
        truths.append(targets)
    return tuple(torch.cat(parts) for parts in zip(*said, strict=True)), torch.cat(truths)
