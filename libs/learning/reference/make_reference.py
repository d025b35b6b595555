"""Writes minirocket.json: pip install aeon; python make_reference.py minirocket.json"""
import json,sys,numpy as np, aeon
from aeon.transformations.collection.convolution_based import MiniRocket
rng=np.random.default_rng(1)
out={"source":f"aeon {aeon.__version__}, MiniRocket(n_kernels=588, random_state=1), fitted on and applied to `series`: random walks rounded to 1/1024","cases":[]}
for H in (12,30):
    X=(np.round(rng.normal(size=(4,3,H)).cumsum(2)*1024)/1024).astype(np.float32)
    m=MiniRocket(n_kernels=84*7,random_state=1); m.fit(X); T=m.transform(X)
    n,c,d,k,b=m.parameters
    out["cases"].append({"history":H,"series":[[[float(v) for v in ch] for ch in s] for s in X],"channelsPerKernel":n.tolist(),"channels":c.tolist(),"dilations":d.tolist(),"featuresPerDilation":k.tolist(),"biases":[float(v) for v in b],"features":[[float(f"{float(v):.9g}") for v in r] for r in np.asarray(T)]})
json.dump(out,open(sys.argv[1],'w'),separators=(',',':'))
