"""An environment that asks for memory, and a deep recurrent Q-network that learns in any; needs the extra `rl`.

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

from multistable.rl._encoding import input_size
from multistable.rl._evaluate import Evaluation, evaluate
from multistable.rl._result import DRQNResult
from multistable.rl._train_drqn import train_drqn
from multistable.rl.drqn import DRQN
from multistable.rl.t_maze import T_MAZE_EXPLORATION, TMazeEnv, optimal_in_t_maze
from multistable.rl.t_maze_vector import TMazeVectorEnv

__all__ = [
    "DRQN",
    "T_MAZE_EXPLORATION",
    "DRQNResult",
    "Evaluation",
    "TMazeEnv",
    "TMazeVectorEnv",
    "evaluate",
    "input_size",
    "optimal_in_t_maze",
    "train_drqn",
]

_T_MAZE = "multistable/TMaze-v0"
if _T_MAZE not in gymnasium.registry:  # Gymnasium warns of an environment that is registered twice
    gymnasium.register(
        _T_MAZE,
        entry_point="multistable.rl.t_maze:time_limited_t_maze",
        vector_entry_point="multistable.rl.t_maze_vector:TMazeVectorEnv",
    )
