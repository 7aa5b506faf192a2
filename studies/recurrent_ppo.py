"""RecurrentPPO of Stable-Baselines3-contrib in a T-Maze, with and without a warmup of its LSTMs.

Run: python studies/recurrent_ppo.py
"""

import time
from typing import Any

import torch
from rows import Row, complete
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

from multistable import measure
from multistable.integrations.sb3 import _play, warmup_policy
from multistable.rl import TMazeEnv

LENGTH, SEEDS = 10, 3
ENVIRONMENTS, STEPS, BATCH, EPOCHS = 32, 64, 256, 4
BUDGET = 200_000  # environment steps
CASES = [{"variant": variant, "seed": seed} for seed in range(SEEDS) for variant in ("plain", "warmup")]


def build(seed: int) -> RecurrentPPO:
    """A new agent: an LSTM of 64 units for the actor, and one for the critic."""
    envs = make_vec_env("multistable/TMaze-v0", ENVIRONMENTS, seed=seed, env_kwargs={"length": LENGTH})
    return RecurrentPPO(
        "MlpLstmPolicy",
        envs,
        n_steps=STEPS,
        batch_size=BATCH,
        n_epochs=EPOCHS,
        learning_rate=1e-3,
        gamma=0.98,
        ent_coef=0.01,
        policy_kwargs={"lstm_hidden_size": 64},
        seed=seed,
        device="cpu",
    )


def solved(model: RecurrentPPO) -> bool:
    """Whether the agent, without chance, reaches both goals in L + 1 steps."""
    env = TMazeEnv(LENGTH)
    for goal in ("up", "down"):
        observation, _ = env.reset(options={"goal": goal})
        state, total = None, 0.0
        for _ in range(LENGTH + 1):
            action, state = model.predict(observation, state, deterministic=True)
            observation, reward, terminated, _, _ = env.step(int(action))
            total += float(reward)
            if terminated:
                break
        if total != 4:
            return False
    return True


class Solved(BaseCallback):
    """Tests the agent after every update, and ends learning when it is tested well three times in a row."""

    at: tuple[int, ...] = ()

    def _on_rollout_start(self) -> None:
        self.at = (*self.at, self.num_timesteps) if solved(self.model) else ()  # type: ignore[arg-type]

    def _on_step(self) -> bool:
        return len(self.at) < 3


def vaa(model: RecurrentPPO, seed: int) -> float:
    """VAA of the actor's LSTM after 2,000 steps, on what it receives in 100 episodes before all learning."""
    generator = torch.Generator().manual_seed(seed)
    histories = [of_actor for of_actor, _ in _play(model, model.policy, 100, generator)]  # type: ignore[arg-type]
    lstm: Any = model.policy.lstm_actor
    return round(measure(lstm, histories, n=100, horizon=2000, generator=seed).vaa, 4)


def learn(variant: str, seed: int) -> Row:
    """A whole training."""
    start = time.perf_counter()
    model = build(seed)
    if variant == "warmup":
        warmup_policy(model, generator=seed)
    before = vaa(model, seed)
    tests = Solved()
    model.learn(BUDGET, callback=tests)
    return {
        "length": LENGTH,
        "solved after steps": tests.at[0] if len(tests.at) == 3 else None,
        "steps": model.num_timesteps,
        "vaa before": before,
        "seconds": round(time.perf_counter() - start),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("recurrent_ppo", CASES, learn)
