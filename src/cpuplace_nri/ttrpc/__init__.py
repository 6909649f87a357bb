"""ttrpc for Python: the small gRPC of containerd, client and server, with or without I/O. See docs/ttrpc.md.

`Framing`, `ClientConnection` and `ServerConnection` do no I/O: bytes in, events out. `Client` and `Server` are the same
over asyncio and any byte stream, `connected` and `serving` over a unix socket. Payloads are bytes: bring your own
messages.
"""

from cpuplace_nri.errors import ProtocolError as ProtocolError
from cpuplace_nri.errors import TtrpcError as TtrpcError
from cpuplace_nri.ttrpc.client import Client as Client
from cpuplace_nri.ttrpc.connection import Answered as Answered
from cpuplace_nri.ttrpc.connection import ClientConnection as ClientConnection
from cpuplace_nri.ttrpc.connection import Refused as Refused
from cpuplace_nri.ttrpc.connection import Rejected as Rejected
from cpuplace_nri.ttrpc.connection import Requested as Requested
from cpuplace_nri.ttrpc.connection import ServerConnection as ServerConnection
from cpuplace_nri.ttrpc.framing import MAX_RECEIVED as MAX_RECEIVED
from cpuplace_nri.ttrpc.framing import MAX_SENT as MAX_SENT
from cpuplace_nri.ttrpc.framing import Framing as Framing
from cpuplace_nri.ttrpc.framing import Message as Message
from cpuplace_nri.ttrpc.framing import Type as Type
from cpuplace_nri.ttrpc.framing import encoded as encoded
from cpuplace_nri.ttrpc.server import Handler as Handler
from cpuplace_nri.ttrpc.server import Server as Server
from cpuplace_nri.ttrpc.server import Services as Services
from cpuplace_nri.ttrpc.sockets import connected as connected
from cpuplace_nri.ttrpc.sockets import serving as serving
from cpuplace_nri.ttrpc.status import Code as Code
