#!/bin/bash
# lightly 1.6.0 (PyTorch 2.13.0): what a loss remembers from batch to batch is in its state_dict() for some losses, and not for others.
#
# Good guess: the bank of negatives of MoCo is a registered buffer and the covariance of TiCo is a moving average of the loss, so
# a checkpoint holds them as it holds the centre of DINO; what it cannot restore load_state_dict() reports.
# Seen, 20 batches, state_dict() loaded into a new loss, the next batch given to both; the loss of the one that ran on, of the
# resumed one, and what the checkpoint holds:
#   DINOLoss                      the same        center
#   IBOTPatchLoss                 the same        center.center
#   NTXentLoss with a bank (MoCo) 6.76, 5.08      nothing: the resumed run starts on random negatives
#   TiCoLoss                      5.94, 0.67      nothing: the covariance starts at zero
#   NNMemoryBankModule (NNCLR)    0.98, 0.74      nothing: random vectors as positives (seen: the cosine to them)
# "All keys matched" each time. The buffers of the bank are registered with persistent=False, TiCo's C is a plain attribute.
# What works: save and restore loss.memory_bank.bank, loss.memory_bank.bank_ptr and loss.C by hand.
#
# Exits 0 when lightly still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install torch==2.13.0 torchvision==0.28.0 lightly==1.6.0 numpy==2.4.6 2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
"$folder/venv/bin/python" - <<'END_PYTHON'
import torch

# torchvision's operators fit one build of PyTorch; none is used here.
register_fake, torch.library.register_fake = torch.library.register_fake, lambda *_, **__: lambda function: function
import torchvision  # noqa: E402, F401

torch.library.register_fake = register_fake
from lightly.loss import DINOLoss, IBOTPatchLoss, NTXentLoss, TiCoLoss  # noqa: E402
from lightly.models.modules import NNMemoryBankModule  # noqa: E402

torch.manual_seed(0)
batch, dim = 64, 16
offset = torch.arange(dim) / 4 + 1  # features of one sign, as behind a ReLU
mask = torch.ones(batch, 1, 1, dtype=torch.bool)
views = [(view, view + 0.1 * torch.randn(batch, dim)) for view in torch.randn(21, batch, dim) + offset]
made = {
    "DINOLoss": (lambda: DINOLoss(dim), lambda loss, a, b: loss([a, b], [a, b])),
    "IBOTPatchLoss": (lambda: IBOTPatchLoss(dim), lambda loss, a, b: loss(a, b, mask)),
    "NTXentLoss": (lambda: NTXentLoss(memory_bank_size=(1024, dim)), lambda loss, a, b: loss(a.requires_grad_(), b)),
    "TiCoLoss": (TiCoLoss, lambda loss, a, b: loss(a, b)),
    "NNMemoryBankModule": (lambda: NNMemoryBankModule((1024, dim)), lambda bank, a, b: torch.cosine_similarity(bank(a, update=True), a).mean()),
}
for name, (make, apply) in made.items():
    old, new = make(), make()
    for a, b in views[:20]:
        apply(old, a, b)
    checkpoint = old.state_dict()
    matched = str(new.load_state_dict(checkpoint))
    ran_on, resumed = (apply(loss, *views[20]).item() for loss in (old, new))
    print(f"{name:18} ran on {ran_on:.4f}, resumed {resumed:.4f}, checkpoint {list(checkpoint)}, {matched}")
    assert matched == "<All keys matched successfully>"
    if name in ("DINOLoss", "IBOTPatchLoss"):
        assert len(checkpoint) == 1 and ran_on == resumed
    else:
        assert len(checkpoint) == 0 and abs(ran_on - resumed) > 0.1 * ran_on
print("as recorded")
END_PYTHON
