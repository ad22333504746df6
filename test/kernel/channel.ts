import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** Lines to and from the guest's runner (runner.sh), over the socket that QEMU connects to its virtio serial port. */
export interface Channel extends Disposable {
  /** Resolves with the kernel release when the runner is ready. */
  readonly ready: Promise<string>;
  run(id: string): Promise<number>;
  kill(id: string): void;
}

/** Listens at `path`; QEMU is started afterwards and connects. */
export async function listen(path: string): Promise<Channel> {
  const ready = Promise.withResolvers<string>();
  const running = new Map<string, (status: number) => void>();
  let socket: Socket | undefined;

  const receive = (line: string): void => {
    const [verb, ...rest] = line.split(' ');
    if (verb === 'ready') ready.resolve(String(rest[0]));
    if (verb !== 'done') return;
    const [id = '', status] = rest;
    running.get(id)?.(Number(status));
    running.delete(id);
  };
  const server = createServer((connection) => {
    socket = connection;
    let pending = '';
    connection.setEncoding('utf8').on('data', (text: string) => {
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      lines.forEach(receive);
    });
    // QEMU's end is noticed by its exit, which tells more than a broken socket
    connection.on('error', () => {});
  });
  server.listen(path);
  await once(server, 'listening');

  return {
    ready: ready.promise,
    run(id) {
      const { promise, resolve } = Promise.withResolvers<number>();
      running.set(id, resolve);
      socket?.write(`run ${id}\n`);
      return promise;
    },
    kill(id) {
      socket?.write(`kill ${id}\n`);
    },
    [Symbol.dispose]() {
      socket?.destroy();
      server.close();
    },
  };
}
