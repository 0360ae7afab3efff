import type { MethodDefinition, ServiceDefinition, status } from '@grpc/grpc-js'
import protobufjs from 'protobufjs'

/** The messages and services of etcd's v3 API that are served here: names and field numbers are those on the wire. */
const source = `
syntax = "proto3";
package etcdserverpb;

message KeyValue { bytes key = 1; int64 create_revision = 2; int64 mod_revision = 3; int64 version = 4; bytes value = 5; int64 lease = 6; }
message Event { int32 type = 1; KeyValue kv = 2; KeyValue prev_kv = 3; }
message ResponseHeader { uint64 cluster_id = 1; uint64 member_id = 2; int64 revision = 3; uint64 raft_term = 4; }
message Empty {}
message HeaderOnly { ResponseHeader header = 1; }

message RangeRequest {
  bytes key = 1; bytes range_end = 2; int64 limit = 3; int64 revision = 4; int32 sort_order = 5; int32 sort_target = 6;
  bool serializable = 7; bool keys_only = 8; bool count_only = 9; int64 min_mod_revision = 10; int64 max_mod_revision = 11;
  int64 min_create_revision = 12; int64 max_create_revision = 13;
}
message RangeResponse { ResponseHeader header = 1; repeated KeyValue kvs = 2; bool more = 3; int64 count = 4; }
message PutRequest { bytes key = 1; bytes value = 2; int64 lease = 3; bool prev_kv = 4; bool ignore_value = 5; bool ignore_lease = 6; }
message PutResponse { ResponseHeader header = 1; KeyValue prev_kv = 2; }
message DeleteRangeRequest { bytes key = 1; bytes range_end = 2; bool prev_kv = 3; }
message DeleteRangeResponse { ResponseHeader header = 1; int64 deleted = 2; repeated KeyValue prev_kvs = 3; }
message RequestOp {
  oneof request {
    RangeRequest request_range = 1; PutRequest request_put = 2; DeleteRangeRequest request_delete_range = 3; TxnRequest request_txn = 4;
  }
}
message ResponseOp {
  oneof response {
    RangeResponse response_range = 1; PutResponse response_put = 2; DeleteRangeResponse response_delete_range = 3; TxnResponse response_txn = 4;
  }
}
message Compare {
  int32 result = 1; int32 target = 2; bytes key = 3;
  oneof target_union { int64 version = 4; int64 create_revision = 5; int64 mod_revision = 6; bytes value = 7; int64 lease = 8; }
  bytes range_end = 64;
}
message TxnRequest { repeated Compare compare = 1; repeated RequestOp success = 2; repeated RequestOp failure = 3; }
message TxnResponse { ResponseHeader header = 1; bool succeeded = 2; repeated ResponseOp responses = 3; }
message CompactionRequest { int64 revision = 1; bool physical = 2; }

message WatchRequest {
  oneof request_union { WatchCreateRequest create_request = 1; WatchCancelRequest cancel_request = 2; Empty progress_request = 3; }
}
message WatchCreateRequest {
  bytes key = 1; bytes range_end = 2; int64 start_revision = 3; bool progress_notify = 4; repeated int32 filters = 5; bool prev_kv = 6;
  int64 watch_id = 7; bool fragment = 8;
}
message WatchCancelRequest { int64 watch_id = 1; }
message WatchResponse {
  ResponseHeader header = 1; int64 watch_id = 2; bool created = 3; bool canceled = 4; int64 compact_revision = 5; string cancel_reason = 6;
  bool fragment = 7; repeated Event events = 11;
}

message LeaseGrantRequest { int64 TTL = 1; int64 ID = 2; }
message LeaseGrantResponse { ResponseHeader header = 1; int64 ID = 2; int64 TTL = 3; string error = 4; }
message LeaseRequest { int64 ID = 1; bool keys = 2; }
message LeaseKeepAliveResponse { ResponseHeader header = 1; int64 ID = 2; int64 TTL = 3; }
message LeaseTimeToLiveResponse { ResponseHeader header = 1; int64 ID = 2; int64 TTL = 3; int64 grantedTTL = 4; repeated bytes keys = 5; }
message LeaseStatus { int64 ID = 1; }
message LeaseLeasesResponse { ResponseHeader header = 1; repeated LeaseStatus leases = 2; }

message Member { uint64 ID = 1; string name = 2; repeated string peerURLs = 3; repeated string clientURLs = 4; bool isLearner = 5; }
message MemberListResponse { ResponseHeader header = 1; repeated Member members = 2; }

message AlarmResponse { ResponseHeader header = 1; repeated Empty alarms = 2; }
message DowngradeInfo { bool enabled = 1; string targetVersion = 2; }
message StatusResponse {
  ResponseHeader header = 1; string version = 2; int64 dbSize = 3; uint64 leader = 4; uint64 raftIndex = 5; uint64 raftTerm = 6;
  uint64 raftAppliedIndex = 7; repeated string errors = 8; int64 dbSizeInUse = 9; bool isLearner = 10; string storageVersion = 11;
  int64 dbSizeQuota = 12; DowngradeInfo downgradeInfo = 13;
}
message HashResponse { ResponseHeader header = 1; uint32 hash = 2; }
message HashKVResponse { ResponseHeader header = 1; uint32 hash = 2; int64 compact_revision = 3; int64 hash_revision = 4; }
message SnapshotResponse { ResponseHeader header = 1; uint64 remaining_bytes = 2; bytes blob = 3; string version = 4; }
message MemberRequest { uint64 ID = 1; repeated string peerURLs = 2; }
message MemberAddRequest { repeated string peerURLs = 1; bool isLearner = 2; }
message MoveLeaderRequest { uint64 targetID = 1; }
message DowngradeRequest { int32 action = 1; string version = 2; }
message DowngradeResponse { ResponseHeader header = 1; string version = 2; }

message Permission { int32 permType = 1; bytes key = 2; bytes range_end = 3; }
message NamedRequest { string name = 1; string role = 2; }
message RoleRequest { string role = 1; bytes key = 2; bytes range_end = 3; }
message UserGrantRoleRequest { string user = 1; string role = 2; }
message RoleGrantPermissionRequest { string name = 1; Permission perm = 2; }
message RolesResponse { ResponseHeader header = 1; repeated string roles = 2; }
message UsersResponse { ResponseHeader header = 1; repeated string users = 2; }
message RoleGetResponse { ResponseHeader header = 1; repeated Permission perm = 2; }
message AuthStatusResponse { ResponseHeader header = 1; bool enabled = 2; uint64 authRevision = 3; }

service KV {
  rpc Range(RangeRequest) returns (RangeResponse);
  rpc Put(PutRequest) returns (PutResponse);
  rpc DeleteRange(DeleteRangeRequest) returns (DeleteRangeResponse);
  rpc Txn(TxnRequest) returns (TxnResponse);
  rpc Compact(CompactionRequest) returns (HeaderOnly);
}
service Watch { rpc Watch(stream WatchRequest) returns (stream WatchResponse); }
service Lease {
  rpc LeaseGrant(LeaseGrantRequest) returns (LeaseGrantResponse);
  rpc LeaseRevoke(LeaseRequest) returns (HeaderOnly);
  rpc LeaseKeepAlive(stream LeaseRequest) returns (stream LeaseKeepAliveResponse);
  rpc LeaseTimeToLive(LeaseRequest) returns (LeaseTimeToLiveResponse);
  rpc LeaseLeases(Empty) returns (LeaseLeasesResponse);
}
service Cluster {
  rpc MemberList(Empty) returns (MemberListResponse);
  rpc MemberAdd(MemberAddRequest) returns (MemberListResponse);
  rpc MemberRemove(MemberRequest) returns (MemberListResponse);
  rpc MemberUpdate(MemberRequest) returns (MemberListResponse);
  rpc MemberPromote(MemberRequest) returns (MemberListResponse);
}
service Maintenance {
  rpc Alarm(Empty) returns (AlarmResponse);
  rpc Status(Empty) returns (StatusResponse);
  rpc Defragment(Empty) returns (HeaderOnly);
  rpc Hash(Empty) returns (HashResponse);
  rpc HashKV(CompactionRequest) returns (HashKVResponse);
  rpc Snapshot(Empty) returns (stream SnapshotResponse);
  rpc MoveLeader(MoveLeaderRequest) returns (HeaderOnly);
  rpc Downgrade(DowngradeRequest) returns (DowngradeResponse);
}
service Auth {
  rpc AuthStatus(Empty) returns (AuthStatusResponse);
  rpc AuthEnable(Empty) returns (HeaderOnly);
  rpc AuthDisable(Empty) returns (HeaderOnly);
  rpc Authenticate(Empty) returns (HeaderOnly);
  rpc UserAdd(NamedRequest) returns (HeaderOnly);
  rpc UserGet(NamedRequest) returns (RolesResponse);
  rpc UserList(Empty) returns (UsersResponse);
  rpc UserDelete(NamedRequest) returns (HeaderOnly);
  rpc UserChangePassword(NamedRequest) returns (HeaderOnly);
  rpc UserGrantRole(UserGrantRoleRequest) returns (HeaderOnly);
  rpc UserRevokeRole(NamedRequest) returns (HeaderOnly);
  rpc RoleAdd(NamedRequest) returns (HeaderOnly);
  rpc RoleGet(RoleRequest) returns (RoleGetResponse);
  rpc RoleList(Empty) returns (RolesResponse);
  rpc RoleDelete(RoleRequest) returns (HeaderOnly);
  rpc RoleGrantPermission(RoleGrantPermissionRequest) returns (HeaderOnly);
  rpc RoleRevokePermission(RoleRequest) returns (HeaderOnly);
}
`

export interface KeyValue {
  key: Uint8Array
  create_revision: number
  mod_revision: number
  version: number
  value: Uint8Array
  lease: number
}

export interface RangeRequest {
  key: Uint8Array
  range_end: Uint8Array
  limit: number
  revision: number
  /** 0 none, 1 ascending, 2 descending */
  sort_order: number
  /** 0 key, 1 version, 2 creation, 3 modification, 4 value */
  sort_target: number
  keys_only: boolean
  count_only: boolean
  min_mod_revision: number
  max_mod_revision: number
  min_create_revision: number
  max_create_revision: number
}

export interface PutRequest {
  key: Uint8Array
  value: Uint8Array
  lease: number
  prev_kv: boolean
  ignore_value: boolean
  ignore_lease: boolean
}

export interface DeleteRangeRequest {
  key: Uint8Array
  range_end: Uint8Array
  prev_kv: boolean
}

export interface Compare {
  /** 0 equal, 1 greater, 2 less, 3 not equal */
  result: number
  /** 0 version, 1 creation, 2 modification, 3 value, 4 lease */
  target: number
  key: Uint8Array
  version: number
  create_revision: number
  mod_revision: number
  value: Uint8Array
  lease: number
}

export interface RequestOp {
  request?: 'request_range' | 'request_put' | 'request_delete_range' | 'request_txn'
  request_range: RangeRequest
  request_put: PutRequest
  request_delete_range: DeleteRangeRequest
  request_txn: TxnRequest
}

export interface TxnRequest {
  compare: Compare[]
  success: RequestOp[]
  failure: RequestOp[]
}

export interface WatchRequest {
  request_union?: 'create_request' | 'cancel_request' | 'progress_request'
  create_request: {
    key: Uint8Array
    range_end: Uint8Array
    start_revision: number
    /** 0 leaves out puts, 1 deletions */
    filters: number[]
    prev_kv: boolean
    watch_id: number
  }
  cancel_request: { watch_id: number }
}

const schema = protobufjs.parse(source, { keepCase: true }).root

/** A service for grpc-js. Requests arrive with all fields; 64-bit numbers are numbers. */
export function serviceDefinition(name: 'KV' | 'Watch' | 'Lease' | 'Cluster' | 'Maintenance' | 'Auth'): ServiceDefinition {
  const service = schema.lookupService(`etcdserverpb.${name}`)
  return Object.fromEntries(
    service.methodsArray.map((method): [string, MethodDefinition<object, object>] => {
      const request = schema.lookupType(`etcdserverpb.${method.requestType}`)
      const response = schema.lookupType(`etcdserverpb.${method.responseType}`)
      const definition: MethodDefinition<object, object> = {
        path: `/etcdserverpb.${name}/${method.name}`,
        requestStream: method.requestStream ?? false,
        responseStream: method.responseStream ?? false,
        ...codec('request', request),
        ...codec('response', response),
      }
      return [method.name, definition]
    }),
  )
}

/** The bytes of a KeyValue, as etcd keeps it in its database. */
export function encodeKeyValue(pair: KeyValue): Buffer {
  return Buffer.from(keyValue.encode(keyValue.fromObject(pair)).finish())
}

export function decodeKeyValue(bytes: Uint8Array): KeyValue {
  return plain(keyValue, keyValue.decode(bytes)) as KeyValue
}

/** A failure as etcd words it. */
export class EtcdError extends Error {
  readonly code: status

  constructor(code: status, message: string) {
    super(message)
    this.code = code
  }
}

const keyValue = schema.lookupType('etcdserverpb.KeyValue')

type Codec<Side extends 'request' | 'response'> = Record<`${Side}Serialize`, (value: object) => Buffer> &
  Record<`${Side}Deserialize`, (bytes: Buffer) => object>

function codec<Side extends 'request' | 'response'>(side: Side, type: protobufjs.Type): Codec<Side> {
  return {
    [`${side}Serialize`]: (value: object) => Buffer.from(type.encode(type.fromObject(value)).finish()),
    [`${side}Deserialize`]: (bytes: Buffer) => plain(type, type.decode(bytes)),
  } as Codec<Side>
}

function plain(type: protobufjs.Type, message: protobufjs.Message): object {
  return type.toObject(message, { defaults: true, oneofs: true, longs: Number })
}
