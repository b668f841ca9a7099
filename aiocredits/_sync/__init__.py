"""The synchronous client: the verbs of the asynchronous one, for code without an event loop."""

from aiocredits._sync.beside import reachable as reachable
from aiocredits._sync.client import SyncCreditClient as SyncCreditClient
from aiocredits._sync.hold import SyncCreditHold as SyncCreditHold
