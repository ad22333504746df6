import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Alert } from '../../otel/alert.ts';
import { bundleConfig } from '../conformance/bundle.ts';
import { makeCgroup, removeCgroup } from '../conformance/cgroup.ts';
import { openMachine } from '../conformance/machine.ts';
import { startProduct } from '../conformance/product.ts';
import { runCommand } from '../kernel/command.ts';

/**
 * Runs in a guest with BPF LSM: runc starts containers whose workload is known in advance. Argument: folder of the image. Prints
 * one line of JSON for each container.
 */
export interface FirstProgram {
  /** How the workload was known: its cgroup made before, or only named. */
  known: 'made' | 'named';
  policy: 'block' | 'allow-list';
  /** Of `runc run`. */
  status: number | null;
  output: string;
  /** Whether the first program did its work. */
  ran: boolean;
  alerts: Pick<Alert, 'PolicyName' | 'Resource' | 'Result'>[];
}

const [, , image = ''] = process.argv;
if (!image.startsWith('/')) {
  process.stdout.write('usage: first-instruction.ts IMAGE\n');
  process.exit(image === '--help' ? 0 : 2);
}

const policy = (name: string, spec: object) => ({
  apiVersion: 'security.kubearmor.com/v1',
  kind: 'KubeArmorPolicy',
  metadata: { name, namespace: 'demo' },
  spec: { selector: { matchLabels: { under: name } }, ...spec },
});
/** The first program is the forbidden one. */
const block = policy('block', { process: { matchPaths: [{ path: '/usr/bin/touch' }] }, action: 'Block' });
/** The runtime opens and runs much that is not listed; only the first program counts. */
const list = policy('allow-list', {
  process: { matchPaths: [{ path: '/usr/bin/touch' }] },
  file: { matchPaths: [{ path: '/mark' }] },
  action: 'Allow',
});

{
  await using machine = await openMachine({ image });
  await using product = await startProduct(join(machine.directory, 'product'));
  await product.control('PUT', '/v1/policies', { policies: [block, list] });
  for (const known of ['made', 'named'] as const)
    for (const name of ['block', 'allow-list'] as const) {
      const id = randomBytes(32).toString('hex');
      const directory = join(machine.directory, id.slice(0, 12));
      const path = (part: string): string => join(directory, part);
      for (const part of ['upper', 'work', 'rootfs']) mkdirSync(path(part), { recursive: true });
      const layers = `lowerdir=${machine.image},upperdir=${path('upper')},workdir=${path('work')}`;
      await runCommand('mount', ['-t', 'overlay', 'picket-first', '-o', layers, path('rootfs')]);
      const cgroupName = `${machine.cgroupParent}/${id}`;
      const cgroup = join(machine.cgroups.path, cgroupName);
      if (known === 'made') makeCgroup(machine.cgroups, cgroupName);
      await product.control('PUT', '/v1/workloads', {
        ...{ cgroup, containerId: id, namespace: 'demo', pod: `${known}-${name}`, container: 'c' },
        ...{ labels: { under: name }, expected: known === 'named' },
      });
      const args = ['/usr/bin/touch', '/mark'];
      const bundle = { rootfs: path('rootfs'), hostname: 'first', cgroupsPath: `/${cgroupName}`, args };
      writeFileSync(path('config.json'), JSON.stringify(bundleConfig({ ...bundle, networkNamespace: undefined })));
      const words = ['--root', join(machine.directory, 'runc'), 'run', '--bundle', directory, id];
      const { status, stdout, stderr } = spawnSync('runc', words, { stdio: ['ignore', 'pipe', 'pipe'] });
      await product.settle(20_000);
      const alerts = product.feed.read().map(({ PolicyName, Resource, Result }) => ({ PolicyName, Resource, Result }));
      const report: FirstProgram = {
        ...{
          known,
          policy: name,
          status,
          output: `${stdout}${stderr}`.trim(),
          ran: existsSync(path('upper/mark')),
          alerts,
        },
      };
      process.stdout.write(`${JSON.stringify(report)}\n`);
      await runCommand('umount', ['-l', path('rootfs')]);
      removeCgroup(cgroup);
    }
}
process.exit(0);
