#!/bin/bash
# lightly 1.6.0 (PyTorch 2.13.0), gather_distributed=True: some losses are that of the whole batch on any number of processes, others
# are another loss on every number of them.
#
# Good guess: gather_distributed=True makes a loss, and the gradient that DistributedDataParallel averages, that of the batch of all
# processes, so a run that goes on with the same global batch on more of them minimises the same thing.
# Seen, one batch of 64 pairs on 1, 2 and 4 processes, a linear map as the model, all in float64; the mean loss, and the angle
# between the averaged gradient on 4 processes and that of one:
#   NTXentLoss, DCLLoss, VICRegLoss, TiCoLoss, CAPILoss   the same, 0 degrees
#   BarlowTwinsLoss   0.0427  0.0425  0.0433    13 degrees: each process normalises by the mean and variance of its own part
#   MSNLoss           1.0365  1.0690  1.1916    11 degrees: the entropy of the mean prediction is that of its own part
#   PMSNLoss          1.0607  1.1003  1.3065    22 degrees: as MSNLoss
#   DCLWLoss          0.4736  0.4733  0.4702   0.2 degrees: the weights are a softmax over its own part
# (What is gathered is the cross-correlation, the sinkhorn sums, the negatives.) What works: for these four, keep the number of
# samples per process when the number of processes changes, and expect no equal losses.
#
# Exits 0 when lightly still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GLOO_SOCKET_IFNAME=lo
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install torch==2.13.0 torchvision==0.28.0 lightly==1.6.0 numpy==2.4.6 2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
cat >"$folder/losses.py" <<'END_PYTHON'
import os

import torch

# torchvision's operators fit one build of PyTorch; none is used here.
register_fake, torch.library.register_fake = torch.library.register_fake, lambda *_, **__: lambda function: function
import torchvision  # noqa: E402, F401

torch.library.register_fake = register_fake
import lightly.loss as losses  # noqa: E402

whole = ("NTXentLoss", "DCLLoss", "VICRegLoss", "TiCoLoss", "CAPILoss")
parts = ("BarlowTwinsLoss", "MSNLoss", "PMSNLoss", "DCLWLoss")
folder = os.path.dirname(os.path.abspath(__file__))


def run(rank, processes):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet{processes}", rank=rank, world_size=processes)
    random = torch.Generator().manual_seed(0)
    x, noise, model, prototypes = (torch.randn(n, 8, generator=random, dtype=torch.float64) for n in (64, 64, 8, 16))
    mine = slice(rank * 64 // processes, (rank + 1) * 64 // processes)
    seen = {}
    for name in whole + parts:
        map = model.clone().requires_grad_()
        a, b = x[mine] @ map, (x + 0.3 * noise)[mine] @ map
        inputs = (a[:, None], b[:, None]) if name == "CAPILoss" else (a, b, prototypes) if "MSN" in name else (a, b)
        loss = getattr(losses, name)(gather_distributed=True)(*inputs)
        both = torch.cat([loss.detach().reshape(1), torch.autograd.grad(loss, map)[0].flatten()])
        torch.distributed.all_reduce(both)
        seen[name] = both / processes
    if rank == 0:
        torch.save(seen, f"{folder}/seen{processes}")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    for processes in (1, 2, 4):
        torch.multiprocessing.spawn(run, (processes,), processes)
    one, two, four = (torch.load(f"{folder}/seen{processes}") for processes in (1, 2, 4))
    for name in whole + parts:
        angle = float(torch.rad2deg(torch.arccos(torch.cosine_similarity(one[name][1:], four[name][1:], dim=0).clamp(max=1))))
        print(f"{name:15} %.4f  %.4f  %.4f  %.1f degrees" % (one[name][0], two[name][0], four[name][0], angle))
        if name in whole:
            assert torch.allclose(one[name], two[name], rtol=1e-9) and torch.allclose(one[name], four[name], rtol=1e-9)
        else:
            assert angle > 0.1 and abs(one[name][0] - two[name][0]) > 1e-4 and abs(one[name][0] - four[name][0]) > 5e-4
    print("as recorded")
END_PYTHON
"$folder/venv/bin/python" -W ignore "$folder/losses.py"
