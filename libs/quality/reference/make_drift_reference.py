"""Reference of drift.spec.ts, by numpy and scipy. Run: python3 make_drift_reference.py > drift.json"""
import json
import numpy as np
import scipy
from scipy.special import kolmogorov, rel_entr
from scipy.stats import ks_2samp

random = np.random.default_rng(7)
cases = []
for name, train, live, bins in [
    ("same", random.normal(size=2000), random.normal(size=300), 20),
    ("shifted", random.normal(size=2000), random.normal(0.8, 1, size=300), 20),
    ("wider", random.normal(size=1500), random.normal(0, 2.5, size=500), 20),
    ("far away", random.normal(size=1000), random.normal(50, 1, size=200), 10),
    ("ties", random.integers(0, 4, size=1000).astype(float), random.integers(1, 6, size=250).astype(float), 20),
]:
    train, live = np.round(train, 3), np.round(live, 3)
    # Inner edges at the quantiles k / bins, without repeats; a bin holds what is above its lower edge, and its upper edge.
    # The first edge is just below the least value, the last is the greatest.
    below = train.min() - max(abs(train.min()) * 2.0**-40, 2.0**-1000)
    edges = np.unique(np.concatenate([[below], np.quantile(train, np.arange(1, bins) / bins), [train.max()]]))
    place = lambda values: np.searchsorted(edges, values, side="left")
    expected = np.bincount(place(train), minlength=len(edges) + 1)
    actual = np.bincount(place(live), minlength=len(edges) + 1)
    share = lambda counts: (counts / counts.sum() + 1e-3) / (1 + 1e-3 * len(counts))
    e, a = share(expected), share(actual)
    psi = rel_entr(a, e).sum() + rel_entr(e, a).sum()
    ks = ks_2samp(place(train), place(live), method="asymp")
    n, m = len(train), len(live)
    cases.append({
        "name": name, "bins": bins, "train": train.tolist(), "live": live.tolist(), "edges": edges.tolist(), "expected": expected.tolist(), "actual": actual.tolist(),
        "psi": float(psi), "ks": float(ks.statistic), "p": float(kolmogorov(ks.statistic * np.sqrt(n * m / (n + m)))),
    })
print(json.dumps({"scipy": scipy.__version__, "kolmogorov": [[x, float(kolmogorov(x))] for x in (0.1, 0.3, 0.5, 0.8, 1.0, 1.18, 1.36, 1.95, 3.0)], "cases": cases}))
