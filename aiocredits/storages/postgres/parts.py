"""Which commands of a batch have to be written together."""

from collections.abc import Sequence

from aiocredits._commands import Command, Linked, Transfer
from aiocredits._ledger import scope_of


def parts_of(commands: Sequence[Command]) -> list[list[int]]:
    """Return the places of the commands, those of one account together and in order.

    A command over several accounts brings all commands of these accounts together, so that each
    sees the effects of those before it.
    """
    parts: dict[str, list[int]] = {}
    for place, command in enumerate(commands):
        if isinstance(command, Linked | Transfer):
            _join(parts, scope_of([command]).accounts).append(place)
        else:
            parts.setdefault(command.account, []).append(place)
    return [sorted(part) for part in {id(part): part for part in parts.values()}.values()]


def _join(parts: dict[str, list[int]], names: Sequence[str]) -> list[int]:
    """Make one part of those that the accounts are in."""
    old = {id(parts[name]): parts[name] for name in names if name in parts}
    joined = [place for part in old.values() for place in part]
    for name in [name for name, part in parts.items() if id(part) in old]:
        parts[name] = joined
    parts.update(dict.fromkeys(names, joined))
    return joined
