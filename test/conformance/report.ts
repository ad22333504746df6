/** What became of a case. */
export type Verdict = { kind: 'passed' } | { kind: 'failed'; faults: string[] } | { kind: 'skipped'; reason: string };

export interface Result {
  name: string;
  seconds: number;
  verdict: Verdict;
}

/** One line for a case; a failed one is followed by what went wrong. */
export function formatResult({ name, seconds, verdict }: Result): string {
  const head = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[verdict.kind];
  const line = `${head} ${name} (${seconds.toFixed(1)} s)`;
  if (verdict.kind === 'skipped') return `${line}: ${verdict.reason}`;
  if (verdict.kind === 'passed') return line;
  return [line, ...verdict.faults.flatMap((fault) => fault.split('\n')).map((text) => `       ${text}`)].join('\n');
}

/** The last line of a run. */
export function formatSum(results: Result[]): string {
  const count = (kind: Verdict['kind']) => results.filter(({ verdict }) => verdict.kind === kind).length;
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
}

/** The results as JUnit XML. */
export function formatJunit(results: Result[]): string {
  const total = results.reduce((sum, { seconds }) => sum + seconds, 0);
  const failed = results.filter(({ verdict }) => verdict.kind === 'failed').length;
  const skipped = results.filter(({ verdict }) => verdict.kind === 'skipped').length;
  const cases = results.map(({ name, seconds, verdict }) => {
    const open = `    <testcase classname="conformance" name="${escapeXml(name)}" time="${seconds.toFixed(3)}"`;
    if (verdict.kind === 'passed') return `${open}/>`;
    const [first = '', ...rest] = verdict.kind === 'failed' ? verdict.faults : [verdict.reason];
    const body =
      verdict.kind === 'failed'
        ? `<failure message="${escapeXml(first)}">${escapeXml(rest.join('\n'))}</failure>`
        : `<skipped message="${escapeXml(first)}"/>`;
    return `${open}>${body}</testcase>`;
  });
  const counts = `tests="${results.length}" failures="${failed}" errors="0" skipped="${skipped}" time="${total.toFixed(3)}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="conformance" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;' };

/** Control characters, which XML 1.0 cannot hold, become U+FFFD. */
function escapeXml(text: string): string {
  return text
    .replace(/(?![\t\n\r])[\p{Cc}\ufffe\uffff]/gu, '\ufffd')
    .replace(/[&<>"\n]/g, (c) => ENTITIES[c] as string);
}
