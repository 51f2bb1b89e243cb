import torch
import torch.nn.functional as F
from oracle_cases.parts.method import H, Method
from oracle_cases.parts.optimizers import ADAM, SGD


def settings(form, atoms, side, penalty):
    return (f"sparse: {{form: {form}, atoms: {atoms}, size: {side}, lambda: {penalty}, patches: 1, steps: 1000, reference: 1000}}\n"
            "whiten: {on: false}\n")


class Patches(Method):
    """Codes of images without their means, by coordinate descent."""

    atoms, penalty = 30, 0.5
    name = "sparse, patches"
    cases = [(ADAM, "blas"), (SGD, "ref")]
    config = settings("patches", atoms, H, penalty)

    def loss(self, lane):
        w = F.normalize(self.p["first/weight"])
        fixed = w.detach()
        x = lane["image"].flatten(1) - lane["image"].flatten(1).mean(1, keepdim=True)
        gram, signal = fixed @ fixed.T, x @ fixed.T
        z = torch.zeros_like(signal)
        for k in list(range(self.atoms)) * 150:
            z[:, k] = F.softshrink(signal[:, k] - z @ gram[:, k] + z[:, k] * gram[k, k], self.penalty) / gram[k, k]
        return (0.5 * ((z @ w - x) ** 2).sum() + self.penalty * z.abs().sum()) / len(x)


class Convolutional(Method):
    """Codes of images by convolution, by proximal steps."""

    atoms, side, penalty = 4, 3, 1.0
    name = "sparse, convolutional"
    cases = [(ADAM, "blas")]
    config = settings("convolutional", atoms, side, penalty)

    def loss(self, lane):
        x, atoms, side = lane["image"], self.atoms, self.side
        w = F.normalize(self.p["first/weight"]).view(atoms, 1, side, side)
        z = torch.zeros(len(x), atoms, H, H, dtype=torch.float64)
        rate, y, t = 1 / (atoms * side * side), z, 1.0  # no eigenvalue is larger than the sum of squares times side^2
        for _ in range(1500):
            missed = F.conv_transpose2d(y, w.detach(), padding=side // 2) - x
            last, before = z, t
            z = F.softshrink(y - rate * F.conv2d(missed, w.detach(), padding=side // 2), rate * self.penalty)
            t = (1 + (1 + 4 * t * t) ** 0.5) / 2
            y = z + (before - 1) / t * (z - last)
        rebuilt = F.conv_transpose2d(z, w, padding=side // 2)
        return (0.5 * ((rebuilt - x) ** 2).sum() + self.penalty * z.abs().sum()) / len(x)


METHODS = [Patches, Convolutional]
