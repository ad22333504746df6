import { type ExecFileOptions, execFile } from 'node:child_process';

/** Runs a program to its end and returns its standard output; an error carries the command line and the end of what it printed. */
export function runCommand(program: string, args: string[], options: ExecFileOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { maxBuffer: 64 << 20, ...options, encoding: 'utf8' },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        const missing = (error as NodeJS.ErrnoException).code === 'ENOENT' ? ' (is its Debian package installed?)' : '';
        const tail = `${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n');
        reject(new Error(`${program} ${args.join(' ')}: ${error.message}${missing}\n${tail}`, { cause: error }));
      },
    );
    child.stdin?.end(); // who reads it finds nothing
  });
}
