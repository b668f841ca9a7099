"""A network that fails on demand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


class Proxy:
    """Passes bytes on between clients and a server, until it is told to lose an answer."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._lose_answer_to: bytes | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._refuses = False
        self.lost = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        """What to connect to instead of the server."""
        query = [(k, v) for k, v in parse_qsl(self._parts.query) if k != "host"]
        netloc = f"postgres@127.0.0.1:{self.port}"
        return urlunsplit(("postgresql", netloc, self._parts.path, urlencode(query), ""))

    def lose_answer_to(self, text: bytes) -> None:
        """Cut the next connection whose client sends `text`, after the server has answered it."""
        self._lose_answer_to = text

    def go_down(self) -> None:
        """Cut every connection and take no other."""
        self._refuses = True
        self.close()

    def come_up(self) -> None:
        """Take connections again."""
        self._refuses = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        if self._refuses:
            writer.close()
            return
        from_server, to_server = await self._connect()
        self._writers |= {writer, to_server}
        cut = asyncio.Event()

        async def ask() -> None:
            while sent := await reader.read(1 << 16):
                if self._lose_answer_to and self._lose_answer_to in sent:
                    self._lose_answer_to = None
                    cut.set()
                to_server.write(sent)
                await to_server.drain()
            to_server.close()

        async def answer() -> None:
            while received := await from_server.read(1 << 16):
                if cut.is_set():
                    self.lost.set()
                    break
                writer.write(received)
                await writer.drain()
            to_server.close()
            writer.close()

        await asyncio.gather(ask(), answer(), return_exceptions=True)
        self._writers -= {writer, to_server}

    def close(self) -> None:
        """Cut what is left."""
        for writer in self._writers:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        directory = dict(parse_qsl(self._parts.query)).get("host")
        if directory:
            return await asyncio.open_unix_connection(Path(directory) / ".s.PGSQL.5432")
        return await asyncio.open_connection(self._parts.hostname, self._parts.port or 5432)


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[Proxy]:
    """Stand between clients and the server of `url`."""
    proxy = Proxy(url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
        await asyncio.sleep(0.05)
