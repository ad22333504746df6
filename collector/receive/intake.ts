import type { Logger } from 'pino';
import { OtlpError, StateError } from '../../otel/errors.ts';
import { encodeExportResponse } from '../../otel/otlp/response.ts';
import type { Spool } from '../../otel/spool/spool.ts';
import type { Ledger } from '../ledger.ts';
import { holdsBlock } from '../route/alerts.ts';
import { admit } from './admit.ts';
import type { Accept } from './call.ts';
import { CallError, code, overloaded } from './grpc-status.ts';

/** Checks a request, puts it into the spool, and answers only when it is on the disk. */
export function intake(spool: Spool, ledger: Ledger, log: Logger, wake: () => void): Accept {
  return async (signal, bytes) => {
    const { request, records, rejected, reason } = checked(() => admit(signal, bytes));
    ledger.received(signal, records, rejected, bytes.length);
    if (rejected > 0) log.warn({ signal, rejected, reason }, 'broken records in a request are left out');
    if (request) {
      // What a full disk costs first: spans and records that are no alerts; alerts about something refused go last.
      const cls = signal === 'traces' ? 'telemetry' : holdsBlock(request) ? 'block' : 'audit';
      try {
        await spool.append({ [signal]: request, records }, cls);
      } catch (error) {
        ledger.notSpooled(signal, records);
        if (!(error instanceof StateError)) throw error;
        log.error({ reason: error.message }, 'a request could not be made safe; its sender is told to come again');
        throw overloaded('the collector cannot store it now', error);
      }
      ledger.spooled(signal, records);
      wake();
    }
    return encodeExportResponse(rejected > 0 ? { rejected, message: reason } : undefined);
  };
}

function checked<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof OtlpError)
      throw new CallError(code.invalidArgument, `not OTLP: ${error.message}`, { cause: error });
    throw error;
  }
}
