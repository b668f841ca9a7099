"""Selectors: which part of a call is the user, the actor, the key.

- ``"user_id"`` names a parameter, ``"request.user.id"`` something inside one: attributes, or keys
  of a mapping;
- ``"{org}:{user.id}"`` puts several together;
- a callable is given the arguments that its own parameters name.

What can be wrong about them is refused when the function is decorated.
"""

import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from string import Formatter
from typing import TypeAlias, cast

from aiocredits._decorators.parameters import Args, Getter, Kwargs, Parameters, name_of
from aiocredits.errors import ConfigurationError, UsageError

Selector: TypeAlias = str | Callable[..., object]

RESULT = "result"


def getter_of(selector: Selector, parameters: Parameters, option: str) -> Getter:
    """Return what reads `selector` from a call; `option` is the argument it was given for."""
    wanted = f"{option}={selector!r}" if isinstance(selector, str) else f"{option}="
    if callable(selector):
        return asking(selector, parameters, wanted)
    if not isinstance(selector, str):
        raise ConfigurationError(
            f"{wanted}: name a parameter, as in {option}='user_id', '{{org}}:{{user.id}}', or pass "
            "a callable"
        )
    if "{" in selector or "}" in selector:
        return _template(selector, parameters, wanted)
    return path(selector, parameters, wanted)


def path(selector: str, parameters: Parameters, wanted: str) -> Getter:
    """Return what reads ``"request.user.id"``."""
    root, *steps = split_path(selector, wanted)
    read = parameters.getter(root, wanted)
    if not steps:
        return read
    return lambda args, kwargs: follow(read(args, kwargs), steps, wanted)


def split_path(selector: str, wanted: str) -> list[str]:
    """Return the names of a dotted path."""
    names = selector.split(".")
    if not all(name.isidentifier() for name in names):
        raise ConfigurationError(f"{wanted}: {selector!r} is not a name or a dotted path of names")
    return names


def follow(value: object, steps: list[str], wanted: str) -> object:
    """Return what is at the end of a path: attributes, or keys of a mapping."""
    for step in steps:
        try:
            value = _member(value, step)
        except (AttributeError, KeyError):
            raise UsageError(f"{wanted}: a {type(value).__name__} has no {step!r}") from None
    return value


def _member(value: object, name: str) -> object:
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)[name]
    found: object = getattr(value, name)
    return found


def asking(function: Callable[..., object], parameters: Parameters, wanted: str) -> Getter:
    """Return what calls `function` with the arguments that its own parameters name."""
    names = names_asked(function, parameters, wanted)
    if names is None:
        return lambda args, kwargs: function(*args, **kwargs)
    reads = {name: parameters.getter(name, f"the callable of {wanted}") for name in names}

    def ask(args: Args, kwargs: Kwargs) -> object:
        return function(**{name: read(args, kwargs) for name, read in reads.items()})

    return ask


def names_asked(
    function: Callable[..., object], parameters: Parameters, wanted: str
) -> list[str] | None:
    """Return the arguments that a callable asks for; None if it takes whatever there is."""
    if inspect.iscoroutinefunction(function):
        raise ConfigurationError(
            f"{wanted}: {name_of(function)} is a coroutine function; use 'def'"
        )
    try:
        asked = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{wanted}: the parameters of {name_of(function)} are not known; use a lambda"
        ) from None
    if any(p.kind in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD} for p in asked):
        return None
    if any(p.kind is Parameter.POSITIONAL_ONLY for p in asked):
        raise ConfigurationError(
            f"{wanted}: {name_of(function)} is called by keyword; drop the '/'"
        )
    return [p.name for p in asked if p.default is Parameter.empty or p.name in parameters]


def _template(template: str, parameters: Parameters, wanted: str) -> Getter:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigurationError(f"{wanted}: {error}") from None
    for _, field, spec, conversion in parts:
        if field == "" or spec or conversion:
            raise ConfigurationError(
                f"{wanted}: in braces stands the name of a parameter and nothing else, as in "
                "'{org}:{user.id}'"
            )
    pieces = [
        (text, path(field, parameters, wanted) if field else None) for text, field, *_ in parts
    ]

    def fill(args: Args, kwargs: Kwargs) -> str:
        return "".join(
            text if read is None else f"{text}{_present(read(args, kwargs), wanted)}"
            for text, read in pieces
        )

    return fill


def _present(value: object, wanted: str) -> object:
    if value is None:
        # "None" would be one name for everybody who has none.
        raise UsageError(f"{wanted}: a part of it is None, which names nobody: pass a value")
    return value
