import copy
import pickle
import re
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor, nn

import multistable.rl  # noqa: F401 (registers the T-Maze)
from multistable.integrations.sb3 import _play, warmup_policy

LENGTH = 3
SHORT: dict[str, Any] = {"episodes": 20, "steps": 3, "horizon": 10, "generator": 0}
KINDS = {
    "two LSTMs": {},
    "one for both": {"shared_lstm": True, "enable_critic_lstm": False},
    "the actor's alone": {"enable_critic_lstm": False},
}


def mazes(count: int = 3) -> Any:
    return make_vec_env("multistable/TMaze-v0", count, env_kwargs={"length": LENGTH})


def build(env: Any = None, seed: int | None = 0, **policy_kwargs: Any) -> RecurrentPPO:
    options: dict[str, Any] = {"n_steps": 16, "batch_size": 16, "device": "cpu"}
    policy_kwargs = {"lstm_hidden_size": 8} | policy_kwargs
    with torch.random.fork_rng():
        return RecurrentPPO(
            "MlpLstmPolicy", mazes() if env is None else env, seed=seed, policy_kwargs=policy_kwargs, **options
        )


def parameters(model: RecurrentPPO) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.policy.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_lstms_change_and_nothing_else(kind: str) -> None:
    model = build(**KINDS[kind])
    model.policy.set_training_mode(True)
    before, optimizer = parameters(model), copy.deepcopy(model.policy.optimizer.state_dict())
    results = warmup_policy(model, **SHORT)
    names = ["lstm_actor", "lstm_critic"] if kind == "two LSTMs" else ["lstm_actor"]
    assert list(results) == names
    for name, value in parameters(model).items():
        assert torch.equal(value, before[name]) != (name.split(".")[0] in names)
    assert model.policy.optimizer.state_dict() == optimizer
    assert all(parameter.grad is None for parameter in model.policy.parameters())
    assert model.policy.training and model.num_timesteps == 0
    assert all(len(result.history.loss) == 3 for result in results.values())


def test_what_the_lstms_are_warmed_up_on() -> None:
    model: Any = build(mazes(4))
    played = _play(model, model.policy, 50, torch.Generator().manual_seed(0))
    assert 50 <= len(played) < 54
    for of_actor, of_critic in played:
        assert torch.equal(of_actor, of_critic)
        assert 1 <= len(of_actor) <= 3 * LENGTH - 1 and (of_actor.sum(1) == 1).all()
        shown = of_actor.argmax(1)
        assert shown[0] < 2  # an episode begins with the goal
    assert {int(of_actor[0].argmax()) for of_actor, _ in played} == {0, 1}
    assert max(len(of_actor) for of_actor, _ in played) == 3 * LENGTH - 1


class Extractor(BaseFeaturesExtractor):
    def __init__(self, observation_space: gymnasium.Space[Any]) -> None:
        super().__init__(observation_space, features_dim=2)
        self.linear = nn.Linear(4, 2)

    def forward(self, observations: Tensor) -> Tensor:
        features: Tensor = self.linear(observations)
        return features


@pytest.mark.parametrize("shared", [True, False])
def test_actor_and_critic_receive_what_their_own_extractors_make(shared: bool) -> None:
    model: Any = build(features_extractor_class=Extractor, share_features_extractor=shared)
    policy = model.policy
    seen = torch.eye(4)
    possible = [extractor(seen) for extractor in (policy.pi_features_extractor, policy.vf_features_extractor)]
    for episode in _play(model, policy, 5, torch.Generator().manual_seed(0)):
        for received, expected in zip(episode, possible, strict=True):
            assert received.shape[1] == 2
            # A batch of three and one of four may round otherwise.
            assert (torch.cdist(received, expected).amin(1) < 1e-5).all()
        assert torch.equal(*episode) == shared
    assert set(warmup_policy(model, **SHORT)) == {"lstm_actor", "lstm_critic"}


def test_a_seed_decides_and_the_global_state_is_left() -> None:
    models = [build() for _ in range(3)]
    before, numpy_before = torch.get_rng_state(), pickle.dumps(np.random.get_state())
    for model, seed in zip(models, (0, 0, 1), strict=True):
        warmup_policy(model, **SHORT | {"generator": seed})
    assert torch.equal(torch.get_rng_state(), before) and pickle.dumps(np.random.get_state()) == numpy_before
    one, same, other = (model.policy.get_parameter("lstm_actor.weight_hh_l0") for model in models)
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_learning_begins_in_the_same_episodes_as_without() -> None:
    warm, plain = build(mazes(20), seed=7), build(mazes(20), seed=7)
    warmup_policy(warm, **SHORT)
    np.testing.assert_array_equal(warm.get_env().reset(), plain.get_env().reset())  # type: ignore[union-attr]


def test_it_learns_afterwards() -> None:
    model = build()
    warmup_policy(model, **SHORT)
    before = parameters(model)
    model.learn(100)
    assert not any(torch.equal(value, before[name]) for name, value in parameters(model).items())


def test_statistics_of_observations_are_left() -> None:
    env = VecNormalize(mazes())
    before = pickle.dumps(env.obs_rms)
    warmup_policy(build(env), **SHORT)
    assert env.training and pickle.dumps(env.obs_rms) == before


def test_observations_that_are_dictionaries() -> None:
    class Named(gymnasium.ObservationWrapper[Any, Any, Any]):
        def __init__(self) -> None:
            super().__init__(gymnasium.make("multistable/TMaze-v0", length=LENGTH))
            self.observation_space = gymnasium.spaces.Dict(seen=self.env.observation_space)

        def observation(self, observation: Any) -> Any:
            return {"seen": observation}

    model = RecurrentPPO("MultiInputLstmPolicy", Named(), policy_kwargs={"lstm_hidden_size": 8}, device="cpu")
    assert set(warmup_policy(model, **SHORT)) == {"lstm_actor", "lstm_critic"}


def test_a_failure_leaves_the_policy_as_it_was() -> None:
    model = build()
    model.policy.lstm_critic.requires_grad_(False)
    before = parameters(model)
    with pytest.raises(ValueError, match="must have a parameter that requires a gradient"):
        warmup_policy(model, **SHORT)
    assert all(torch.equal(value, before[name]) for name, value in parameters(model).items())


def learnt() -> RecurrentPPO:
    return build().learn(16)


def without_env() -> RecurrentPPO:
    model = build()
    model.env = None
    return model


@pytest.mark.parametrize(
    ("make", "options", "error", "message"),
    [
        (lambda: nn.LSTM(4, 8), {}, TypeError, "model must be a model of Stable-Baselines3, got LSTM"),
        (
            lambda: PPO("MlpPolicy", mazes(), device="cpu"),
            {},
            ValueError,
            "model must have a recurrent policy, as sb3_contrib.RecurrentPPO has, got PPO with ActorCriticPolicy",
        ),
        (without_env, {}, ValueError, "model must have an environment to play in, got none: call model.set_env"),
        (learnt, {}, ValueError, "model must be warmed up before it learns, got one that has learnt for 48 steps"),
        (build, {"episodes": 1}, ValueError, "episodes must be at least 2, got 1"),
        (build, {"generator": "0"}, TypeError, "generator must be a torch.Generator, an int or None, got str"),
        (build, {"step": 3}, TypeError, "got an unexpected keyword argument 'step'"),
        (build, {"inputs": 3}, TypeError, "multiple values for argument 'inputs'"),
        (build, {"lr": 0}, ValueError, "lr must be finite and above 0, got 0"),
    ],
)
def test_bad_arguments(make: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        warmup_policy(make(), **options)
