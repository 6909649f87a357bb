"""The messages on the wire, typed: `nri_pb2` and `ttrpc_pb2` are generated from the .proto files here by the build."""
