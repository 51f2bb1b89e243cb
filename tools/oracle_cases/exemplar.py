import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import samples
from oracle_cases.parts.method import Method
from oracle_cases.parts.optimizers import ADAM, SGD


class Exemplar(Method):
    name = "exemplar"
    cases = [(SGD, "blas"), (ADAM, "ref")]
    config = "exemplar: {transform: none}\n"

    def lane(self, l, image, file, step):
        return {"seed": torch.tensor(samples(l))}

    def loss(self, lane):
        return F.cross_entropy(self.linear("seeds", self.trunk(lane["image"])), lane["seed"])


METHODS = [Exemplar]
