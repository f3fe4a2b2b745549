"""A real S3 server on the loopback interface, in a thread."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def object_store() -> Iterator[str]:
    """The server's address; while the block runs the variables of the environment lead there."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "hush-secret-key")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        _forget_connections()
        try:
            yield os.environ["AWS_ENDPOINT_URL"]
        finally:
            _forget_connections()
            server.stop()


def _forget_connections() -> None:
    """File systems are kept by fsspec, with the address that they were made with."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def bucket(name: str) -> "object":
    """A file system, with a new bucket."""
    import s3fs

    system = s3fs.S3FileSystem(skip_instance_cache=True)
    system.mkdir(name)
    return system
