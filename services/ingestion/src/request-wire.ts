import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** Records in one request; it bounds the work and the answer of a single message. */
const MAX_RECORDS = 1024;

/** A request with its records still encoded: views of the request's own bytes. */
export interface EncodedRequest {
  readonly records: readonly Uint8Array[];
  /** PublishContinuouslyRequest only. */
  readonly advanceToUs: number;
  readonly source: string;
}

/**
 * Takes apart PublishRequest, PublishContinuouslyRequest and RecordProductionRequest, which all have their records in
 * field 1. The records go to the log as the client encoded them, so they are sliced and never written anew.
 * @throws Error when the bytes are no such message.
 */
export function splitRequest(bytes: Uint8Array): EncodedRequest {
  const reader = new BinaryReader(bytes);
  const records: Uint8Array[] = [];
  let advanceToUs = 0;
  let source = '';
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) records.push(reader.bytes());
    else if (field === 2 && type === WireType.Varint) advanceToUs = Number(reader.int64());
    else if (field === 3 && type === WireType.LengthDelimited) source = reader.string();
    else reader.skip(type, field);
  }
  if (records.length > MAX_RECORDS) throw new Error(`it has ${records.length} records and at most ${MAX_RECORDS} are taken in one request`);
  return { records, advanceToUs, source };
}
