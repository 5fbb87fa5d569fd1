"""Prints what Python's parser reads in a message from stdin, as a JSON object."""

import json
import sys
from datetime import timezone
from email import message_from_bytes, policy


def read(data):
    message = message_from_bytes(data, policy=policy.default)
    addresses = message["To"].addresses
    defects = [*message.defects, *(defect for value in message.values() for defect in value.defects)]
    return {
        "subject": message["Subject"],
        "from": message["From"].addresses[0].addr_spec,
        "to": addresses[0].addr_spec if addresses else None,
        "bcc": message["Bcc"],
        "date": message["Date"].datetime.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "message_id": message["Message-ID"].strip("<>"),
        "text": message.get_content().replace("\r\n", "\n"),
        "defects": [repr(defect) for defect in defects],
    }


if __name__ == "__main__":
    print(json.dumps(read(sys.stdin.buffer.read())))
