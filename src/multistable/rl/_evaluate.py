"""`evaluate`: how well a deep recurrent Q-network does without exploration."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from multistable.rl._agents import Greedy
from multistable.rl._encoding import Encoding, encoding_of
from multistable.rl._rollouts import rollouts
from multistable.rl.drqn import DRQN

__all__ = ["Evaluation", "Optimal", "check_envs", "check_network", "check_optimal", "evaluate"]

Optimal = Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.bool_]]
"""The returns (N,) and steps (N,) of episodes -> which of them were optimal, (N,)."""


@dataclass(frozen=True)
class Evaluation:
    """How a greedy agent did in a number of rollouts.

    Attributes:
        mean_return: the mean sum of rewards, undiscounted.
        mean_steps: the mean number of steps.
        share_optimal: the share of rollouts that were optimal, in [0, 1]; None if `evaluate` was not told which are.
    """

    mean_return: float
    mean_steps: float
    share_optimal: float | None

    def to_dict(self) -> dict[str, Any]:
        """The same in types that JSON knows."""
        return asdict(self)


def evaluate(
    network: DRQN, envs: VectorEnv[Any, Any, Any], *, optimal: Optimal | None = None, seed: int | None = None
) -> Evaluation:
    """Play one episode in each of N environments at once, and always take the action of the highest value.

    Args:
        network: the network.
        envs: N environments whose episodes end, by a time limit at the latest, in any autoreset mode but "Disabled".
        optimal: tells from the returns (N,) and steps (N,) of episodes which of them were optimal, as
            `optimal_in_t_maze(length)` does.
        seed: passed on to the environments' `reset`; by default they go on with the random state that they have.

    Returns:
        Means over the rollouts.

    Raises:
        TypeError: an argument has the wrong type, the actions are not `Discrete`, or the observations are neither
            `Discrete` nor `Box`.
        ValueError: the network's sizes do not fit the environments, their autoreset mode is "Disabled", or an
            observation or reward is NaN or infinite.
        FloatingPointError: a value of an action is NaN or infinite.

    Examples:
        >>> import torch
        >>> from multistable.rl import DRQN, TMazeVectorEnv, evaluate, optimal_in_t_maze
        >>> _ = torch.manual_seed(0)
        >>> drqn = DRQN(torch.nn.GRU(9, 8), num_actions=4)
        >>> evaluation = evaluate(drqn, TMazeVectorEnv(num_envs=50, length=20), optimal=optimal_in_t_maze(20), seed=0)
        >>> evaluation.share_optimal
        0.0
    """
    check_network(network, check_envs("envs", envs))
    check_optimal(optimal)
    returns, steps = rollouts(envs, Greedy(network, envs.num_envs), seed)
    share = None if optimal is None else float(np.mean(optimal(returns, steps)))
    return Evaluation(float(returns.mean()), float(steps.mean()), share)


def check_envs(name: str, envs: Any) -> Encoding:
    """The encoding for `envs`; raise unless `evaluate` can use them."""
    if not isinstance(envs, VectorEnv):
        kind = "a single one" if isinstance(envs, gymnasium.Env) else type(envs).__name__
        raise TypeError(f"{name} must be a gymnasium.vector.VectorEnv, as gymnasium.make_vec makes, got {kind}")
    if envs.metadata.get("autoreset_mode") == AutoresetMode.DISABLED:
        raise ValueError(f"{name} must begin new episodes by themselves, got autoreset_mode 'Disabled'")
    return encoding_of(envs)


def check_network(network: Any, encoding: Encoding) -> None:
    """Raise unless `network` is a `DRQN` of the sizes that an environment asks for."""
    if not isinstance(network, DRQN):
        raise TypeError(f"network must be a multistable.rl.DRQN, got {type(network).__name__}")
    given, asked = (network.input_size, network.num_actions), (encoding.input_size, encoding.num_actions)
    if given != asked:
        raise ValueError(
            f"network must have {asked[0]} inputs and {asked[1]} actions for this environment, "
            f"got {given[0]} inputs and {given[1]} actions"
        )


def check_optimal(optimal: Any) -> None:
    """Raise unless `optimal` is a function or None."""
    if optimal is not None and not callable(optimal):
        raise TypeError(f"optimal must be a function (returns, steps) -> booleans or None, got {optimal!r}")
