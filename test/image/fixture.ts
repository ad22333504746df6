/** A file or folder that the image holds beside Debian's own. */
export interface Entry {
  path: string;
  owner: 'root' | 'user1';
  mode: number;
  content: { text: string } | { program: 'hello' | 'readwrite' } | { copyOf: string } | 'directory';
}

/** Packages on top of Debian 12's minimal variant. */
export const PACKAGES = 'iputils-ping arping curl iproute2 net-tools python3 util-linux procps'.split(' ');

/** Uid and gid of `user1`, the image's only ordinary user. */
export const USER1 = 1000;

const directory = (path: string, owner: Entry['owner'], mode: number): Entry => ({
  path,
  owner,
  mode,
  content: 'directory',
});
const text = (path: string, owner: Entry['owner'], mode: number, line: string): Entry => ({
  path,
  owner,
  mode,
  content: { text: `${line}\n` },
});
const program = (path: string, owner: Entry['owner'], name: 'hello' | 'readwrite'): Entry => ({
  path,
  owner,
  mode: 0o755,
  content: { program: name },
});

/** Modes are wide, so that ordinary permissions never refuse what a case tries; only policy does. Parents come first. */
export const ENTRIES: Entry[] = [
  text('/secret.txt', 'root', 0o666, 'secret file'),
  directory('/credentials', 'root', 0o777),
  directory('/credentials/keys', 'root', 0o777),
  text('/credentials/password', 'root', 0o666, 'password file'),
  text('/credentials/keys/priv.key', 'root', 0o666, 'private key'),
  directory('/home/user1', 'user1', 0o777),
  directory('/home/user1/dir1', 'user1', 0o777),
  text('/home/user1/secret_data1.txt', 'user1', 0o666, 'secret file user1'),
  text('/home/user1/otherfile.txt', 'user1', 0o666, 'other file user1'),
  text('/home/user1/dir1/key1.txt', 'user1', 0o666, 'key file user1'),
  program('/home/user1/hello', 'user1', 'hello'),
  program('/home/user1/readwrite', 'user1', 'readwrite'),
  program('/readwrite', 'root', 'readwrite'),
  directory('/run/secrets', 'root', 0o755),
  directory('/run/secrets/kubernetes.io', 'root', 0o755),
  directory('/run/secrets/kubernetes.io/serviceaccount', 'root', 0o755),
  text('/run/secrets/kubernetes.io/serviceaccount/token', 'root', 0o644, 'token'),
  directory('/var/www', 'root', 0o755),
  directory('/var/www/html', 'root', 0o755),
  text('/var/www/html/wp-config.php', 'root', 0o644, '<?php // fixture'),
  directory('/usr/share/nginx', 'root', 0o755),
  directory('/usr/share/nginx/html', 'root', 0o755),
  text('/usr/share/nginx/html/index.html', 'root', 0o644, '<html>fixture</html>'),
  directory('/var/lib/mysql', 'root', 0o755),
  text('/etc/hostname', 'root', 0o644, 'fixture'),
  text('/etc/hosts', 'root', 0o644, '127.0.0.1 localhost fixture'),
  text('/etc/resolv.conf', 'root', 0o644, 'nameserver 127.0.0.1'),
  directory('/opt/picket-host', 'root', 0o755),
  directory('/opt/picket-host/bin', 'root', 0o755),
  ...['ls', 'cat', 'head', 'date', 'diff', 'sleep', 'curl'].map(
    (name): Entry => ({
      path: `/opt/picket-host/bin/${name}`,
      owner: 'root',
      mode: 0o755,
      content: { copyOf: `/usr/bin/${name}` },
    }),
  ),
  directory('/opt/picket-host/data', 'root', 0o755),
  ...['a.txt', 'b.txt', 'c.log'].map((name) => text(`/opt/picket-host/data/${name}`, 'root', 0o666, name)),
];
