"""Checks the Open Inference Protocol of a running Millwright with Triton's own clients, against ONNX Runtime.

Usage: check.py <gRPC host:port> <HTTP host:port> <folder of the served packages>
Prints a line a check; ends with 1 where one failed.
"""

import json
import pathlib
import shutil
import sys
import threading
import traceback

import numpy as np
import onnxruntime
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from tritonclient.utils import InferenceServerException

grpc_address, http_address, models = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
TOLERANCE = 1e-5
checks = []


def check(function):
    checks.append(function)
    return function


class Reference:
    """A package run by ONNX Runtime for Python, its last batch filled up."""

    def __init__(self, folder):
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        given = self.manifest["input"]
        self.input, self.shape = given["name"], [given["history"], len(given["features"])]
        self.outputs = list(self.manifest["outputs"].values())

    def rows(self, count, seed):
        scale = self.manifest["preprocessing"]
        noise = np.random.default_rng(seed).normal(size=[count, *self.shape])
        values = (np.array(scale["mean"]) + noise * np.array(scale["std"])).astype(np.float32)
        values[noise > 2] = np.nan
        return values

    def run(self, values):
        batch = self.manifest["batch"]
        parts = []
        for at in range(0, len(values), batch):
            part = values[at : at + batch]
            full = np.concatenate((part, np.zeros((batch - len(part), *self.shape), np.float32)))
            parts.append([output[: len(part)] for output in self.session.run(self.outputs, {self.input: full})])
        return [np.concatenate(outputs) for outputs in zip(*parts)]


references = {folder.name: Reference(folder) for folder in sorted(models.iterdir())}
name, reference = next(iter(references.items()))


def input_of(client, values, binary=None):
    tensor = client.InferInput(reference.input, list(values.shape), "FP32")
    tensor.set_data_from_numpy(values) if binary is None else tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def same(result, outputs, expected):
    for output, values in zip(outputs, expected):
        np.testing.assert_allclose(result.as_numpy(output), values, atol=TOLERANCE, rtol=TOLERANCE)


def refused(call, wanted):
    try:
        call()
    except InferenceServerException as error:
        assert wanted in str(error), f"{error} does not say {wanted}"
        return
    raise AssertionError(f"was not refused with {wanted}")


@check
def health_and_metadata(grpc, http):
    for client in (grpc, http):
        assert client.is_server_live() and client.is_server_ready()
        assert client.is_model_ready(name)
    assert not grpc.is_model_ready("nothing") and not http.is_model_ready("nothing")
    both = grpc.get_model_metadata(name, as_json=True), http.get_model_metadata(name)
    for metadata in both:
        assert [int(size) for size in metadata["inputs"][0]["shape"]] == [-1, *reference.shape], metadata
        assert [output["name"] for output in metadata["outputs"]] == reference.outputs
    assert grpc.get_server_metadata().name == http.get_server_metadata()["name"] == "millwright"


@check
def every_model_as_onnx_runtime(grpc, http):
    global name, reference
    first = name, reference
    for name, reference in references.items():
        for count in (1, 31, 32, 33, 500):
            values = reference.rows(count, count)
            expected = reference.run(values)
            same(grpc.infer(name, [input_of(grpcclient, values)]), reference.outputs, expected)
            same(http.infer(name, [input_of(httpclient, values)]), reference.outputs, expected)
    name, reference = first


@check
def json_both_ways(_, http):
    values = np.nan_to_num(reference.rows(7, 1))
    wanted = [httpclient.InferRequestedOutput(reference.outputs[0], binary_data=False)]
    result = http.infer(name, [input_of(httpclient, values, False)], outputs=wanted, request_id="seven")
    assert result.get_response()["id"] == "seven"
    same(result, reference.outputs[:1], reference.run(values)[:1])


@check
def classes_with_labels(grpc, http):
    values = reference.rows(5, 2)
    winners = reference.run(values)[0].argmax(axis=1)
    labels = reference.manifest["labels"]
    for client, module in ((grpc, grpcclient), (http, httpclient)):
        wanted = [module.InferRequestedOutput(reference.outputs[0], class_count=2)]
        told = client.infer(name, [input_of(module, values)], outputs=wanted).as_numpy(reference.outputs[0])
        assert told.shape == (5, 2), told.shape
        assert [row[0].decode().split(":")[1:] for row in told] == [[str(at), labels[at]] for at in winners]


@check
def refusals(grpc, http):
    values = reference.rows(1, 3)
    wrong = values.reshape(1, -1, 1)
    for client, module, codes in (
        (grpc, grpcclient, ["StatusCode.NOT_FOUND", "StatusCode.INVALID_ARGUMENT", "StatusCode.RESOURCE_EXHAUSTED"]),
        (http, httpclient, ["404", "400", "429"]),
    ):
        refused(lambda: client.infer("nothing", [input_of(module, values)]), codes[0])
        refused(lambda: client.infer(name, [input_of(module, wrong)]), codes[1])
        refused(lambda: client.infer(name, [input_of(module, wrong)]), f"inputs.{reference.input}")
        refused(lambda: client.infer(name, [input_of(module, reference.rows(9000, 4))]), codes[2])


@check
def priority_and_deadline(grpc, http):
    values = reference.rows(1, 5)
    expected = reference.run(values)
    same(grpc.infer(name, [input_of(grpcclient, values)], priority=1, timeout=10_000_000, client_timeout=10), reference.outputs, expected)
    same(http.infer(name, [input_of(httpclient, values)], priority=1, timeout=10_000_000), reference.outputs, expected)
    refused(lambda: grpc.infer(name, [input_of(grpcclient, reference.rows(5000, 6))], client_timeout=0.0005), "DEADLINE_EXCEEDED")


@check
def a_new_version_while_requests_run(grpc, _):
    copy = models / "copy"

    def package(version):
        shutil.copytree(models / name, copy, dirs_exist_ok=True)
        (copy / "manifest.json").write_text(json.dumps({**reference.manifest, "name": "copy", "version": version}))

    package("1")
    refused(lambda: grpc.get_model_metadata("copy"), "StatusCode.UNAVAILABLE")
    grpc.load_model("copy")
    values = reference.rows(3, 7)
    expected = reference.run(values)
    versions, failures, stop = [], [], threading.Event()

    def caller():
        with grpcclient.InferenceServerClient(grpc_address) as own:
            while not stop.is_set():
                try:
                    result = own.infer("copy", [input_of(grpcclient, values)])
                    same(result, reference.outputs, expected)
                    versions.append(result.get_response().model_version)
                except Exception as error:
                    failures.append(error)

    callers = [threading.Thread(target=caller) for _ in range(4)]
    for thread in callers:
        thread.start()
    for version in ("2", "3", "4"):
        package(version)
        grpc.load_model("copy")
        assert grpc.infer("copy", [input_of(grpcclient, values)]).get_response().model_version == version
    stop.set()
    for thread in callers:
        thread.join()
    assert not failures, f"{len(failures)} of {len(failures) + len(versions)} requests failed: {failures[0]}"
    print(f"      {len(versions)} requests, by version {({version: versions.count(version) for version in sorted(set(versions))})}")
    ready = [(each.name, each.version) for each in grpc.get_model_repository_index().models if each.state == "READY" and each.name == "copy"]
    assert ready == [("copy", "4")], ready
    grpc.unload_model("copy")
    assert not grpc.is_model_ready("copy")
    refused(lambda: grpc.unload_model(name), "judges the stream")


failed = 0
with grpcclient.InferenceServerClient(grpc_address) as grpc, httpclient.InferenceServerClient(http_address) as http:
    for each in checks:
        try:
            each(grpc, http)
            print(f"ok    {each.__name__.replace('_', ' ')}", flush=True)
        except Exception:
            failed += 1
            print(f"WRONG {each.__name__.replace('_', ' ')}\n{traceback.format_exc()}", flush=True)
print(f"{len(checks) - failed} of {len(checks)} checks passed, with tritonclient over gRPC and HTTP.")
sys.exit(1 if failed else 0)
