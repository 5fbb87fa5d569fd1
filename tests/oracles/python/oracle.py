"""Twilio's official Python library as a signature oracle.

One JSON request per line on stdin, one JSON answer per line on stdout:

    {"op": "sign", "token", "url", "params": [[name, value], …]}   -> {"signature"}
    {"op": "sign", "token", "url", "body": base64}                 -> {"signature", "url"}
    {"op": "validate", "token", "url", "signature", "params"}      -> {"valid"}
    {"op": "validate", "token", "url", "signature", "body"}        -> {"valid"}

A raw body is signed through its hash: the answered URL is the given one with `bodySHA256` appended.
A request that cannot be answered gets {"error"}.
"""

import base64
import json
import sys

# The library takes repeated parameters only from a mapping with `getall`; multidict's is the one it installs itself.
from multidict import MultiDict
from twilio.request_validator import RequestValidator


def body_of(request):
    return base64.b64decode(request["body"], validate=True).decode("utf-8")


def sign(validator, request):
    url = request["url"]
    if "body" not in request:
        return {"signature": validator.compute_signature(url, MultiDict(request["params"]))}
    separator = "&" if "?" in url else "?"
    url = f"{url}{separator}bodySHA256={validator.compute_hash(body_of(request))}"
    return {"signature": validator.compute_signature(url, {}), "url": url}


def validate(validator, request):
    received = body_of(request) if "body" in request else MultiDict(request["params"])
    return {"valid": validator.validate(request["url"], received, request["signature"])}


OPERATIONS = {"sign": sign, "validate": validate}


def answer(line):
    try:
        request = json.loads(line)
        return OPERATIONS[request["op"]](RequestValidator(request["token"]), request)
    except Exception as error:  # whatever the library throws is an answer to the test, not the end of the oracle
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    for line in sys.stdin.buffer:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
