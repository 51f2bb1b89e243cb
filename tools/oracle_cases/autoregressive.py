"""Models of pixels in order. PixelCNN here has square kernels whose weights at the pixel and behind it are zeros, as most
programs do it, and NADE one product for each pixel: other ways to the same functions."""
import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import binary
from oracle_cases.parts.method import H, M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

LAYERS, FIRST, KERNEL, LEVELS, CLASSES = 3, 5, 3, 16, 10


def shifted(x):
    """Down by one row."""
    return F.pad(x, (0, 0, 1, 0))[:, :, :-1]


class Ordered(Method):
    network = ""
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        return {"pixels": binary(l, image, step, 1)}


class Pixelcnn(Ordered):
    name = "pixelcnn"
    cases = [(ADAM, "blas"), (SGD | {"lr": 1e-4}, "ref")]
    config = f"pixelcnn: {{features: 5, layers: {LAYERS}, first: {FIRST}, output: 6}}\n"

    def window(self, name, x, after):
        """A convolution whose kernel has zeros for so many rows and columns behind the pixel's."""
        w = F.pad(self.p[name + "/weight"].permute(0, 3, 1, 2), (0, after[1], 0, after[0]))
        return F.conv2d(x, w, self.p[name + "/bias"], padding=(w.shape[2] // 2, w.shape[3] // 2))

    def gate(self, name, x, lane):
        a, b = (x + self.of_class(name, lane)).chunk(2, 1)
        return torch.tanh(a) * torch.sigmoid(b)

    def of_class(self, name, lane):
        return 0

    def logits(self, x, lane):
        v = h = x
        for l in range(1, LAYERS + 1):
            half = (FIRST if l == 1 else KERNEL) // 2
            above = self.window(f"vertical{l}", v, (half, 0))
            if l == 1:
                above = above + self.p["place/bias"].view(H, H, -1).permute(2, 0, 1)
            left = self.window(f"horizontal{l}", h, (0, half + (l == 1)))
            link = self.window(f"link{l}", shifted(above), (0, 0))
            if l < LAYERS:
                v = self.gate(f"vertical_class{l}", above, lane)
            mixed = self.window(f"mix{l}", self.gate(f"horizontal_class{l}", left + link, lane), (0, 0))
            h = mixed if l == 1 else h + mixed
        h = self.window("output1", self.relu("last", h), (0, 0))
        return self.window("output2", self.relu("output1", h), (0, 0))

    def loss(self, lane):
        return F.binary_cross_entropy_with_logits(self.logits(lane["pixels"], lane), lane["pixels"],
                                                  reduction="sum") / M


class Levels(Pixelcnn):
    name = "pixelcnn, levels and classes"
    cases = [(ADAM, "blas")]
    config = f"pixelcnn: {{features: 4, layers: {LAYERS}, first: {FIRST}, output: 6, levels: {LEVELS}, conditional: true}}\n"

    def lane(self, l, image, file, step):
        return {"level": torch.floor((image * 255 + 0.5) * LEVELS / 256).long().clamp(0, LEVELS - 1)}

    def of_class(self, name, lane):
        return self.linear(name, F.one_hot(lane["label"], CLASSES).double())[:, :, None, None]

    def loss(self, lane):
        level = lane["level"]
        logits = self.logits(level.double() / (LEVELS - 1), lane)
        return F.cross_entropy(logits, level[:, 0], reduction="sum") / M


class Nade(Ordered):
    name = "nade"
    cases = [(ADAM, "blas"), (SGD | {"lr": 1e-4}, "ref")]
    config = "nade: {hidden: 6}\n"

    def loss(self, lane):
        x = lane["pixels"].flatten(1)
        w, v = self.p["nade/in/weight"], self.p["nade/out/weight"]
        hidden = torch.stack([torch.sigmoid(self.p["nade/hidden"] + x[:, :i] @ w[:i]) for i in range(x.shape[1])], 1)
        logits = (hidden * v).sum(2) + self.p["nade/visible"]
        return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / M


METHODS = [Pixelcnn, Levels, Nade]
