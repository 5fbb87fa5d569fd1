"""Twilio's official Python library as a signature oracle.

Reads one JSON request per line from stdin and prints one JSON response per line; an array of requests gets an array of
responses:

    {"op": "sign", "token", "url", "form": base64}                  -> {"signature", "url"}
    {"op": "sign", "token", "url", "body": base64}                  -> {"signature", "url"}
    {"op": "validate", "token", "url", "signature", "form": base64} -> {"valid"}
    {"op": "validate", "token", "url", "signature", "body": base64} -> {"valid"}

The library reads the algorithm of "validate" from "settings", the header X-Twilio-Webhooks-Signature-Settings. The caller
selects the key: "token" is the auth token, or the secret of the SharedKey that the header names.

The library gets the parameters of a form, as a web framework parses them, and any other body as text. Such a body is
signed through its hash: the URL in the response is that of the request with `bodySHA256` appended.
A failed request gets {"error"}.
"""

import base64
import json
import sys
from urllib.parse import parse_qsl

# The library supports repeated parameters only in a mapping with `getall`; it depends on multidict itself.
from multidict import MultiDict
from twilio.request_validator import RequestValidator, get_signature_algorithm


def body_of(request):
    return base64.b64decode(request["body"], validate=True).decode("utf-8")


def params_of(request):
    form = base64.b64decode(request["form"], validate=True).decode("utf-8", "replace")
    return MultiDict(parse_qsl(form, keep_blank_values=True))


def sign(validator, request):
    url = request["url"]
    if "form" in request:
        return {"signature": validator.compute_signature(url, params_of(request)), "url": url}
    separator = "&" if "?" in url else "?"
    url = f"{url}{separator}bodySHA256={validator.compute_hash(body_of(request))}"
    return {"signature": validator.compute_signature(url, {}), "url": url}


def validate(validator, request):
    received = params_of(request) if "form" in request else body_of(request)
    algorithm = get_signature_algorithm(request["settings"])
    return {"valid": validator.validate(request["url"], received, request["signature"], algorithm)}


OPERATIONS = {"sign": sign, "validate": validate}


def answer(request):
    try:
        return OPERATIONS[request["op"]](RequestValidator(request["token"]), request)
    except Exception as error:  # an exception of the library is a result for the test and must not end the oracle
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answers = [answer(one) for one in request] if isinstance(request, list) else answer(request)
        print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
