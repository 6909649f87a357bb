"""Status codes of calls, as in gRPC, and how errors travel."""

from enum import IntEnum
from typing import Final

from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.proto.ttrpc_pb2 import Status

MAX_SENTENCE: Final = 8192  # characters of a message that are sent


class Code(IntEnum):
    """What went wrong, in the numbers of gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


def status_of(error: TtrpcError) -> Status:
    """The error on the wire: a code that is not OK, a sentence that is UTF-8 and not endless."""
    sentence = error.message[:MAX_SENTENCE].encode("utf-8", "replace").decode("utf-8")
    code = error.code if 0 < error.code < 2**31 else Code.UNKNOWN
    return Status(code=code, message=sentence)


def error_of(status: Status) -> TtrpcError | None:
    """The error that a status tells of, None when the call went well.

    >>> error_of(Status(code=5, message="no such pod"))
    TtrpcError('no such pod')
    """
    return TtrpcError(status.code, status.message) if status.code else None
