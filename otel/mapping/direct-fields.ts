import * as name from '../attributes.ts';

/** A field that travels as it is, under a name of its own. `span`: the alert's span has it too. */
export interface DirectField {
  field: string;
  name: string;
  kind: 'text' | 'count';
  span: boolean;
}

function text(field: string, name: string, span = false): DirectField {
  return { field, name, kind: 'text', span };
}
function count(field: string, name: string, span = false): DirectField {
  return { field, name, kind: 'count', span };
}

/** One list for both directions: what `toRecord` writes from it, `fromRecord` reads by it. */
export const directFields: readonly DirectField[] = [
  count('HostPID', name.PROCESS_PID, true),
  count('HostPPID', name.PROCESS_PARENT_PID, true),
  count('PID', name.PROCESS_VPID, true),
  count('PPID', name.PROCESS_PARENT_VPID, true),
  count('UID', name.PROCESS_USER_ID, true),
  text('UserName', name.PROCESS_USER_NAME, true),
  text('ProcessName', name.PROCESS_EXECUTABLE_PATH, true),
  text('ParentProcessName', name.PROCESS_PARENT_EXECUTABLE_PATH, true),
  text('PolicyName', name.RULE_NAME, true),
  text('Message', name.RULE_DESCRIPTION),
  text('Type', name.TYPE),
  text('Resource', name.RESOURCE),
  text('Data', name.DATA),
  text('Action', name.ACTION, true),
  text('Result', name.RESULT),
  text('Cwd', name.PROCESS_WORKING_DIRECTORY),
  text('TTY', name.PROCESS_TTY),
  count('MaxAlertsPerSec', name.THROTTLE_MAX_PER_SECOND),
  count('DroppingAlertsInterval', name.THROTTLE_INTERVAL_SECONDS),
  text('ProcessHash', name.HASH_PROCESS),
  text('ParentHash', name.HASH_PARENT),
  text('ResourceHash', name.HASH_RESOURCE),
  text('HashAlgo', name.HASH_ALGORITHM),
];
