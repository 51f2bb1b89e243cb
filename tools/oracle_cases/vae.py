import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import binary, normals, samples
from oracle_cases.parts.method import M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

LATENT, HIDDEN = 4, 20


class Vae(Method):
    name = "vae"
    cases = [(ADAM, "blas"), (SGD | {"lr": 1e-4}, "ref")]
    config = f"vae: {{latent: {LATENT}, hidden: {HIDDEN}}}\n"
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        return {"binary": binary(l, image, step, 2),
                "noise": torch.tensor(np.array([normals(LATENT, 12, step, 2 * k + 1) for k in samples(l)]))}

    def loss(self, lane):
        x = self.trunk(lane["binary"])
        mean, log_variance = self.linear("mean", x), self.linear("log_variance", x)
        z = mean + torch.exp(log_variance / 2) * lane["noise"]
        logits = self.linear("decoder2", self.relu("decoder1", self.linear("decoder1", z)))
        miss = F.binary_cross_entropy_with_logits(logits, lane["binary"].flatten(1), reduction="sum")
        return (miss + torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, torch.exp(log_variance / 2)), torch.distributions.Normal(0.0, 1.0)).sum()) / M


METHODS = [Vae]
