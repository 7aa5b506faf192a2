"""Property tests draw the same examples in every run; tensors are tiny, so that threads would only cost time."""

import torch
from hypothesis import settings

settings.register_profile("multistable", deadline=None, derandomize=True)
settings.load_profile("multistable")
torch.set_num_threads(1)
