// Brings what Picket needs onto this machine, says so, and hands over to Node 26. Plain JavaScript without dependencies:
// it runs on the Node that is there (18 or newer) before anything is installed. A second run finds everything in place.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const exit = { failed: 1, usage: 2, notSupported: 3 };

/** Debian packages: to run, and beyond that to test (guest kernels, containers, the fixture image, the BPF object, a broker). */
const toRun = ['libbpf1', 'libatomic1']; // libatomic1: Node 26
const toTest = [
  ...toRun,
  ...['qemu-system-x86', 'qemu-system-common', 'busybox-static', 'kmod', 'e2fsprogs', 'iproute2'],
  ...['runc', 'curl', 'mmdebstrap', 'clang', 'llvm', 'libc6-dev', 'libbpf-dev', 'bpftool'],
  ...['maven', 'default-jre-headless', 'git', 'ca-certificates'],
];

const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];
const commands = {
  start: { packages: toRun, systems: 'run', tests: false, run: ['agent/picket.ts', 'up'] },
  test: { packages: toTest, systems: 'test', tests: true, run: vitest },
  'test-long': { packages: toTest, systems: 'test', tests: true, run: vitest, env: { PICKET_TEST_LONG: '1' } },
  bench: { packages: toTest, systems: 'test', tests: true, run: ['test/bench/main.ts'] },
};

const systems = {
  run: { names: ['debian 12', 'debian 13', 'ubuntu 24.04'], words: 'Debian 12 or 13, or Ubuntu 24.04' },
  test: { names: ['debian 12'], words: 'Debian 12' },
};

function main() {
  const [name, ...rest] = process.argv.slice(2);
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
  if (!command) stop(exit.usage, `usage: node agent/setup.mjs ${Object.keys(commands).join(' | ')} [-- ARGUMENTS]`);
  const args = rest[0] === '--' ? rest.slice(1) : rest;
  const node = prepare(name, command);
  handOver(node, [...command.run, ...args], command.env);
}

function prepare(name, { packages, systems: which, tests }) {
  checkPlatform(systems[which]);
  const missing = packages.filter((each) => !isInstalled(each));
  const npm = [
    'ci',
    ...(tests ? [] : ['--omit=dev']),
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--loglevel=error',
  ];
  const stamp = modulesStamp(tests);
  const needsModules = !stamp.matches;
  if (process.getuid() !== 0)
    stop(
      exit.failed,
      `root is needed${missing.length > 0 ? ' to install packages and' : ''} to load programs into the kernel. As root:\n${byHand(missing, needsModules ? npm : undefined, name)}`,
    );
  if (missing.length > 0) {
    say(`Installing Debian packages: ${missing.join(' ')}`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const install = ['install', '-y', '-qq', '-o', 'Dpkg::Use-Pty=0', '--no-install-recommends', ...missing];
    if (!run('apt-get', ['update', '-qq'], env) || !run('apt-get', install, env))
      stop(
        exit.failed,
        `the packages could not be installed (the lines above say why). By hand, with network:\n${byHand(missing, needsModules ? npm : undefined, name)}`,
      );
  }
  if (needsModules) {
    say(`Installing npm packages${tests ? '' : ' (without those for tests)'}, Node ${wantedNode()} among them`);
    if (!installModules(npm))
      stop(
        exit.failed,
        `npm could not install the packages (the lines above say why). By hand, with network:\n${byHand([], npm, name)}`,
      );
    stamp.write();
  }
  linkCommands();
  return nodeBinary();
}

/**
 * npm leaves out optional packages that do not want the Node it runs on, among them the one that vitest's bundler needs for
 * this platform. So an older Node fetches Node 26 alone, and npm goes on with that one.
 */
function installModules(npm) {
  const old = Number(process.versions.node.split('.')[0]) < 22;
  if (!old || npm.includes('--omit=dev')) return run('npm', npm, process.env);
  if (!hasWantedNode() && !run('npm', ['ci', '--omit=dev', ...npm.slice(1)], process.env)) return false;
  const folder = mkdtempSync(join(tmpdir(), 'picket-node-')); // npm ci begins by removing node_modules
  try {
    copyFileSync(nodePath(), join(folder, 'node'));
    return run('npm', npm, { ...process.env, PATH: `${folder}:${process.env.PATH}` });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * So that `npx picket` runs, and on this Node: npm links the commands of dependencies; an older one neither those of the
 * package itself nor those of a dependency for one platform.
 */
function linkCommands() {
  const commands = { picket: '../../agent/picket.ts', node: `../node-linux-${process.arch}/bin/node` };
  for (const [name, target] of Object.entries(commands)) {
    const link = join(root, 'node_modules', '.bin', name);
    if (existsSync(link)) continue;
    rmSync(link, { force: true }); // one that leads nowhere
    symlinkSync(target, link);
  }
}

/** One sentence, before anything is installed. */
function checkPlatform({ names, words }) {
  const needs = `Picket needs ${words} on x86-64 with Linux 6.1 or newer and BTF`;
  if (process.platform !== 'linux') stop(exit.notSupported, `${needs}; this is ${process.platform}.`);
  // The kernel programs are built for x86-64 alone (bpf/registers.h).
  if (process.arch !== 'x64') stop(exit.notSupported, `${needs}; this machine is ${process.arch}.`);
  const system = readSystem();
  if (!names.includes(`${system.ID} ${system.VERSION_ID}`))
    stop(exit.notSupported, `${needs}; this is ${system.PRETTY_NAME ?? 'a system without /etc/os-release'}.`);
  const [major, minor] = release().split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 1)) stop(exit.notSupported, `${needs}; this kernel is ${release()}.`);
  if (!existsSync('/sys/kernel/btf/vmlinux'))
    stop(
      exit.notSupported,
      `${needs}; there is no /sys/kernel/btf/vmlinux here (kernel ${release()} has no BTF, or /sys is not mounted).`,
    );
}

function readSystem() {
  const values = {};
  try {
    for (const line of readFileSync('/etc/os-release', 'utf8').split('\n')) {
      const match = /^([A-Z_]+)="?(.*?)"?$/.exec(line);
      if (match) values[match[1]] = match[2];
    }
  } catch {
    // said by whoever looks for ID
  }
  return values;
}

function isInstalled(name) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the format of dpkg-query
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f=${Status}', name], { encoding: 'utf8' });
  return status === 0 && stdout === 'install ok installed';
}

/** Whether node_modules was installed from this lock file, with the test packages if these are wanted. */
function modulesStamp(tests) {
  const file = join(root, 'node_modules', '.picket-setup.json');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  let known = {};
  try {
    known = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // not installed by us
  }
  const matches = known.lock === lock && (known.tests === true || !tests) && existsSync(nodePath());
  return { matches, write: () => writeFileSync(file, JSON.stringify({ lock, tests })) };
}

const nodePath = () => join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
const wantedNode = () =>
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).optionalDependencies[`node-linux-${process.arch}`];

function hasWantedNode() {
  const { status, stdout } = spawnSync(nodePath(), ['--version'], { encoding: 'utf8' });
  return status === 0 && stdout.trim() === `v${wantedNode()}`;
}

function nodeBinary() {
  const path = nodePath();
  const { status, stdout, stderr } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  if (status !== 0)
    stop(
      exit.failed,
      `Node ${wantedNode()} was not installed or does not start: ${path}\n${stderr ?? ''}Try: rm -rf node_modules && npm ci`,
    );
  if (stdout.trim() !== `v${wantedNode()}`)
    stop(
      exit.failed,
      `found Node ${stdout.trim()} at ${path}, wanted ${wantedNode()}\nTry: rm -rf node_modules && npm ci`,
    );
  return path;
}

function byHand(packages, npm, name) {
  const lines = [];
  if (packages.length > 0)
    lines.push('apt-get update', `apt-get install -y --no-install-recommends ${packages.join(' ')}`);
  if (npm) lines.push(`npm ${npm.join(' ')}`);
  lines.push(name === 'start' || name === 'test' ? `npm ${name}` : `npm run ${name}`);
  return lines.map((line) => `  ${line}`).join('\n');
}

function run(program, args, env) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: ['ignore', 2, 2], env });
  if (error) say(`${program}: ${error.message}`);
  return status === 0;
}

/** Signals of a terminal reach the child by themselves; the others are passed on. Its exit status becomes ours. */
function handOver(node, args, env = {}) {
  const path = `${dirname(node)}:${join(root, 'node_modules', '.bin')}:${process.env.PATH}`;
  const child = spawn(node, args, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: path, ...env } });
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => stop(exit.failed, `${node} cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 128 : exit.failed)));
}

function say(text) {
  process.stderr.write(`picket: ${text}\n`);
}

function stop(status, text) {
  say(text);
  process.exit(status);
}

main();
