import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeExportResponse, encodeExportResponse } from '../../../otel/otlp/response.ts';
import { text } from './generators.ts';
import { logsResponse, tracesResponse } from './reference.ts';

describe('encodeExportResponse()', () => {
  it('is no bytes when everything was taken', () => {
    expect(encodeExportResponse()).toHaveLength(0);
  });

  it('writes what the second implementation reads, for logs and for traces', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger().map(Math.abs), text, (rejected, message) => {
        const bytes = encodeExportResponse({ rejected, message });
        const errorMessage = message === '' ? {} : { errorMessage: message };
        expect(logsResponse.decode(bytes)).toEqual({
          partialSuccess: { ...errorMessage, ...(rejected === 0 ? {} : { rejectedLogRecords: String(rejected) }) },
        });
        expect(tracesResponse.decode(bytes)).toEqual({
          partialSuccess: { ...errorMessage, ...(rejected === 0 ? {} : { rejectedSpans: String(rejected) }) },
        });
      }),
    );
  });
});

describe('decodeExportResponse()', () => {
  it('is undefined when everything was taken', () => {
    expect(decodeExportResponse(logsResponse.encode({}))).toBeUndefined();
  });

  it('reads what the second implementation wrote', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), text, (rejected, message) => {
        const logs = logsResponse.encode({
          partialSuccess: { rejectedLogRecords: String(rejected), errorMessage: message },
        });
        expect(decodeExportResponse(logs)).toEqual({ rejected, message });
      }),
    );
  });
});
