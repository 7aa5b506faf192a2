"""The recurrences as kernels for a GPU, in Triton: one launch takes all steps.

The inputs' share of the drive is one product before it, the gradients of weights and inputs are products after it. The
gates are left in the form in which the passes on a CPU leave them. A file for each recurrence holds its kernels:

- elementwise (BRC): a program takes one sequence and up to 128 of its units;
- resident: a program takes 16 sequences with all units, and holds the recurrent weights;
- streamed: the same where the weights are too many to hold. They come from the cache in each step, block by block, and
  the state lies in memory between steps: a barrier stands wherever one part of the program's threads reads what another
  has written.
"""

from multistable.nn.ops.triton._run import hold, scan, scan_backward

__all__ = ["hold", "scan", "scan_backward"]
