import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LIST = new URL('./jars/list.sha256', import.meta.url);

/** Java class paths of the broker and of the console consumer. */
export interface KafkaJars {
  readonly broker: string;
  readonly console: string;
}

/**
 * Kafka's jars, brought by Maven on first use and kept in `$PICKET_CACHE` or `~/.cache/picket`. Every file is compared
 * with `jars/list.sha256`, each time: a cache that was tampered with or half written is made anew.
 * Throws with the Debian package to install when `mvn` is needed and missing.
 */
export async function kafkaJars(): Promise<KafkaJars> {
  const folder = await jarFolder();
  return { broker: `${folder}/broker/*`, console: `${folder}/console/*:${folder}/broker/*` };
}

async function jarFolder(): Promise<string> {
  const list = await readFile(LIST, 'utf8');
  const expected = new Map(
    list
      .trim()
      .split('\n')
      .map((line) => [line.slice(66), line.slice(0, 64)] as const),
  );
  // The name carries the list, so a changed list never meets the jars of the one before.
  const cache = process.env.PICKET_CACHE ?? join(homedir(), '.cache', 'picket');
  const folder = join(cache, `kafka-${createHash('sha256').update(list).digest('hex').slice(0, 16)}`);
  if ((await differences(folder, expected)).length === 0) return folder;

  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(join(cache, 'kafka-fresh-'));
  try {
    for (const part of ['broker', 'console']) await download(part, join(fresh, part));
    const wrong = await differences(fresh, expected);
    if (wrong.length > 0)
      throw new Error(`Maven brought other files than test/kafka/jars/list.sha256 names: ${wrong.join(', ')}`);
    await rm(folder, { recursive: true, force: true });
    await rename(fresh, folder);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return folder;
}

async function download(part: string, folder: string): Promise<void> {
  const pom = new URL(`./jars/${part}.pom.xml`, import.meta.url).pathname;
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
  try {
    await run('mvn', ['-q', '-B', '-f', pom, ...goal], { timeout: 300_000 });
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Error(
      missing
        ? 'mvn is needed once to bring the jars of a Kafka broker: apt-get install maven default-jre-headless'
        : `Maven could not bring Kafka: ${(cause as { stdout?: string }).stdout ?? cause}`,
      { cause },
    );
  }
}

async function differences(folder: string, expected: ReadonlyMap<string, string>): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true }).catch(() => [])).filter((name) => name.endsWith('.jar'));
  const wrong = names.filter((name) => !expected.has(name));
  for (const [name, sum] of expected) {
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (!bytes || createHash('sha256').update(bytes).digest('hex') !== sum) wrong.push(name);
  }
  return wrong;
}
