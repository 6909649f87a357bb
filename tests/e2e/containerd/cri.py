"""The kubelet's side of the CRI: requests and answers as JSON has them, over gRPC."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

Json = Mapping[str, object]
SERVICE: Final = "runtime.v1.RuntimeService"
EMULATED: Final = "CPUPLACE_BED" in os.environ
"""Whether this is a VM, where all takes ten to thirty times as long, and looking often makes the rest slower."""
LATE: Final = 900.0 if EMULATED else 120.0
"""Seconds after which a call is given up."""
SLOW: Final = 450.0 if EMULATED else 60.0
"""Seconds for what takes one."""
PAUSE: Final = 0.5 if EMULATED else 0.05
"""Seconds between two looks."""

OPTIONS: Final = [
    ("grpc.enable_http_proxy", 0),
    # A runtime comes and goes here: what one connection learned of that is not for the next, which asks at once.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


class CriError(Exception):
    """The runtime's refusal, as the kubelet sees it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Cri:
    """A connection to one containerd; methods are called by their names in the CRI."""

    def __init__(self, socket: Path, description: Path) -> None:
        self._channel = grpc.insecure_channel(f"unix://{socket}", options=OPTIONS)
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(description.read_bytes()).file:
            pool.Add(file)
        self._methods = pool.FindServiceByName(SERVICE).methods_by_name

    def __enter__(self) -> "Cri":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def call(self, name: str, request: Json, *, timeout: float = LATE) -> dict[str, object]:
        """The answer, fields by their names in the proto; raises CriError when the runtime refuses."""
        method: MethodDescriptor = self._methods[name]
        asked = message_factory.GetMessageClass(method.input_type)()
        json_format.ParseDict(dict(request), asked)
        invoke: grpc.UnaryUnaryMultiCallable[Message, Message] = self._channel.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        try:
            answer = invoke(asked, timeout=timeout)
        except grpc.RpcError as error:
            raise CriError(error.code().name, error.details() or "") from None
        found: dict[str, object] = json_format.MessageToDict(answer, preserving_proto_field_name=True)
        return found

    def ready(self, seconds: float) -> None:
        """Wait until the runtime answers; raises CriError when it does not."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.call("Version", {}, timeout=SLOW)
                return
            except CriError:
                if time.monotonic() > end:
                    raise
                time.sleep(PAUSE)
