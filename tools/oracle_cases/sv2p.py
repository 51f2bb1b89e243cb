import math

import torch
import torch.nn.functional as F
from oracle_cases.parts.clips import FRAMES, made_clips
from oracle_cases.parts.draws import normals, samples, uniforms
from oracle_cases.parts.method import M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

PAST, FEATURES, KERNELS, WINDOW, LATENT, BETA, SAMPLING = 2, 3, 3, 5, 4, 0.02, 3


class Sv2p(Method):
    """The divergence costs from the first step on; frames that are seen are true or made."""
    name = "sv2p"
    cases = [(ADAM, "blas"), (SGD | {"lr": 1e-2}, "ref")]
    config = (f"sv2p: {{past: {PAST}, future: {FRAMES - PAST}, features: {FEATURES}, kernels: {KERNELS}, window: {WINDOW}, latent: {LATENT}, "
              f"beta: {BETA}, random_epochs: 0, free_epochs: 0, rise_epochs: 0, sampling: {SAMPLING}}}\n")
    inferred = True
    network = ""
    data = ", images: /frames, labels: \"\", fields: {clip: /clips}"
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        clip = torch.tensor(made_clips()[l * M:(l + 1) * M] / 255.0).permute(1, 0, 4, 2, 3)
        noise = torch.tensor([list(normals(LATENT, 12, step, k)) for k in samples(l)])
        draws = torch.tensor([list(uniforms(LATENT + FRAMES, 12, step, k)[LATENT:]) for k in samples(l)])
        return {"clip": clip, "noise": noise, "truth": draws < SAMPLING / (SAMPLING + math.exp(step / SAMPLING))}

    def activation(self, what):
        """Of a frame: choices have names of their own."""
        return lambda name, x: self.relu(f"{name} of {what}", x)

    def down(self, name, x, pad, what):
        x = F.conv2d(x, self.p[name + "/weight"].permute(0, 3, 1, 2), stride=2, padding=pad)
        return self.norm(name + "/norm", x, self.activation(what))

    def foretell(self, seen, latent, state, t):
        outer = self.down("encoder1", seen, 2, t)
        inner = self.down("encoder2", outer, 1, t)
        h, c = state or (torch.zeros_like(inner),) * 2
        gates = self.conv("memory", torch.cat([inner, h], 1)) + self.linear("memory/latent", latent)[:, :, None, None]
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        x = self.norm("decoder1/norm", self.transposed("decoder1", h), self.activation(t))
        x = self.norm("decoder2/norm", self.transposed("decoder2", torch.cat([x, outer], 1)), self.activation(t))
        made = torch.sigmoid(F.conv2d(x, self.p["made/weight"].permute(0, 3, 1, 2), self.p["made/bias"]))
        masks = torch.softmax(F.conv2d(x, self.p["masks/weight"].permute(0, 3, 1, 2), self.p["masks/bias"]), 1)
        kernels = torch.softmax(self.linear("kernels", h.permute(0, 2, 3, 1).flatten(1)).view(M, KERNELS, WINDOW * WINDOW), 2)
        moved = F.conv2d(seen.transpose(0, 1), kernels.view(M * KERNELS, 1, WINDOW, WINDOW), padding=WINDOW // 2, groups=M)
        moved = moved.view(M, KERNELS, *seen.shape[2:])
        return (torch.cat([moved, seen, made], 1) * masks).sum(1, keepdim=True), (h, c)

    def loss(self, lane):
        clip, latent, total, state = lane["clip"], lane["noise"], 0.0, None
        if self.inferred:
            x = clip.transpose(0, 1).flatten(1, 2)
            for name in ("posterior1", "posterior2", "posterior3"):
                x = self.down(name, x, 1, "all")
            x = x.permute(0, 2, 3, 1).flatten(1)
            posterior = torch.distributions.Normal(self.linear("posterior/mean", x),
                                                   torch.exp(self.linear("posterior/log_variance", x) / 2))
            total = BETA * torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum() / M
            latent = posterior.mean + posterior.stddev * latent
        seen = clip[0]
        for t in range(1, FRAMES):
            made, state = self.foretell(seen, latent, state, t)
            total = total + ((made - clip[t]) ** 2).mean()
            truth = lane["truth"][:, t - PAST, None, None, None] if t >= PAST else torch.tensor(True)
            seen = torch.where(truth, clip[t], made)
        return total


class Sv2pRandom(Sv2p):
    name, inferred = "sv2p, random", False
    config = Sv2p.config.replace("random_epochs: 0", "random_epochs: 100")
    cases = [(ADAM, "blas")]


METHODS = [Sv2p, Sv2pRandom]
