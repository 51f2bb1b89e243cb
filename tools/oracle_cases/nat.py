import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import normals, samples
from oracle_cases.parts.method import Method
from oracle_cases.parts.optimizers import ADAM, ADAMW, CLIP, LAMB, LARS, SGD

DIM = 6


def target(k):
    """NAT's target k."""
    v = normals(DIM, 2, 0, k)
    return v / np.linalg.norm(v)


class Nat(Method):
    name = "nat"
    cases = [(SGD, "blas"), (ADAM | CLIP, "blas"), (ADAMW | CLIP | {"include_biases": "true"}, "blas"), (LARS | CLIP, "blas"),
             (LAMB | CLIP, "blas")]
    config = f"nat: {{dim: {DIM}}}\nassign: {{every: 0}}\n"

    def lane(self, l, image, file, step):
        owned = file["samples/assignment"][()]
        return {"target": torch.tensor(np.array([target(int(owned[k])) for k in samples(l)]))}

    def loss(self, lane):
        z = F.normalize(self.linear("out", self.trunk(lane["image"])))
        return ((z - lane["target"]) ** 2).sum(1).mean()


METHODS = [Nat]
