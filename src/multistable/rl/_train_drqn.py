"""`train_drqn`: deep recurrent Q-learning."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from multistable._utils.checks import check_int, check_positive, check_probability
from multistable._utils.progress import progress_bar
from multistable._utils.randomness import as_generator, draw_seed
from multistable._utils.restore import kept_on_failure
from multistable._warmup import WarmupResult, warmup
from multistable.rl._encoding import Encoding
from multistable.rl._evaluate import Evaluation, Optimal, check_envs, check_network, check_optimal, evaluate
from multistable.rl.drqn import DRQN
from multistable.rl.learner import Learner, Played, filled_buffer
from multistable.rl.replay_buffer import ReplayBuffer, histories

__all__ = ["DRQNResult", "train_drqn"]

_OWN = ("module", "inputs", "generator")  # arguments of `warmup` that `train_drqn` fills in


@dataclass(frozen=True, repr=False)
class DRQNResult:
    """What `train_drqn` did.

    Attributes:
        returns: of each training episode, exploration included, the sum of rewards, undiscounted.
        steps: of each training episode.
        losses: of each training episode the mean loss of the updates after it.
        evaluated: after how many training episodes the greedy agent was evaluated.
        evaluations: what it did then.
        warmup: what the warmup did; None without one.
        seconds: wall time of everything.
    """

    returns: tuple[float, ...]
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    evaluated: tuple[int, ...]
    evaluations: tuple[Evaluation, ...]
    warmup: WarmupResult | None
    seconds: float

    def __repr__(self) -> str:
        last = self.evaluations[-1]
        optimal = "" if last.share_optimal is None else f", {last.share_optimal:.0%} of rollouts optimal"
        return (
            f"DRQNResult({len(self.returns):,} episodes; mean return {last.mean_return:.2f}{optimal} "
            f"after {self.evaluated[-1]:,})"
        )

    @property
    def first_optimal(self) -> int | None:
        """Training episodes before the first evaluation all of whose rollouts were optimal; None if there was none."""
        optimal = (
            episode
            for episode, one in zip(self.evaluated, self.evaluations, strict=True)
            if one.share_optimal == 1  # not so where it is None
        )
        return next(optimal, None)

    def to_dict(self) -> dict[str, Any]:
        """Everything, in types that JSON knows."""
        return {
            "returns": list(self.returns),
            "steps": list(self.steps),
            "losses": list(self.losses),
            "evaluated": list(self.evaluated),
            "evaluations": [one.to_dict() for one in self.evaluations],
            "first_optimal": self.first_optimal,
            "warmup": None if self.warmup is None else self.warmup.to_dict(),
            "seconds": self.seconds,
        }


def train_drqn(
    network: DRQN,
    env: gymnasium.Env[Any, Any],
    evaluation_envs: VectorEnv[Any, Any, Any],
    *,
    episodes: int = 2000,
    discount: float = 0.98,
    lr: float = 1e-3,
    batch_size: int = 32,
    updates_per_episode: int = 10,
    target_period: int = 20,
    evaluation_period: int = 20,
    epsilon: float = 0.2,
    exploration: Sequence[float] | None = None,
    capacity: int = 8192,
    optimal: Optimal | None = None,
    warmup_options: Mapping[str, Any] | None = None,
    generator: torch.Generator | int | None = None,
    progress: bool = False,
) -> DRQNResult:
    """Learn the values of actions given all that was seen and done before them, in place.

    Deep recurrent Q-learning as in Lambrechts et al. 2023 (arXiv:2106.01001), whose settings are the defaults. At
    first random actions fill a replay buffer. After every episode that the agent plays come updates: each draws
    transitions from the buffer, all with the same probability, and takes a step of Adam on the mean of

        (Q(history up to t, a) - r - discount * max_a' Q'(history up to t + 1, a'))^2

    where Q' is a copy of the network that is renewed from time to time. Behind a termination Q' counts as zero; behind
    a truncation it does not, since only the time limit ended the episode.

    With `warmup_options`, the recurrent layers are warmed up on the histories in the buffer before all learning, the
    first part of a `DoubleLayer` alone.

    Only parameters that require a gradient change. Whatever happens, their `.grad` is as before the call, and if it
    raises, the parameters are too.

    Args:
        network: the network, changed in place.
        env: an environment with `Discrete` actions, and observations that are `Discrete` or in a `Box`, whose episodes
            end, by a time limit at the latest.
        evaluation_envs: N environments like it, for N rollouts of the greedy agent at each evaluation, in any autoreset
            mode but "Disabled".
        episodes: training episodes.
        discount: the factor in [0, 1] by which a reward counts less with each step that it is ahead.
        lr: Adam's learning rate.
        batch_size: transitions in an update.
        updates_per_episode: updates after each episode.
        target_period: episodes after which the copy is renewed.
        evaluation_period: episodes after which the agent is evaluated; it is before the first, too.
        epsilon: the probability in [0, 1] with which an action is drawn from `exploration`.
        exploration: the probabilities of actions that are drawn at random; uniform by default. For the T-Maze there is
            `T_MAZE_EXPLORATION`.
        capacity: transitions in the replay buffer.
        optimal: says of episodes' returns (N,) and steps (N,) which could not have been better, as
            `optimal_in_t_maze(length)` does.
        warmup_options: arguments of `multistable.warmup`, such as `{"steps": 100}`; None for no warmup.
        generator: draws all that is random, and seeds the environments: a `torch.Generator`, or a seed; by default a
            new one with torch's initial seed.
        progress: whether to show a progress bar; needs the extra `progress`.

    Returns:
        What each episode brought, what evaluations found, and what the warmup did.

    Raises:
        TypeError: an argument has the wrong type, the actions are not `Discrete`, or the observations neither
            `Discrete` nor `Box`.
        ValueError: a number is out of its range, the network's sizes do not fit the environment, all of it is frozen,
            the environments differ in their spaces, an option of the warmup is unknown, an observation or reward is
            NaN or infinite, or an episode is longer than the capacity.
        FloatingPointError: a value of an action or the loss became NaN or infinite.
        ImportError: `progress` without the extra.

    Examples:
        >>> import gymnasium, torch
        >>> from multistable.rl import DRQN, T_MAZE_EXPLORATION, input_size, optimal_in_t_maze, train_drqn
        >>> env = gymnasium.make("multistable/TMaze-v0", length=2)
        >>> envs = gymnasium.make_vec("multistable/TMaze-v0", num_envs=50, length=2)
        >>> _ = torch.manual_seed(0)
        >>> drqn = DRQN(torch.nn.GRU(input_size(env), 16), num_actions=4)
        >>> result = train_drqn(
        ...     drqn, env, envs, episodes=20, exploration=T_MAZE_EXPLORATION, optimal=optimal_in_t_maze(2), generator=0
        ... )
        >>> result.evaluated
        (0, 20)
    """
    encoding = _check_environments(env, evaluation_envs)
    check_network(network, encoding)
    episodes = check_int("episodes", episodes)
    discount, epsilon = check_probability("discount", discount), check_probability("epsilon", epsilon)
    lr = check_positive("lr", lr)
    batch_size = check_int("batch_size", batch_size)
    updates_per_episode = check_int("updates_per_episode", updates_per_episode)
    target_period = check_int("target_period", target_period)
    evaluation_period = check_int("evaluation_period", evaluation_period)
    probabilities = _check_exploration(exploration, encoding.num_actions)
    capacity = check_int("capacity", capacity)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("network must have a parameter that requires a gradient, got all of them frozen")
    check_optimal(optimal)
    _check_warmup_options(warmup_options)
    generator = as_generator(generator)
    numbers = progress_bar(episodes, "deep recurrent Q-learning", progress)
    rng = np.random.default_rng(draw_seed(generator))
    evaluation_seed = draw_seed(generator)

    start = time.perf_counter()
    played: list[Played] = []
    with kept_on_failure(parameters), torch.inference_mode(False), torch.enable_grad():
        buffer = filled_buffer(env, capacity, probabilities, rng)
        warmed = None if warmup_options is None else _warm_up(network, buffer, warmup_options, generator)
        learner = Learner(
            network,
            env,
            buffer,
            exploration=probabilities,
            epsilon=epsilon,
            discount=discount,
            lr=lr,
            batch_size=batch_size,
            updates=updates_per_episode,
        )
        evaluations = {0: evaluate(network, evaluation_envs, optimal=optimal, seed=evaluation_seed)}
        for number in numbers:
            played.append(learner.play(rng))
            if (number + 1) % target_period == 0:
                learner.renew()
            if (number + 1) % evaluation_period == 0:
                evaluations[number + 1] = evaluate(network, evaluation_envs, optimal=optimal)
    seconds = time.perf_counter() - start
    return DRQNResult(
        tuple(one.total for one in played),
        tuple(one.steps for one in played),
        tuple(one.loss for one in played),
        tuple(evaluations),
        tuple(evaluations.values()),
        warmed,
        seconds,
    )


def _warm_up(
    network: DRQN, buffer: ReplayBuffer, options: Mapping[str, Any], generator: torch.Generator
) -> WarmupResult:
    """Warm up the recurrent layers on what the buffer's agents received."""
    received = histories(buffer, like=network.head.weight.detach())
    return warmup(network.recurrent, received, generator=generator, **options)


def _check_environments(env: Any, evaluation_envs: Any) -> Encoding:
    """How a network sees `env`; raise unless it can be trained in it and evaluated in the others."""
    if not isinstance(env, gymnasium.Env):
        raise TypeError(f"env must be a gymnasium.Env, as gymnasium.make makes, got {type(env).__name__}")
    encoding = Encoding(env.action_space, env.observation_space)  # type: ignore[arg-type]
    other = check_envs("evaluation_envs", evaluation_envs)
    if other != encoding:
        raise ValueError(
            f"evaluation_envs must have the spaces of env, {encoding.actions} and {encoding.observations}, "
            f"got {other.actions} and {other.observations}"
        )
    return encoding


def _check_exploration(exploration: Sequence[float] | None, num_actions: int) -> NDArray[np.float64]:
    """The probabilities of actions."""
    if exploration is None:
        return np.full(num_actions, 1 / num_actions)
    probabilities = np.array([check_probability("exploration", one) for one in exploration])
    if len(probabilities) != num_actions:
        raise ValueError(f"exploration must hold {num_actions} probabilities, one for each action, got {exploration}")
    if not np.isclose(probabilities.sum(), 1):
        raise ValueError(f"exploration must sum to 1, got {exploration}, which sum to {probabilities.sum()}")
    return probabilities


def _check_warmup_options(options: Mapping[str, Any] | None) -> None:
    """Raise unless these are arguments of `warmup`; their values it checks itself, when it is called."""
    if options is None:
        return
    if not isinstance(options, Mapping):
        raise TypeError(f"warmup_options must be a mapping or None, got {type(options).__name__}")
    known = [name for name in signature(warmup).parameters if name not in _OWN]
    for name in options:
        if name not in known:
            raise ValueError(f"warmup_options may hold {', '.join(known)}, got {name!r}")
