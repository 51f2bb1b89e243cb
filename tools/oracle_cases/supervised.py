import torch.nn.functional as F
from oracle_cases.parts.method import Method
from oracle_cases.parts.optimizers import ADAM, ADAMW, CLIP, LAMB, LARS, SGD


class Supervised(Method):
    name = "supervised"
    cases = [(SGD, "blas"), (ADAM, "ref"), (SGD | CLIP, "blas"), (ADAMW, "blas"), (LARS, "blas"), (LAMB, "blas")]

    def loss(self, lane):
        return F.cross_entropy(self.linear("scores", self.trunk(lane["image"])), lane["label"])


METHODS = [Supervised]
