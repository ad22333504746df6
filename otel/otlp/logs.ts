import { countLogRecord, type LogRecord, readLogRecord, writeLogRecord } from './log.ts';
import { decodeRequest, encodeRequest, type RecordGroup, type ResourceRecords } from './request.ts';

export type LogGroup = RecordGroup<LogRecord>;
export type ResourceLogs = ResourceRecords<LogRecord>;

const codec = { count: countLogRecord, write: writeLogRecord, read: readLogRecord };

/**
 * The bytes of an ExportLogsServiceRequest. On a hot path give resource and scope as the bytes of `encodeResource` and
 * `encodeScope`, made once per workload: they are then copied, not encoded. Neighbouring groups with the same resource
 * object or bytes share one ResourceLogs.
 */
export function encodeLogs(groups: readonly LogGroup[]): Uint8Array {
  return encodeRequest(groups, codec);
}

/**
 * Reads an ExportLogsServiceRequest. What Picket does not know is stepped over.
 * @throws OtlpError for bytes that are no such request, and no other error
 */
export function decodeLogs(bytes: Uint8Array): ResourceLogs[] {
  return decodeRequest(bytes, codec);
}
