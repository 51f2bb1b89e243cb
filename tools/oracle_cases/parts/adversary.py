"""Two networks that learn against each other in one step."""
import contextlib

import torch
import torch.nn.functional as F

from .method import Method


def real(logits):
    """-log of the probability of "true", mean."""
    return F.softplus(-logits).mean()


def made(logits):
    return F.softplus(logits).mean()


class Adversary(Method):
    @contextlib.contextmanager
    def still(self):
        """Within it the discriminator is a constant function, and records no statistics."""
        kept, seen = self.p, self.seen
        self.p = {k: v.detach() if k.startswith("discriminator") else v for k, v in kept.items()}
        self.seen = {k: [] if k.startswith("discriminator") else v for k, v in seen.items()}
        yield
        self.p, self.seen = kept, seen

    def leaky_relu(self, name, x):
        on = x.detach() > 0
        return x * (0.2 + 0.8 * self.turn(name, x.detach().abs(), on, ~on))

    def strided(self, name, x):
        return F.conv2d(x, self.p[name + "/weight"].permute(0, 3, 1, 2), self.p.get(name + "/bias"), 2, 1)

    def normed(self, name, x, unit):
        """BatchNorm, and what follows."""
        dims = [0, 2, 3] if x.dim() == 4 else [0]
        shape = [1, -1, 1, 1] if x.dim() == 4 else [1, -1]
        mean, var = x.mean(dims), x.var(dims, unbiased=False)
        count = x.numel() / x.shape[1]
        self.seen[name + "/mean"].append(mean.detach())
        self.seen[name + "/variance"].append(var.detach() * count / (count - 1))
        y = (x - mean.view(shape)) / torch.sqrt(var.view(shape) + 1e-5)
        return unit(name, y * self.p[name + "/gamma"].view(shape) + self.p[name + "/beta"].view(shape))
