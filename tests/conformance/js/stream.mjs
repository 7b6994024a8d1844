// The official JavaScript SDK as a client that streams: node stream.mjs ENDPOINT VERSION BINDING.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory } from '@a2a-js/sdk/client';
import { SendMessageRequest, TaskState } from '@a2a-js/sdk';

const [endpoint, version, binding] = process.argv.slice(2);
setTimeout(() => { throw new Error('nothing came in time'); }, 60_000).unref();

const resolver = new DefaultAgentCardResolver({ legacyCompat: { enabled: true } });
const card = await resolver.resolve(endpoint);
assert.equal(card.capabilities.streaming, true);
card.supportedInterfaces = card.supportedInterfaces.filter(
  (found) => found.protocolVersion === version && found.protocolBinding === binding,
);
assert.equal(card.supportedInterfaces.length, 1);
const factory = new ClientFactory(
  ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ legacyCompat: { enabled: true } }), new RestTransportFactory()],
  }),
);
const client = await factory.createFromAgentCard(card);

function request(prefix, taskId) {
  const message = { messageId: `${prefix}-${randomUUID()}`, role: 'ROLE_USER', parts: [{ text: 'hi' }], ...(taskId ? { taskId } : {}) };
  return SendMessageRequest.fromJSON({ message });
}
async function collected(stream) {
  const events = [];
  for await (const event of stream) events.push(event.payload);
  return events;
}
const statesOf = (events) => events.filter(({ $case }) => $case === 'statusUpdate').map(({ value }) => value.status.state);

// A sender and a subscriber see the task to its end, with the same events.
const stream = client.sendMessageStream(request('m'));
const { value: begun } = await stream.next();
assert.equal(begun.payload.$case, 'task');
const taskId = begun.payload.value.id;
const subscribed = client.resubscribeTask({ tenant: '', id: taskId });
const { value: again } = await subscribed.next();
assert.equal(again.payload.value.id, taskId);
const [mine, theirs] = await Promise.all([collected(stream), collected(subscribed)]);
assert.deepEqual(mine.map(({ $case }) => $case), ['statusUpdate', 'artifactUpdate', 'statusUpdate']);
assert.deepEqual(statesOf(mine), [TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED]);
assert.equal(mine[1].value.artifact.parts[0].content.value, 'You said: hi');
assert.deepEqual(theirs, mine.slice(-theirs.length));

// A stream ends with a question; the answer opens another one.
const asked = await collected(client.sendMessageStream(request('tck-input-required')));
assert.equal(statesOf(asked).at(-1), TaskState.TASK_STATE_INPUT_REQUIRED);
const answered = await collected(client.sendMessageStream(request('tck-complete-task', asked[0].value.id)));
assert.equal(statesOf(answered).at(-1), TaskState.TASK_STATE_COMPLETED);

// A direct answer is the only event, and errors are the SDK's.
const direct = await collected(client.sendMessageStream(request('tck-message-response')));
assert.deepEqual(direct.map(({ $case }) => $case), ['message']);
await assert.rejects(collected(client.resubscribeTask({ tenant: '', id: 'unknown' })), /not found/i);
await assert.rejects(collected(client.resubscribeTask({ tenant: '', id: taskId })));
