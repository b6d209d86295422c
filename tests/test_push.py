"""Handing messages to Kannel: what is asked of its smsbox, and what each answer means."""

import asyncio
import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from api.gateways import GatewaysInvalid, Sendsms, load_gateways, read_gateways
from api.push import through_kannel
from ledger.commands.pushing import Push, Reply
from tests.support.sendsms import answering, saying

PUSH = Push(
    mt="ab" * 16,
    attempt=1,
    gateway="kannel-fr",
    smsc="orange-fr",
    address="33100000001",
    short_code="81014",
    text="Déjà 6.00 EUR",
    billing_code="T300",
)
FILE = b"""
[fr.kannel-fr]
url = "http://127.0.0.1:13013/cgi-bin/sendsms"
username = "obole"
password = "s3cret"
receipt_key = "k-ey"
public_url = "http://127.0.0.1:8000/"
"""


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """End the connection without a word, as a process does that is killed."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.connection.close()
    handler.rfile.close()


def push(port: int, message: Push = PUSH, timeout_seconds: float = 5.0) -> Reply:
    settings = Sendsms(
        url=f"http://127.0.0.1:{port}/cgi-bin/sendsms",
        username="obole",
        password="s3cret",
        receipt_key="k-ey",
        public_url="http://127.0.0.1:8000",
    )
    return asyncio.run(through_kannel("fr", "kannel-fr", settings, timeout_seconds)(message))


class TestPush:
    """One request, and what its answer means."""

    def test_asks_for_the_message_its_price_and_its_receipts(self) -> None:
        with answering(saying(202, b"0: Accepted for delivery")) as kannel:
            push(kannel.port)
        ((path, headers, body),) = kannel.asked
        assert (path, body.decode()) == ("/cgi-bin/sendsms", "Déjà 6.00 EUR")
        assert {name: headers[name] for name in headers if name.startswith("X-Kannel-")} == {
            "X-Kannel-Username": "obole",
            "X-Kannel-Password": "s3cret",
            "X-Kannel-From": "81014",
            "X-Kannel-To": "33100000001",
            "X-Kannel-SMSC": "orange-fr",
            "X-Kannel-Coding": "0",
            "X-Kannel-BInfo": "T300",
            "X-Kannel-DLR-Mask": "31",
            "X-Kannel-DLR-Url": (
                f"http://127.0.0.1:8000/v1/books/fr/kannel/kannel-fr/dlr?key=k-ey&mt={PUSH.mt}"
                "&type=%d&at=%T&smsc=%i&fid=%F&sid=%I&answer=%A&meta=%D"
            ),
        }

    def test_asks_for_ucs2_where_the_gsm_alphabet_does_not_do(self) -> None:
        with answering(saying(202, b"0: Accepted for delivery")) as kannel:
            push(kannel.port, PUSH._replace(text="Œuvre"))
        ((_, headers, body),) = kannel.asked
        assert (headers["X-Kannel-Coding"], body.decode()) == ("2", "Œuvre")

    @pytest.mark.parametrize("said", ["0: Accepted for delivery", "3: Queued for later delivery"])
    def test_is_taken_where_kannel_says_so(self, said: str) -> None:
        with answering(saying(202, said.encode())) as kannel:
            assert push(kannel.port) == Reply("taken", f"202 {said}")

    @pytest.mark.parametrize("status", [400, 403, 404, 499])
    def test_is_refused_by_an_error_of_ours(self, status: int) -> None:
        with answering(saying(status, b"Authorization failed for sendsms")) as kannel:
            assert push(kannel.port) == Reply("refused", str(status))

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (503, b"4: Temporal failure, try again later."),
            (500, b""),
            (302, b""),
            (200, b"0: Accepted for delivery"),
            (202, b"Sent."),
        ],
    )
    def test_is_unknown_where_the_answer_says_neither(self, status: int, body: bytes) -> None:
        with answering(saying(status, body)) as kannel:
            assert push(kannel.port) == Reply("unknown", str(status))

    def test_keeps_no_words_but_kannels_own(self) -> None:
        with answering(saying(202, b"0: Accepted for delivery to +33100000001")) as kannel:
            assert push(kannel.port).raw_status == "202 0: Accepted for delivery to"

    def test_is_refused_where_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        assert push(port) == Reply("refused", "not connected: ConnectionRefusedError")

    def test_is_refused_where_it_cannot_be_written(self) -> None:
        with answering(saying(202, b"0: Accepted for delivery")) as kannel:
            assert push(kannel.port, PUSH._replace(address="1\r\nX: 2")).outcome == "refused"
        assert kannel.asked == []

    def test_is_unknown_where_no_answer_comes_in_time(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            assert push(port, timeout_seconds=0.1) == Reply("unknown", "TimeoutError")

    def test_is_unknown_where_the_connection_breaks_off(self) -> None:
        with answering(hang_up) as kannel:
            assert push(kannel.port).outcome == "unknown"
        assert len(kannel.asked) == 1

    def test_is_unknown_where_the_answer_breaks_off(self) -> None:
        def half(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(202)
            handler.send_header("Content-Length", "24")
            handler.end_headers()
            handler.close_connection = True

        with answering(half) as kannel:
            assert push(kannel.port) == Reply("unknown", "202")

    def test_is_unknown_where_the_answer_is_no_http(self) -> None:
        def noise(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"\x00\x01\x02\r\n\r\n")
            handler.close_connection = True

        with answering(noise) as kannel:
            assert push(kannel.port) == Reply("unknown", "BadStatusLine")


class TestGateways:
    """The file that says how each gateway is pushed to."""

    def test_names_each_gateway_of_each_book(self) -> None:
        found = read_gateways(FILE, "gateways.toml", ["be", "fr"])
        settings = found["fr"]["kannel-fr"]
        assert (settings.username, settings.password.get_secret_value()) == ("obole", "s3cret")
        assert settings.public_url == "http://127.0.0.1:8000"

    def test_never_shows_its_secrets(self) -> None:
        shown = repr(read_gateways(FILE, "gateways.toml", ["fr"]))
        assert "s3cret" not in shown
        assert "k-ey" not in shown

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            (b'username = "obole"\n', b"", "line 2: fr.kannel-fr.username: is missing"),
            (b'"obole"', b"7", "line 4: fr.kannel-fr.username: Input should be a valid string"),
            (b'"http://127.0.0.1:8000/"', b'"127.0.0.1"', "line 7: fr.kannel-fr.public_url: must"),
            (b'"http://127.0.0.1:8000/"', b'"http://me:pw@x"', "without a name or password"),
            (b'"s3cret"', b'""', "line 5: fr.kannel-fr.password: must be text in quotes"),
            (b'"s3cret"', b"12.34", "line 5: fr.kannel-fr.password: must be text in quotes"),
            (b'"k-ey"', b"99", "line 6: fr.kannel-fr.receipt_key: must be text in quotes"),
            (
                b"[fr.",
                b"[es.",
                "line 2: es.kannel-fr: belongs to no book that has settings: be, fr",
            ),
            (b"username =", b"user =", "line 4: fr.kannel-fr.user: is no field that belongs here"),
            (b'"s3cret"', b"s3cret", "Invalid value (at line 5"),
        ],
    )
    def test_is_refused_with_key_and_line(self, old: bytes, new: bytes, told: str) -> None:
        assert FILE.count(old) == 1
        with pytest.raises(GatewaysInvalid) as refused:
            read_gateways(FILE.replace(old, new), "gateways.toml", ["be", "fr"])
        assert told in str(refused.value)
        for secret in ("s3cret", "12.34", "99", "pw@x"):
            assert secret not in str(refused.value)

    def test_stands_beside_the_settings(self, tmp_path: Path) -> None:
        environ = {"OBOLE_SETTINGS": str(tmp_path / "settings")}
        assert load_gateways(["fr"], environ) == {}
        (tmp_path / "gateways.toml").write_bytes(FILE)
        assert list(load_gateways(["fr"], environ)["fr"]) == ["kannel-fr"]

    def test_may_stand_elsewhere_and_must_then_be_there(
        self,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        file = tmp_path / "elsewhere.toml"
        environ = {"OBOLE_GATEWAYS": str(file)}
        with pytest.raises(GatewaysInvalid, match="is not there, and OBOLE_GATEWAYS names it"):
            load_gateways(["fr"], environ)
        file.touch(0o600)
        file.write_bytes(FILE)
        assert "kannel-fr" in load_gateways(["fr"], environ)["fr"]
        assert caplog.text == ""
        file.chmod(0o644)
        load_gateways(["fr"], environ)
        assert "OTHERS CAN READ THE GATEWAYS' PASSWORDS" in caplog.text
