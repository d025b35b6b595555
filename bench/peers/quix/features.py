"""The features of a window, vectorised; definitions as in libs/signal."""

import numpy as np
from scipy import fft
from scipy.special import xlogy

STATISTICS = 10
MOST_MISSING = 0.5
MOST_PAIRS = 16
LEAST_CORRELATED = 8
MOST_LAG = 16
LEAST_REFERENCES = 8
RESOLUTION = 1e-15
NAN = float("nan")


def transform_size(n):
    size = 8
    while size < n:
        size *= 2
    return size


class PowerSpectrum:
    def __init__(self, samples, rate_hz):
        self.size = transform_size(samples)
        self.window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
        self.bin_hz = rate_hz / self.size
        self.bins = self.size // 2 + 1
        self.weights = np.full(self.bins, 2 / (self.size * np.dot(self.window, self.window)))
        self.weights[0] /= 2
        self.weights[-1] /= 2

    def compute(self, x):
        z = fft.rfft(x * self.window, self.size)
        return self.weights * (z.real * z.real + z.imag * z.imag)


class Spectrum:
    def __init__(self, spec, samples, rate_hz):
        self.spectrum = PowerSpectrum(samples, rate_hz)
        bins = np.asarray(spec["bandsHz"]) / self.spectrum.bin_hz
        edges = np.minimum(self.spectrum.bins, np.ceil(bins - 1e-9).astype(int))
        self.first, self.last = edges[0], min(self.spectrum.bins, int(np.floor(bins[-1] + 1e-9)) + 1)
        self.starts = edges[:-1] - edges[0]
        self.bands = len(edges) - 1
        self.peaks = spec["peaks"]
        self.count = self.bands + self.peaks + 2
        self.indices = np.arange(self.spectrum.bins, dtype=float)

    def compute(self, x, factor, out):
        power = self.spectrum.compute(x) * factor
        out[: self.bands] = np.add.reduceat(power[self.first : self.last], self.starts)
        middle = power[1:-1]
        maxima = np.flatnonzero((middle > power[:-2]) & (middle >= power[2:])) + 1
        highest = maxima[np.argsort(-power[maxima], kind="stable")[: self.peaks]]
        found = len(highest)
        frequencies = out[self.bands : self.bands + self.peaks]
        frequencies[found:] = NAN
        if found > 0:
            around = power[np.stack((highest - 1, highest, highest + 1))]
            if (around > 0).all():
                a, b, c = np.log(around)
                frequencies[:found] = (highest + 0.5 * (a - c) / (a - 2 * b + c)) * self.spectrum.bin_hz
            else:
                frequencies[:found] = highest * self.spectrum.bin_hz
        total = power.sum()
        if total > 0:
            out[-2] = np.dot(self.indices, power) / total * self.spectrum.bin_hz
            out[-1] = max(0.0, np.log(total) - xlogy(power, power).sum() / total) / np.log(self.spectrum.bins)
        else:
            out[-2:] = NAN


class Envelope:
    def __init__(self, spec, samples, rate_hz):
        self.orders = spec["orders"]
        self.count = len(self.orders)
        self.harmonics = spec["harmonics"]
        self.speed_signal = spec["speedSignal"]
        self.resolution_hz = rate_hz / samples
        self.size = transform_size(samples)
        low, high = spec["bandHz"]
        self.first = max(1, int(np.ceil(low * self.size / rate_hz - 1e-9)))
        self.bins = max(0, min(self.size // 2 - 1, int(np.floor(high * self.size / rate_hz + 1e-9))) - self.first + 1)
        self.decimated = min(self.size, transform_size(2 * self.bins))
        self.gain = 2 * self.decimated / self.size
        step = self.size // self.decimated
        self.length = -(-samples // step)
        self.spectrum = PowerSpectrum(self.length, rate_hz / step)

    def compute(self, x, shaft_hz, out):
        band = fft.rfft(x, self.size)[self.first : self.first + self.bins]
        envelope = self.gain * np.abs(fft.ifft(band, self.decimated)[: self.length])
        mean = envelope.mean()
        out[:] = NAN
        if not mean > 0:
            return
        sums = np.concatenate(((0.0,), np.cumsum(self.spectrum.compute(envelope - mean))))
        bins, bin_hz = self.spectrum.bins, self.spectrum.bin_hz
        half_width = 1.5 * self.resolution_hz
        for i, order in enumerate(self.orders):
            frequency = order * shaft_hz
            if not 2 * self.resolution_hz <= frequency <= (bins - 1) * bin_hz:
                continue
            following, total = 1, 0.0
            for h in range(1, self.harmonics + 1):
                first = max(following, int(np.ceil((h * frequency - half_width) / bin_hz)))
                last = min(bins - 1, int((h * frequency + half_width) // bin_hz))
                if first <= last:
                    total += sums[last + 1] - sums[first]
                following = max(following, last + 1)
            out[i] = total / (mean * mean)


class Signal:
    def __init__(self, spec, length_us, at):
        self.name = spec["name"]
        self.interval_us = 1e6 / spec["rateHz"]
        self.expected = max(1, round(length_us / 1e6 * spec["rateHz"]))
        self.times = np.arange(self.expected) * self.interval_us
        centred = self.times - self.times.mean()
        squares = np.dot(centred, centred)
        self.slope_weights = centred / squares * 1e6 if squares > 0 else None
        self.spectrum = Spectrum(spec["spectrum"], self.expected, spec["rateHz"]) if spec.get("spectrum") else None
        self.envelope = Envelope(spec["envelope"], self.expected, spec["rateHz"]) if spec.get("envelope") else None
        self.at = at
        self.spectrum_at = at + STATISTICS
        self.envelope_at = self.spectrum_at + (self.spectrum.count if self.spectrum else 0)
        self.end = self.envelope_at + (self.envelope.count if self.envelope else 0)
        self.series = None

    def compute(self, samples, out):
        """Statistics and spectrum of the samples of a window on its grid; NaN where missing."""
        samples = samples.astype(float)
        present = self.expected
        if np.isnan(samples.sum()):
            there = np.isfinite(samples)
            present = int(there.sum())
        if present == self.expected:
            x, slope_weights = samples, self.slope_weights
        elif present > 0:
            x = samples[there]
            centred = self.times[there] - self.times[there].mean()
            squares = np.dot(centred, centred)
            slope_weights = centred / squares * 1e6 if squares > 0 else None
        statistics = out[self.at : self.at + STATISTICS]
        self.series = None
        if present == 0:
            statistics[:] = NAN
            statistics[-1] = 1
        else:
            mean = x.mean()
            d = x - mean
            dd = d * d
            m2 = dd.mean()
            low, high = x.min(), x.max()
            rms = np.sqrt(mean * mean + m2)
            peak = max(-low, high)
            constant = low == high or m2 <= (RESOLUTION * mean) ** 2
            statistics[0] = mean
            statistics[1] = np.sqrt(m2)
            statistics[2] = rms
            statistics[3] = peak
            statistics[4] = high - low
            statistics[5] = peak / rms if rms > 0 else NAN
            statistics[6] = NAN if constant else np.dot(dd, d) / present / m2**1.5
            statistics[7] = NAN if constant else np.dot(dd, dd) / present / (m2 * m2) - 3
            statistics[8] = np.dot(slope_weights, d) if slope_weights is not None else NAN
            statistics[9] = 1 - present / self.expected
            if present >= (1 - MOST_MISSING) * self.expected:
                self.series = d if present == self.expected else np.where(there, samples - mean, 0.0)
        if self.spectrum:
            features = out[self.spectrum_at : self.envelope_at]
            if self.series is None:
                features[:] = NAN
            else:
                self.spectrum.compute(self.series, self.expected / present, features)


class Extractor:
    def __init__(self, kind):
        at = 0
        self.signals = []
        for spec in kind["signals"]:
            signal = Signal(spec, kind["lengthUs"], at)
            self.signals.append(signal)
            at = signal.end
        self.z_at = at
        self.by_name = {signal.name: signal for signal in self.signals}
        self.means_at = [signal.at for signal in self.signals]
        self.missing_at = [signal.at + STATISTICS - 1 for signal in self.signals]
        self.expected = np.array([signal.expected for signal in self.signals], dtype=float)
        neighbours = zip(self.signals, self.signals[1:])
        self.pairs = [(a, b) for a, b in neighbours if a.interval_us == b.interval_us and a.expected >= LEAST_CORRELATED][:MOST_PAIRS]
        self.count = at + len(self.signals) + len(self.pairs)

    def extract(self, samples, references):
        """samples: one array a signal; references: means of earlier windows, a row each."""
        out = np.empty(self.count)
        for signal, values in zip(self.signals, samples):
            signal.compute(values, out)
        for signal in self.signals:
            if signal.envelope:
                features = out[signal.envelope_at : signal.end]
                if signal.series is None:
                    features[:] = NAN
                else:
                    signal.envelope.compute(signal.series, out[self.by_name[signal.envelope.speed_signal].at] / 60, features)
        out[self.z_at : self.z_at + len(self.signals)] = z_scores(out[self.means_at], references)
        for i, (a, b) in enumerate(self.pairs):
            out[self.z_at + len(self.signals) + i] = NAN if a.series is None or b.series is None else cross_correlation(a.series, b.series)
        return out

    def missing_ratio(self, values):
        return float(np.dot(values[self.missing_at], self.expected) / self.expected.sum())


def z_scores(values, references):
    if len(references) < LEAST_REFERENCES:
        return NAN
    if np.isnan(references.sum()):
        return np.array([z_scores(values[[s]], column[np.isfinite(column)][:, None]) if np.isfinite(column).sum() >= LEAST_REFERENCES else NAN
                         for s, column in enumerate(references.T)], dtype=float).reshape(-1)
    mean = references.mean(axis=0)
    std = references.std(axis=0)
    scores = np.full(len(values), NAN)
    return np.divide(values - mean, std, out=scores, where=std > 1e-12 * np.abs(mean))


def cross_correlation(a, b):
    norm = np.sqrt(np.dot(a, a)) * np.sqrt(np.dot(b, b))
    if not norm > 0:
        return NAN
    count = len(a)
    peak = np.dot(a, b)
    for lag in range(1, min(MOST_LAG, count // 4) + 1):
        for product in (np.dot(a[: count - lag], b[lag:]), np.dot(a[lag:], b[: count - lag])):
            if abs(product) > abs(peak):
                peak = product
    return peak / norm
