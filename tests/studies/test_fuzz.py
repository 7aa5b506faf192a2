"""The command, on what nobody would write: no traceback, nothing silently wrong, nothing lost."""

from scripts import scripts


def test_whatever_it_is_given_the_command_says_what_came_of_it() -> None:
    with scripts("fuzz") as found:
        outcomes = found.fuzz.try_all(25, 1)
    assert outcomes.total() >= 25
