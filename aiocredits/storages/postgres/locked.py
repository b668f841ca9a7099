"""The locked path: a transaction that locks, loads, decides and saves; right for every command."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from asyncpg.pool import Pool

from aiocredits._commands import Command, singles
from aiocredits._ledger import Decision, decide, scope_of
from aiocredits.errors import ContentionError, OutcomeUnknownError
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres.committing import committed
from aiocredits.storages.postgres.connecting import Driver, acquired
from aiocredits.storages.postgres.failures import BUSY, LOST, translated
from aiocredits.storages.postgres.pocket import Pockets
from aiocredits.storages.postgres.retrying import retried
from aiocredits.storages.postgres.unit import Unit


class Committed(NamedTuple):
    """What was decided and written, and the pockets that go with the books."""

    decision: Decision
    pockets: Pockets


class LockedBatch:
    """Commands on their way through the locked path, again and again until it is known how."""

    def __init__(
        self,
        pool: "Pool[Any]",
        sql: Mapping[str, str],
        commands: Sequence[Command],
        at: datetime,
        *,
        every_key: bool = False,
        lost: bool = False,
        unit: type[Unit] = Unit,
    ) -> None:
        self._pool = pool
        self._sql = sql
        self._commands = commands
        self._at = at
        self._every_key = every_key
        self._unit = unit
        self._connected = lost
        # Whether something was sent whose fate is unknown: if `lost`, by somebody before us.
        self._sent = lost
        self._loaded = False

    async def run(self, deadline: float) -> Committed:
        """Return what was committed, or raise what the caller is told."""
        try:
            async with asyncio.timeout(deadline):
                return await retried(self._attempt, (*BUSY, *LOST), deadline=deadline)
        except TimeoutError as error:
            raise self._told(error, deadline) from error
        except (*BUSY, *LOST) as error:
            raise self._told(error, deadline) from error
        except Exception as error:
            raise translated(error) from error

    async def _attempt(self) -> Committed:
        self._loaded = False
        try:
            async with acquired(self._pool) as connection:
                self._connected = True
                return await self._transaction(connection)
        except BUSY as error:
            if isinstance(error, KeyTakenError):
                self._every_key = True
            if self._loaded:  # what was sent has been rolled back
                self._sent = False
            raise
        except LOST:
            self._every_key = True
            raise

    async def _transaction(self, connection: Driver) -> Committed:
        scope = scope_of(self._commands, every_key=self._every_key)
        async with committed(connection):
            unit = self._unit(connection, self._sql)
            state = await unit.load(scope, self._at)
            # The accounts are locked: what an earlier attempt sent is there, or never will be.
            self._sent, self._loaded = False, True
            decision = decide(state, self._commands, self._at)
            self._sent = bool(decision.changes.accounts)
            await unit.save(decision.changes)
        return Committed(decision, unit.pockets)

    def _told(self, error: Exception, deadline: float) -> Exception:
        if self._sent:
            command = next(singles(self._commands))
            return OutcomeUnknownError(
                f"the connection was lost while the write was under way, and nobody could say "
                f"within {deadline:g} seconds whether it happened: ask again with the same key",
                key=command.key,
            )
        if self._connected and isinstance(error, TimeoutError):
            return ContentionError(
                f"others kept the books busy for {deadline:g} seconds, and nothing was written: "
                "try again, or raise ?deadline="
            )
        return translated(error)
