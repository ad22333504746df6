import { type Logger, pino } from 'pino';

/** The agent's own log: JSON lines on standard error. Synchronous: the last line before an end must not be lost, and there are few. */
export function createLog(name: string, level = process.env.PICKET_LOG_LEVEL ?? 'info'): Logger {
  return pino({ name, level }, pino.destination({ fd: 2, sync: true }));
}
