import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import samples, uniforms
from oracle_cases.parts.method import H, M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

WIDE, STAGE, CORRUPTION = 12, 2, 0.25  # two layers: two steps of each, and two with labels


class Stacked(Method):
    name = "stacked"
    cases = [(ADAM, "blas"), (SGD | {"lr": 1e-4}, "ref")]
    config = (f"stacked: {{layers: 2, units: {WIDE}, epochs: {STAGE}, finetune: {STAGE}}}\n"
              f"corruption: {{level: {CORRUPTION}}}\n")
    data = ", labels: /eighths, labelled: 4"
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        """Besides the stage and labels: which values of the input of its layer noise has left."""
        stage = min(step // STAGE, 2)
        result = {"stage": stage, "label": torch.arange(l * M, (l + 1) * M) % 8}
        if stage < 2:
            uniform = np.array([uniforms(H * H if stage == 0 else WIDE, 12, step, 5 * k + stage) for k in samples(l)])
            result["kept"] = torch.tensor(uniform >= CORRUPTION).double()
        return result

    def updates(self, name, step):
        """Each layer in its stage, and all in the last."""
        last = max(0, step - 2 * STAGE)
        if name.startswith("classifier"):
            return last
        return min(max(0, step - STAGE * (name.split("/")[0][-1] == "2")), STAGE) + last

    def loss(self, lane):
        """Layers below the one that is trained give its clean code; with labels all are trained."""
        x, stage = lane["image"].flatten(1), lane["stage"]
        for k in range(1, min(stage, 2) + 1):
            x = torch.sigmoid(self.linear(f"layer{k}", x))
        if stage == 2:
            return F.cross_entropy(self.linear("classifier", x), lane["label"])
        x, name = x.detach(), f"layer{stage + 1}"
        code = torch.sigmoid(self.linear(name, x * lane["kept"]))
        back = F.linear(code, self.p[name + "/weight"].t(), self.p[f"back{stage + 1}/bias"])
        return F.binary_cross_entropy_with_logits(back, x, reduction="sum") / M


METHODS = [Stacked]
