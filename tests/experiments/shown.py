"""The runs that reports are tested on."""

from experiments.tiny import tiny

from multistable.experiments.config import Config

HOSTILE = "</script><script>document.title = 'taken'</script><b>&"


def configs() -> list[Config]:
    copying = [
        tiny(cell=cell, warmup=warmup, seed=seed, measure_every=2, evaluation_lengths=[3, 12])
        for cell in ("gru", "mgu")
        for warmup in (False, True)
        for seed in (0, 1)
    ]
    return [*copying, tiny("permuted_rows", batch_size=300, epochs=1, cache=HOSTILE)]
