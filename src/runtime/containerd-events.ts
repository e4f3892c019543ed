import { type Client, Metadata } from '@grpc/grpc-js';
import type { ContainerEvent } from './contract.ts';
import { createProtoCodec, type ProtoMessage } from './protobuf.ts';

/**
 * The events of containerd itself (containerd.services.events.v1, events/task.proto): what containers do, from a containerd that does not yet
 * tell it through the CRI (before 1.7). They tell of containers by id alone, and may come a moment before the CRI knows of the same.
 */
const SUBSCRIBE = '/containerd.services.events.v1.Events/Subscribe';
/** Where the CRI keeps its containers. */
const NAMESPACE = 'k8s.io';
const TASK_EXIT = '/tasks/exit';
const CONTAINER_DELETE = '/containers/delete';

const codec = createProtoCodec({
  enums: {},
  messages: {
    SubscribeRequest: 'filters=1:*string',
    Envelope: 'namespace=2 topic=3 event=4:Any',
    Any: 'typeUrl=1 value=2:bytes',
    TaskExit: 'containerId=1 id=2',
    ContainerDelete: 'id=1',
  },
});

/** Ends of containers and sandboxes, and their removals, until the signal aborts. Throws grpc-js's ServiceError when the stream breaks. */
export async function* containerdEvents(client: Client, signal: AbortSignal): AsyncGenerator<ContainerEvent> {
  const filters = [TASK_EXIT, CONTAINER_DELETE].map((topic) => `namespace==${NAMESPACE},topic=="${topic}"`);
  const stream = client.makeServerStreamRequest(
    SUBSCRIBE,
    (message: ProtoMessage) => codec.encode('SubscribeRequest', message),
    (bytes) => codec.decode('Envelope', bytes),
    { filters },
    new Metadata(),
    {},
  );
  const onAbort = (): void => stream.cancel();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const envelope of stream as AsyncIterable<ProtoMessage>) {
      const event = toEvent(envelope);
      if (event !== undefined) yield event;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    stream.cancel();
  }
}

/** Undefined for what is no container's: the end of a command run in one is a task's too. */
function toEvent(envelope: ProtoMessage): ContainerEvent | undefined {
  const value = (envelope['event'] as { readonly value: Uint8Array } | undefined)?.value;
  if (value === undefined) return undefined;
  if (envelope['topic'] === TASK_EXIT) {
    const { containerId, id } = codec.decode('TaskExit', value) as { readonly containerId: string; readonly id: string };
    return id === containerId ? { containerId, type: 'STOPPED', podUid: '' } : undefined;
  }
  const { id } = codec.decode('ContainerDelete', value) as { readonly id: string };
  return { containerId: id, type: 'DELETED', podUid: '' };
}
