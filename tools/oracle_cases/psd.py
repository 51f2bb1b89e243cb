import torch
import torch.nn.functional as F
from oracle_cases.parts.method import M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

ATOMS, LAMBDA, ALPHA = 30, 0.2, 0.5


class Psd(Method):
    name = "psd"
    cases = [(ADAM, "blas"), (SGD, "ref")]
    config = f"psd: {{atoms: {ATOMS}, lambda: {LAMBDA}, alpha: {ALPHA}, steps: 400}}\nwhiten: {{floor: 1}}\n"

    def code(self, x, atoms, guess):
        """By FISTA, until nothing moves."""
        z = y = torch.zeros(len(x), ATOMS, dtype=torch.float64)
        rate, t = 1 / (torch.linalg.eigvalsh(atoms @ atoms.T)[-1] + ALPHA), 1.0
        for _ in range(600):
            last, before = z, t
            z = F.softshrink(y - rate * ((y @ atoms - x) @ atoms.T + ALPHA * (y - guess)), (rate * LAMBDA).item())
            t = (1 + (1 + 4 * t * t) ** 0.5) / 2
            y = z + (before - 1) / t * (z - last)
        return z

    def loss(self, lane):
        x = lane["image"].flatten(1)
        x = x + F.linear(x, self.p["whiten/matrix"], self.p["whiten/shift"])
        trunk = self.trunk(x.view(lane["image"].shape))
        guess = self.p["encoder/gain"].T * torch.tanh(self.linear("encoder", trunk))
        atoms = F.normalize(self.p["atoms/weight"])
        z = self.code(x, atoms.detach(), guess.detach())
        return (0.5 * ((x - z @ atoms) ** 2).sum() + LAMBDA * z.abs().sum() + 0.5 * ALPHA * ((z - guess) ** 2).sum()) / M


METHODS = [Psd]
