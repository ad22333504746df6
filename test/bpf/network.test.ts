import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { missingForHost } from '../agent/host.ts';
import { named } from '../agent/kernel/compile.ts';
import { compiled } from '../image/compile.ts';
import { bootGuest } from '../kernel/guest.ts';
import type { KernelSeries } from '../kernel/image.ts';
import type { Outcome, Session } from './accesses.ts';

const program = join(import.meta.dirname, 'accesses.ts');
const ask = await compiled(join(import.meta.dirname, 'ask.c'));

/** A command, what it prints, and the alerts that it makes. */
type Expected = readonly [command: string, output: string | RegExp, ...alerts: string[]];
interface Case {
  /** Not where there is no BPF LSM: nothing there sees what the case is about. */
  lsmOnly?: boolean;
  before?: string;
  spec: Record<string, unknown>;
  steps: Expected[];
}

const dns = (...matchDNSQueries: Record<string, unknown>[]) => ({ network: { matchDNSQueries } });
const refused = 'EACCES arrived=0';
/** Judged on the packet alone: the caller is told so by another error. */
const dropped = 'EPERM arrived=0';
const passed = 'ok arrived=1';

const cases: Record<string, Case> = {
  'a domain covers what is below it, whatever the letters': {
    spec: dns(
      { domain: 'google.com', action: 'Block' },
      { domain: 'Mail.Google.com.', action: 'Audit' },
      { domain: 'example.org', action: 'Audit' },
    ),
    steps: [
      ['ask connected google.com', refused, 'deny DNS google.com'],
      ['ask connected WWW.GooGLE.cOm', refused, 'deny DNS WWW.GooGLE.cOm'],
      ['ask connected notgoogle.com', passed],
      ['ask connected com', passed],
      ['ask connected .', passed],
      ['ask connected in.mail.google.com', passed, 'alert DNS in.mail.google.com'],
      [
        'ask repeat example.org',
        'ok ok ok arrived=3',
        ...['alert DNS example.org', 'alert DNS example.org', 'alert DNS example.org'],
      ],
      ['ask answer www.google.com', passed],
      ['ask other-port www.google.com', 'ok arrived=0'],
    ],
  },
  'in every way in which a message can be sent': {
    spec: dns({ domain: 'google.com', action: 'Block' }),
    steps: [
      ['ask write www.google.com', refused, 'deny DNS www.google.com'],
      ['ask sendto www.google.com', refused, 'deny DNS www.google.com'],
      ['ask other-address www.google.com', refused, 'deny DNS www.google.com'],
      ['ask ipv6 www.google.com', refused, 'deny DNS www.google.com'],
      ['ask mapped-ipv4 www.google.com', refused, 'deny DNS www.google.com'],
      ['ask bytes www.google.com', refused, 'deny DNS www.google.com'],
      ['ask fresh-page www.google.com', refused, 'deny DNS www.google.com'],
      ['ask sendmmsg www.google.com other.org', refused, 'deny DNS www.google.com'],
      ['ask sendmmsg other.org www.google.com', 'sent=1 arrived=1', 'deny DNS www.google.com'],
      ['ask sendmmsg-to other.org www.google.com', 'sent=1 arrived=1', 'deny DNS www.google.com'],
      ['ask more www.google.com', `ok ${dropped}`, 'deny DNS www.google.com'],
      ['ask cork www.google.com', 'ok ok ok arrived=0', 'deny DNS www.google.com'],
      ['ask splice www.google.com', dropped, 'deny DNS www.google.com'],
      ['ask sendfile www.google.com', dropped, 'deny DNS www.google.com'],
      ['ask segments the.others.org www.google.com', dropped, 'deny DNS www.google.com'],
      ['ask two-questions other.org www.google.com', refused, 'deny DNS www.google.com'],
      ['ask pointer www.google.com', refused, 'deny DNS www.google.com'],
    ],
  },
  'a question is reported once': {
    spec: dns({ domain: 'example.org', action: 'Audit' }),
    steps: [
      ['ask ipv6 example.org', passed, 'alert DNS example.org'],
      ['ask sendmmsg-to example.org example.org', 'sent=2 arrived=2', 'alert DNS example.org', 'alert DNS example.org'],
      ['ask more example.org', `ok ${passed}`, 'alert DNS example.org'],
      ['ask two-questions a.example.org b.example.org', passed, 'alert DNS a.example.org', 'alert DNS b.example.org'],
      [
        'ask segments a.example.org b.example.org',
        'ok arrived=2',
        ...['alert DNS a.example.org', 'alert DNS b.example.org'],
      ],
    ],
  },
  'a name that cannot be read matches nothing': {
    spec: dns({ domain: 'google.com', action: 'Block' }),
    steps: [
      ['ask circle www.google.com', passed],
      ['ask cut-name www.google.com', passed],
      ['ask far-question www.google.com', passed],
    ],
  },
  'an allow-list refuses every other name, and what cannot be read': {
    spec: dns({ domain: 'google.com', action: 'Allow' }, { domain: 'far.example', action: 'Allow' }),
    steps: [
      ['ask connected www.google.com', passed],
      ['ask more www.google.com', `ok ${passed}`],
      ['ask connected other.org', refused, 'deny DNS other.org'],
      ['ask connected .', refused, 'deny DNS .'],
      ['ask two-questions www.google.com other.org', refused, 'deny DNS other.org'],
      ['ask circle www.google.com', dropped, 'deny DNS'],
      ['ask cut-name www.google.com', dropped, 'deny DNS'],
      ['ask far-question www.google.com', dropped, 'deny DNS'],
      ['ask answer other.org', passed],
    ],
  },
  "a cluster's search suffix is left out": {
    spec: dns({ domain: 'google.com', action: 'Block' }, { domain: 'api.cluster.local', action: 'Audit' }),
    steps: [
      ['ask connected www.google.com.cluster.local', refused, 'deny DNS www.google.com.cluster.local'],
      ['ask connected www.google.com.svc.cluster.local', refused, 'deny DNS www.google.com.svc.cluster.local'],
      [
        'ask connected www.google.com.TEST.svc.cluster.local',
        refused,
        'deny DNS www.google.com.TEST.svc.cluster.local',
      ],
      ['ask connected www.google.com.other.svc.cluster.local', passed],
      ['ask connected www.google.com.test.cluster.local', passed],
      ['ask connected the.api.cluster.local', passed, 'alert DNS the.api.cluster.local'],
    ],
  },
  'a socket is reported once per hook': {
    lsmOnly: true,
    spec: { network: { matchProtocols: [{ protocol: 'udp,stream' }], action: 'Audit' } },
    steps: [
      [
        'ask sockets',
        /^(ok ?){15}$/,
        'alert SOCKET_CREATE domain=AF_INET type=SOCK_DGRAM protocol=UDP',
        'alert SOCKET_CREATE domain=AF_INET type=SOCK_STREAM protocol=TCP',
        'alert SOCKET_BIND sa_family=AF_INET sin_port=0 sin_addr=127.0.0.1',
        'alert SOCKET_SENDMSG sa_family=AF_INET sin_port=9999 sin_addr=127.0.0.1',
        'alert SOCKET_CONNECT sa_family=AF_INET sin_port=9999 sin_addr=127.0.0.1',
        'alert SOCKET_BIND sa_family=AF_INET sin_port=0 sin_addr=127.0.0.1',
        'alert SOCKET_LISTEN sa_family=AF_INET sin_port=PORT sin_addr=127.0.0.1',
        'alert SOCKET_CREATE domain=AF_INET type=SOCK_STREAM protocol=TCP',
        'alert SOCKET_CONNECT sa_family=AF_INET sin_port=PORT sin_addr=127.0.0.1',
        'alert SOCKET_ACCEPT sa_family=AF_INET sin_port=PORT sin_addr=127.0.0.1',
        'alert SOCKET_CREATE domain=AF_INET type=SOCK_STREAM protocol=TCP',
        'alert SOCKET_CONNECT sa_family=AF_INET sin_port=PORT sin_addr=127.0.0.1',
      ],
    ],
  },
  'the capability that is made use of': {
    lsmOnly: true,
    spec: {
      capabilities: { matchCapabilities: [{ capability: 'sys_chroot,sys_admin,dac_override' }], action: 'Block' },
    },
    // A stacked file system copies a file up with its mounter's credentials, and every mapping asks silently.
    before:
      'mkdir @/t; mount -t tmpfs none @/t; cd @/t; mkdir lower upper work over; echo 1 >lower/f; mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work over',
    steps: [
      ['chroot / /bin/true', /Operation not permitted/, 'deny CAPABLE CAP_SYS_CHROOT'],
      // Within a user namespace of its own it has all of them, and is asked all the same: who writes the map of users.
      ['unshare -U -r /bin/true', /Operation not permitted/, 'deny CAPABLE CAP_SYS_ADMIN'],
      ['/bin/true', ''],
      ['echo 2 >>@/t/over/f; cat @/t/upper/f', '1\n2'],
    ],
  },
};
const names = Object.keys(cases);

function isHere({ lsmOnly }: Case, backend: 'lsm' | 'tracepoint'): boolean {
  return !lsmOnly || backend === 'lsm';
}

const input = (backend: 'lsm' | 'tracepoint'): string =>
  JSON.stringify(
    names.map((name): Session => {
      const { before, spec, steps } = cases[name] as Case;
      const commands = isHere(cases[name] as Case, backend) ? steps.map(([command]) => withAsk(command)) : [];
      return {
        ...(before && isHere(cases[name] as Case, backend) && { before }),
        ownNetwork: true,
        steps: [{ spec }, ...commands],
      };
    }),
  );

function withAsk(command: string): string {
  return command.replace(/^ask /, `${ask} `);
}

async function runInGuest(kernel: KernelSeries): Promise<string> {
  await using guest = await bootGuest({ kernel });
  const { status, stdout, stderr } = await guest.run([process.execPath, program, 'lsm'], {
    stdin: input('lsm'),
    timeoutMs: 300_000,
  });
  expect(status, String(stderr)).toBe(0);
  return String(stdout);
}

/** Without BPF LSM a question is judged on the packet alone. */
const byBackend = (output: string | RegExp, backend: string): string | RegExp =>
  backend === 'tracepoint' && output === refused ? dropped : output;

describe.each([
  [
    'on this kernel',
    'tracepoint',
    missingForHost,
    () => execFileSync(process.execPath, [program, 'tracepoint'], { input: input('tracepoint'), encoding: 'utf8' }),
  ],
  ['on 6.1', 'lsm', undefined, () => runInGuest('6.1')],
  ['on 6.12', 'lsm', undefined, () => runInGuest('6.12')],
] as const)('sockets, DNS questions and capabilities %s', (_, backend, missing, run) => {
  describe.skipIf(missing)(named('in the kernel', missing), () => {
    let outcomes: Outcome[][];
    beforeAll(async () => {
      ({ outcomes } = JSON.parse(await run()) as { outcomes: Outcome[][] });
    });

    it.each(names.filter((name) => isHere(cases[name] as Case, backend)))('%s', (name) => {
      const found = (outcomes[names.indexOf(name)] ?? []).map(({ command, output, alerts }) => [
        command,
        output.trimEnd(),
        ...alerts.map((alert) => alert.replace(/sin_port=[1-9]\d{3,}(?<!9999)/, 'sin_port=PORT')),
      ]);
      expect(found).toEqual(
        (cases[name] as Case).steps.map(([command, output, ...alerts]) => {
          const wanted = byBackend(output, backend);
          return [withAsk(command), typeof wanted === 'string' ? wanted : expect.stringMatching(wanted), ...alerts];
        }),
      );
    });
  });
});
