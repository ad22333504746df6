/** Environment of every process in a container; HOME is added per user. */
export const ENVIRONMENT = [
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'LANG=C',
  'LC_ALL=C',
  'TERM=dumb',
];

export const CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'NET_BIND_SERVICE'],
  ...['NET_RAW', 'SYS_CHROOT', 'MKNOD', 'AUDIT_WRITE', 'SETFCAP'],
].map((name) => `CAP_${name}`);

interface Bundle {
  rootfs: string;
  hostname: string;
  cgroupsPath: string;
  /** Of the pod, when another container of it has one already. */
  networkNamespace: string | undefined;
  args: string[];
}

const mount = (destination: string, type: string, options: string[], source = type) => ({
  destination,
  type,
  source,
  options,
});

/** The OCI runtime configuration (config.json) of a fixture container. */
export function bundleConfig({ rootfs, hostname, cgroupsPath, networkNamespace, args }: Bundle): object {
  return {
    ociVersion: '1.0.2',
    hostname,
    root: { path: rootfs, readonly: false },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: [...ENVIRONMENT, 'HOME=/root'],
      cwd: '/',
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      noNewPrivileges: false,
    },
    mounts: [
      mount('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
      mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
      mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
      mount('/dev/shm', 'tmpfs', ['nosuid', 'nodev', 'mode=1777'], 'shm'),
    ],
    linux: {
      cgroupsPath,
      namespaces: [
        ...['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })),
        { type: 'network', ...(networkNamespace && { path: networkNamespace }) },
      ],
      ...(!networkNamespace && { sysctl: { 'net.ipv4.ping_group_range': '1 0' } }),
      devices: [],
      resources: { devices: [{ allow: true, access: 'rwm' }] },
    },
  };
}
