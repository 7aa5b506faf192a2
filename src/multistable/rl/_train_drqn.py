"""`train_drqn`: deep recurrent Q-learning."""

import time
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from multistable._utils.checks import check_probability
from multistable._utils.progress import progress_bar
from multistable._utils.randomness import as_generator, draw_seed
from multistable._utils.restore import kept_on_failure
from multistable._warmup import warmup
from multistable.nn import Hardening
from multistable.rl._encoding import Encoding, encoding_of
from multistable.rl._evaluate import Optimal, check_envs, check_network, check_optimal, evaluate
from multistable.rl._learner import Learner, Played, filled_buffer
from multistable.rl._result import DRQNResult
from multistable.rl._settings import DRQNSettings
from multistable.rl.drqn import DRQN, as_inputs

__all__ = ["train_drqn"]

# Arguments that `train_drqn` gives itself.
_OF_WARMUP = ("module", "inputs", "generator", "process_group")
_OF_HARDENING = ("model", "steps")


def train_drqn(
    network: DRQN,
    env: gymnasium.Env[Any, Any],
    evaluation_envs: VectorEnv[Any, Any, Any],
    *,
    episodes: int = DRQNSettings.episodes,
    discount: float = DRQNSettings.discount,
    lr: float = DRQNSettings.lr,
    batch_size: int = DRQNSettings.batch_size,
    updates_per_episode: int = DRQNSettings.updates_per_episode,
    target_period: int = DRQNSettings.target_period,
    evaluation_period: int = DRQNSettings.evaluation_period,
    epsilon: float = DRQNSettings.epsilon,
    exploration: Sequence[float] | None = None,
    capacity: int = DRQNSettings.capacity,
    optimal: Optimal | None = None,
    warmup_options: Mapping[str, Any] | None = None,
    hardening_options: Mapping[str, Any] | None = None,
    generator: torch.Generator | int | None = None,
    progress: bool = False,
) -> DRQNResult:
    """Teach the network what actions are worth, given all that was seen and done before them, in place.

    Deep recurrent Q-learning as in Lambrechts et al. 2023 (arXiv:2106.01001), whose settings are the defaults. Random
    actions first fill a replay buffer. After every episode that the agent plays, updates follow: each draws
    transitions from the buffer, all with the same probability, and takes a step of Adam on the mean of

        (Q(history up to t, a) - r - discount * max_a' Q'(history up to t + 1, a'))^2

    where Q', the target network, is a copy of the network that is renewed from time to time. After a termination Q'
    counts as zero; after a truncation it does not, since only the time limit ended the episode.

    With `warmup_options`, the recurrent layers are warmed up before any learning, on the histories in the buffer; of a
    `DoubleLayer`, only the first part is.

    With `hardening_options`, the gates of layers of `multistable.nn` become hard in the course of all updates, as
    `multistable.nn.Hardening` does it.

    Only parameters that require a gradient change, and the layers' hardness. Their `.grad` is left as it was, and if
    the call raises, so are parameters and hardness.

    Args:
        network: the network, changed in place.
        env: an environment with `Discrete` actions and `Discrete` or `Box` observations whose episodes end, by a time
            limit at the latest.
        evaluation_envs: N environments like it, in which the greedy agent plays N rollouts at each evaluation, in any
            autoreset mode but "Disabled".
        episodes: training episodes, 1 or more; 2,000 by default.
        discount: the factor in [0, 1] by which a reward counts less with each step that it is ahead; 0.98 by default.
        lr: Adam's learning rate; 0.001 by default.
        batch_size: transitions in an update; 32 by default.
        updates_per_episode: updates after each episode; 10 by default.
        target_period: training episodes from one copy of the network to the next; 20 by default.
        evaluation_period: training episodes from one evaluation to the next, the first of which comes before any
            training; 20 by default.
        epsilon: the probability in [0, 1] of a random action; 0.2 by default.
        exploration: the probability of each action when it is random, (A,); uniform by default. For the T-Maze there
            is `T_MAZE_EXPLORATION`.
        capacity: transitions in the replay buffer; 8,192 by default.
        optimal: tells from the returns (N,) and steps (N,) of episodes which of them were optimal, as
            `optimal_in_t_maze(length)` does; by default none is said to be.
        warmup_options: arguments of `multistable.warmup`, such as `{"steps": 100}`; None, the default, for no warmup.
        hardening_options: arguments of `multistable.nn.Hardening` but for `model` and `steps`, such as
            `{"start": 0.5}`; None, the default, for gates that stay as they are.
        generator: draws all that is random, and seeds the environments: a `torch.Generator`, or a seed; by default a
            new generator with torch's initial seed.
        progress: whether to show a progress bar; needs the extra `progress`.

    Returns:
        What each episode brought, how the agent did in evaluations, and what the warmup did.

    Raises:
        TypeError: an argument has the wrong type, the actions are not `Discrete`, or the observations are neither
            `Discrete` nor `Box`.
        ValueError: a number is out of its range, the network's sizes do not fit the environment, all its parameters
            are frozen, the environments differ in their spaces, an option of the warmup is unknown, an observation or
            reward is NaN or infinite, an episode is longer than the capacity, or with `hardening_options` no gate of
            the network can be hard.
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
    settings = DRQNSettings(
        episodes=episodes,
        discount=discount,
        lr=lr,
        batch_size=batch_size,
        updates_per_episode=updates_per_episode,
        target_period=target_period,
        evaluation_period=evaluation_period,
        epsilon=epsilon,
        capacity=capacity,
    )
    probabilities = _check_exploration(exploration, encoding.num_actions)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("network must have a parameter that requires a gradient, got all of them frozen")
    check_optimal(optimal)
    _check_options("warmup_options", warmup_options, warmup, _OF_WARMUP)
    _check_options("hardening_options", hardening_options, Hardening, _OF_HARDENING)
    hardening = (
        None
        if hardening_options is None
        else Hardening(network.recurrent, settings.episodes * settings.updates_per_episode, **hardening_options)
    )
    generator = as_generator(generator)
    numbers = progress_bar(settings.episodes, "deep recurrent Q-learning", progress)
    rng = np.random.default_rng(draw_seed(generator))
    evaluation_seed = draw_seed(generator)

    start = time.perf_counter()
    played: list[Played] = []
    warmed = None
    with kept_on_failure(parameters, list(network.buffers())), torch.inference_mode(False), torch.enable_grad():
        buffer = filled_buffer(env, settings.capacity, probabilities, rng)
        if warmup_options is not None:
            histories = [as_inputs(episode.inputs, network) for episode in buffer]
            warmed = warmup(network.recurrent, histories, generator=generator, process_group="alone", **warmup_options)
        learner = Learner(network, env, buffer, probabilities, settings, hardening)
        evaluations = {0: evaluate(network, evaluation_envs, optimal=optimal, seed=evaluation_seed)}
        for period in learner.learn(numbers, lambda _: rng):
            played += period.played
            if len(played) % settings.evaluation_period == 0:
                evaluations[len(played)] = evaluate(network, evaluation_envs, optimal=optimal)
    return DRQNResult(
        returns=tuple(one.total for one in played),
        steps=tuple(one.steps for one in played),
        losses=tuple(one.loss for one in played),
        evaluated=tuple(evaluations),
        evaluations=tuple(evaluations.values()),
        warmup=warmed,
        seconds=time.perf_counter() - start,
    )


def _check_environments(env: Any, evaluation_envs: Any) -> Encoding:
    """How a network sees `env`; raise unless it can be trained in it and evaluated in the others."""
    if not isinstance(env, gymnasium.Env):
        raise TypeError(f"env must be a gymnasium.Env, as gymnasium.make makes, got {type(env).__name__}")
    encoding = encoding_of(env)
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


def _check_options(
    argument: str, options: Mapping[str, Any] | None, function: Callable[..., Any], filled_in: Sequence[str]
) -> None:
    """Raise unless these are arguments of a function; their values it checks itself, when it is called."""
    if options is None:
        return
    if not isinstance(options, Mapping):
        raise TypeError(f"{argument} must be a mapping or None, got {type(options).__name__}")
    known = [name for name in signature(function).parameters if name not in filled_in]
    for name in options:
        if name not in known:
            raise ValueError(f"{argument} may hold {', '.join(known)}, got {name!r}")
