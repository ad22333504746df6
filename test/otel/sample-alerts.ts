import type { VerdictAlert } from '../../otel/alert.ts';

/** The first sample alert of the alert reference, as an object. */
export const unlinkAlert: VerdictAlert = {
  Timestamp: 1661936135,
  UpdatedTime: '2022-08-31T08:55:35.368285Z',
  ClusterName: 'default',
  HostName: 'vagrant',
  NamespaceName: 'default',
  PodName: 'ubuntu-1-6779f689b5-jjcvh',
  Labels: 'container=ubuntu-1',
  ContainerID: '1f613df8390b9d2e4e89d0323ac0b9a2e7d7ddcc460720e15074f8c497aec0df',
  ContainerName: 'nginx',
  ContainerImage: 'nginx:latest@sha256:b95a99feebf7797479e0c5eb5ec0bdfa5d9f504bc94da550c2f58e839ea6914f',
  HostPPID: 255296,
  HostPID: 296264,
  PPID: 47,
  PID: 65,
  UID: 0,
  ParentProcessName: '/bin/bash',
  ProcessName: '/usr/bin/unlink',
  PolicyName: 'audit-all-unlink',
  Severity: '3',
  Type: 'MatchedPolicy',
  Source: '/usr/bin/unlink home/secret.txt',
  Operation: 'Syscall',
  Resource: '/home/secret.txt',
  Data: 'syscall=SYS_UNLINK',
  EventData: { Syscall: 'SYS_UNLINK' },
  Enforcer: 'eBPF Monitor',
  Action: 'Audit',
  Result: 'Passed',
  Cwd: '/',
  KubeArmorVersion: 'picket-0.1.0',
  Picket: {
    AlertID: '01GBSHSV68K0QH6Q3S9X0WJ7ZN',
    Rule: {
      Kind: 'KubeArmorPolicy',
      Namespace: 'default',
      Policy: 'audit-all-unlink',
      UID: '5e0c6e7a-9a55-4d0e-8f5f-8d3a2f4f1b6c',
      Path: 'spec.syscalls.matchSyscalls[0]',
      Generation: 7,
    },
    TraceID: '4b801ecef4da8ba67f6098388466e4a3',
    SpanID: '810fefb32af86fb2',
    Seq: 1042,
    Epoch: '0b6f7d0e-1',
  },
};

/** The same as the reference prints it, without the line breaks it adds. */
export const unlinkJson =
  '{"Timestamp":1661936135,"UpdatedTime":"2022-08-31T08:55:35.368285Z","ClusterName":"default","HostName":"vagrant",' +
  '"NamespaceName":"default","PodName":"ubuntu-1-6779f689b5-jjcvh","Labels":"container=ubuntu-1",' +
  '"ContainerID":"1f613df8390b9d2e4e89d0323ac0b9a2e7d7ddcc460720e15074f8c497aec0df","ContainerName":"nginx",' +
  '"ContainerImage":"nginx:latest@sha256:b95a99feebf7797479e0c5eb5ec0bdfa5d9f504bc94da550c2f58e839ea6914f",' +
  '"HostPPID":255296,"HostPID":296264,"PPID":47,"PID":65,"UID":0,' +
  '"ParentProcessName":"/bin/bash","ProcessName":"/usr/bin/unlink","PolicyName":"audit-all-unlink","Severity":"3",' +
  '"Type":"MatchedPolicy","Source":"/usr/bin/unlink home/secret.txt","Operation":"Syscall","Resource":"/home/secret.txt",' +
  '"Data":"syscall=SYS_UNLINK","EventData":{"Syscall":"SYS_UNLINK"},"Enforcer":"eBPF Monitor","Action":"Audit",' +
  '"Result":"Passed","Cwd":"/","KubeArmorVersion":"picket-0.1.0",' +
  '"Picket":{"AlertID":"01GBSHSV68K0QH6Q3S9X0WJ7ZN",' +
  '"Rule":{"Kind":"KubeArmorPolicy","Namespace":"default","Policy":"audit-all-unlink",' +
  '"UID":"5e0c6e7a-9a55-4d0e-8f5f-8d3a2f4f1b6c","Path":"spec.syscalls.matchSyscalls[0]","Generation":7},' +
  '"TraceID":"4b801ecef4da8ba67f6098388466e4a3","SpanID":"810fefb32af86fb2","Seq":1042,"Epoch":"0b6f7d0e-1"}}';
