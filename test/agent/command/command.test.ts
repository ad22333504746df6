import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, CommanderError } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentCommand } from '../../../agent/command/agent.ts';
import { configCommand } from '../../../agent/command/config.ts';
import { doctorCommand } from '../../../agent/command/doctor.ts';
import { modeCommand } from '../../../agent/command/mode.ts';
import { policyCommand } from '../../../agent/command/policy.ts';
import { runCommand } from '../../../agent/command/run.ts';
import { statusCommand } from '../../../agent/command/status.ts';
import { unloadCommand } from '../../../agent/command/unload.ts';
import { upCommand } from '../../../agent/command/up.ts';
import { AgentError } from '../../../agent/error.ts';
import { version } from '../../../agent/version.ts';
import { ordinaryUser, reasonWithoutOrdinaryUser } from '../ordinary-user.ts';
import { Picket, picket, program } from '../picket.ts';

const closed = reasonWithoutOrdinaryUser();

let folder: string;
let config: string;
const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-command-'));
  config = file('agent.yaml', `runDir: ${folder}/run\nstateDir: ${folder}/state\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const good = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: good, namespace: demo}
spec: {process: {matchPaths: [{path: /usr/bin/sleep}]}, action: Block}
`;
const bad = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: bad, namespace: demo}
spec:
  process:
    matchPaths:
      - path: usr/bin/sleep
`;

/** The commands that the agent's program carries out itself, as it builds them. */
const commands: Record<string, () => Command> = {
  up: () => upCommand(AbortSignal.abort()),
  agent: () => agentCommand(AbortSignal.abort()),
  run: () => runCommand(AbortSignal.abort(), () => {}),
  policy: () => policyCommand(() => {}),
  doctor: () => doctorCommand(() => {}),
  status: statusCommand,
  mode: modeCommand,
  unload: () => unloadCommand(() => {}),
  config: () => configCommand(() => {}),
};

/** Parses words with one of the commands, in this process; what it writes, and the error by which commander ends. */
async function parse([name = '', ...words]: readonly string[]): Promise<{ text: string; code: number | undefined }> {
  let text = '';
  const command = commands[name]?.() ?? new Command();
  for (const each of [command, ...command.commands])
    each.exitOverride().configureOutput({
      writeOut: (written) => {
        text += written;
      },
      writeErr: (written) => {
        text += written;
      },
    });
  try {
    await command.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return { text, code: error.exitCode };
    if (error instanceof AgentError) return { text: error.message, code: error.code === 'usage' ? 1 : undefined };
    throw error;
  }
  return { text, code: undefined };
}

describe('--help', () => {
  it.each([
    [['up'], /Usage: up.*--policies.*--no-demo.*Examples:\n {2}picket up/s],
    [['agent'], /Usage: agent.*--config.*Examples:\n {2}picket agent/s],
    [['run'], /Usage: run.*--namespace.*--label.*Examples:\n {2}picket run --namespace/s],
    [['policy'], /Usage: policy.*lint.*apply.*list.*delete.*test.*Examples:\n {2}picket policy lint/s],
    [['policy', 'lint'], /Usage: policy lint.*Examples:\n {2}picket policy lint/s],
    [['policy', 'apply'], /Usage: policy apply.*Examples:\n {2}picket policy apply/s],
    [['policy', 'list'], /Usage: policy list.*Examples:\n {2}picket policy list/s],
    [['policy', 'delete'], /Usage: policy delete.*Examples:\n {2}picket policy delete/s],
    [['doctor'], /Usage: doctor.*--only.*Examples:\n {2}picket doctor/s],
    [['status'], /Usage: status.*Examples:\n {2}picket status/s],
    [['mode'], /Usage: mode.*audit.*enforce.*Examples:\n {2}picket mode audit/s],
    [['unload'], /Usage: unload.*--json.*Examples:\n {2}picket unload/s],
    [['config'], /Usage: config.*--print-defaults.*Examples:\n {2}picket config check/s],
    [['config', 'check'], /Usage: config check.*Examples:\n {2}picket config check/s],
  ])('of %j shows how, with examples', async (words, text) => {
    expect(await parse([...words, '--help'])).toEqual({ text: expect.stringMatching(text), code: 0 });
  });

  it.each([
    [
      [],
      /Usage: picket.*\bup\b.*\bagent\b.*\brun\b.*\bpolicy\b.*\bdoctor\b.*\bstatus\b.*\bmode\b.*\bunload\b.*\bconfig\b.*\bcollector\b.*\balerts\b.*Examples:\n {2}picket up/s,
    ],
    [['policy', 'apply'], /Usage: picket policy apply.*Examples:\n {2}picket policy apply/s],
    [['alerts'], /Usage: picket alerts.*Examples:\n {2}picket alerts/s],
  ])('of the program %j: status 0, all on standard output', async (words, text) => {
    const answer = await picket([...words, '--help']);
    expect(answer).toEqual({ status: 0, stdout: expect.stringMatching(text), stderr: '' });
  });
});

describe('picket', () => {
  it.each([
    [['policy', 'aply'], /unknown command 'aply'/],
    [['status', '--jsn'], /unknown option '--jsn'/],
    [['status', 'more'], /too many arguments/],
    [['run', '--namespace', 'n'], /required option '--pod <name>' not specified/],
    [['run', '--namespace', 'n', '--pod', 'p'], /missing required argument 'command'/],
    [
      ['run', '--namespace', 'n', '--pod', 'p', '--label', 'noequals', '--', 'x'],
      /--label noequals: found no key=value/,
    ],
    [['doctor', '--only', 'magic'], /'magic' is invalid.*lsm, tracepoint/],
    [['policy', 'apply'], /missing required argument 'file'/],
    [['policy', 'lint', '/nowhere.yaml'], /^\/nowhere.yaml cannot be read: ENOENT/],
    [['config'], /Usage: config/],
  ])('%j is a usage error', async (words, text) => {
    expect(await parse(words)).toEqual({ text: expect.stringMatching(text), code: 1 });
  });

  it.each([
    [['polcy'], /unknown command 'polcy'.*Did you mean policy\?.*--help/s],
    [['policy', 'lint', '/nowhere.yaml'], /^picket: \/nowhere.yaml cannot be read: ENOENT/],
    [['alerts', '--since', 'yesterday'], /--since yesterday/],
  ])('%j ends with status 2 and no stack trace', async (words, text) => {
    const { status, stdout, stderr } = await picket(words);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(text);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  it('--version prints the version', async () => {
    expect(await picket(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([[['status']], [['policy', 'apply', 'GOOD']], [['run', '--namespace', 'n', '--pod', 'p']]])(
    '%j without an agent says so: status 1',
    async (words) => {
      const args = words.map((word) => (word === 'GOOD' ? file('good.yaml', good) : word));
      const command = words[0] === 'run' ? ['--', 'true'] : [];
      const { status, stdout, stderr } = await picket([...args, '--config', config, ...command]);
      if (words[0] === 'run' && process.getuid?.() !== 0) return expect(status).toBe(1); // no cgroup without root
      expect([status, stdout, stderr]).toEqual([
        1,
        '',
        `picket: no agent answers on ${folder}/run/agent.sock; start one with "picket up" or "picket agent"\n`,
      ]);
    },
  );

  it.each([[['agent', '--config', 'BAD']], [['up', '--config', 'BAD']], [['config', 'check', 'BAD']]])(
    '%j with a wrong configuration says where: status 1',
    async (words) => {
      const path = file('wrong.yaml', 'backend: x\n');
      const { status, stdout, stderr } = await picket(words.map((word) => (word === 'BAD' ? path : word)));
      const message = `picket: ${path}:1:10: backend: found "x"; allowed: auto, lsm, tracepoint\n`;
      expect([status, stdout, stderr]).toEqual([1, '', message]);
    },
  );

  it.skipIf(closed).each([
    [['agent'], 3, /rights: user 65534/],
    [['up', '--no-demo'], 3, /rights: user 65534/],
    [
      ['run', '--namespace', 'n', '--pod', 'p', '--', 'true'],
      1,
      /the cgroup .* cannot be made: .*; running workloads needs root/,
    ],
  ])(`%j of an ordinary user ends with words, not with a stack trace${closed}`, async (words, expected, text) => {
    const { status, stderr } = await picket(words, { uid: ordinaryUser, env: { HOME: '/nonexistent' } });
    expect(status).toBe(expected);
    expect(stderr).toMatch(text);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});

describe('picket config', () => {
  it('check says that a file is valid, by the program that its name or --of tells', async () => {
    const collector = file('collector.yaml', 'acknowledge: spool\n');
    expect(await picket(['config', 'check', config])).toMatchObject({ status: 0, stdout: `${config}: valid\n` });
    expect(await picket(['config', 'check', collector])).toMatchObject({ status: 0, stdout: `${collector}: valid\n` });
    expect((await picket(['config', 'check', '--of', 'agent', collector])).stderr).toContain(
      'acknowledge: found a key that is not known here',
    );
  });

  it.each(['agent', 'collector'])('--print-defaults --of %s prints what check takes', async (program) => {
    const { status, stdout } = await picket(['config', '--print-defaults', '--of', program]);
    expect(status).toBe(0);
    const path = file(`${program}-defaults.yaml`, stdout);
    expect(await picket(['config', 'check', '--of', program, path])).toMatchObject({ status: 0 });
  });
});

describe('picket policy lint', () => {
  it('says what is wrong and where, and that the others would load: status 1', async () => {
    const path = file('mixed.yaml', `${bad}---\n${good}---\nkind: [\n`);
    const { status, stdout } = await picket(['policy', 'lint', path]);
    expect(status).toBe(1);
    expect(stdout).toContain(
      `${path}:7:15: error InvalidValue KubeArmorPolicy demo/bad spec.process.matchPaths[0].path: found "usr/bin/sleep"`,
    );
    expect(stdout).toMatch(new RegExp(`^${path}:1[45]:\\d+: error InvalidValue: found a YAML error`, 'm'));
    expect(stdout).toMatch(/3 policies, 2 that would not be loaded\n$/);
  });

  it('is content with a good file: status 0, and JSON gives one object per line', async () => {
    const path = file('good.yaml', good);
    const lint = await picket(['policy', 'lint', path]);
    expect(lint).toMatchObject({ status: 0, stderr: '' });
    expect(lint.stdout).toMatch(/\n1 policy, 0 that would not be loaded\n$/);
    expect(lint.stdout.split('\n')[0]).toMatch(
      /: info Renamable KubeArmorPolicy .*who renames \/usr\/bin or \/usr moves/,
    );
    const { stdout } = await picket(['policy', 'lint', '--json', file('bad.yaml', bad)]);
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'InvalidValue',
      policy: 'bad',
      position: { line: 7, column: 15 },
    });
  });

  it('checks the files beside those that cannot be read: status 2, each by name', async () => {
    const path = file('bad.yaml', bad);
    mkdirSync(join(folder, 'folder.yaml'), { recursive: true });
    const { status, stdout, stderr } = await picket([
      'policy',
      'lint',
      '/nowhere.yaml',
      path,
      join(folder, 'folder.yaml'),
    ]);
    expect(status).toBe(2);
    expect(stdout).toContain(`${path}:7:15: error InvalidValue`);
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/^picket: \/nowhere.yaml cannot be read: ENOENT/),
      `picket: ${folder}/folder.yaml cannot be read: it is a folder; allowed: a file`,
      '',
    ]);
  });

  it('says where a file is not UTF-8, and which is too large: status 1', async () => {
    const latin = join(folder, 'latin.yaml');
    writeFileSync(latin, Buffer.from(good.replace('sleep', 'schl\u00e4f'), 'latin1'));
    const large = file('large.yaml', `#${'x'.repeat(10 * 1024 * 1024)}\n${good}`);
    const { status, stdout, stderr } = await picket(['policy', 'lint', latin, large]);
    expect([status, stderr]).toEqual([1, '']);
    expect(stdout).toContain(`${latin}:4:51: error InvalidValue: found the byte 0xE4, which is not UTF-8 here`);
    expect(stdout).toContain(`${large}:1:1: error InvalidValue: found more than`);
  });

  it('says that an empty file holds no policies: status 0', async () => {
    expect(await picket(['policy', 'lint', file('empty.yaml', '# nothing\n')])).toEqual({
      ...{ status: 0, stdout: 'no policies\n', stderr: '' },
    });
  });

  it('reads the standard input, and ends at a signal while it waits', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await using waiting = new Picket(['policy', 'lint', pipe]);
    const given = execFileSync(process.execPath, [program, 'policy', 'lint', '-'], { input: good, encoding: 'utf8' });
    expect(given).toMatch(/^-:4:.*\n1 policy, 0 that would not be loaded\n$/s);
    await sleep(1000); // it has begun to wait: nobody writes into its pipe
    expect(await waiting.stop('SIGTERM')).toBe('SIGTERM');
  });
});
