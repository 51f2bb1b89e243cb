import numpy as np
import torch
from oracle_cases.parts.draws import binary, samples, uniforms
from oracle_cases.parts.method import H, M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

HIDDEN, ABOVE, GIBBS, UPDATES = 20, 6, 2, 3  # units of the hidden layers, sweeps of the chains, updates of the mean field


class Dbm(Method):
    name = "dbm"
    cases = [(SGD, "blas"), (ADAM, "ref")]
    config = f"dbm: {{hidden1: {HIDDEN}, hidden2: {ABOVE}, updates: {UPDATES}, gibbs: {GIBBS}}}\n"
    network = ""
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        """The pixels of its samples, as 0 or 1, its chains, and their uniform numbers."""
        widths = [H * H, ABOVE, HIDDEN] * GIBBS
        noise = torch.tensor(np.array([uniforms(sum(widths), 12, step, 3 * k + 1) for k in samples(l)]))
        parts = torch.split(noise, widths, dim=1)
        return {"binary": binary(l, image, step, 3), "noise": [parts[k:k + 3] for k in range(0, len(parts), 3)],
                "chains": torch.tensor(file["lanes/chains"][l].reshape(M, HIDDEN), dtype=torch.float64)}

    def draw(self, name, noise, logits):
        p = torch.sigmoid(logits).detach()
        return self.turn(name, (noise - p).abs(), (noise < p).double(), (noise >= p).double())

    def loss(self, lane):
        """Mean of E(v, mu) - E(chains)."""
        W1, W2 = self.p["hidden1/weight"], self.p["hidden2/weight"]
        b, c1, c2 = (self.p[k + "/bias"] for k in ("visible", "hidden1", "hidden2"))

        def energy(v, h1, h2):
            v, h1, h2 = v.detach(), h1.detach(), h2.detach()
            return (-v @ b - h1 @ c1 - h2 @ c2 - (h1 * (v @ W1.T)).sum(1) - (h2 * (h1 @ W2.T)).sum(1)).mean()

        v = lane["binary"].flatten(1)
        below = v @ W1.T + c1
        mu1 = torch.sigmoid(2 * below)
        mu2 = torch.sigmoid(mu1 @ W2.T + c2)
        for _ in range(UPDATES):
            mu1 = torch.sigmoid(below + mu2 @ W2)
            mu2 = torch.sigmoid(mu1 @ W2.T + c2)
        h1 = lane["chains"]
        for k, (visible, hidden2, hidden1) in enumerate(lane["noise"]):
            x = self.draw(f"visible {k}", visible, h1 @ W1 + b)
            h2 = self.draw(f"hidden2 {k}", hidden2, h1 @ W2.T + c2)
            logits = x @ W1.T + h2 @ W2 + c1
            h1 = self.draw(f"hidden1 {k}", hidden1, logits)
        return energy(v, mu1, mu2) - energy(x, torch.sigmoid(logits), h2)


METHODS = [Dbm]
