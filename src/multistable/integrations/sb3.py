"""Warmup of the recurrent policies of Stable-Baselines3-contrib; needs the extra `sb3`.

Examples:
    >>> from sb3_contrib import RecurrentPPO
    >>> from multistable.integrations.sb3 import warmup_policy
    >>> model = RecurrentPPO("MlpLstmPolicy", "CartPole-v1", policy_kwargs={"lstm_hidden_size": 16}, seed=0)
    >>> results = warmup_policy(model, episodes=20, steps=5, horizon=20, generator=0)
    >>> list(results)
    ['lstm_actor', 'lstm_critic']
    >>> model = model.learn(256)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multistable._utils.checks import check_int
from multistable._utils.randomness import as_generator
from multistable._utils.restore import kept_on_failure, undisturbed
from multistable._warmup import WarmupResult, warmup

try:
    from sb3_contrib import RecurrentPPO
    from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
    from stable_baselines3.common.base_class import BaseAlgorithm
except ImportError as error:
    raise ImportError("recurrent policies need sb3-contrib: pip install 'multistable[sb3]'") from error

__all__ = ["warmup_policy"]


def warmup_policy(
    model: RecurrentPPO, *, episodes: int = 100, generator: torch.Generator | int | None = None, **options: Any
) -> dict[str, WarmupResult]:
    """Warm up the LSTMs of a `RecurrentPPO` policy before `learn`, on episodes that it plays in its own environment.

    The untrained policy acts at random, as at the beginning of `learn`. Each LSTM is warmed up on the features that it
    receives, those which the policy extracts from the observations. Only the LSTMs' parameters change: the rest of the
    policy, its optimiser and the statistics of a `VecNormalize` stay as they are. The environment is left in the middle
    of episodes; `learn` begins by resetting it, with `model.seed` if that is set, as it would have without the warmup.

    Args:
        model: the model. Actor and critic may have an LSTM each, share one, or have one in the actor alone.
        episodes: the number of episodes to play, 2 or more; 100 by default.
        generator: draws all that is random outside the environment: a `torch.Generator`, or a seed; by default a new
            generator with torch's initial seed.
        **options: arguments of `multistable.warmup` other than `module` and `inputs`.

    Returns:
        The results by LSTM, `"lstm_actor"` and, if the critic has one of its own, `"lstm_critic"`.

    Raises:
        TypeError: `model` is not a model of Stable-Baselines3, or an argument has the wrong type or is unknown.
        ValueError: the policy is not recurrent, the model has no environment or has already learnt, or a number is out
            of its range.
    """
    policy = _check_model(model)
    episodes = check_int("episodes", episodes, at_least=2)
    signature(warmup).bind(policy.lstm_actor, None, generator=generator, **options)
    generator = as_generator(generator)
    of_actor, of_critic = zip(*_play(model, policy, episodes, generator), strict=True)
    received = {"lstm_actor": (policy.lstm_actor, list(of_actor)), "lstm_critic": (policy.lstm_critic, list(of_critic))}
    options = {"process_group": "alone", **options}  # a policy of Stable-Baselines3 learns in one process
    with kept_on_failure(list(policy.parameters())):
        return {
            name: warmup(lstm, histories, generator=generator, **options)
            for name, (lstm, histories) in received.items()
            if lstm is not None
        }


def _check_model(model: Any) -> RecurrentActorCriticPolicy:
    """The model's policy; raise unless it can be warmed up."""
    if not isinstance(model, BaseAlgorithm):
        raise TypeError(f"model must be a model of Stable-Baselines3, got {type(model).__name__}")
    if not isinstance(model.policy, RecurrentActorCriticPolicy):
        raise ValueError(
            "model must have a recurrent policy, as sb3_contrib.RecurrentPPO has, "
            f"got {type(model).__name__} with {type(model.policy).__name__}"
        )
    if model.get_env() is None:
        raise ValueError("model must have an environment to play in, got none: call model.set_env")
    if model.num_timesteps > 0:
        raise ValueError(
            f"model must be warmed up before it learns, got one that has learnt for {model.num_timesteps} steps"
        )
    return model.policy


def _play(
    model: RecurrentPPO, policy: RecurrentActorCriticPolicy, episodes: int, generator: torch.Generator
) -> list[tuple[Tensor, Tensor]]:
    """The features that the LSTMs of actor and critic receive in each of the episodes that the policy plays, (T, I)."""
    env = model.get_env()
    assert env is not None
    finished: list[tuple[Tensor, Tensor]] = []
    unfinished: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(env.num_envs)]
    with undisturbed(policy, generator), _fixed_statistics(model), torch.no_grad():
        observations: Any = env.reset()
        state, starts = None, np.ones(env.num_envs, np.bool_)
        while len(finished) < episodes:
            for episode, *features in zip(unfinished, *_features(policy, observations), strict=True):
                episode.append((features[0], features[1]))
            actions, state = model.predict(observations, state, starts)
            observations, _, starts, _ = env.step(actions)
            for index in np.flatnonzero(starts):
                of_actor, of_critic = zip(*unfinished[index], strict=True)
                finished.append((torch.stack(of_actor), torch.stack(of_critic)))
                unfinished[index] = []
    if model.seed is not None:
        env.seed(model.seed)
    return finished


def _features(policy: RecurrentActorCriticPolicy, observations: Any) -> tuple[Tensor, Tensor]:
    """The features of observations that the LSTMs of actor and critic receive, each (N, I)."""
    features = policy.extract_features(policy.obs_to_tensor(observations)[0])
    return (features, features) if isinstance(features, Tensor) else features


@contextmanager
def _fixed_statistics(model: RecurrentPPO) -> Iterator[None]:
    """Keep a `VecNormalize` around the environment, if there is one, from updating its statistics."""
    normalize = model.get_vec_normalize_env()
    if normalize is None:
        yield
        return
    training, normalize.training = normalize.training, False
    try:
        yield
    finally:
        normalize.training = training
