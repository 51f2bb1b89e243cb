import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.colors import lab, made_colors
from oracle_cases.parts.draws import samples
from oracle_cases.parts.method import H, M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

SIDE, GRID, LEVELS, UNIFORM, SIGMA = H // 8, 10, 20, 0.5, 5.0  # SIDE: places of the map


def bins():
    """Centres of the bins in which some colour of sRGB lies: all faces of the cube."""
    level = np.arange(256)
    faces = []
    for axis in range(3):
        for end in (0, 255):
            rgb = np.stack(np.broadcast_arrays(*[np.array(end) if k == axis else level[:, None] if k == (axis + 1) % 3
                                                 else level[None, :] for k in range(3)]), axis=-1)
            faces.append(lab(rgb.reshape(-1, 3))[:, 1:])
    return np.unique(np.floor(np.concatenate(faces) / GRID + 0.5).astype(int), axis=0) * float(GRID)


CENTERS = bins()


class Colors(Method):
    mean = 0
    data = ", images: /colors"
    neighbors = 10

    def lane(self, l, image, file, step):
        x = lab(made_colors()[list(samples(l))])
        corner = np.arange(SIDE) * H // SIDE
        at = x[:, corner][:, :, corner].reshape(-1, 3)
        away = ((at[:, None, 1:] - CENTERS) ** 2).sum(-1)
        nearest = np.argsort(away, axis=1, kind="stable")[:, :self.neighbors]
        share = np.exp(-np.take_along_axis(away, nearest, 1) / (2 * SIGMA ** 2))
        target = np.zeros(away.shape)
        np.put_along_axis(target, nearest, share / share.sum(1, keepdims=True), 1)
        prior = file["model/colors/prior"][()].astype(np.float64)
        weight = 1 / ((1 - UNIFORM) * prior + UNIFORM / len(CENTERS))
        weight = (weight / (prior * weight).sum())[nearest[:, 0]]
        colorful = (np.abs(x[..., 1:]) > 5).any(axis=(1, 2, 3)).repeat(SIDE * SIDE)
        view = (x - [50, 0, 0]) / 50
        return {"view": torch.tensor(view).permute(0, 3, 1, 2), "target": torch.tensor(target),
                "weight": torch.tensor(weight * colorful), "ab": torch.tensor(at[:, 1:] / 50),
                "level": torch.tensor(np.clip(np.floor(at[:, 0] / 100 * LEVELS), 0, LEVELS - 1).astype(np.int64))}

    def scores(self, prefix, x, head):
        for name in ("conv1", "conv2", "conv3"):
            name = prefix + name
            x = self.norm(name + "/norm", self.pool(name, self.conv(name, x)))
        return self.linear(prefix + head, x.permute(0, 2, 3, 1).flatten(0, 2))

    def soft(self, scores, lane):
        return -((lane["target"] * F.log_softmax(scores, 1)).sum(1) * lane["weight"]).mean()


class Colorization(Colors):
    name = "colorization"
    cases = [(ADAM, "blas"), (SGD, "ref")]

    def loss(self, lane):
        return self.soft(self.scores("", lane["view"][:, :1], "bins"), lane)


class Control(Colors):
    name = "colorization, l2"
    cases = [(ADAM, "blas")]
    config = "colorization: {loss: l2}\n"

    def loss(self, lane):
        return ((self.scores("", lane["view"][:, :1], "mean") - lane["ab"]) ** 2).sum(1).mean()


class SplitBrain(Colors):
    name = "split_brain"
    cases = [(ADAM, "blas")]
    config = f"split_brain: {{light_bins: {LEVELS}}}\n"

    def loss(self, lane):
        colors = self.soft(self.scores("light/", lane["view"][:, :1], "bins"), lane)
        return colors + F.cross_entropy(self.scores("color/", lane["view"][:, 1:], "bins"), lane["level"])


METHODS = [Colorization, Control, SplitBrain]
