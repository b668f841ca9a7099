"""Where the arguments of a call are: found out once, when a function is decorated."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, Signature
from typing import NoReturn, TypeAlias

from aiocredits.errors import ConfigurationError, UsageError

Args: TypeAlias = tuple[object, ...]
Kwargs: TypeAlias = Mapping[str, object]

Getter: TypeAlias = Callable[[Args, Kwargs], object]
"""Takes what a function was called with and returns something of it."""

CREDIT_INFO = "credit_info"


class Parameters:
    """The parameters of a decorated function, as its callers see them.

    With `hidden`, a parameter that the decorator fills in is not among them.
    """

    def __init__(self, function: Callable[..., object], *, hidden: str | None = None) -> None:
        self.function_name = name_of(function)
        whole = _signature_of(function, self.function_name)
        names = list(whole.parameters)
        self.hidden_at = names.index(hidden) if hidden in names else None
        """Where the hidden parameter stands, if the function has it."""
        shown = [p for p in whole.parameters.values() if p.name != hidden]
        self.signature = whole.replace(parameters=shown)
        self._kinds = {p.name: p for p in shown}
        self._open_ended = any(p.kind is Parameter.VAR_KEYWORD for p in shown)

    def __contains__(self, name: str) -> bool:
        return name in self._kinds

    def check(self, args: Args, kwargs: Kwargs) -> None:
        """Raise the `TypeError` that calling the function would raise, before anything is paid."""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.function_name}() {error}") from None

    def getter(self, name: str, wanted: str) -> Getter:
        """Return what reads the argument `name` of a call; `wanted` says who asks."""
        parameter = self._kinds.get(name)
        if parameter is None:
            if not self._open_ended:
                self.refuse(name, wanted)
            return partial(_from_keywords, name, wanted)
        index = list(self._kinds).index(name)
        match parameter.kind:
            case Parameter.VAR_POSITIONAL:
                return lambda args, _: args[index:]
            case Parameter.VAR_KEYWORD:
                return lambda _, kwargs: {k: kwargs[k] for k in kwargs if k not in self._kinds}
            case Parameter.KEYWORD_ONLY:
                return self._reader(name, None, parameter.default)
            case _:
                return self._reader(name, index, parameter.default)

    def refuse(self, name: str, wanted: str) -> NoReturn:
        """Say that there is no such parameter, and which there are."""
        known = ", ".join(self._kinds) or "none"
        raise ConfigurationError(
            f"{self.function_name}() has no parameter {name!r}, which {wanted} names; "
            f"its parameters are: {known}"
        )

    def _reader(self, name: str, index: int | None, default: object) -> Getter:
        def read(args: Args, kwargs: Kwargs) -> object:
            if index is not None and len(args) > index:
                return args[index]
            value = kwargs.get(name, default)
            if value is Parameter.empty:
                self.check(args, kwargs)  # raises what the function itself would
            return value

        return read


def name_of(function: object) -> str:
    """Return how to call `function` in a message."""
    if isinstance(function, partial):
        return name_of(function.func)
    name = getattr(function, "__qualname__", None)
    return str(name) if name else type(function).__qualname__


def _signature_of(function: Callable[..., object], name: str) -> Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{name} cannot be decorated, because its parameters are not known ({error}): wrap it "
            "in a function of your own"
        ) from None


def _from_keywords(name: str, wanted: str, _args: Args, kwargs: Kwargs) -> object:
    if name not in kwargs:
        raise UsageError(f"{wanted} names the argument {name!r}, and the call has none: pass it")
    return kwargs[name]
