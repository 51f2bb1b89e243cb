"""Optimisers: PyTorch's, and LARS and LAMB from their papers; and the settings that cases use."""
import torch

SGD = {"method": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": "true", "weight_decay": 0.01}
ADAM = {"method": "adam", "lr": 0.002, "weight_decay": 0.01}
ADAMW = {"method": "adamw", "lr": 0.002, "weight_decay": 0.1}
LARS = {"method": "lars", "lr": 2.0, "momentum": 0.9, "weight_decay": 0.01, "trust": 0.01}
LAMB = {"method": "lamb", "lr": 0.01, "weight_decay": 0.1, "epsilon": 1e-6}
CLIP = {"clip_norm": 0.3}  # of gradients with norms from 0.3 to 3

MOMENTS = {"first_moment": "exp_avg", "second_moment": "exp_avg_sq"}
STATES = {"sgd": {"velocity": "momentum_buffer"}, "adam": MOMENTS, "adamw": MOMENTS, "lars": {"velocity": "velocity"},
          "lamb": MOMENTS}


class Layerwise(torch.optim.Optimizer):
    """LARS, You et al. 2017, algorithm 1, and LAMB, You et al. 2020, algorithm 2. Group key `ratio`: whether it has one."""

    def __init__(self, groups, o):
        super().__init__(groups, {})
        self.o = o

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                with torch.no_grad():
                    getattr(self, self.o["method"])(p, group["weight_decay"], group["ratio"], self.state[p])

    def lars(self, w, decay, has_ratio, state):
        ratio = self.o["trust"] * w.norm() / (w.grad.norm() + decay * w.norm())
        ratio = ratio if has_ratio and w.norm() > 0 and w.grad.norm() > 0 else 1
        v = self.o["momentum"] * state.get("velocity", 0) + self.o["lr"] * ratio * (w.grad + decay * w)
        state["velocity"] = v
        w -= v

    def lamb(self, x, decay, has_ratio, state):
        t = state["step"] + 1
        m = 0.9 * state["exp_avg"] + 0.1 * x.grad
        v = 0.999 * state["exp_avg_sq"] + 0.001 * x.grad ** 2
        state["exp_avg"], state["exp_avg_sq"] = m, v
        r = m / (1 - 0.9 ** t) / (torch.sqrt(v / (1 - 0.999 ** t)) + self.o["epsilon"]) + decay * x
        x -= self.o["lr"] * (x.norm() / r.norm() if has_ratio and x.norm() > 0 and r.norm() > 0 else 1) * r


def states_of(o):
    return STATES[o["method"]] if o.get("momentum", 1) else {}


def optimizer(model, o, step, file, trained):
    """Weights decay; biases, BatchNorm, gains and atoms do not, unless included. State: that of the checkpoint after `step` updates."""
    everything = o.get("include_biases") == "true"
    decays = [k for k in trained if k.endswith("/weight") and not k.startswith(("first/", "atoms/"))]
    groups = [{"params": [model.p[k] for k in trained if (k in decays) == weights],
               "weight_decay": o["weight_decay"] if weights or everything else 0, "ratio": weights or everything}
              for weights in (True, False)]
    if o["method"] == "sgd":
        opt = torch.optim.SGD(groups, lr=o["lr"], momentum=o["momentum"], nesterov=True)
    elif o["method"] == "adam":
        opt = torch.optim.Adam(groups, lr=o["lr"], eps=o.get("epsilon", 1e-8))
    elif o["method"] == "adamw":
        opt = torch.optim.AdamW(groups, lr=o["lr"])
    else:
        opt = Layerwise(groups, o)
    for k in trained:
        opt.state[model.p[k]] = {theirs: torch.tensor(file[f"optimizer/{k}/{ours}"][()], dtype=torch.float64)
                                 for ours, theirs in states_of(o).items()}
        if o["method"] in ("adam", "adamw", "lamb"):
            opt.state[model.p[k]]["step"] = torch.tensor(float(model.updates(k, step)))
    return opt
