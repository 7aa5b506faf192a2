"""Layers and cells in plain operations: traced for TorchScript, and exported to ONNX."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from devices import here, random
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, BRCCell, MGUCell, NBRCCell

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")  # deprecated in torch, and still in use
I, H, B, T = 3, 4, 2, 3


def flat(results: Any) -> list[Tensor]:
    outputs, last = results
    return [outputs, *(last if isinstance(last, tuple) else [last])]


def saved_and_loaded(module: nn.Module, *example: Tensor) -> Any:
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, example), file)
    file.seek(0)
    return torch.jit.load(file)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [GRU, LSTM, MGU, BRC, NBRC])
def test_a_traced_layer_is_the_layer_for_any_batch(kind: Any, bidirectional: bool) -> None:
    layer = here(kind(I, H, batch_first=True, bidirectional=bidirectional, dtype=torch.float64, hardness=0.1))
    traced = saved_and_loaded(layer, random(B, T, I))
    x = random(3, T, I)
    torch.testing.assert_close(flat(traced(x)), flat(layer(x)), rtol=1e-12, atol=1e-13)
    assert not [node for node in traced.inlined_graph.nodes() if "multistable" in node.kind()]
    with pytest.raises(RuntimeError, match="Expected 3 elements in a list but found 4"):
        traced(random(B, T + 1, I))  # refused, and not answered wrongly


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("kind", [MGUCell, BRCCell, NBRCCell])
def test_a_traced_cell_is_the_cell_for_any_batch(kind: Any) -> None:
    cell = here(kind(I, H, dtype=torch.float64, hardness=0.1))
    traced = saved_and_loaded(cell, random(B, I), random(B, H))
    x, h = random(3, I), random(3, H)
    torch.testing.assert_close(traced(x, h), cell(x, h), rtol=1e-12, atol=1e-13)


class Packing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.brc = BRC(I, H)

    def forward(self, x: Tensor) -> Any:
        return self.brc(PackedSequence(x, torch.ones(T, dtype=torch.long)))[1]


def test_packed_sequences_are_not_traced() -> None:
    message = (
        "torch.jit.trace takes brc without a PackedSequence, whose lengths would be fixed: pass padded sequences, and "
        "read the outputs at their ends"
    )
    with pytest.raises(NotImplementedError, match=f"^{re.escape(message)}$"):
        torch.jit.trace(Packing(), torch.randn(T, I))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch, onnx and onnxscript about each other
def test_an_onnx_model_takes_any_length_and_batch(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    reference = pytest.importorskip("onnx.reference")
    layer = LSTM(I, H, 2, batch_first=True, hardness=0.1).eval()
    batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=1)
    program = torch.onnx.export(
        layer, (torch.randn(B, T, I),), dynamic_shapes=({0: batch, 1: length},), dynamo=True, verbose=False
    )
    assert program is not None
    program.save(tmp_path / "layer.onnx")
    exported = onnx.load(tmp_path / "layer.onnx")
    onnx.checker.check_model(exported)
    assert sum(node.op_type == "Scan" for node in exported.graph.node) == 2
    evaluator = reference.ReferenceEvaluator(exported)
    for sequence_count, steps in ((B, T), (1, 9), (3, 1)):
        x = torch.randn(sequence_count, steps, I)
        found = [torch.from_numpy(one) for one in evaluator.run(None, {exported.graph.input[0].name: x.numpy()})]
        torch.testing.assert_close(found, flat(layer(x)), rtol=1e-5, atol=1e-6)
