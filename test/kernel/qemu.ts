import { join } from 'node:path';
import { CHECKOUT, type CheckoutDisk } from './checkout.ts';
import type { KernelImage } from './image.ts';

interface Machine {
  kernel: KernelImage;
  initramfs: string;
  icount?: boolean;
  memoryMiB?: number;
  disks?: string[];
  checkout?: CheckoutDisk | undefined;
  share: string;
  /** Path of a socket by its name. */
  path(name: string): string;
}

/** The command line of QEMU for a guest: software emulation (KVM is not asked for), two virtiofs shares, user network, one virtio serial port. */
export function qemuArguments({
  kernel,
  initramfs,
  icount,
  memoryMiB = 3072,
  disks = [],
  checkout,
  share,
  path,
}: Machine): string[] {
  // The two processors run in turns. Side by side, one now and then runs code that the other has just rewritten (QEMU 7.2): one start
  // of Node in ten crashed on 6.12, and the kernel did where programs were put on hooks in use.
  const processor = icount
    ? ['-accel', 'tcg', '-icount', 'shift=1,sleep=off', '-smp', '1']
    : ['-accel', 'tcg,thread=single,tb-size=512', '-smp', '2'];
  const runner = join(import.meta.dirname, 'runner.sh');
  const fileSystem = (tag: string) => [
    ...['-chardev', `socket,id=${tag},path=${path(`${tag}.sock`)}`],
    ...['-device', `vhost-user-fs-pci,chardev=${tag},tag=${tag},queue-size=1024`],
  ];
  const disk = (file: string, name: string) => [
    ...['-drive', `file=${file},format=raw,if=none,readonly=on,id=${name}`],
    ...['-device', `virtio-blk-pci,drive=${name},serial=${name}`],
  ];
  return [
    ...processor,
    ...['-m', String(memoryMiB), '-cpu', 'max'],
    ...['-kernel', kernel.vmlinuz, '-initrd', initramfs],
    // virtiofsd serves out of the guest's memory, so that must be shareable
    ...['-object', `memory-backend-memfd,id=memory,size=${memoryMiB}M,share=on`, '-numa', 'node,memdev=memory'],
    ...fileSystem('root'),
    ...fileSystem('share'),
    ...disks.flatMap((file, i) => disk(file, `disk${i}`)),
    ...(checkout ? disk(checkout.image, 'checkout') : []),
    ...['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile='],
    ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=channel,path=${path('channel.sock')}`],
    ...['-device', 'virtserialport,chardev=channel'],
    '-append',
    [
      'console=ttyS0 quiet panic=-1 net.ifnames=0 lsm=landlock,lockdown,yama,bpf',
      `picket.runner=${runner} picket.modules=${kernel.modulesRoot} picket.share=${share}`,
      checkout ? `picket.checkout=${CHECKOUT} picket.node=${checkout.node ?? ''}` : '',
    ].join(' '),
    ...['-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
  ];
}
