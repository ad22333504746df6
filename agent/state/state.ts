import { copyFileSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { type FileFormat, openStateFile, stateError } from '../../otel/state-file.ts';
import {
  type SavedPolicy,
  type SavedRuleSet,
  type SavedSettings,
  type SavedState,
  type SavedWorkload,
  savedPolicy,
  savedRuleSet,
  savedSettings,
  savedWorkload,
} from './saved.ts';

const format: FileFormat = {
  noun: 'state',
  number: 1,
  tables: `
    CREATE TABLE value (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
    CREATE TABLE policy (name TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;
    CREATE TABLE workload (container TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;
    CREATE TABLE rule_set (name TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT`,
  check: `SELECT (SELECT total(length(text)) FROM value) + (SELECT total(length(json)) FROM policy)
    + (SELECT total(length(json)) FROM workload) + (SELECT total(length(json)) FROM rule_set)`,
};

type Table = 'policy' | 'workload' | 'rule_set';

/** An entry that cannot be read. */
interface Broken {
  table: Table | 'value';
  name: string;
  problem: string;
}

/** Changes what is on the disk, inside one transaction. */
export interface StateWriter {
  putPolicy(policy: SavedPolicy): void;
  deletePolicy(policy: Pick<SavedPolicy, 'kind' | 'namespace' | 'name'>): void;
  putWorkload(workload: SavedWorkload): void;
  deleteWorkload(containerId: string): void;
  putRuleSet(ruleSet: SavedRuleSet): void;
  deleteRuleSet(ruleSet: Pick<SavedRuleSet, 'engine' | 'index' | 'since'>): void;
  setGeneration(generation: number): void;
  setSettings(settings: SavedSettings): void;
  setMode(mode: SavedState['mode']): void;
}

/** Where what outlives the agent is written. */
export interface StateKeeper {
  /**
   * Carries out all of `change` or nothing, whenever the power goes. `boot`: what it says is of no use after the next boot,
   * so it need not be on the disk when this returns; a process that is killed loses it neither way.
   */
  write(change: (writer: StateWriter) => void, lasts?: 'boot' | 'always'): void;
}

/** For what outlives nobody. */
export const forgetful: StateKeeper = { write: () => {} };

/**
 * What outlives the agent, beside what stays in the kernel: policies, settings, workloads, and the names of rules. One
 * database file, mode 0600. Enforcement does not wait for a disk: what cannot be written is in force all the same, the
 * failure is shown, and `repair` writes everything again once there is room.
 */
export class AgentState implements StateKeeper, Disposable {
  /** What was there when the file was opened. */
  readonly saved: SavedState;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #log: Logger;
  #failure: string | undefined;

  /** Opens the file; what is in it of an earlier boot about workloads is dropped. @throws StateError */
  constructor(path: string, bootId: string, log: Logger) {
    this.#path = path;
    this.#log = log;
    const { database, setAside } = openStateFile(path, format);
    this.#database = database;
    if (setAside !== undefined)
      log.error(
        { file: setAside },
        'the state on the disk is damaged or of another version; it was set aside. Rules that are in the kernel stay in force; policies that came over the control socket have to be applied again',
      );
    try {
      this.saved = this.#read(bootId);
    } catch (cause) {
      database.close();
      throw stateError('read', path, cause, 'state');
    }
  }

  /** Why what is on the disk is behind what is in force; undefined: it is not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  write(change: (writer: StateWriter) => void, lasts: 'boot' | 'always' = 'always'): void {
    if (this.#failure !== undefined) return; // repair() writes all of it
    this.#write(change, lasts);
  }

  /** After a failure: writes everything again, which `all` tells. */
  repair(all: (writer: StateWriter) => void): void {
    if (this.#failure === undefined) return;
    this.#write((writer) => {
      this.#database.exec('DELETE FROM policy; DELETE FROM workload; DELETE FROM rule_set');
      all(writer);
    }, 'always');
    if (this.#failure === undefined) this.#log.info('the state on the disk is what is in force again');
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #write(change: (writer: StateWriter) => void, lasts: 'boot' | 'always'): void {
    const before = this.#failure;
    try {
      this.#database.exec(`PRAGMA synchronous = ${lasts === 'always' ? 'FULL' : 'NORMAL'}; BEGIN IMMEDIATE`);
      change(this.#writer);
      this.#database.exec('COMMIT');
      this.#failure = undefined;
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      this.#failure = stateError('write', this.#path, cause, 'state').message;
      if (before === undefined)
        this.#log.error(
          { err: cause },
          `${this.#failure} What is in force is not on the disk: it would be lost with the next boot. It is written again as soon as that works.`,
        );
    }
  }

  readonly #writer: StateWriter = {
    putPolicy: (policy) => this.#put('policy', policyName(policy), policy),
    deletePolicy: (policy) => this.#delete('policy', policyName(policy)),
    putWorkload: (workload) => this.#put('workload', workload.record.containerId, workload),
    deleteWorkload: (containerId) => this.#delete('workload', containerId),
    putRuleSet: (ruleSet) => this.#put('rule_set', ruleSetName(ruleSet), ruleSet),
    deleteRuleSet: (ruleSet) => this.#delete('rule_set', ruleSetName(ruleSet)),
    setGeneration: (generation) => this.#set('generation', generation),
    setSettings: (settings) => this.#set('settings', settings),
    setMode: (mode) => this.#set('mode', mode),
  };

  #put(table: Table, name: string, value: object): void {
    this.#run(`REPLACE INTO ${table} VALUES (?, ?)`, name, toJson(value));
  }

  #delete(table: Table | 'value', name: string): void {
    this.#run(`DELETE FROM ${table} WHERE ${table === 'workload' ? 'container' : 'name'} = ?`, name);
  }

  #set(name: string, value: unknown): void {
    this.#run('REPLACE INTO value VALUES (?, ?)', name, toJson(value));
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#database.prepare(sql).run(...values);
  }

  #read(bootId: string): SavedState {
    const values = new Map(this.#rows('value').map(({ name, json }) => [name, json]));
    const broken: Broken[] = [];
    const parse = <T>(schema: z.ZodType<T>, json: string, table: Broken['table'], name: string): T[] => {
      try {
        return [schema.parse(JSON.parse(json))];
      } catch (error) {
        broken.push({ table, name, problem: (error as Error).message });
        return [];
      }
    };
    const list = <T>(schema: z.ZodType<T>, table: Table): T[] =>
      this.#rows(table).flatMap(({ name, json }) => parse(schema, json, table, name));
    const sameBoot = values.get('boot') === JSON.stringify(bootId);
    if (!sameBoot) {
      this.#database.exec('BEGIN IMMEDIATE; DELETE FROM workload; DELETE FROM rule_set');
      this.#set('boot', bootId);
      this.#database.exec('COMMIT');
    }
    const state = {
      generation: Number(values.get('generation') ?? 0) || 0,
      settings: parse(savedSettings.nullable(), values.get('settings') ?? 'null', 'value', 'settings')[0] ?? undefined,
      mode: values.get('mode') === '"audit"' ? ('audit' as const) : ('enforce' as const),
      policies: list(savedPolicy, 'policy'),
      workloads: list(savedWorkload, 'workload'),
      ruleSets: list(savedRuleSet, 'rule_set'),
    };
    if (broken.length > 0) this.#keepBroken(broken);
    return { ...state, isCurrent: sameBoot && broken.every(({ table }) => table !== 'workload') };
  }

  #rows(table: Table | 'value'): { name: string; json: string }[] {
    const rows = this.#database.prepare(`SELECT * FROM ${table}`).all();
    return rows.map((row) => {
      const [name, json] = Object.values(row);
      return { name: String(name), json: String(json) };
    });
  }

  #keepBroken(broken: readonly Broken[]): void {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const file = `${this.#path}.damaged-${new Date().toISOString().replaceAll(':', '')}`;
    copyFileSync(this.#path, file);
    for (const { table, name } of broken) this.#delete(table, name);
    this.#log.error(
      { file, broken: broken.slice(0, 10) },
      `${broken.length} entries of the state on the disk cannot be read and are left out; a copy of it was set aside`,
    );
  }
}

function policyName({ kind, namespace, name }: Pick<SavedPolicy, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace} ${name}`;
}

function ruleSetName({ engine, index, since }: Pick<SavedRuleSet, 'engine' | 'index' | 'since'>): string {
  return `${engine} ${index} ${since}`;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each));
}
