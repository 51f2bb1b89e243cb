"""What every method has in common: a network in double precision, and what a method says of itself.

Arrays of hiss are channels last: w [F,R,S,C].
"""
import torch
import torch.nn.functional as F

LANES, M, H, WIDTH, SEED, STEPS = 2, 16, 28, 4, 3, 6
MEAN, STD, MOMENTUM_OF_STATISTICS = 0.3, 0.25, 0.1
MARGIN = 3e-6  # of the largest value of an array: what single precision cannot tell from a tie


class Method:
    """A method, and its model in PyTorch. A file of this folder has one class for each, and METHODS, the list of them.

    near: choices within MARGIN of a tie, as (margin, name, lane, place). turned: places to choose the other way.
    """

    name = ""  # as hiss names it; a comma and a word behind it tell two settings of one method apart
    cases = []  # (optimiser, kernels)
    config = ""  # lines of its own
    network = f"network: {{preset: lenet-bn, width: {WIDTH}}}\n"
    data = ""  # keys of `data`, with a comma before each
    mean, std = MEAN, STD
    phases = (None,)  # of a step, one after the other: self.phase while it runs

    def lane(self, l, image, file, step):
        """What a lane has at a step besides its images and labels. file: the checkpoint."""
        return {}

    def loss(self, lane):
        raise NotImplementedError

    def start(self, step):
        """Before a step: what a method does to its parameters when it begins another part."""

    def trained(self, step):
        """Parameters that the step trains."""
        return self.names

    def updates(self, name, step):
        """How often a parameter was updated before a step."""
        return step

    def records(self, name):
        """Whether the phase moves the running statistics of a layer."""
        return True

    def __init__(self, values, turned=()):
        self.turned, self.near, self.at_lane, self.phase = turned, [], 0, None
        self.p = {k: torch.tensor(v, dtype=torch.float64) for k, v in values.items()}
        self.buffers = [k for k in self.p if k.endswith(("/mean", "/variance")) or k.startswith(("whiten/", "colors/"))]
        self.names = [k for k in self.p if k not in self.buffers]
        for k in self.names:
            self.p[k].requires_grad_()
        self.seen = {k: [] for k in self.buffers}

    def turn(self, name, margin, choice, other):
        """choice, but `other` at the places turned."""
        margin = (margin / margin.max()).flatten()
        choice = choice.clone(memory_format=torch.contiguous_format)
        for place in torch.nonzero(margin < MARGIN).flatten().tolist():
            key = (name, self.at_lane, place)
            self.near.append((margin[place].item(), *key))
            if key in self.turned:
                choice.view(-1)[place] = other.flatten()[place]
        return choice

    def relu(self, name, x):
        on = x.detach() > 0
        return x * self.turn(name, x.detach().abs(), on, ~on)

    def leaky_relu(self, name, x):
        on = x.detach() > 0
        return x * (0.2 + 0.8 * self.turn(name, x.detach().abs(), on, ~on))

    def pool(self, name, x):
        """The largest of each square of two by two; what is left of an odd height or width is left out."""
        n, c, h, w = x.shape
        x = x[:, :, :h // 2 * 2, :w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).transpose(3, 4).flatten(4)
        best, place = torch.topk(x.detach(), 2)
        place = self.turn(name, best[..., 0] - best[..., 1], place[..., 0], place[..., 1])
        return x.gather(-1, place.unsqueeze(-1)).squeeze(-1)

    def conv(self, name, x, stride=1):
        return F.conv2d(x, self.p[name + "/weight"].permute(0, 3, 1, 2), self.p.get(name + "/bias"), stride, padding=1)

    def transposed(self, name, x):
        w = self.p[name + "/weight"].permute(0, 3, 1, 2)
        return F.conv_transpose2d(x, w, self.p.get(name + "/bias"), stride=2, padding=1)

    def linear(self, name, x):
        return F.linear(x, self.p[name + "/weight"], self.p.get(name + "/bias"))

    def norm(self, name, x, unit=None):
        """unit: what follows; a ReLU if it is not given."""
        dims = [0, 2, 3] if x.dim() == 4 else [0]
        shape = [1, -1, 1, 1] if x.dim() == 4 else [1, -1]
        mean, var = x.mean(dims), x.var(dims, unbiased=False)
        count = x.numel() / x.shape[1]
        if self.records(name):
            self.seen[name + "/mean"].append(mean.detach())
            self.seen[name + "/variance"].append(var.detach() * count / (count - 1))
        y = (x - mean.view(shape)) / torch.sqrt(var.view(shape) + 1e-5)
        return (unit or self.relu)(name, y * self.p[name + "/gamma"].view(shape) + self.p[name + "/beta"].view(shape))

    def trunk(self, x):
        for name in ("conv1", "conv2", "conv3"):
            x = self.norm(name + "/norm", self.pool(name, self.conv(name, x)))
        return self.norm("fc1/norm", self.linear("fc1", x.permute(0, 2, 3, 1).flatten(1)))
