"""python -m millwright_training: events go to standard output, a JSON line each; bad input ends with one sentence and exit code 2."""

import argparse
import json
import os
import sys
from pathlib import Path

# cuBLAS repeats itself only with workspaces of its own, and reads this when it starts.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def main() -> int:
    from .dataset import read_dataset
    from .errors import BadInput
    from .fit import Options
    from .train import MODELS, device_of, train

    parser = argparse.ArgumentParser(prog="python -m millwright_training", description="Trains a net on a data set that millwright train prepared and writes a model package.")
    parser.add_argument("--dataset", type=Path, required=True, help="folder that millwright train prepared")
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the model package")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--epochs", type=positive, default=40, help="at most; default 40")
    parser.add_argument("--patience", type=positive, default=10, help="epochs without a better validation score; default 10")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--quantise", action="store_true", help="weights of eight bits, unless that loses more than a point on validation")
    parser.add_argument("--force", action="store_true", help="keep eight bits whatever they lose")
    args = parser.parse_args()
    try:
        options = Options(args.seed, args.epochs, args.patience, device_of(args.device))
        train(read_dataset(args.dataset), args.model, args.out, options, emit, quantised=args.quantise, force=args.force)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def emit(event: dict) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    sys.exit(main())
