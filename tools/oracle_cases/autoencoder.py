from oracle_cases.parts.method import H, WIDTH, Method
from oracle_cases.parts.optimizers import ADAM, LAMB, LARS


class Autoencoder(Method):
    name = "autoencoder"
    cases = [(ADAM, "blas"), (LARS | {"momentum": 0, "include_biases": "true"}, "blas"),
             (LAMB | {"include_biases": "true"}, "blas")]
    config = "autoencoder: {code: 8}\n"

    def rebuilt(self, x):
        x = self.norm("decoder1/norm", self.linear("decoder1", self.linear("code", x)))
        x = self.norm("decoder2/norm", self.linear("decoder2", x))
        x = x.view(-1, H // 8, H // 8, 4 * WIDTH).permute(0, 3, 1, 2)
        x = self.norm("decoder3/norm", self.transposed("decoder3", x))
        return self.transposed("decoder5", self.norm("decoder4/norm", self.transposed("decoder4", x)))

    def loss(self, lane):
        return ((self.rebuilt(self.trunk(lane["image"])) - lane["image"]) ** 2).mean()


METHODS = [Autoencoder]
