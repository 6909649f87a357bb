"""Exceptions of the wire: who broke its rules, and how a call was refused."""

from cpuplace import CpuplaceError


class ProtocolError(CpuplaceError):
    """The other side sent what cannot be: the connection is of no use any more."""


class TtrpcError(CpuplaceError):
    """A call was refused: raise it in a handler to refuse one, catch it from a client.

    `code` is a gRPC status code (see `cpuplace_nri.ttrpc.Code`), `message` one sentence for people. A runtime passes
    both on to whoever asked it, so for CreateContainer they end in the events of the pod.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = int(code)
        self.message = message

    def __str__(self) -> str:
        """The sentence, then its code."""
        return f"{self.message} (code {self.code})"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with both parts."""
        return TtrpcError, (self.code, self.message)
