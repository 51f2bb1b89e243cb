import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import samples, uniforms
from oracle_cases.parts.method import H, M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

CODE, MASKED = 30, 0.25


class Denoising(Method):
    name = "denoising"
    cases = [(ADAM, "blas"), (SGD | {"lr": 1e-3}, "ref")]
    config = f"denoising: {{code: {CODE}, decoder: tied}}\ncorruption: {{level: {MASKED}}}\n"
    network = "network: {layers: [flatten]}\n"
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        kept = np.array([uniforms(H * H, 12, step, k) >= MASKED for k in samples(l)])
        return {"masked": image.flatten(1) * torch.tensor(kept)}

    def loss(self, lane):
        code = torch.sigmoid(self.linear("code", lane["masked"]))
        logits = code @ self.p["code/weight"] + self.p["decoder/bias"]
        return F.binary_cross_entropy_with_logits(logits, lane["image"].flatten(1), reduction="sum") / M


METHODS = [Denoising]
