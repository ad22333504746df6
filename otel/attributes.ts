/**
 * Names of OpenTelemetry attributes (semantic conventions 1.45.0) that carry an alert, and those of Picket's own for
 * what the conventions have no name for.
 */

// The workload: attributes of the resource.
export const SERVICE_NAME = 'service.name';
export const SERVICE_NAMESPACE = 'service.namespace';
export const K8S_CLUSTER_NAME = 'k8s.cluster.name';
export const K8S_NAMESPACE_NAME = 'k8s.namespace.name';
export const K8S_NODE_NAME = 'k8s.node.name';
export const K8S_POD_NAME = 'k8s.pod.name';
export const K8S_POD_UID = 'k8s.pod.uid';
export const K8S_CONTAINER_NAME = 'k8s.container.name';
/** Followed by the key of the label. */
export const K8S_POD_LABEL = 'k8s.pod.label.';
export const CONTAINER_ID = 'container.id';
export const CONTAINER_NAME = 'container.name';
export const CONTAINER_IMAGE_NAME = 'container.image.name';
export const CONTAINER_IMAGE_TAGS = 'container.image.tags';
export const CONTAINER_IMAGE_REPO_DIGESTS = 'container.image.repo_digests';
export const HOST_NAME = 'host.name';
export const HOST_ID = 'host.id';
export const OWNER_REF = 'picket.owner.ref';
export const OWNER_NAME = 'picket.owner.name';
export const OWNER_NAMESPACE = 'picket.owner.namespace';
/** Labels verbatim, only where they cannot be made from the labels one by one. */
export const LABELS = 'picket.labels';

// The sensor: attributes of the scope.
export const ENFORCER = 'picket.enforcer';
export const KERNEL_RELEASE = 'picket.kernel.release';
export const NODE_BOOT_ID = 'picket.node.boot_id';

// The acting process.
export const PROCESS_PID = 'process.pid';
export const PROCESS_PARENT_PID = 'process.parent_pid';
export const PROCESS_VPID = 'process.vpid';
export const PROCESS_PARENT_VPID = 'picket.process.parent_vpid';
export const PROCESS_USER_ID = 'process.user.id';
export const PROCESS_USER_NAME = 'process.user.name';
export const PROCESS_EXECUTABLE_PATH = 'process.executable.path';
export const PROCESS_EXECUTABLE_NAME = 'process.executable.name';
export const PROCESS_PARENT_EXECUTABLE_PATH = 'picket.process.parent_executable_path';
export const PROCESS_COMMAND_LINE = 'process.command_line';
export const PROCESS_CREATION_TIME = 'process.creation.time';
export const PROCESS_WORKING_DIRECTORY = 'process.working_directory';
export const PROCESS_TTY = 'picket.process.tty';
export const PROCESS_INTERACTIVE = 'process.interactive';
export const PROCESS_EXEC_ID = 'picket.process.exec_id';
export const PROCESS_EXEC_EXECUTABLE = 'picket.process.exec_executable';
/** Source verbatim, only where nothing else carries it. */
export const SOURCE = 'picket.source';

// The object of the access.
export const RESOURCE = 'picket.resource';
export const FILE_PATH = 'file.path';
export const FILE_NAME = 'file.name';
export const FILE_DIRECTORY = 'file.directory';
export const NETWORK_TYPE = 'network.type';
export const NETWORK_TRANSPORT = 'network.transport';
export const NETWORK_PEER_ADDRESS = 'network.peer.address';
export const NETWORK_PEER_PORT = 'network.peer.port';
export const NETWORK_LOCAL_ADDRESS = 'network.local.address';
export const NETWORK_LOCAL_PORT = 'network.local.port';
export const DNS_QUESTION_NAME = 'dns.question.name';
export const CAPABILITY = 'picket.capability';
export const DATA = 'picket.data';
export const HOOK = 'picket.hook';
export const SYSCALL_NAME = 'picket.syscall.name';
/** Followed by the name of the argument. */
export const SYSCALL_ARGS = 'picket.syscall.args.';
export const SOCKET_TYPE = 'picket.socket.type';
export const SOCKET_PROTOCOL = 'picket.socket.protocol';
export const HASH_PROCESS = 'picket.hash.process';
export const HASH_PARENT = 'picket.hash.parent';
export const HASH_RESOURCE = 'picket.hash.resource';
export const HASH_ALGORITHM = 'picket.hash.algorithm';

// The rule and the verdict.
export const RULE_NAME = 'security_rule.name';
export const RULE_UUID = 'security_rule.uuid';
export const RULE_VERSION = 'security_rule.version';
export const RULE_CATEGORY_OF_ACCESS = 'security_rule.category';
export const RULE_DESCRIPTION = 'security_rule.description';
export const RULE_KIND = 'picket.rule.kind';
export const RULE_NAMESPACE = 'picket.rule.namespace';
export const RULE_PATH = 'picket.rule.path';
export const RULE_CATEGORY = 'picket.rule.category';
export const RULE_POSTURE = 'picket.rule.posture';
export const TYPE = 'picket.type';
export const SEVERITY = 'picket.severity';
export const TAGS = 'picket.tags';
export const ATTACK_TECHNIQUE = 'picket.attack.technique';
export const ACTION = 'picket.action';
export const RESULT = 'picket.result';
export const OUTCOME = 'picket.outcome';
export const ERRNO = 'picket.errno';

// The record itself.
export const LOG_RECORD_UID = 'log.record.uid';
export const LOG_RECORD_ORIGINAL = 'log.record.original';
export const SEQ = 'picket.seq';
export const EPOCH = 'picket.epoch';
export const FLAGS = 'picket.flags';
export const THROTTLE_COUNT = 'picket.throttle.count';
export const THROTTLE_FIRST_TIME = 'picket.throttle.first_time';
export const THROTTLE_LAST_TIME = 'picket.throttle.last_time';
export const THROTTLE_RESOURCES = 'picket.throttle.resources';
export const THROTTLE_SOURCES = 'picket.throttle.sources';
export const THROTTLE_TRUNCATED = 'picket.throttle.truncated';
export const THROTTLE_MAX_PER_SECOND = 'picket.throttle.max_per_second';
export const THROTTLE_INTERVAL_SECONDS = 'picket.throttle.interval_seconds';
