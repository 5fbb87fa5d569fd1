"""Fixtures for tests of an onboarding against `trusthub-bridge simulate`."""

import json
import os
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, urlencode
from urllib.request import urlopen

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

ACCOUNT = os.environ.get("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001")
TOKEN = os.environ.get("TWILIO_AUTH_TOKEN", "secret")
HUB = os.environ.get("TRUSTHUB_BASE_URL", "http://127.0.0.1:8090")
# The name under which the simulator reaches the machine of the tests.
RECEIVER_HOST = os.environ.get("RECEIVER_HOST", "127.0.0.1")
PATIENCE_SECONDS = 20


class Simulator:
    """What Twilio has no requests for: reviews, faults, and the list of sent callbacks."""

    def post(self, path, **fields):
        with urlopen(f"{HUB}/simulator/{path}", urlencode(fields).encode()) as answer:
            return json.load(answer)

    def approve(self, sid, **fields):
        self.post(f"profiles/{sid}/approve", **fields)

    def reject(self, sid, code, reason):
        self.post(f"profiles/{sid}/reject", code=code, reason=reason)

    def set(self, **settings):
        self.post("settings", **settings)

    def attempts(self, sid, status):
        """The attempts to send the callbacks with this status, once no callback is under way."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with urlopen(f"{HUB}/simulator/callbacks") as answer:
                journal = json.load(answer)
            if journal["under_way"] == 0:
                wanted = (sid, status)
                return [one for one in journal["attempts"] if (one["profile_sid"], one["status"]) == wanted]
            assert time.monotonic() < deadline, "callbacks are still under way"
            time.sleep(0.05)


class Receiver:
    """Stands for your receiver of callbacks: it accepts only what Twilio has signed."""

    def __init__(self):
        self.callbacks = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = dict(parse_qsl(body, keep_blank_values=True))
                signature = self.headers.get("X-Twilio-Signature", "")
                is_signed = RequestValidator(TOKEN).validate(receiver.url, fields, signature)
                # First, because the simulator sends the next callback of the profile after the answer.
                receiver.callbacks.put(fields if is_signed else None)
                self.send_response(204 if is_signed else 403)
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1" if RECEIVER_HOST == "127.0.0.1" else "", 0), Handler)
        self.url = f"http://{RECEIVER_HOST}:{self.server.server_port}/callbacks"
        threading.Thread(target=self.server.serve_forever, args=(0.05,)).start()

    def next(self):
        """The fields of the next callback."""
        fields = self.callbacks.get(timeout=PATIENCE_SECONDS)
        assert fields, "the signature of a callback is wrong"
        return fields

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="session", autouse=True)
def trust_hub():
    """A simulator that answers, and whose account has an approved primary profile, as yours has at Twilio."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            urlopen(f"{HUB}/openapi.json").close()
            break
        except HTTPError as error:
            pytest.exit(f"{HUB} answers {error.code}: {error.read().decode()}", returncode=1)
        except URLError:
            assert time.monotonic() < deadline, f"no simulator at {HUB}"
            time.sleep(0.1)
    Simulator().post("primary-profiles", type="business", status="twilio-approved")


@pytest.fixture
def client():
    """Twilio's client. Only its base URLs are changed."""
    client = Client(ACCOUNT, TOKEN)
    client.trusthub.base_url = client.api.base_url = HUB
    return client


@pytest.fixture
def simulator():
    simulator = Simulator()
    yield simulator
    simulator.set(drop=0, speed=1)


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()
