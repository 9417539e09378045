"""tilewright serve, as a user types it and as a browser asks it: who may see what, and what is new."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "report"))
from searched import searched_run  # noqa: E402
from served import Served, stored  # noqa: E402

from tilewright.store import FILE, Store  # noqa: E402

RUN = searched_run(12)
TOKEN = "a token of some length"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    stored(folder, RUN)
    stored(folder, replace(searched_run(3), id="bbbb"))
    return folder


@pytest.fixture(scope="module")
def served(results: Path) -> Iterator[Served]:
    served = Served(results)
    yield served
    assert served.stop() == 0


@pytest.fixture(scope="module")
def guarded(results: Path) -> Iterator[Served]:
    served = Served(results, TILEWRIGHT_SERVE_TOKEN=TOKEN)
    yield served
    served.stop()


def asked(served: Served, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, str]:
    connection = HTTPConnection("127.0.0.1", served.port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_pages_are_found_and_may_do_nothing_but_ask_this_server(served: Served) -> None:
    for path in ("/", "/runs/1122abcdef", "/compare?run=1122abcdef&run=bbbb"):
        answer, text = asked(served, path)
        policy = answer.getheader("Content-Security-Policy", "")
        assert answer.status == 200 and text.startswith("<!doctype html>") and "12 Gemm Scale" in text
        assert (
            "default-src 'none'" in policy and "connect-src 'self'" in policy and "frame-ancestors 'none'" in policy
        )
        assert answer.getheader("Cache-Control") == "no-store"


def test_what_is_not_there_is_said_so(served: Served) -> None:
    assert [asked(served, path)[0].status for path in ("/runs/zzz", "/compare?run=bbbb", "/etc")] == [404, 404, 404]
    assert asked(served, "/", "POST")[0].status == 405


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "192.168.1.9", "", "["]
)
def test_a_name_that_is_not_this_machines_is_refused(served: Served, host: str) -> None:
    answer, text = asked(served, "/", Host=host)
    assert answer.status == 421 and "localhost" in text and "Gemm" not in text


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "LOCALHOST", "127.0.0.1:1", "[::1]:80"])
def test_this_machine_may_be_called_by_all_its_names_and_through_any_port(served: Served, host: str) -> None:
    assert asked(served, "/", Host=host)[0].status == 200


def test_a_token_opens_the_pages_and_leaves_the_address(guarded: Served) -> None:
    assert TOKEN.split()[0] in guarded.address
    for path in ("/", "/events", "/runs/1122abcdef", "/runs/1122abcdef/sources", "/?token=wrong"):
        answer, text = asked(guarded, path)
        assert answer.status == 401 and "Gemm" not in text
    answer, _ = asked(guarded, f"/compare?run=a&run=b&token={TOKEN.replace(' ', '+')}")
    cookie = answer.getheader("Set-Cookie", "")
    assert answer.status == 303 and answer.getheader("Location") == "/compare?run=a&run=b"
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie
    elsewhere, _ = asked(guarded, f"//evil.example/?token={TOKEN.replace(' ', '+')}")
    assert elsewhere.getheader("Location") == "/evil.example/"
    assert asked(guarded, "/", Cookie=cookie.split(";")[0])[0].status == 200
    assert asked(guarded, "/", Authorization=f"Bearer {TOKEN}")[0].status == 200
    assert asked(guarded, "/", Authorization=f"Bearer {TOKEN}x")[0].status == 401
    assert asked(guarded, "/", Authorization=f"Bearer {TOKEN}", Host="evil.example")[0].status == 421
    assert asked(guarded, "/", Authorization=f"Bearer {TOKEN}", Host="192.168.1.9:80")[0].status == 200


def test_to_be_reached_from_elsewhere_it_draws_a_token(results: Path) -> None:
    served = Served(results, "--host", "0.0.0.0")
    path = "/" + served.address.split("/", 3)[3]
    assert len(path) > 30 and asked(served, path)[0].status == 303 and asked(served, "/")[0].status == 401
    served.stop()


def test_what_can_not_be_served_is_explained(results: Path) -> None:
    def refused(*options: str, token: str = "") -> tuple[int, str]:
        command = [sys.executable, "-m", "tilewright", "serve", "--results", str(results), *options]
        done = subprocess.run(command, capture_output=True, text=True, env={"TILEWRIGHT_SERVE_TOKEN": token})
        return done.returncode, done.stderr

    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = refused("--port", str(taken.getsockname()[1]))
    assert code == 2 and "--port 0" in said
    code, said = refused(token="short")
    assert code == 2 and "16" in said


def test_a_browser_is_told_what_is_new_to_it_and_nothing_else(tmp_path: Path) -> None:
    stored(tmp_path, replace(RUN, attempts=RUN.attempts[:10]), ended=False)
    served = Served(tmp_path)
    _, page = asked(served, f"/runs/{RUN.id}")
    has = page.split('name="has" content="')[1].split('"')[0]
    connection = HTTPConnection("127.0.0.1", served.port, timeout=10)
    connection.request("GET", f"/runs/{RUN.id}/events?has={has}")
    stream = connection.getresponse()
    assert stream.getheader("Content-Type", "").startswith("text/event-stream")
    assert stream.readline() == b": nothing new\n"
    store = Store(tmp_path / FILE)
    store.append(RUN.id, RUN.attempts[10])
    store.close()
    lines = [stream.readline().decode() for _ in range(4)][1:]
    assert lines[0] == "event: parts\n" and lines[1].startswith(f"id: {has.split('.')[0]}.")
    news = json.loads(lines[2].removeprefix("data: "))
    assert 'id="c10"' in news["parts"]["every-candidate"] and "where" not in news["parts"]
    assert served.stop() == 0  # which ends the stream
    assert stream.read().strip() == b""
    connection.close()


def test_a_page_of_another_version_of_the_program_is_outdated(served: Served) -> None:
    assert asked(served, "/events?has=0123.4567")[1].startswith("event: outdated\n")
