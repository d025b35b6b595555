"""Writes residuals.json: pip install numpy scipy scikit-learn; python make_residuals.py residuals.json"""
import json, sys
import numpy as np, scipy
import sklearn
from scipy.stats import multivariate_t
from sklearn.linear_model import Ridge

rng = np.random.default_rng(1)
rounded = lambda values: np.round(values, 4)
lags, penalty, shrinkage, lent, freedom = 2, 3.0, 0.1, 0.2, 7.0

# Two stretches of one autoregressive process.
stretches = []
for rows in (40, 25):
    course = np.zeros((rows, 3))
    for t in range(1, rows):
        course[t] = course[t - 1] @ np.array([[0.6, 0.2, 0], [0, 0.5, -0.3], [0.1, 0, 0.4]]) + rng.normal(size=3)
    stretches.append(rounded(course))
past = np.vstack([np.hstack([s[lags - k : len(s) - k] for k in range(1, lags + 1)]) for s in stretches])
now = np.vstack([s[lags:] for s in stretches])
ridge = Ridge(alpha=penalty, fit_intercept=False).fit(past, now)
run = stretches[1]
residuals = run[lags:] - ridge.predict(np.hstack([run[lags - k : len(run) - k] for k in range(1, lags + 1)]))

# Three classes of rows; the second holds its last column.
classes = [rounded(rng.normal(size=(30, 3)) @ rng.normal(size=(3, 3)) + rng.normal(size=3)) for _ in range(3)]
classes[1][:, 2] = 0.5
covariances = [np.cov(rows.T, bias=True) for rows in classes]
floor = 1e-4 * np.trace(covariances[0]) / 3
asked = rounded(3 * rng.normal(size=(10, 3)))
said = []
for rows, covariance in zip(classes, covariances):
    own = (1 - shrinkage) * covariance + shrinkage * np.diag(np.diag(covariance))
    shape = (1 - lent) * own + lent * covariances[0] + floor * np.eye(3)
    said.append(multivariate_t(rows.mean(0), shape, df=freedom).logpdf(asked))
said = np.array(said).T

json.dump({
    "source": f"scikit-learn {sklearn.__version__} Ridge, SciPy {scipy.__version__} multivariate_t",
    "autoregression": {"lags": lags, "penalty": penalty, "stretches": [s.tolist() for s in stretches], "residuals": residuals.tolist()},
    "clouds": {"shrinkage": shrinkage, "lent": lent, "common": 0, "freedom": freedom, "classes": [c.tolist() for c in classes], "asked": asked.tolist(), "logDensities": said.tolist()},
}, open(sys.argv[1], "w"), separators=(",", ":"))
