"""An S3-compatible store on this machine, for tests; in a process of its own, which ends when the tests do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: From the table in a bucket to the released table in a bucket: the commands of docs/scale-out.md.
PIPELINE = """
synthcli init s3://lake/flights.csv
synthcli split -c synthcli.yaml
synthcli fit -c synthcli.yaml
synthcli sample -c synthcli.yaml --output s3://lake/synthetic/flights.parquet
synthcli validate -c synthcli.yaml --synthetic s3://lake/synthetic/flights.parquet
synthcli gate s3://lake/synthetic/flights.parquet
synthcli lineage s3://lake/synthetic/flights.parquet
"""

_SERVER = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def s3_environment() -> Iterator[dict[str, str]]:
    """Yield the variables by which AWS's tools, and all that work like them, find a new and empty store."""
    words = [sys.executable, "-c", _SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        assert port.isdecimal(), "the store did not start"
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        assert server.stdin is not None
        server.stdin.close()
