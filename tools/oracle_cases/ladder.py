import os

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import normals, permuted, samples
from oracle_cases.parts.method import H, LANES, M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

WIDTHS, LAMBDA, NOISE, LAYER_NOISE = (H * H, 12, 9, 8), (5, 1, 0.5, 0.25), 0.3, 0.2
TOP = len(WIDTHS) - 1


def noise(step, ids):
    """Of each level. The normals of a level come in pairs; where it is odd, one is left."""
    even = [width + width % 2 for width in WIDTHS]
    draws = np.array([normals(sum(even), 12, step, k) for k in ids])
    parts = np.split(draws, np.cumsum(even)[:-1], 1)
    return [torch.tensor(part[:, :width]) * (LAYER_NOISE if level else NOISE)
            for level, (part, width) in enumerate(zip(parts, WIDTHS))]


class Ladder(Method):
    """All samples are labelled, each with one of eight classes."""

    name = "ladder"
    cases = [(ADAM, "blas"), (SGD | {"lr": 0.01}, "ref")]
    weights = LAMBDA
    config = (f"ladder: {{layers: '12, 9', lambda: '{', '.join(str(v) for v in LAMBDA)}', noise: {NOISE}, "
              f"layer_noise: {LAYER_NOISE}}}\n")
    data = ", labels: /eighths, labelled: 4"
    network = ""
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        turn = permuted(LANES * M, 14, step, 0)[l * M:(l + 1) * M]
        with h5py.File(os.path.join(os.path.dirname(file.filename), "../../made.h5")) as made:
            labelled = torch.tensor(made["images"][()][turn].reshape(M, -1) / 255.0)
        return {"labelled": labelled, "class": torch.tensor(turn) % 8, "noise": noise(step, samples(l)),
                "labelled_noise": noise(step, (LANES * M + k for k in samples(l)))}

    def normalized(self, x, by=None):
        by = x if by is None else by
        return (x - by.mean(0)) / torch.sqrt(by.var(0, unbiased=False) + 1e-5)

    def encode(self, path, x, noise=None):
        h = x if noise is None else x + noise[0]
        before, z = [None], [h]
        for k in range(1, TOP + 1):
            name = f"layer{k}" if k < TOP else "scores"
            before.append(self.linear_alone(name, h))
            z.append(self.normalized(before[k]))
            if noise is None:
                self.seen[name + "/mean"].append(before[k].detach().mean(0))
                self.seen[name + "/variance"].append(before[k].detach().var(0))
            else:
                z[k] = z[k] + noise[k]
            h = z[k] + self.p[name + "/bias"]
            h = self.relu(path + name, h) if k < TOP else h * self.p[name + "/gain"].flatten()
        return before, z, h

    def linear_alone(self, name, x):
        return F.linear(x, self.p[name + "/weight"])

    def combine(self, k, z, u):
        a, s = self.p[f"combinator{k}/mix"], self.p[f"combinator{k}/slope"]
        m = a[0] * torch.sigmoid(s[0] * u + a[1]) + a[2] * u + a[3]
        v = a[4] * torch.sigmoid(s[1] * u + a[5]) + a[6] * u + a[7]
        return (z - m) * v + m

    def loss(self, lane):
        _, _, scores = self.encode("labelled/", lane["labelled"], lane["labelled_noise"])
        before, clean, _ = self.encode("clean/", lane["image"].flatten(1))
        loss = F.cross_entropy(scores, lane["class"])
        if not any(self.weights):
            return loss
        _, noisy, probable = self.encode("noisy/", lane["image"].flatten(1), lane["noise"])
        lowest = next(k for k in range(TOP + 1) if self.weights[k])
        for k in range(TOP, lowest - 1, -1):
            message = torch.softmax(probable, 1) if k == TOP else self.linear_alone(f"decoder{k}", guess)
            guess = self.combine(k, noisy[k], self.normalized(message))
            rebuilt = self.normalized(guess, before[k]) if k else guess
            loss = loss + self.weights[k] * ((rebuilt - clean[k]) ** 2).mean()
        return loss


class Gamma(Ladder):
    name = "ladder, gamma"
    cases = [(ADAM, "blas")]
    config = Ladder.config.replace("{", "{model: gamma, ")
    weights = (0, 0, 0, LAMBDA[TOP])


class Noise(Gamma):
    name = "ladder, noise"
    config = Ladder.config.replace("{", "{model: noise, ")
    weights = (0, 0, 0, 0)


METHODS = [Ladder, Gamma, Noise]
