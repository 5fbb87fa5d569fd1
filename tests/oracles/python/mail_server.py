"""An SMTP server on a free port of 127.0.0.1. Prints its address, then each message that it accepts as a line of JSON."""

import asyncio
import json

from aiosmtpd.smtp import SMTP
from message import read


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = read(envelope.content)
        print(json.dumps({"mail_from": envelope.mail_from, "rcpt_tos": envelope.rcpt_tos, "message": message}), flush=True)
        return "250 OK"


async def serve():
    # Messages are ASCII in short lines, as the standard requires without extensions.
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), decode_data=False, enable_SMTPUTF8=False), "127.0.0.1", 0
    )
    print("{}:{}".format(*server.sockets[0].getsockname()), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
