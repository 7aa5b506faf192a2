"""The `multistable` command."""

import argparse
import dataclasses
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from multistable._utils.version import __version__
from multistable._utils.wording import counted

if TYPE_CHECKING:
    from multistable.experiments.demo import DemoResult

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after `multistable`; by default those of the process.

    Returns:
        The exit status: 0; 1 where a run failed; 2 where arguments are wrong or an extra is missing; 130 after Ctrl-C.
    """
    parser = _parser()
    # Words after an option, which argparse gives to no positional argument that has some already.
    options, words = parser.parse_known_args(arguments)
    if words and (not hasattr(options, "overrides") or any(word.startswith("-") for word in words)):
        parser.error(f"unrecognized arguments: {' '.join(words)}")
    if words:
        options.overrides += words
    command: Callable[[argparse.Namespace], int] = options.function
    try:
        return command(options)
    except _RefusedError as refused:
        print(f"multistable {options.command}: {refused}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"multistable {options.command}: interrupted", file=sys.stderr)
        return 130


_FAILURES = (FloatingPointError, MemoryError, OSError)
"""What can go wrong with work that nothing stood in the way of: divergence, too little memory, a full disk."""


class _RefusedError(Exception):
    """Something is wrong with the arguments, or an extra is missing; no work has been done."""


@contextmanager
def _before_any_work() -> Iterator[None]:
    """Where what is wrong is the user's to mend."""
    try:
        yield
    except (ImportError, MemoryError, OSError, TypeError, ValueError) as error:
        raise _RefusedError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="multistable", description="Recurrent networks that remember.")
    parser.add_argument("--version", action="version", version=f"multistable {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_demo(commands)
    _add_run(commands)
    _add_sweep(commands)
    _add_report(commands)
    return parser


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must be a path, got ''")
    return Path(text)


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = commands.add_parser(
        "demo",
        help="train a network without and with multistability warmup",
        description="Train one recurrent network on copy first input without and with multistability warmup, on the "
        "same batches from the same weights. Writes result.json, curves.png and multistability.png.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    demo.add_argument("--cell", default="gru", help="rnn, gru, lstm, mgu, brc, nbrc or chrono (an LSTM)")
    demo.add_argument("--double", action="store_true", help="use double layers, of which one half is warmed up")
    demo.add_argument("--hardness", type=float, default=0.0, help="of the gates at the end of training")
    demo.add_argument("--length", type=int, default=100, help="steps in a sequence")
    demo.add_argument("--hidden", type=int, default=64, help="hidden units in a layer")
    demo.add_argument("--layers", type=int, default=2, help="recurrent layers")
    demo.add_argument("--steps", type=int, default=1000, help="training steps")
    demo.add_argument("--warmup-steps", type=int, default=100, help="steps of warmup")
    demo.add_argument("--batch-size", type=int, default=32, help="sequences in a batch")
    demo.add_argument("--lr", type=float, default=1e-3, help="learning rate in training")
    demo.add_argument("--seed", type=int, default=0, help="draws weights, sequences and the warmup")
    demo.add_argument("--out", type=_path, default=Path("demo"), help="folder for the results")
    demo.set_defaults(function=_demo)


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser(
        "run",
        help="run one experiment, or what is left of it",
        description="Run the experiment of a YAML file. Its folder lies under the folder of all runs, and is "
        "named by task, cell, variant, setting and seed. A finished run is not run again; an interrupted one goes on. "
        "Started by torchrun (torchrun --nproc-per-node 2 -m multistable run ...), it trains on several devices.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    run.add_argument("config", type=_path, help="a YAML file, or the name of an experiment, such as small/pixels")
    run.add_argument("overrides", nargs="*", metavar="key=value", help="settings that come after the file's")
    run.add_argument("--runs", type=_path, default=Path("runs"), help="folder of all runs")
    run.add_argument("--logger", default="none", help="none, tensorboard or wandb, besides metrics.csv")
    run.add_argument("--progress", action="store_true", help="show progress bars")
    run.set_defaults(function=_run)


def _add_sweep(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    sweep = commands.add_parser(
        "sweep",
        help="run many experiments, or what is left of them",
        description="Run a grid of experiments on Ray. Finished runs are skipped, interrupted ones go on, and one that "
        "fails is reported while the others go on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    sweep.add_argument(
        "grid", type=_path, help="a YAML file, or the name of one of the package, such as small/denoising"
    )
    sweep.add_argument("overrides", nargs="*", metavar="key=value", help="settings for all runs")
    sweep.add_argument("--runs", type=_path, default=Path("runs"), help="folder of all runs")
    sweep.add_argument("--workers", type=int, help="runs at a time; 2, or as many as a cluster can")
    sweep.add_argument("--address", help="address of a Ray cluster; without it, workers are local")
    sweep.set_defaults(function=_sweep)


def _add_report(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    report = commands.add_parser(
        "report",
        help="write a page on all runs",
        description="Write one page, in one file, on all finished runs below a folder.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    report.add_argument("runs", type=_path, help="folder of all runs")
    report.add_argument("-o", "--out", type=_path, default=Path("report.html"), help="the page to write")
    report.set_defaults(function=_report)


def _demo(options: argparse.Namespace) -> int:
    with _before_any_work():
        for package in ("matplotlib", "rich", "tqdm"):
            if importlib.util.find_spec(package) is None:
                raise ImportError(f"the demo needs {package}: pip install 'multistable[demo]'")
        from multistable.experiments.demo import DemoConfig, run_demo
        from multistable.experiments.places import check_folder, make_folder

        names = [field.name for field in dataclasses.fields(DemoConfig)]
        config = DemoConfig(**{name: getattr(options, name) for name in names})
        check_folder("out (--out)", options.out)
        make_folder("out (--out)", options.out)
    try:
        result = run_demo(config, progress=True)
        result.save(options.out)
    except _FAILURES as error:
        print(f"multistable demo: failed: {error}", file=sys.stderr)
        return 1
    _show_demo(result, options.out)
    return 0


def _run(options: argparse.Namespace) -> int:
    with _before_any_work():
        from multistable.experiments import read_config
        from multistable.experiments._run import execute, prepare
        from multistable.experiments.store import finished
        from multistable.experiments.team import Team

        config = read_config(options.config, options.overrides)
        team = Team.of_environment()
        team.check(config)
    with team.joined(config.device):
        with _before_any_work():
            summary = finished(config, options.runs)
            if summary is None:
                prepared = prepare(config, options.runs, logger=options.logger, progress=options.progress)
        if summary is None:
            there = len(prepared.experiment.to_measure)
            if team.is_first and there < config.measure_n:
                print(f"measure_n is {config.measure_n:,}, and validation has {there:,} sequences: all are measured")
            try:
                summary = execute(prepared)
            except _FAILURES as error:
                print(f"multistable run: {config.name} failed: {error}", file=sys.stderr)
                return 1
    if team.is_first:
        print(f"{config.name}: {summary['metric']} {summary['test_metric']:.4f} (chance {summary['chance']:.4f})")
        print(
            f"VAA {summary['vaa']:.2f} at {config.measure_horizon:,} steps, residual {summary['residual']:.1e}, "
            f"certified {summary['certified']:.2f}; {sum(summary['seconds'].values()):.0f} s"
        )
        print(f"Written: {options.runs / config.name}")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    with _before_any_work():
        from multistable.experiments import read_sweep, sweep

        plan = read_sweep(options.grid, options.overrides)
        for combination in plan.left_out:
            print(f"left out, as it has no meaning: {combination}")
        outcome = sweep(plan, options.runs, workers=options.workers, address=options.address, report=_print_now)
    print(f"{len(outcome.done)} done, {len(outcome.skipped)} finished before, {len(outcome.failed)} failed")
    for name, reason in outcome.failed.items():
        print(f"multistable sweep: {name} failed: {reason}", file=sys.stderr)
    return 1 if outcome.failed else 0


def _print_now(line: str) -> None:
    print(line, flush=True)


def _report(options: argparse.Namespace) -> int:
    with _before_any_work():
        from multistable.experiments.report import write_report

        results = write_report(options.runs, options.out)
    left = len(results.unfinished)
    found = counted(len(results.runs), "finished run")
    print(f"Written: {options.out}, on {found}; {left} {'is' if left == 1 else 'are'} not finished")
    for reason in results.damaged.values():
        print(f"multistable report: left out: {reason}", file=sys.stderr)
    return 1 if results.damaged else 0


def _show_demo(result: "DemoResult", folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    figures = result.to_dict()
    config = result.config
    table = Table(
        title=f"copy first input, T = {config.length}: {config.layers} x {config.hidden} {config.cell.upper()}"
        f"{', double layers' if config.double else ''}, "
        f"{config.steps:,} training steps"
    )
    for column in ("", "chance", "without warmup", "with warmup"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row(
        "test error (MSE)",
        f"{figures['loss_chance']:.4f}",
        f"{figures['loss_plain']:.4f}",
        f"{figures['loss_warmup']:.4f}",
    )
    table.add_row(
        f"VAA after {figures['vaa_horizon']:,} steps, before training",
        "",
        f"{figures['vaa_before']:.2f}",
        f"{figures['vaa_after']:.2f}",
    )
    table.add_row(
        "VAA after 10,000 steps, before training",
        "",
        f"{figures['vaa_before_at_10000']:.2f}",
        f"{figures['vaa_after_at_10000']:.2f}",
    )
    table.add_row("seconds of warmup", "", "", f"{figures['warmup_seconds']:.1f}")
    table.add_row("seconds of training", "", *[f"{figures['training_seconds']:.1f}"] * 2)
    console = Console()
    console.print(table)
    console.print(f"Written: {folder / 'result.json'}, {folder / 'curves.png'}, {folder / 'multistability.png'}")
