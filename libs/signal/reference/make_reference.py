"""Reference values for libs/signal from numpy and scipy: writes reference.json beside this file.

Run once (python3 make_reference.py, numpy and scipy needed); the tests read the JSON, so nothing else needs Python.
Inputs are rounded to 6 decimals before anything is computed, so that the JSON holds them exactly.
"""

import json
import math
import pathlib

import numpy as np
import scipy.signal
import scipy.stats

rng = np.random.default_rng(20260105)


def plain(value):
    """JSON has no NaN: null stands for it."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(inner) for inner in value]
    value = float(value)
    return None if math.isnan(value) else value


def statistics(samples, seconds, expected):
    there = np.isfinite(samples)
    x, t = samples[there], seconds[there]
    missing = max(0.0, 1 - len(x) / expected)
    if len(x) == 0:
        return [math.nan] * 9 + [missing]
    rms = np.sqrt(np.mean(x**2))
    constant = np.all(x == x[0])
    return [
        np.mean(x),
        np.std(x),
        rms,
        np.max(np.abs(x)),
        np.ptp(x),
        np.max(np.abs(x)) / rms if rms > 0 else math.nan,
        math.nan if constant else scipy.stats.skew(x),
        math.nan if constant else scipy.stats.kurtosis(x),
        scipy.stats.linregress(t, x).slope if len(x) > 1 else math.nan,
        missing,
    ]


def statistics_case(name, samples, interval_us=1000.0, offsets_us=None, expected=None):
    samples = np.round(np.asarray(samples, dtype=float), 6)
    offsets = np.arange(len(samples)) * interval_us if offsets_us is None else np.asarray(offsets_us, dtype=float)
    expected = expected or max(1, len(samples))
    case = {"samples": samples, "interval_us": interval_us, "expected": expected, "values": statistics(samples, offsets / 1e6, expected)}
    if offsets_us is not None:
        case["offsets_us"] = offsets
    return name, case


def transform_size(n):
    return max(8, 1 << (n - 1).bit_length())


def power_spectrum(x, rate):
    """Mean square per bin; x as it is, without taking its mean off."""
    size = transform_size(len(x))
    frequencies, density = scipy.signal.periodogram(x, rate, "hann", size, detrend=False)
    return frequencies, density * rate / size


def spectrum(samples, rate, bands, peaks):
    frequencies, power = power_spectrum(samples - np.mean(samples), rate)
    energies = []
    for i in range(len(bands) - 1):
        inside = (frequencies >= bands[i]) & (frequencies < bands[i + 1])
        if i == len(bands) - 2:
            inside |= frequencies == bands[i + 1]
        energies.append(np.sum(power[inside]))
    maxima, _ = scipy.signal.find_peaks(power)
    maxima = sorted(maxima, key=lambda k: -power[k])[:peaks]
    refined = []
    for k in maxima:
        a, b, _ = np.polyfit([-1, 0, 1], np.log(power[k - 1 : k + 2]), 2)
        refined.append((k - b / (2 * a)) * frequencies[1])
    refined += [math.nan] * (peaks - len(refined))
    centroid = np.sum(frequencies * power) / np.sum(power)
    entropy = scipy.stats.entropy(power) / np.log(len(power))
    return energies + refined + [centroid, entropy]


def spectrum_case(name, samples, rate, bands, peaks):
    samples = np.round(samples, 6)
    return name, {"samples": samples, "rate": rate, "bands": bands, "peaks": peaks, "values": spectrum(samples, rate, bands, peaks)}


def envelope(samples, rate, band, shaft, orders, harmonics):
    n = len(samples)
    size = transform_size(n)
    transformed = np.fft.rfft(samples - np.mean(samples), size)
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    inside = (frequencies >= band[0]) & (frequencies <= band[1])
    band_passed = np.fft.irfft(np.where(inside, transformed, 0), size)
    step = size // min(size, transform_size(2 * int(np.sum(inside))))
    demodulated = np.abs(scipy.signal.hilbert(band_passed))[:n][::step]
    mean = np.mean(demodulated)
    bins, power = power_spectrum(demodulated - mean, rate / step)
    resolution = rate / n
    values = []
    for order in orders.values():
        frequency = order * shaft
        if frequency < 2 * resolution or frequency > bins[-1]:
            values.append(math.nan)
            continue
        near = np.zeros(len(bins), dtype=bool)
        for h in range(1, harmonics + 1):
            near |= np.abs(bins - h * frequency) <= 1.5 * resolution
        near[0] = False
        values.append(np.sum(power[near]) / mean**2)
    return values


def envelope_case(name, samples, rate, band, shaft, orders, harmonics):
    samples = np.round(samples, 6)
    values = envelope(samples, rate, band, shaft, orders, harmonics)
    return name, {"samples": samples, "rate": rate, "band": band, "shaft": shaft, "orders": orders, "harmonics": harmonics, "values": values}


def correlation_case(name, a, b):
    a, b = np.round(a, 6), np.round(b, 6)
    x, y = a - np.mean(a), b - np.mean(b)
    n = len(x)
    lags = min(16, n // 4)
    r = scipy.signal.correlate(y, x)[n - 1 - lags : n + lags] / np.sqrt(np.sum(x**2) * np.sum(y**2))
    return name, {"a": a, "b": b, "value": r[np.argmax(np.abs(r))]}


def bearing(n, rate, shaft, order, depth):
    """Impacts at order x shaft ring a resonance at 3 kHz; noise over all."""
    t = np.arange(n) / rate
    phase = (t * order * shaft) % 1 / (order * shaft)
    return depth * np.exp(-phase * 800) * np.sin(2 * np.pi * 3000 * phase) + 0.1 * rng.standard_normal(n)


gaps = rng.standard_normal(200)
gaps[[0, 17, 18, 199]] = math.nan
jittered = np.sort(rng.uniform(0, 1e6, 80)).round(0)
t1 = np.arange(1024) / 25600
t2 = np.arange(1000) / 1000
t3 = np.arange(60) / 10
wave = rng.standard_normal(300)
orders = {"bpfo": 3.585, "bpfi": 5.415, "bsf": 2.357, "ftf": 0.398}

reference = {
    "statistics": dict(
        [
            statistics_case("noise on an offset", 20 + rng.standard_normal(500)),
            statistics_case("missing samples", gaps),
            statistics_case("fewer than expected", rng.exponential(2, 90), expected=100),
            statistics_case("an offset far above the spread", 1e6 + rng.standard_normal(400)),
            statistics_case("irregular times", rng.standard_normal(80) + jittered / 1e6, offsets_us=jittered),
            statistics_case("constant", [4.2] * 10),
            statistics_case("zero", [0.0] * 10),
            statistics_case("one sample", [-3.0], expected=4),
            statistics_case("two samples", [1.0, 4.0], interval_us=180e6),
            statistics_case("only missing samples", [math.nan] * 5),
            statistics_case("none", []),
        ]
    ),
    "spectrum": dict(
        [
            spectrum_case("two tones", 3 + 2 * np.sin(2 * np.pi * 1234 * t1) + np.sin(2 * np.pi * 6000 * t1) + 0.1 * rng.standard_normal(1024), 25600, [0, 500, 1000, 2000, 4000, 6000, 8000, 10000, 12800], 3),
            spectrum_case("no power of two", np.sin(2 * np.pi * 33.3 * t2) + 0.05 * rng.standard_normal(1000), 1000, [10, 50, 100, 400], 2),
            spectrum_case("short", np.cos(2 * np.pi * 1.7 * t3) + 0.01 * rng.standard_normal(60), 10, [0, 1, 2, 5], 40),
        ]
    ),
    "envelope": dict(
        [
            envelope_case("outer race, power of two", bearing(4096, 12000, 29.5, 3.585, 2), 12000, [2000, 4500], 29.5, orders, 3),
            envelope_case("inner race, no power of two", bearing(3000, 12000, 25.0, 5.415, 1), 12000, [2500, 3500], 25.0, orders, 2),
            envelope_case("short: slow orders can't be told", bearing(1024, 25600, 30.0, 3.585, 2), 25600, [2000, 6000], 30.0, orders, 3),
        ]
    ),
    "correlation": dict(
        [
            correlation_case("the second lags by 5", wave[10:210], wave[5:205] + 0.2 * rng.standard_normal(200)),
            correlation_case("opposite, the first lags by 3", -wave[3:63], wave[6:66]),
            correlation_case("ten rows", rng.standard_normal(10), rng.standard_normal(10)),
        ]
    ),
}

path = pathlib.Path(__file__).with_name("reference.json")
path.write_text(json.dumps(plain(reference) | {"made_with": f"numpy {np.__version__}, scipy {scipy.__version__}"}) + "\n")
