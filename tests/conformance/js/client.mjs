// The official JavaScript SDK as a client: node client.mjs ENDPOINT VERSION BINDING. Fails with an exception.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory } from '@a2a-js/sdk/client';
import { Role, SendMessageRequest, StreamResponse, TaskState } from '@a2a-js/sdk';

const [endpoint, version, binding] = process.argv.slice(2);
setTimeout(() => { throw new Error('nothing came in time'); }, 60_000).unref();

async function webhooks() {
  const received = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    received.push({ headers: request.headers, body: JSON.parse(body) });
    response.writeHead(204).end();
    server.emit('received');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, received, url: `http://127.0.0.1:${server.address().port}/webhook` };
}

const resolver = new DefaultAgentCardResolver({ legacyCompat: { enabled: true } });
const card = await resolver.resolve(endpoint);
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

const parts = [{ text: 'hi' }, { url: 'https://example.com/a.txt', mediaType: 'text/plain' }, { data: { a: 1 } }];
async function send(prefix, url) {
  const config = url ? { taskPushNotificationConfig: { url, token: 'token' } } : {};
  const message = { messageId: `${prefix}-${randomUUID()}`, role: 'ROLE_USER', parts };
  return client.sendMessage(SendMessageRequest.fromJSON({ message, configuration: { returnImmediately: true, ...config } }));
}
const idOf = (answer) => answer.id ?? answer.task?.id ?? answer.payload?.value?.id;

// An inline config hears of the task until its end, in bodies of its own dialect.
const hooks = await webhooks();
const taskId = idOf(await send('m', hooks.url));
assert.ok(taskId);
const stateOf = ({ body }) => {
  if (version === '0.3') return body.kind === 'task' ? body.status.state : assert.fail('no bare task');
  const event = StreamResponse.fromJSON(body);
  return event.payload.$case === 'statusUpdate' ? body.statusUpdate.status.state : undefined;
};
const ended = version === '0.3' ? 'completed' : 'TASK_STATE_COMPLETED';
while (!hooks.received.some((entry) => stateOf(entry) === ended)) await once(hooks.server, 'received');
assert.ok(hooks.received.every(({ headers }) => headers['x-a2a-notification-token'] === 'token'));
hooks.server.close();

const done = await client.getTask({ tenant: '', id: taskId });
assert.equal(done.status.state, TaskState.TASK_STATE_COMPLETED);
assert.equal(done.artifacts[0].parts[0].content.value, 'You said: hi');
assert.deepEqual(done.history[0].parts.map((part) => part.content.$case), ['text', 'url', 'data']);
assert.equal(done.history[0].role, Role.ROLE_USER);

// A config is created, read, listed and deleted.
const asked = idOf(await send('tck-input-required'));
const wanted = {
  tenant: '', taskId: asked, id: 'mine', url: 'http://127.0.0.1:9299/', token: 'token',
  authentication: { scheme: 'Bearer', credentials: 'secret' },
};
const plain = (config) => JSON.parse(JSON.stringify(config));
assert.deepEqual(plain(await client.createTaskPushNotificationConfig(wanted)), wanted);
const one = { tenant: '', taskId: asked, id: 'mine' };
assert.deepEqual(plain(await client.getTaskPushNotificationConfig(one)), wanted);
const every = { tenant: '', taskId: asked, pageSize: 0, pageToken: '' };
assert.deepEqual(plain((await client.listTaskPushNotificationConfig(every)).configs), [wanted]);
await client.deleteTaskPushNotificationConfig(one);
assert.deepEqual((await client.listTaskPushNotificationConfig(every)).configs, []);

// A direct message, a cancelation, and the SDK's errors.
const direct = await send('tck-message-response');
assert.ok(JSON.stringify(direct).includes('Direct message response'));
const canceled = await client.cancelTask({ tenant: '', id: asked, metadata: undefined });
assert.equal(canceled.status.state, TaskState.TASK_STATE_CANCELED);
await assert.rejects(client.cancelTask({ tenant: '', id: asked, metadata: undefined }), /cancel/i);
await assert.rejects(client.getTask({ tenant: '', id: 'unknown' }), /not found/i);
