import type { FileFormat } from '../state-file.ts';

/** The database file of a spool. */
export const spoolFormat: FileFormat = {
  noun: 'spool',
  number: 1,
  tables: `CREATE TABLE entry (
  position INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
  class TEXT NOT NULL,
  records INTEGER NOT NULL,
  at INTEGER NOT NULL,                        -- Unix milliseconds of the append
  logs BLOB,
  traces BLOB
) STRICT`,
  // Every page of the tree, not the content of the entries.
  check: 'SELECT count(*), total(length(logs)), total(length(traces)) FROM entry',
};
