import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import normals, samples
from oracle_cases.parts.method import H, M, WIDTH, Method
from oracle_cases.parts.optimizers import ADAM, SGD

LATENT, CLASSES = 4, 10


class Gan(Method):
    name = "gan"
    cases = [(ADAM, "blas"), (SGD, "ref")]
    config = f"gan: {{latent: {LATENT}, width: {WIDTH}}}\n"
    network = ""
    mean, std = 0, 1
    phases = ("discriminator", "generator")
    layers = {"discriminator": ("discriminator", "real"), "generator": "generator"}  # what their names begin with

    def lane(self, l, image, file, step):
        k = self.phases.index(self.phase)
        return {"latent": torch.tensor(np.array([normals(LATENT, 12, step, 2 * i + k) for i in samples(l)]))}

    def trained(self, step):
        return [k for k in self.names if k.startswith(self.layers[self.phase])]

    def records(self, name):
        return name.startswith(self.layers[self.phase])

    def classes(self, lane):
        return None

    def made(self, z):
        x = self.linear("generator1", z).view(M, H // 4, H // 4, 2 * WIDTH).permute(0, 3, 1, 2)
        x = self.norm("generator2/norm", self.transposed("generator2", self.norm("generator1/norm", x)))
        return torch.sigmoid(self.transposed("generator3", x))

    def real(self, x, y):
        """Logits; y: ones at the places of classes, where these are known."""
        x = self.leaky_relu("discriminator1", self.conv("discriminator1", x, 2))
        x = self.norm("discriminator2/norm", self.conv("discriminator2", x, 2), self.leaky_relu)
        x = x.permute(0, 2, 3, 1).flatten(1)
        return self.linear("real", x) + (0 if y is None else (x * self.linear("real_of_class", y)).sum(1, keepdim=True))

    def loss(self, lane):
        y = self.classes(lane)
        made = self.made(lane["latent"] if y is None else torch.cat([lane["latent"], y], 1))
        if self.phase == "generator":
            return F.softplus(-self.real(made, y)).mean()
        return F.softplus(-self.real(lane["image"], y)).mean() + F.softplus(self.real(made.detach(), y)).mean()


class Conditional(Gan):
    name = "gan, conditional"
    cases = [(ADAM, "blas")]
    config = f"gan: {{latent: {LATENT}, width: {WIDTH}, conditional: true}}\n"

    def classes(self, lane):
        return F.one_hot(lane["label"], CLASSES).double()


METHODS = [Gan, Conditional]
