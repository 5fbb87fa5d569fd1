// A typical service in Node: Express, Twilio's validator and kafkajs. It gives the same guarantees as the bridge:
// the signature is checked with Twilio's own code, and the answer is 204 once all in-sync replicas have the event.
'use strict';

const express = require('express');
const { Kafka, logLevel } = require('kafkajs');
const { validateRequest } = require('twilio');

const { HTTP_BIND, KAFKA_BOOTSTRAP_SERVERS, KAFKA_TOPIC, PUBLIC_URL, TWILIO_AUTH_TOKEN } = process.env;
const ROUTE = '/callbacks/customer-profiles';

const kafka = new Kafka({ brokers: [KAFKA_BOOTSTRAP_SERVERS], logLevel: logLevel.ERROR });
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });

function event(form, token) {
  return {
    account_sid: form.AccountSid,
    profile_sid: form.BundleSid,
    resource: 'customer-profile',
    status: form.Status,
    failure_reason: form.FailureReason || null,
    received_at: new Date().toISOString(),
    idempotency_token: token ?? null,
  };
}

const app = express();
app.use(express.urlencoded({ extended: false }));
app.post(ROUTE, async (request, response) => {
  const signature = request.get('X-Twilio-Signature') ?? '';
  if (!validateRequest(TWILIO_AUTH_TOKEN, signature, PUBLIC_URL + ROUTE, request.body)) {
    return response.status(403).end();
  }
  const value = event(request.body, request.get('I-Twilio-Idempotency-Token'));
  const messages = [{ key: value.profile_sid, value: JSON.stringify(value) }];
  await producer.send({ topic: KAFKA_TOPIC, acks: -1, messages });
  response.status(204).end();
});

producer.connect().then(() => {
  const [host, port] = HTTP_BIND.split(':');
  app.listen(Number(port), host);
});
