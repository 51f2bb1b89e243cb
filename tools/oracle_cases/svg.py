import numpy as np
import torch
import torch.nn.functional as F
from oracle_cases.parts.clips import FRAMES, SIDE, made_actions, made_clips
from oracle_cases.parts.draws import normals, samples
from oracle_cases.parts.method import M, Method
from oracle_cases.parts.optimizers import ADAM, SGD

PAST, CODE, HIDDEN, LAYERS, LATENT, BETA, LEVELS = 3, 10, 12, 2, 4, 0.02, 2


def settings(prior, actions="none"):
    return (f"svg: {{prior: {prior}, actions: {actions}, past: {PAST}, future: {FRAMES - PAST}, features: 3, code: {CODE}, hidden: {HIDDEN}, "
            f"layers: {LAYERS}, latent: {LATENT}, beta: {BETA}}}\n")


class Svg(Method):
    """Two levels, so that the decoder joins what it is given twice; beta lets both parts of the loss be seen."""
    name = "svg"
    cases = [(ADAM, "blas"), (SGD | {"lr": 1e-2}, "ref")]
    prior, actions = "learned", False
    config = settings("learned")
    network = ""
    data = ", images: /frames, labels: \"\", fields: {clip: /clips}"
    mean, std = 0, 1

    def lane(self, l, image, file, step):
        clip = torch.tensor(made_clips()[l * M:(l + 1) * M] / 255.0).permute(1, 0, 4, 2, 3)
        noise = np.array([normals((FRAMES - 1) * LATENT, 12, step, k).reshape(FRAMES - 1, LATENT) for k in samples(l)])
        action = torch.tensor(made_actions()[l * M:(l + 1) * M].astype(float)).transpose(0, 1)
        return {"clip": clip, "noise": torch.tensor(noise).transpose(0, 1), "action": action}

    def leaky(self, t):
        """Of frame t: choices have names of their own."""
        return lambda name, x: self.leaky_relu(f"{name} of frame {t}", x)

    def encode(self, x, t):
        levels = []
        for name in ("encoder1", "encoder2"):
            x = F.conv2d(x, self.p[name + "/weight"].permute(0, 3, 1, 2), stride=2, padding=1)
            x = self.norm(name + "/norm", x, self.leaky(t))
            levels.append(x)
        x = self.linear("code", x.permute(0, 2, 3, 1).flatten(1))
        return self.norm("code/norm", x, lambda name, x: torch.tanh(x)), levels

    def decode(self, code, levels, t):
        side = SIDE >> LEVELS
        x = self.linear("decoder1", code).view(M, side, side, -1).permute(0, 3, 1, 2)
        x = self.norm("decoder1/norm", x, self.leaky(t))
        x = self.norm("decoder2/norm", self.transposed("decoder2", torch.cat([x, levels[1]], 1)), self.leaky(t))
        return torch.sigmoid(self.transposed("decoder3", torch.cat([x, levels[0]], 1)))

    def remember(self, name, x, layers, state):
        x = self.linear(name + "/embed", x)
        for l in range(layers):
            h, c = state.get((name, l), (torch.zeros(M, HIDDEN, dtype=x.dtype),) * 2)
            i, f, g, o = self.linear(f"{name}/lstm{l + 1}", torch.cat([x, h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            x = torch.sigmoid(o) * torch.tanh(c)
            state[name, l] = x, c
        return x

    def gaussian(self, name, code, state):
        x = self.remember(name, code, 1, state)
        return torch.distributions.Normal(self.linear(name + "/mean", x), torch.exp(self.linear(name + "/log_variance", x) / 2))

    def loss(self, lane):
        clip, state, seen, total = lane["clip"], {}, {}, 0.0
        code, seen[0] = self.encode(clip[0], 0)
        for t in range(1, FRAMES):
            latent = []
            if self.prior != "none" or t + 1 < FRAMES:  # nobody asks for the code of the last frame
                target, seen[t] = self.encode(clip[t], t)
            if self.prior != "none":
                posterior = self.gaussian("posterior", target, state)
                prior = self.gaussian("prior", code, state) if self.prior == "learned" else torch.distributions.Normal(0.0, 1.0)
                total = total + BETA * torch.distributions.kl_divergence(posterior, prior).sum() / M
                latent = [posterior.mean + posterior.stddev * lane["noise"][t - 1]]
            done = [lane["action"][t - 1]] if self.actions else []
            x = self.remember("predictor", torch.cat([code, *latent, *done], 1), LAYERS, state)
            made = self.decode(torch.tanh(self.linear("predictor/code", x)), seen[min(t - 1, PAST - 2)], t)
            total = total + ((made - clip[t]) ** 2).mean()
            code = target
        return total


class SvgFixed(Svg):
    name, prior, config = "svg, fixed", "fixed", settings("fixed")
    cases = [(ADAM, "ref")]


class SvgNone(Svg):
    name, prior, config = "svg, none", "none", settings("none")
    cases = [(ADAM, "blas")]


class SvgActions(Svg):
    name, actions, config = "svg, by actions", True, settings("learned", "given")
    data = ", images: /frames, labels: \"\", fields: {clip: /clips, action: /actions}"
    cases = [(ADAM, "blas")]


METHODS = [Svg, SvgFixed, SvgNone, SvgActions]
