"""A typical service in Python: FastAPI, Twilio's validator and aiokafka. It gives the same guarantees as the bridge:
the signature is checked with Twilio's own code, and the answer is 204 once all in-sync replicas have the event."""

import json
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Request, Response
from twilio.request_validator import RequestValidator

ROUTE = "/callbacks/customer-profiles"
URL = os.environ["PUBLIC_URL"] + ROUTE
TOPIC = os.environ["KAFKA_TOPIC"]
validator = RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])


@asynccontextmanager
async def lifespan(app):
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"], acks="all", enable_idempotence=True
    )
    await producer.start()
    app.state.producer = producer
    yield
    await producer.stop()


app = FastAPI(lifespan=lifespan)


def event(form, token):
    return {
        "account_sid": form["AccountSid"],
        "profile_sid": form["BundleSid"],
        "resource": "customer-profile",
        "status": form["Status"],
        "failure_reason": form.get("FailureReason") or None,
        "received_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "idempotency_token": token,
    }


@app.post(ROUTE)
async def callback(request: Request):
    form = await request.form()
    if not validator.validate(URL, form, request.headers.get("X-Twilio-Signature", "")):
        return Response(status_code=403)
    value = event(form, request.headers.get("I-Twilio-Idempotency-Token"))
    key = value["profile_sid"].encode()
    await app.state.producer.send_and_wait(TOPIC, json.dumps(value).encode(), key=key)
    return Response(status_code=204)


if __name__ == "__main__":
    host, port = os.environ["HTTP_BIND"].split(":")
    uvicorn.run(app, host=host, port=int(port), loop="uvloop", http="httptools", access_log=False, log_level="warning")
