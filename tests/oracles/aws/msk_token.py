"""AWS's signer of tokens for Amazon MSK as an oracle.

Reads a JSON array of requests per line from stdin and prints an array of responses per line:

    {"access_key_id", "secret_access_key", "session_token": text or null, "region", "time": seconds} -> {"token", "expires_ms"}

The library reads the time from the clock, which is replaced.
"""

import datetime
import json
import sys

import aws_msk_iam_sasl_signer.MSKAuthTokenProvider as signer
import botocore.auth
from botocore.credentials import CredentialProvider, Credentials


class Given(CredentialProvider):
    def __init__(self, request):
        super().__init__()
        self.keys = [request[name] for name in ("access_key_id", "secret_access_key", "session_token")]

    def load(self):
        return Credentials(*self.keys)


def answer(request):
    now = datetime.datetime.fromtimestamp(request["time"], datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda *_, now=now, **__: now
    token, expires = signer.generate_auth_token_from_credentials_provider(request["region"], Given(request))
    return {"token": token, "expires_ms": expires}


for line in sys.stdin:
    print(json.dumps([answer(request) for request in json.loads(line)]), flush=True)
