import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import {
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/** The part of etcd's v3 API that the store speaks. Field numbers are those of etcd's `rpc.proto` and `kv.proto`; fields not read are left out. */
const DESCRIPTOR = {
  nested: {
    etcdserverpb: {
      nested: {
        ResponseHeader: { fields: { revision: { type: 'int64', id: 3 } } },
        KeyValue: {
          fields: {
            key: { type: 'bytes', id: 1 },
            createRevision: { type: 'int64', id: 2 },
            modRevision: { type: 'int64', id: 3 },
            value: { type: 'bytes', id: 5 },
          },
        },
        RangeRequest: {
          fields: {
            key: { type: 'bytes', id: 1 },
            rangeEnd: { type: 'bytes', id: 2 },
            limit: { type: 'int64', id: 3 },
            revision: { type: 'int64', id: 4 },
          },
        },
        RangeResponse: {
          fields: {
            header: { type: 'ResponseHeader', id: 1 },
            kvs: { rule: 'repeated', type: 'KeyValue', id: 2 },
            more: { type: 'bool', id: 3 },
          },
        },
        PutRequest: {
          fields: { key: { type: 'bytes', id: 1 }, value: { type: 'bytes', id: 2 }, lease: { type: 'int64', id: 3 } },
        },
        DeleteRangeRequest: { fields: { key: { type: 'bytes', id: 1 } } },
        RequestOp: {
          oneofs: { request: { oneof: ['requestRange', 'requestPut', 'requestDeleteRange'] } },
          fields: {
            requestRange: { type: 'RangeRequest', id: 1 },
            requestPut: { type: 'PutRequest', id: 2 },
            requestDeleteRange: { type: 'DeleteRangeRequest', id: 3 },
          },
        },
        ResponseOp: {
          oneofs: { response: { oneof: ['responseRange'] } },
          fields: { responseRange: { type: 'RangeResponse', id: 1 } },
        },
        Compare: {
          oneofs: { targetUnion: { oneof: ['modRevision'] } },
          fields: {
            result: { type: 'int32', id: 1 },
            target: { type: 'int32', id: 2 },
            key: { type: 'bytes', id: 3 },
            modRevision: { type: 'int64', id: 6 },
          },
        },
        TxnRequest: {
          fields: {
            compare: { rule: 'repeated', type: 'Compare', id: 1 },
            success: { rule: 'repeated', type: 'RequestOp', id: 2 },
            failure: { rule: 'repeated', type: 'RequestOp', id: 3 },
          },
        },
        TxnResponse: {
          fields: {
            header: { type: 'ResponseHeader', id: 1 },
            succeeded: { type: 'bool', id: 2 },
            responses: { rule: 'repeated', type: 'ResponseOp', id: 3 },
          },
        },
        CompactionRequest: { fields: { revision: { type: 'int64', id: 1 }, physical: { type: 'bool', id: 2 } } },
        CompactionResponse: { fields: { header: { type: 'ResponseHeader', id: 1 } } },
        WatchRequest: {
          oneofs: { requestUnion: { oneof: ['createRequest'] } },
          fields: { createRequest: { type: 'WatchCreateRequest', id: 1 } },
        },
        WatchCreateRequest: {
          fields: {
            key: { type: 'bytes', id: 1 },
            rangeEnd: { type: 'bytes', id: 2 },
            startRevision: { type: 'int64', id: 3 },
            progressNotify: { type: 'bool', id: 4 },
            fragment: { type: 'bool', id: 8 },
          },
        },
        WatchResponse: {
          fields: {
            header: { type: 'ResponseHeader', id: 1 },
            created: { type: 'bool', id: 3 },
            canceled: { type: 'bool', id: 4 },
            compactRevision: { type: 'int64', id: 5 },
            cancelReason: { type: 'string', id: 6 },
            fragment: { type: 'bool', id: 7 },
            events: { rule: 'repeated', type: 'Event', id: 11 },
          },
        },
        Event: { fields: { type: { type: 'int32', id: 1 }, kv: { type: 'KeyValue', id: 2 } } },
        LeaseGrantRequest: { fields: { TTL: { type: 'int64', id: 1 }, ID: { type: 'int64', id: 2 } } },
        LeaseGrantResponse: { fields: { header: { type: 'ResponseHeader', id: 1 }, ID: { type: 'int64', id: 2 } } },
        SnapshotRequest: { fields: {} },
        SnapshotResponse: { fields: { blob: { type: 'bytes', id: 3 } } },
        KV: {
          methods: {
            Range: { requestType: 'RangeRequest', responseType: 'RangeResponse' },
            Txn: { requestType: 'TxnRequest', responseType: 'TxnResponse' },
            Compact: { requestType: 'CompactionRequest', responseType: 'CompactionResponse' },
          },
        },
        Watch: {
          methods: {
            Watch: { requestType: 'WatchRequest', requestStream: true, responseType: 'WatchResponse', responseStream: true },
          },
        },
        Lease: { methods: { LeaseGrant: { requestType: 'LeaseGrantRequest', responseType: 'LeaseGrantResponse' } } },
        Maintenance: {
          methods: { Snapshot: { requestType: 'SnapshotRequest', responseType: 'SnapshotResponse', responseStream: true } },
        },
      },
    },
  },
};

export interface Header {
  readonly revision: number;
}
export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
}
export interface RangeResponse {
  readonly header: Header;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}
export interface TxnResponse {
  readonly header: Header;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly responseRange?: RangeResponse }[];
}
export interface WatchResponse {
  readonly header: Header;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly fragment: boolean;
  readonly events: readonly { readonly type: number; readonly kv: KeyValue }[];
}
export type WatchStream = ClientDuplexStream<object, WatchResponse>;

/** `Compare.target` MOD with `Compare.result` EQUAL. */
export const COMPARE_MOD = 2;
export const COMPARE_EQUAL = 0;
/** `Event.type` of a delete. */
export const EVENT_DELETE = 1;

/** How long a call may take, in milliseconds. */
const CALL_TIMEOUT = 10_000;

interface Stub {
  [method: string]: (
    request: object,
    metadata: Metadata,
    options: { readonly deadline: number },
    callback: (error: ServiceError | null, response: unknown) => void,
  ) => ClientUnaryCall;
}

/** PEM. `cert` and `key` identify this client. */
export interface EtcdTls {
  readonly ca: Uint8Array;
  readonly cert?: Uint8Array;
  readonly key?: Uint8Array;
}

/** What the TLS handshake names a server that is known by its address only: Node takes no address there. */
const SERVER_NAME = 'etcd';

function credentialsOf(tls: EtcdTls | undefined, host: string): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const { ca, cert, key } = tls;
  const pem = (bytes: Uint8Array | undefined): Buffer | null => (bytes === undefined ? null : Buffer.from(bytes));
  // The certificate must name the host of the endpoint, whatever name the handshake carried.
  return credentials.createSsl(pem(ca), pem(key), pem(cert), {
    checkServerIdentity: (_name, peer) => checkServerIdentity(host, peer),
  });
}

/** One endpoint's connection. `now` is wall time in milliseconds, for deadlines. */
export class EtcdConnection {
  readonly #kv: Stub;
  readonly #lease: Stub;
  readonly #watch: { watch(): WatchStream };
  readonly #maintenance: { snapshot(request: object): ClientReadableStream<{ readonly blob: Buffer }> };
  readonly #closers: (() => void)[] = [];
  readonly #now: () => number;

  constructor(address: string, tls: EtcdTls | undefined, now: () => number) {
    this.#now = now;
    const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
    // The library's types ask for a comment on each method; it does not.
    const definition = fromJSON(DESCRIPTOR as unknown as Parameters<typeof fromJSON>[0], {
      longs: Number,
      defaults: true,
      arrays: true,
      oneofs: false,
    });
    const services = loadPackageDefinition(definition)['etcdserverpb'] as GrpcObject;
    const options: ClientOptions = {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.max_reconnect_backoff_ms': 5_000,
      ...(isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': SERVER_NAME }),
    };
    const secure = credentialsOf(tls, host);
    const make = <T>(name: string): T => {
      const client = new (services[name] as ServiceClientConstructor)(address, secure, options);
      this.#closers.push(() => client.close());
      return client as unknown as T;
    };
    this.#kv = make('KV');
    this.#lease = make('Lease');
    this.#watch = make('Watch');
    this.#maintenance = make('Maintenance');
  }

  range(request: object): Promise<RangeResponse> {
    return this.#call(this.#kv, 'range', request);
  }
  txn(request: object): Promise<TxnResponse> {
    return this.#call(this.#kv, 'txn', request);
  }
  compact(request: object): Promise<{ readonly header: Header }> {
    return this.#call(this.#kv, 'compact', request);
  }
  grant(request: object): Promise<{ readonly header: Header }> {
    return this.#call(this.#lease, 'leaseGrant', request);
  }
  watch(): WatchStream {
    return this.#watch.watch();
  }
  snapshot(): AsyncIterable<{ readonly blob: Buffer }> {
    return this.#maintenance.snapshot({});
  }
  close(): void {
    for (const close of this.#closers) close();
  }

  #call<T>(stub: Stub, method: string, request: object): Promise<T> {
    return new Promise((resolve, reject) => {
      stub[method]!(request, new Metadata(), { deadline: this.#now() + CALL_TIMEOUT }, (error, response) => {
        if (error === null) resolve(response as T);
        else reject(error);
      });
    });
  }
}
