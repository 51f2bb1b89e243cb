"""Methods that see an image as patches: what hiss draws for them, and their network, lenet-bn up to flatten."""
import torch
import torch.nn.functional as F

from .draws import samples, stream
from .method import Method


class Draws:
    """Integers from a stream: (purpose, when, id)."""

    def __init__(self, *name, **seed):
        self.words = iter(int(w) for w in stream(400, *name, **seed))

    def below(self, n):
        mask = (1 << (n - 1).bit_length()) - 1
        while (value := next(self.words) & mask) >= n:
            pass
        return value


def normalized(patch):
    patch = patch - patch.mean()
    root = (patch ** 2).mean().sqrt()
    return patch / root if root > 1e-5 else patch * 0


class Pretext(Method):
    side = 0

    def corners(self, draws):
        """The right answer, and the corners (y, x) of the patches in the order that the network sees them."""
        raise NotImplementedError

    def lane(self, l, image, file, step):
        patches, answers = [], []
        for picture, k in zip(image, samples(l)):
            answer, corners = self.corners(Draws(12, step, k))
            answers.append(answer)
            patches += [normalized(picture[:, y:y + self.side, x:x + self.side]) for y, x in corners]
        return {"patches": torch.stack(patches), "answer": torch.tensor(answers)}

    def loss(self, lane):
        x = lane["patches"]
        for name in ("conv1", "conv2", "conv3"):
            x = self.norm(name + "/norm", self.pool(name, self.conv(name, x)))
        x = self.norm("code/norm", self.linear("code", x.permute(0, 2, 3, 1).flatten(1)))
        x = self.norm("hidden/norm", self.linear("hidden", x.reshape(len(lane["answer"]), -1)))
        return F.cross_entropy(self.linear("scores", x), lane["answer"])
