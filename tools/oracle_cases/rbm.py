import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import normals, samples, uniforms
from oracle_cases.parts.method import M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

UNITS, SPAN = (20, 7), 2  # hidden units, the last Gaussian, and epochs of a machine


def phase_of(step):
    return min(step // SPAN, len(UNITS))


class Rbm(Method):
    name = "rbm"
    cases = [(SGD, "blas"), (ADAM, "ref")]
    config = f"rbm: {{layers: '{UNITS[0]}, {UNITS[1]}', epochs: {SPAN}}}\n"
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        """Besides the phase: what decides hidden states of its machine."""
        phase = phase_of(step)
        ids = [(k * 5 + phase) * 2 + 1 for k in samples(l)]
        if phase == len(UNITS):
            return {"phase": phase}
        if phase == len(UNITS) - 1:
            return {"phase": phase, "normals": torch.tensor(np.array([normals(UNITS[-1], 12, step, k) for k in ids]))}
        return {"phase": phase, "uniforms": torch.tensor(np.array([uniforms(UNITS[phase], 12, step, k) for k in ids]))}

    def start(self, step):
        """What fine-tuning starts from."""
        if step > SPAN * len(UNITS):
            return
        with torch.no_grad():
            for k in range(1, len(UNITS) + 1):
                w, b, c = (self.p[f"rbm{k}/{part}"] for part in ("weight", "visible", "hidden"))
                for name, value in ((f"encoder{k}/weight", w), (f"encoder{k}/bias", c), (f"decoder{k}/weight", w.T),
                                    (f"decoder{k}/bias", b)):
                    self.p[name].copy_(value)

    def trained(self, step):
        phase = phase_of(step)
        part = ("encoder", "decoder") if phase == len(UNITS) else f"rbm{phase + 1}"
        return [k for k in self.names if k.startswith(part)]

    def updates(self, name, step):
        return step - phase_of(step) * SPAN

    def up(self, k, v):
        return v @ self.p[f"rbm{k}/weight"].T + self.p[f"rbm{k}/hidden"]

    def divergence(self, k, lane, v0):
        """Contrastive divergence by its own sums, as a loss with these gradients."""
        w, b, c = (self.p[f"rbm{k}/{part}"] for part in ("weight", "visible", "hidden"))
        gaussian = k == len(UNITS)
        with torch.no_grad():
            a0 = self.up(k, v0)
            h = a0 + lane["normals"] if gaussian else (lane["uniforms"] < torch.sigmoid(a0)).double()
            v1 = torch.sigmoid(h @ w + b)
            h0, h1 = (a if gaussian else torch.sigmoid(a) for a in (a0, self.up(k, v1)))
            by_w, by_b, by_c = h0.T @ v0 - h1.T @ v1, (v0 - v1).sum(0), (h0 - h1).sum(0)
        return -((w * by_w).sum() + (b * by_b).sum() + (c * by_c).sum()) / M

    def loss(self, lane):
        x, phase = lane["image"].flatten(1), lane["phase"]
        if phase < len(UNITS):
            for k in range(1, phase + 1):
                x = torch.sigmoid(self.up(k, x)).detach()
            return self.divergence(phase + 1, lane, x)
        code = self.linear("encoder2", torch.sigmoid(self.linear("encoder1", x)))
        logits = self.linear("decoder1", torch.sigmoid(self.linear("decoder2", code)))
        return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / M


METHODS = [Rbm]
