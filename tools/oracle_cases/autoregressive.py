"""Models of pixels in order. PixelCNN here has square kernels whose weights at the pixel and behind it are zeros, as most
programs do it, NADE one product for each pixel, and RIDE a scan place by place: other ways to the same functions."""
import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.draws import binary, samples, uniforms
from oracle_cases.parts.method import H, M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

LAYERS, FIRST, KERNEL, LEVELS, CLASSES = 3, 5, 3, 16, 10
UNITS, REACH, COMPONENTS = 5, 2, 3


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


class Ride(Ordered):
    name = "ride"
    cases = [(ADAM, "blas"), (SGD | {"lr": 1e-5}, "ref")]
    config = f"ride: {{hidden: {UNITS}, window: {REACH}, components: {COMPONENTS}}}\n"

    def lane(self, l, image, file, step):
        uniform = np.array([uniforms(H * H, 12, step, k) for k in samples(l)])
        return {"pixels": (torch.round(image * 255) + torch.tensor(uniform).view(image.shape)) / 256}

    def scan(self, window):
        """[m,H,W,C] -> [m,H,W,U], a place after the other."""
        zero = torch.zeros(window.shape[0], UNITS, dtype=torch.float64)
        above = [(zero, zero)] * H
        rows = []
        for r in range(H):
            left, row = (zero, zero), []
            for c in range(H):
                seen = torch.cat([window[:, r, c], left[0], above[c][0]], 1)
                g, i, o, fl, fu = self.linear("lstm", seen).chunk(5, 1)
                memory = (torch.tanh(g) * torch.sigmoid(i) + left[1] * torch.sigmoid(fl) + above[c][1] * torch.sigmoid(fu))
                left = (torch.sigmoid(o) * torch.tanh(memory), memory)
                row.append(left)
            above = row
            rows.append(torch.stack([h for h, _ in row], 1))
        return torch.stack(rows, 1)

    def loss(self, lane):
        x = lane["pixels"]
        padded = F.pad(x, (REACH, REACH, REACH, 0))[:, 0]
        window = torch.stack([padded[:, r:r + H, c:c + H] for r in range(REACH + 1) for c in range(2 * REACH + 1)
                              if r < REACH or c < REACH], 3)
        weight, mean, scale = self.linear("mixture", torch.cat([self.scan(window), window], 3)).chunk(3, 3)
        mean, scale = mean + (torch.arange(COMPONENTS) + 0.5) / COMPONENTS, scale - 3
        x = x.permute(0, 2, 3, 1)
        t = (x - mean) / torch.exp(scale)
        density = F.logsigmoid(t) + F.logsigmoid(-t) - scale
        return -torch.logsumexp(F.log_softmax(weight, 3) + density, 3).sum() / M


METHODS = [Pixelcnn, Levels, Nade, Ride]
