import torch
from oracle_cases.parts.adversary import Adversary, made, real
from oracle_cases.parts.method import H, M
from oracle_cases.parts.optimizers import ADAM, SGD

WIDTH, CODE, HOLE = 3, 10, slice(H // 4, H // 4 + H // 2)


class ContextEncoder(Adversary):
    """A hole in the middle, by squared error and an adversary, with weights that let both be seen."""
    name = "context_encoder"
    cases = [(ADAM, "blas"), (SGD, "ref")]
    config = (f"context_encoder: {{code: {CODE}, width: {WIDTH}, reconstruction_weight: 0.7, adversarial_weight: 0.3}}\n")

    def fill(self, image):
        """What was in the hole, and what the network puts there."""
        left = image.clone()
        left[:, :, HOLE, HOLE] = 0
        x = self.norm("code/norm", self.linear("code", self.trunk(left)))
        x = self.norm("decoder1/norm", self.linear("decoder1", x)).view(M, H // 8, H // 8, 2 * WIDTH).permute(0, 3, 1, 2)
        return image[:, :, HOLE, HOLE], self.transposed("decoder3", self.norm("decoder2/norm", self.transposed("decoder2", x)))

    def discriminate(self, x):
        x = self.leaky_relu("discriminator1", self.strided("discriminator1", x))
        x = self.normed("discriminator2/norm", self.strided("discriminator2", x), self.leaky_relu)
        return self.linear("discriminator_logit", x.permute(0, 2, 3, 1).flatten(1))

    def loss(self, lane):
        hole, filled = self.fill(lane["image"])
        with self.still():
            fools = real(self.discriminate(filled))
        tells = real(self.discriminate(hole)) + made(self.discriminate(filled.detach()))
        return 0.7 * ((filled - hole) ** 2).mean() + 0.3 * fools + tells


class ContextEncoderSquared(ContextEncoder):
    name = "context_encoder, squared"
    cases = [(ADAM, "ref")]
    config = f"context_encoder: {{code: {CODE}, width: {WIDTH}, adversarial: none}}\n"

    def loss(self, lane):
        hole, filled = self.fill(lane["image"])
        return ((filled - hole) ** 2).mean()


METHODS = [ContextEncoder, ContextEncoderSquared]
