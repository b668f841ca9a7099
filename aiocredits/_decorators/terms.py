"""What is the same for all calls of one decorated function."""

from collections.abc import Callable
from typing import NamedTuple, cast

from aiocredits._checks import check_member
from aiocredits._client import CreditClient
from aiocredits._decorators.clients import find_client
from aiocredits._decorators.meters import Pricing
from aiocredits._decorators.options import Options
from aiocredits._decorators.parameters import Args, Getter, Kwargs, Parameters
from aiocredits._decorators.selectors import getter_of
from aiocredits._sync import reachable
from aiocredits.errors import ConfigurationError, CreditError
from aiocredits.types import UserId


class Payer(NamedTuple):
    """Who pays for one call, and under which key."""

    client: CreditClient
    user_id: UserId
    actor: str | None
    key: str | None


class Terms:
    """Price, service, options and selectors, bound to the parameters of a function."""

    def __init__(
        self,
        parameters: Parameters,
        pricing: Pricing,
        service: str | None,
        options: Options,
        *,
        waits: bool,
    ) -> None:
        self.parameters = parameters
        self.pricing = pricing
        self.service = checked_service(service)
        self.description = service or ""
        self.options = options
        self.waits = waits
        """Whether the calls are synchronous, and wait for the client in their thread."""
        self._user = getter_of(options.user, parameters, "user")
        self._actor = _optional(options.actor, parameters, "actor")
        self._key = _optional(options.idempotency_key, parameters, "idempotency_key")

    def payer(self, args: Args, kwargs: Kwargs) -> Payer:
        """Return who pays for a call."""
        actor = self._actor(args, kwargs) if self._actor else None
        key = self._key(args, kwargs) if self._key else None
        client = find_client(self.options.client)
        return Payer(
            reachable(client) if self.waits else client,
            cast("UserId", self._user(args, kwargs)),  # the client refuses what cannot be one
            None if actor is None else str(actor),
            None if key is None else str(key),
        )


def checked_service(service: str | None) -> str | None:
    """Return `service`, or refuse it as a decorator does: when the module is imported."""
    try:
        return check_member("service", service)
    except CreditError as error:
        raise ConfigurationError(str(error)) from None


def _optional(selector: object, parameters: Parameters, option: str) -> Getter | None:
    if selector is None:
        return None
    return getter_of(cast("str | Callable[..., object]", selector), parameters, option)
