/** All capabilities of Linux in order of their numbers, 0 (chown) to 40 (checkpoint_restore). */
const names = `
  chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
  net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin
  sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override
  mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore
`
  .trim()
  .split(/\s+/);

export const capabilityNames: ReadonlySet<string> = new Set(names);

/** `CAP_NET_RAW`, `Net_Raw`, `net_raw` → `net_raw`. */
export function canonicalCapability(written: string): string {
  const name = written.toLowerCase();
  return name.startsWith('cap_') ? name.slice(4) : name;
}

/** Number of a capability by its canonical name. */
export function capabilityNumber(name: string): number {
  return names.indexOf(name);
}
