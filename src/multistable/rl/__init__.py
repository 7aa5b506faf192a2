"""Environments that ask for memory, in Gymnasium's interface; needs the extra `rl`.

Importing this module registers `multistable/TMaze-v0`; in `gymnasium.make("multistable.rl:multistable/TMaze-v0")`
Gymnasium imports it itself.

Examples:
    >>> import gymnasium
    >>> env = gymnasium.make("multistable.rl:multistable/TMaze-v0", length=20)
    >>> observation, info = env.reset(seed=0)
    >>> observation.shape, env.spec.max_episode_steps
    ((4,), 59)
"""

try:
    import gymnasium
except ImportError as error:
    raise ImportError("environments need gymnasium: pip install 'multistable[rl]'") from error

from multistable.rl.t_maze import TMazeEnv
from multistable.rl.t_maze_vector import TMazeVectorEnv

__all__ = ["TMazeEnv", "TMazeVectorEnv"]

_T_MAZE = "multistable/TMaze-v0"
if _T_MAZE not in gymnasium.registry:  # Gymnasium warns of an environment that is registered twice
    gymnasium.register(
        _T_MAZE,
        entry_point="multistable.rl.t_maze:time_limited_t_maze",
        vector_entry_point="multistable.rl.t_maze_vector:TMazeVectorEnv",
    )
