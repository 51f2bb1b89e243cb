import numpy as np
import torch
from oracle_cases.parts.adversary import Adversary, made, real
from oracle_cases.parts.draws import samples, uniforms
from oracle_cases.parts.optimizers import ADAM, SGD

LATENT, HIDDEN = 4, 20


class Bigan(Adversary):
    name = "bigan"
    # a gradient of 1e-8 is mostly rounding: single precision in PyTorch, too, moves by 3e-4 of what double does
    cases = [(ADAM | {"epsilon": 1e-6}, "blas"), (SGD, "ref")]
    config = f"bigan: {{latent: {LATENT}, hidden: {HIDDEN}}}\n"
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        return {"noise": torch.tensor(np.array([2 * uniforms(LATENT, 12, step, k) - 1 for k in samples(l)]))}

    def generate(self, z):
        x = self.normed("generator1/norm", self.linear("generator1", z), self.relu)
        x = self.linear("generator2", x) + self.linear("generator2_latent", z)
        return torch.sigmoid(self.linear("generator3", self.normed("generator2/norm", x, self.relu)))

    def discriminate(self, x, z):
        x = self.leaky_relu("discriminator1", self.linear("discriminator1", x))
        x = self.linear("discriminator2", x) + self.linear("discriminator2_latent", z)
        return self.linear("discriminator3", self.normed("discriminator2/norm", x, self.leaky_relu))

    def loss(self, lane):
        image, z = lane["image"].flatten(1), lane["noise"]
        code = torch.tanh(self.normed("latent/norm", self.linear("latent", self.trunk(lane["image"])), lambda _, x: x) / 2)
        image_made = self.generate(z)
        with self.still():
            fools = made(self.discriminate(image, code)) + real(self.discriminate(image_made, z))
        tells = real(self.discriminate(image, code.detach())) + made(self.discriminate(image_made.detach(), z))
        return (fools + tells) / 2


METHODS = [Bigan]
