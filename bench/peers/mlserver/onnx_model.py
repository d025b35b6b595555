"""MLServer runtime for one ONNX model whose batch dimension is fixed: batches gathered by MLServer are filled up to it."""

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.settings.parameters.extra["threads"]
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.output = self.session.get_outputs()[0].name
        self.batch = self.session.get_inputs()[0].shape[0]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        results = []
        for at in range(0, len(rows), self.batch):
            part = rows[at : at + self.batch]
            batch = part if len(part) == self.batch else np.concatenate((part, np.zeros((self.batch - len(part), *part.shape[1:]), part.dtype)))
            results.append(self.session.run([self.output], {self.input: batch})[0][: len(part)])
        answer = results[0] if len(results) == 1 else np.concatenate(results)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output(self.output, answer)])
