import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootGuest, type Guest } from '../../kernel/guest.ts';
import { reasonWithoutOrdinaryUser } from '../ordinary-user.ts';

const root = new URL('../../../', import.meta.url).pathname;

const closed = reasonWithoutOrdinaryUser();

describe('doctor() on a kernel with BPF LSM', () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await bootGuest({ kernel: '6.1' });
  });
  afterAll(() => guest?.[Symbol.asyncDispose]());

  const script = (only: string) => `
    import { doctor } from '${root}agent/kernel/doctor.ts';
    process.exitCode = doctor({ json: true, write: (text) => process.stdout.write(text)${only} });`;
  const run = async (only = '', prefix: string[] = []) => {
    const node = [process.execPath, '--input-type=module-typescript', '-e', script(only)];
    const { status, stdout, stderr } = await guest.run([...prefix, ...node]);
    expect(String(stderr)).toBe('');
    return { status, report: JSON.parse(String(stdout)) };
  };

  it('chooses lsm, finds everything, and leaves no program or map behind', async () => {
    const { status, report } = await run();
    expect(report.features.filter((feature: { ok: boolean }) => !feature.ok)).toEqual([]);
    expect([status, report.backend, report.kernel]).toEqual([0, 'lsm', guest.release]);
    const left = await guest.run('bpftool prog list; bpftool map list');
    expect(String(left.stdout)).not.toMatch(/picket_/);
  });

  it('chooses tracepoint when asked for it', async () => {
    expect((await run(", only: 'tracepoint'")).report.backend).toBe('tracepoint');
  });

  it.skipIf(closed)(`names the missing rights of an ordinary user and ends with 3${closed}`, async () => {
    const { status, report } = await run('', ['setpriv', '--reuid', '65534', '--clear-groups']);
    expect(status).toBe(3);
    expect(report.reason).toContain('rights: user 65534');
  });
});
