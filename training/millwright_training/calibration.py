"""What is fitted on validation rows once a net is trained."""

import numpy as np


def fit_temperature(logits: np.ndarray, classes: np.ndarray) -> float:
    """
    The divisor of the logits [n, classes] that makes the truth likeliest (Guo et al. 2017), between 0.05 and 20. n rows without a
    mistake do not make the next one certain: the truth counts as 1 - 1 / (n + 2), as Platt (1999) has it.
    """
    low, high = np.log(0.05), np.log(20.0)
    ratio = (np.sqrt(5) - 1) / 2
    # The loss has one minimum in 1 / temperature, hence in its logarithm: golden section.
    while high - low > 1e-6:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if _surprise(logits / np.exp(a), classes) < _surprise(logits / np.exp(b), classes):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def _surprise(logits: np.ndarray, classes: np.ndarray) -> float:
    rows, width = logits.shape
    doubt = 1 / (rows + 2)
    truth = np.full(logits.shape, doubt / (width - 1))
    truth[np.arange(rows), classes] = 1 - doubt
    return float(-np.mean(np.sum(truth * _log_softmax(logits), 1)))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def expected_calibration_error(logits: np.ndarray, classes: np.ndarray, bins: int = 15) -> float:
    """Mean difference of confidence and accuracy over bins of confidence (Naeini et al. 2015)."""
    probabilities = np.exp(_log_softmax(logits))
    confidence, right = probabilities.max(1), probabilities.argmax(1) == classes
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = (abs(confidence[place == each].sum() - right[place == each].sum()) for each in range(bins))
    return float(sum(gaps) / len(classes))


def upper_quantile(scores: np.ndarray, share: float) -> float:
    """Split-conformal quantile: a further score stays at or below it with at least this chance, where there are enough of them."""
    rank = int(np.ceil((len(scores) + 1) * share))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])
