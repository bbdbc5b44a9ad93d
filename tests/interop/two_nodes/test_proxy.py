"""What nginx does for the nodes: one public address, room for large calls, patience with slow ones, silent logs."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import urllib3

from tests.charts import ASTHMA, SERVICE, hook_call, order
from tests.interop.part import Parts
from tests.interop.two_nodes.cluster import Cluster, bearer_for, write_registry
from tests.interop.two_nodes.load import Ehr
from tests.interop.two_nodes.proxy import Proxy
from tests.production_node import Node
from tests.registered_service import DISCOVERY
from tests.server_process import free_port

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
LARGEST = 8_000_000  # CDS_MAX_BODY_BYTES
LARGEST_OF_NGINX = 8 * 1024 * 1024
PREFIX = "/cds"


@pytest.fixture
def ehr(cluster: Cluster) -> Iterator[Ehr]:
    one = cluster.ehr()
    yield one
    one.close()


def test_the_public_address_is_the_audience_and_a_nodes_own_is_none(cluster: Cluster, ehr: Ehr) -> None:
    assert ehr.get(DISCOVERY).status == 200
    assert ehr.call().status == 200
    for node in cluster.nodes:
        inside = f"http://{node.address}"
        assert ehr.get(DISCOVERY, token=bearer_for(inside, DISCOVERY)).status == 401
        assert ehr.call(token=bearer_for(inside, SERVICE)).status == 401
        token = cluster.bearer(DISCOVERY)  # whatever Host says, the public address is what counts
        assert node.get(DISCOVERY, Authorization=token, Host="evil.example")[0] == 200


def test_an_answer_has_the_security_headers_once_and_names_no_version(ehr: Ehr) -> None:
    headers = ehr.get(DISCOVERY).headers
    assert headers.getlist("Strict-Transport-Security") == ["max-age=31536000"]
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("Server") == ["nginx"]
    assert "X-Powered-By" not in headers


@pytest.mark.parametrize(
    ("size", "status", "by"),
    [
        pytest.param(LARGEST, 200, "node", id="the largest that the service takes is answered"),
        pytest.param(LARGEST + 1, 413, "node", id="a byte more is refused by the service"),
        pytest.param(LARGEST_OF_NGINX + 1, 413, "nginx", id="more than nginx takes is refused by nginx"),
    ],
)
def test_a_large_body(size: int, status: int, by: str, cluster: Cluster, ehr: Ehr) -> None:
    start = json.dumps(hook_call(order(ASTHMA), hookInstance=str(uuid4()))).encode()
    answer = ehr.call(body=start + b" " * (size - len(start)))
    assert answer.status == status, answer
    told = json.loads(answer.text)
    assert told == {"cards": []} if status == 200 else told["issue"][0]["code"] == "too-long"
    assert (cluster.proxy.passed([answer.request_id])[answer.request_id].nodes == ["-"]) == (by == "nginx")


def test_a_slow_client_waits_at_nginx_and_takes_nothing_of_a_node(cluster: Cluster, ehr: Ehr) -> None:
    body = json.dumps(hook_call(hookInstance=str(uuid4()))).encode()
    head = f"POST {SERVICE} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {cluster.bearer(SERVICE)}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    context = ssl.create_default_context(cafile=str(cluster.proxy.certificate))
    plain = socket.create_connection(("127.0.0.1", cluster.proxy.port), timeout=30)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as slow:
        slow.sendall(head.encode() + body[:-1])
        assert ehr.call().status == 200  # by which time nginx has what was sent before
        for node in cluster.nodes:
            node.wait_until_idle()
        slow.sendall(body[-1:])
        answer = b"".join(iter(lambda: slow.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_nothing_about_a_patient_and_no_token_is_in_the_logs_of_nginx(cluster: Cluster, ehr: Ehr) -> None:
    token = cluster.bearer(SERVICE)
    answer = ehr.call(f"{SERVICE}?patient=made-up-patient", token=token, Referer="https://ehr.example/made-up-patient")
    assert answer.status == 200
    assert cluster.proxy.passed([answer.request_id])[answer.request_id].status == 200
    logs = cluster.proxy.access_log.read_text("utf-8") + cluster.proxy.error_log.read_text("utf-8")
    assert "made-up-patient" not in logs
    assert token.removeprefix("Bearer ") not in logs


def test_what_an_infobutton_says_of_the_patient_is_in_no_log_when_no_node_answers(parts: Parts, tmp_path: Path) -> None:
    proxy = Proxy(tmp_path, free_port(), [f"127.0.0.1:{free_port()}", f"127.0.0.2:{free_port()}"])
    with proxy.running(parts, "nginx without nodes"):
        ehr = Ehr(proxy.port, proxy.certificate, lambda _: "")
        for path in ("infobutton", "other"):
            assert ehr.get(f"/{path}?age.v.v=sent-of-{path}").status == 502
        ehr.close()
    logs = proxy.access_log.read_text("utf-8") + proxy.error_log.read_text("utf-8")
    assert "sent-of-other" in logs  # nginx does write queries of other paths there
    assert "/infobutton" in logs
    assert "sent-of-infobutton" not in logs


@pytest.mark.parametrize("path", ["/metrics", "/health/ready", "/health/live", "//metrics", "/%6Detrics"])
def test_what_is_for_the_operator_is_not_there_for_strangers(path: str, ehr: Ehr) -> None:
    assert ehr.get(path).status == 404


def test_plain_http_is_refused(cluster: Cluster) -> None:
    answer = urllib3.PoolManager().request("GET", f"http://127.0.0.1:{cluster.proxy.port}{DISCOVERY}", retries=False)
    assert answer.status == 400


def test_a_service_below_a_path_is_discovered_called_and_read(parts: Parts, standing: Cluster, tmp_path: Path) -> None:
    """The variant that the shipped file has as a comment."""
    port = free_port()
    base_url = f"https://127.0.0.1:{port}{PREFIX}"
    variables = {
        "CDS_PROFILE": "production",
        "CDS_PUBLIC_URL": base_url,
        "CDS_CLIENTS_FILE": str(write_registry(tmp_path)),
        "CDS_DATABASE_URL": standing.database.url,
    }
    node = Node("127.0.0.1", tmp_path, variables)
    there = "    location / {\n"
    below = f"    location {PREFIX}/ {{\n        rewrite ^{PREFIX}(/.*) $1 break;\n"
    proxy = Proxy(tmp_path, port, [node.address, node.address], changes=[(there, below)])
    try:
        node.start()
        with proxy.running(parts, "nginx with a path"):
            ehr = Ehr(port, proxy.certificate, lambda path: bearer_for(base_url, path.removeprefix(PREFIX)))
            assert ehr.get(PREFIX + DISCOVERY).status == 200
            answer = ehr.call(PREFIX + SERVICE)
            assert answer.status == 200, answer
            (card,) = json.loads(answer.text)["cards"]
            pages = [one["url"] for one in card["links"] if one["url"].startswith(base_url)]
            assert pages
            assert [ehr.get(one.removeprefix(f"https://127.0.0.1:{port}")).status for one in pages] == [200] * len(
                pages
            )
            ehr.close()
    finally:
        node.kill()
