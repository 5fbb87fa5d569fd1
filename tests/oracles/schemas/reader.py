"""Reads each line as an event with the generated classes, and writes it as JSON."""

import json
import sys

from event import profile_status_changed_from_dict, profile_status_changed_to_dict

for line in sys.stdin:
    event = profile_status_changed_from_dict(json.loads(line))
    assert all(reason.code > 0 for reason in event.errors), line
    print(json.dumps(profile_status_changed_to_dict(event)))
